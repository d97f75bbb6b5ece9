//! `[fleet]`: the broker of the queue of many benches, and this bench in it. Secrets come from a file or the
//! environment.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{in_home, times};

/// The table `[fleet]` of a `ctp10.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    url: Option<String>,
    bench: Option<String>,
    labels: Option<Vec<String>>,
    lease_s: Option<f64>,
    credentials_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// The fleet, as configured.
#[derive(Debug, Clone, Default)]
pub struct FleetConfig {
    /// The addresses of the broker, separated by commas.
    pub url: Option<String>,
    /// Name of this bench.
    pub bench: Option<String>,
    /// Labels of this bench.
    pub labels: Vec<String>,
    /// The lease for items that may be measured elsewhere.
    pub lease: Option<Duration>,
    /// The file with the credentials of NATS.
    pub credentials_file: Option<PathBuf>,
    /// The file with the certificates that the certificate of the broker must come from.
    pub ca_file: Option<PathBuf>,
    /// User and password, from the environment.
    pub user: Option<(String, Secret)>,
    /// Token, from the environment.
    pub token: Option<Secret>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FleetConfig {
    /// Takes the table of a file over.
    pub(super) fn take_file(&mut self, file: Given) -> Result<(), String> {
        let Given { url, bench, labels, lease_s, credentials_file, ca_file } = file;
        self.url = url.or(self.url.take());
        self.bench = bench.or(self.bench.take());
        self.labels = labels.unwrap_or_else(|| std::mem::take(&mut self.labels));
        let lease = lease_s.map(|seconds| {
            times::time("lease_s", seconds, "1 to 31536000 seconds", |time| time.as_secs() >= 1)
        });
        self.lease = lease.transpose()?.or(self.lease);
        self.credentials_file = credentials_file.map(in_home).or(self.credentials_file.take());
        self.ca_file = ca_file.map(in_home).or(self.ca_file.take());
        Ok(())
    }

    /// Takes the environment over.
    pub(super) fn take_environment(&mut self, variable: impl Fn(&str) -> Option<String>) {
        self.url = variable("CTP10_FLEET").or(self.url.take());
        self.bench = variable("CTP10_BENCH").or(self.bench.take());
        let file = variable("CTP10_FLEET_CREDENTIALS").map(|file| in_home(file.into()));
        self.credentials_file = file.or(self.credentials_file.take());
        self.user = variable("CTP10_FLEET_USER")
            .map(|user| (user, Secret(variable("CTP10_FLEET_PASSWORD").unwrap_or_default())));
        self.token = variable("CTP10_FLEET_TOKEN").map(Secret);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_the_fleet_and_the_environment_has_the_secrets() {
        let mut config = FleetConfig::default();
        let given: Given =
            toml::from_str("url = \"nats://broker\"\nbench = \"a\"\nlabels = [\"o-band\"]\nlease_s = 180\n")
                .unwrap();
        config.take_file(given).unwrap();
        config.take_environment(|name| (name == "CTP10_FLEET_TOKEN").then(|| "hush-hush".to_owned()));
        assert_eq!(config.url.as_deref(), Some("nats://broker"));
        assert_eq!(config.lease, Some(Duration::from_secs(180)));
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
        let wrong: Given = toml::from_str("lease_s = 0\n").unwrap();
        assert!(config.take_file(wrong).unwrap_err().contains("lease_s `0` is not allowed"));
    }
}
