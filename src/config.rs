//! Settings that are the same for every run at a bench: from `ctp10.toml` files and the environment.
//!
//! A flag takes precedence over the recipe, the recipe over the environment, and the environment over the files. For
//! each key the file in the working folder takes precedence; of `[limits]` the stricter applies.

mod deadlines;
mod fleet;
mod instruments;
mod limits;
mod parse_error;
mod store;
#[cfg(test)]
mod tests;
mod times;

use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;
use serde::Deserialize;

pub use fleet::{FleetConfig, Secret};

use crate::equipment::Equipment;
use crate::forecast::allowed::Allowed;
use crate::forecast::limits::BenchLimits;
use crate::http::AllowedHosts;
use crate::instrument::limits::Limits;
use crate::instrument::{Address, Deadlines};
use crate::session::Connections;
use crate::sidecar::{BasePath, Defaults, TrustedProxy};
use crate::source::{decode, without_mark};
pub use parse_error::ParseError;
pub use store::GivenStore;

/// The content of a `ctp10.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    instrument: Option<String>,
    out: Option<PathBuf>,
    store: Option<String>,
    store_endpoint: Option<String>,
    keep_local: Option<f64>,
    listen: Option<String>,
    connections: Option<Connections>,
    dark_after_s: Option<f64>,
    guard_after_s: Option<f64>,
    disk_full_wait_s: Option<f64>,
    answer_wait_s: Option<f64>,
    recipes: Option<Vec<PathBuf>>,
    allow_origin: Option<Vec<String>>,
    allow_scpi: Option<bool>,
    token_file: Option<PathBuf>,
    read_token_file: Option<PathBuf>,
    base_path: Option<String>,
    trusted_proxies: Option<Vec<String>>,
    module: Option<u8>,
    channel: Option<u8>,
    trace_type: Option<u8>,
    allow_http: Option<AllowedHosts>,
    notify: Option<bool>,
    #[serde(default)]
    instruments: Equipment,
    #[serde(default)]
    deadlines: deadlines::Given,
    #[serde(default)]
    fleet: fleet::Given,
    #[serde(default)]
    limits: Limits,
}

/// Set in the environment of a process that `ctp10 rehearse` starts: its deadlines are short, unless configured. The value
/// lists the simulated instruments beside the CTP10: `smu=127.0.0.1:1234,switch=…`, or is `1`.
pub const REHEARSAL_VARIABLE: &str = "CTP10_REHEARSAL";
/// A rehearsal takes at most a fiftieth of the time: its simulator scales times by this, and its deadlines follow.
pub const REHEARSAL_SCALE: f64 = 0.02;

/// A setting and its origin, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// For example ``the environment (`CTP10_INSTRUMENT`)``.
    pub origin: String,
}

/// The configuration from the files and the environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// The instrument for recipes without their own.
    pub instrument: Option<Setting<String>>,
    /// The folder for run folders.
    pub out: Option<PathBuf>,
    /// The object store to which runs are uploaded, and how long they stay in `out`.
    pub store: GivenStore,
    /// The address on which the sidecar listens, or `off`.
    pub listen: Option<String>,
    /// The number of connections to the instrument.
    pub connections: Connections,
    /// A run that is paused for longer than this turns its lasers off.
    pub dark_after: Duration,
    /// The longest time without a heartbeat that the watchdog of a run allows; `None`: no watchdog.
    pub guard_after: Option<Duration>,
    /// How long a run waits for disk space.
    pub disk_full_wait: Duration,
    /// How long a question waits for an answer after an operator was present; `None`: without a limit.
    pub answer_wait: Option<Duration>,
    /// Folders with the recipes that clients may run by path.
    pub recipes: Option<Vec<PathBuf>>,
    /// Origins of pages that may send requests to the sidecar, in addition to loopback.
    pub allow_origin: Vec<String>,
    /// Whether raw commands are allowed over HTTP.
    pub allow_scpi: bool,
    /// The file with the token for clients of the sidecar.
    pub token_file: Option<PathBuf>,
    /// The file with the read-only token.
    pub read_token_file: Option<PathBuf>,
    /// The token from the environment.
    pub token: Option<String>,
    /// The read-only token from the environment.
    pub read_token: Option<String>,
    /// The path prefix of the sidecar behind a proxy.
    pub base_path: BasePath,
    /// The proxies whose headers tell the address of a client.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Defaults for requests that do not name a detector or a trace.
    pub defaults: Defaults,
    /// The hosts that recipes may reach by HTTP; `None` if the configuration does not name any.
    pub allow_http: Option<AllowedHosts>,
    /// Whether notifications are sent.
    pub notify: bool,
    /// The named instruments of the bench, beside the CTP10.
    pub instruments: Equipment,
    /// The deadlines of each kind of exchange with the instrument.
    pub deadlines: Deadlines,
    /// The limits of the bench.
    pub limits: Limits,
    /// The same limits, each with its place in a file.
    pub placed_limits: BenchLimits,
    /// The queue of many benches.
    pub fleet: FleetConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instrument: None,
            out: None,
            store: GivenStore::default(),
            listen: None,
            connections: Connections::Auto,
            dark_after: times::DARK_AFTER,
            guard_after: Some(times::GUARD_AFTER),
            disk_full_wait: times::DISK_FULL_WAIT,
            answer_wait: None,
            recipes: None,
            allow_origin: Vec::new(),
            allow_scpi: false,
            token_file: None,
            read_token_file: None,
            token: None,
            read_token: None,
            base_path: BasePath::default(),
            trusted_proxies: Vec::new(),
            defaults: Defaults::default(),
            allow_http: None,
            notify: true,
            instruments: Equipment::default(),
            deadlines: Deadlines::default(),
            limits: Limits::default(),
            placed_limits: BenchLimits::default(),
            fleet: FleetConfig::default(),
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file exists, but cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not a valid configuration.
    #[error("`{path}` is not a valid configuration of ctp10")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The reason, with its position.
        source: ParseError,
    },
    /// A value is not allowed.
    #[error("{origin}: {message}")]
    Value {
        /// Where the value is set.
        origin: String,
        /// The given value, and what is allowed.
        message: String,
    },
}

