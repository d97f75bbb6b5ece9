//! The hosts that recipes of a bench may reach.

use std::fmt;

use serde::Deserialize;
use url::{Host, Url};

/// `allow_http` of the configuration: hosts, each with one port or all ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    host: Host,
    port: Option<u16>,
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

impl TryFrom<Vec<String>> for AllowedHosts {
    type Error = String;

    fn try_from(entries: Vec<String>) -> Result<Self, String> {
        entries.iter().map(|entry| read(entry)).collect::<Result<_, _>>().map(Self)
    }
}

fn read(entry: &str) -> Result<AllowedHost, String> {
    let refuse = || format!("`{entry}` is not a host (for example `probe-station:8000` or `192.168.1.30`)");
    let (host, port) = match (entry.rsplit_once(':'), entry.ends_with(']')) {
        // An IPv6 address without brackets has no port.
        (Some((front, _)), false) if front.contains(':') && !front.ends_with(']') => {
            (format!("[{entry}]"), None)
        }
        (Some((host, port)), false) => (host.to_owned(), Some(port.parse().map_err(|_| refuse())?)),
        _ => (entry.to_owned(), None),
    };
    let host = Host::parse(&host).map_err(|_| refuse())?;
    Ok(AllowedHost { host, port })
}

impl AllowedHosts {
    /// Only the host and port of this URL.
    #[must_use]
    pub fn only(url: &Url) -> Self {
        let host = url.host().map(|host| host.to_owned());
        Self(host.map(|host| AllowedHost { host, port: url.port_or_known_default() }).into_iter().collect())
    }

    /// Whether requests may go to the host and port of `url`.
    #[must_use]
    pub fn allow(&self, url: &Url) -> bool {
        let host = url.host().map(|host| host.to_owned());
        let fits = |allowed: &AllowedHost| {
            Some(&allowed.host) == host.as_ref()
                && allowed.port.is_none_or(|port| url.port_or_known_default() == Some(port))
        };
        self.0.iter().any(fits)
    }

    /// The setting that would allow this host.
    #[must_use]
    pub fn advice(&self, url: &Url) -> String {
        let entries =
            self.0.iter().map(|allowed| format!("\"{allowed}\"")).chain([format!("\"{}\"", host(url))]);
        let entries = entries.collect::<Vec<_>>().join(", ");
        format!("to allow these requests, write `allow_http = [{entries}]` in ctp10.toml")
    }
}

/// Host and port of a URL.
#[must_use]
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(entries: &[&str]) -> AllowedHosts {
        AllowedHosts::try_from(entries.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    fn allows(entries: &[&str], url: &str) -> bool {
        hosts(entries).allow(&url.parse().unwrap())
    }

    #[test]
    fn a_host_with_a_port_is_that_port_and_one_without_is_all_of_them() {
        assert!(allows(&["probe-station:8000"], "http://Probe-Station:8000/move"));
        assert!(!allows(&["probe-station:8000"], "http://probe-station:8001/move"));
        assert!(!allows(&["probe-station:8000"], "http://probe-station/"));
        assert!(allows(&["probe-station:80"], "http://probe-station/"));
        assert!(allows(&["probe-station:443"], "https://probe-station/"));
        assert!(allows(&["192.168.1.30"], "http://192.168.1.30:9/"));
        assert!(!allows(&["192.168.1.30"], "http://192.168.1.3/"));
        assert!(!allows(&[], "http://localhost/"));
    }

    #[test]
    fn one_address_has_many_spellings_and_a_name_is_no_part_of_another() {
        assert!(allows(&["127.0.0.1"], "http://0x7f.1:80/"));
        assert!(allows(&["[::1]:8000"], "http://[0:0::1]:8000/"));
        assert!(allows(&["::1"], "http://[::1]:5/"));
        assert!(!allows(&["[::1]:8000"], "http://[::1]/"));
        assert!(!allows(&["station"], "http://station.example/"));
        assert!(!allows(&["station"], "http://station@elsewhere/"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for entry in
            ["", "http://station", "station/path", "station:port", "station:99999", "a b", "user@station"]
        {
            let refused = AllowedHosts::try_from(vec![entry.to_owned()]).expect_err(entry);
            assert!(refused.contains(&format!("`{entry}` is not a host")), "{refused}");
        }
    }

    #[test]
    fn the_advice_is_the_whole_line_to_write() {
        let advice = hosts(&["192.168.1.30"]).advice(&"http://stage:8000/move".parse().unwrap());
        assert!(
            advice.contains("`allow_http = [\"192.168.1.30\", \"stage:8000\"]` in ctp10.toml"),
            "{advice}"
        );
    }
}