impl Config {
    /// Reads the file of the user, the file of the working folder, and the environment. Later ones take precedence.
    ///
    /// # Errors
    /// If a file exists and cannot be read or parsed. Otherwise a limit in it could be lost.
    pub fn load() -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if std::env::var_os(REHEARSAL_VARIABLE).is_some() {
            config.deadlines = deadlines::of_rehearsal();
        }
        if let Ok(strategy) = etcetera::choose_base_strategy() {
            config.take_file(&strategy.config_dir().join("ctp10").join("ctp10.toml"))?;
        }
        config.take_file(Path::new("ctp10.toml"))?;
        config.take_environment(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
        Ok(config)
    }

    /// The configuration with the store of the command line, if one is given there.
    ///
    /// # Errors
    /// If the address is wrong.
    pub fn with_store(mut self, address: Option<String>) -> Result<Self, ConfigError> {
        let origin = "the command line (`--store`)".to_owned();
        let taken = self.store.take(address, None, None);
        taken.map(|()| self).map_err(|message| ConfigError::Value { origin, message })
    }

    /// The hosts and limits for recipes at this bench.
    #[must_use]
    pub fn allowed(&self) -> Allowed {
        Allowed {
            hosts: self.allow_http.clone(),
            limits: self.placed_limits.clone(),
            instruments: Some(self.instruments.clone()).filter(|instruments| !instruments.is_empty()),
        }
    }

    fn take_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
        };
        let wrong = |message| ConfigError::Read {
            path: path.to_owned(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, format!("it {message}")),
        };
        let text = decode(bytes).map_err(wrong)?;
        let mut file: File = toml::from_str(without_mark(&text)).map_err(|error| {
            let source = ParseError::new(without_mark(&text), error);
            ConfigError::Parse { path: path.to_owned(), source }
        })?;
        let origin = format!("`{}`", path.display());
        self.instrument = file.instrument.map(|value| Setting { value, origin }).or(self.instrument.take());
        self.out = file.out.map(in_home).or(self.out.take());
        let refuse =
            |message: String| ConfigError::Value { origin: format!("`{}`", path.display()), message };
        self.store.take(file.store, file.store_endpoint, file.keep_local).map_err(refuse)?;
        self.listen = file.listen.or(self.listen.take());
        self.connections = file.connections.unwrap_or(self.connections);
        let recipes = file.recipes.map(|folders| folders.into_iter().map(in_home).collect());
        self.recipes = recipes.or(self.recipes.take());
        self.allow_origin = file.allow_origin.unwrap_or_else(|| std::mem::take(&mut self.allow_origin));
        self.allow_scpi = file.allow_scpi.unwrap_or(self.allow_scpi);
        self.token_file = file.token_file.map(in_home).or(self.token_file.take());
        self.read_token_file = file.read_token_file.map(in_home).or(self.read_token_file.take());
        if let Some(base) = file.base_path {
            self.base_path = base.parse().map_err(|why| refuse(format!("base_path {why}")))?;
        }
        if let Some(proxies) = file.trusted_proxies {
            let proxies = proxies.iter().map(|proxy| proxy.parse()).collect::<Result<_, _>>();
            self.trusted_proxies = proxies.map_err(|why| refuse(format!("trusted_proxies: {why}")))?;
        }
        let wait = file.disk_full_wait_s.map(times::disk_full_wait);
        times::set(&mut self.dark_after, file.dark_after_s.map(times::dark_after)).map_err(refuse)?;
        times::set(&mut self.guard_after, file.guard_after_s.map(times::guard_after)).map_err(refuse)?;
        times::set(&mut self.disk_full_wait, wait).map_err(refuse)?;
        times::set(&mut self.answer_wait, file.answer_wait_s.map(times::answer_wait)).map_err(refuse)?;
        deadlines::set(&mut self.deadlines, &file.deadlines).map_err(refuse)?;
        self.fleet.take_file(file.fleet).map_err(refuse)?;
        for (name, given, most, kept) in [
            ("module", file.module, 20, &mut self.defaults.module),
            ("channel", file.channel, 6, &mut self.defaults.channel),
            ("trace_type", file.trace_type, 23, &mut self.defaults.trace_type),
        ] {
            match given {
                Some(number @ 1..) if number <= most => *kept = number,
                Some(other) => return Err(refuse(format!("{name} `{other}` is not allowed (1 to {most})"))),
                None => {}
            }
        }
        self.allow_http = file.allow_http.or(self.allow_http.take());
        self.notify = file.notify.unwrap_or(self.notify);
        file.instruments.place_files(|file| instruments::absolute(in_home(file.into()))).map_err(refuse)?;
        self.instruments.extend(file.instruments);
        file.limits.validate().map_err(refuse)?;
        self.limits = std::mem::take(&mut self.limits).stricter(file.limits);
        self.placed_limits.extend(limits::placed(&path.display().to_string(), &text));
        Ok(())
    }

    /// `CTP10_IP` and `CTP10_PORT` are the variables of the Python service. They are used if `CTP10_INSTRUMENT` is
    /// not set.
    fn take_environment(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        let named = variable("CTP10_INSTRUMENT").map(|value| (value, "CTP10_INSTRUMENT"));
        let address = || {
            let host = variable("CTP10_IP")?;
            let value = match variable("CTP10_PORT") {
                Some(port) => Address::join(&host, &port),
                None => host,
            };
            Some((value, "CTP10_IP"))
        };
        if let Some((value, name)) = named.or_else(address) {
            self.instrument = Some(Setting { value, origin: format!("the environment (`{name}`)") });
        }
        if let Some(out) = variable("CTP10_OUT") {
            self.out = Some(in_home(out.into()));
        }
        let origin = || "the environment (`CTP10_STORE`, `CTP10_STORE_ENDPOINT`)".to_owned();
        self.store
            .take(variable("CTP10_STORE"), variable("CTP10_STORE_ENDPOINT"), None)
            .map_err(|message| ConfigError::Value { origin: origin(), message })?;
        self.fleet.take_environment(&variable);
        self.listen = variable("CTP10_LISTEN").or(self.listen.take());
        self.token = variable("CTP10_TOKEN");
        self.read_token = variable("CTP10_READ_TOKEN");
        if let Some(text) = variable("CTP10_BASE_PATH") {
            let origin = "the environment (`CTP10_BASE_PATH`)".to_owned();
            self.base_path = text.parse().map_err(|message| ConfigError::Value { origin, message })?;
        }
        if let Some(text) = variable("CTP10_NOTIFY") {
            self.notify = match text.as_str() {
                "on" => true,
                "off" => false,
                _ => {
                    let message = format!("notify `{text}` is not allowed (on or off)");
                    return Err(ConfigError::Value {
                        origin: "the environment (`CTP10_NOTIFY`)".to_owned(),
                        message,
                    });
                }
            };
        }
        if let Some(text) = variable("CTP10_CONNECTIONS") {
            let origin = "the environment (`CTP10_CONNECTIONS`)".to_owned();
            self.connections = text.parse().map_err(|message| ConfigError::Value { origin, message })?;
        }
        if let Some(text) = variable("CTP10_ALLOW_HTTP") {
            let origin = "the environment (`CTP10_ALLOW_HTTP`)".to_owned();
            let none = text.trim() == "none";
            let entries = text.split(',').filter(|_| !none).map(|entry| entry.trim().to_owned());
            let hosts = AllowedHosts::try_from(entries.collect::<Vec<_>>());
            self.allow_http = Some(hosts.map_err(|message| ConfigError::Value { origin, message })?);
        }
        Ok(())
    }
}

/// Replaces a leading `~` by the home folder, as a shell does.
fn in_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}
