//! The address of an instrument: how it is written, read, completed, shown and stored.
//!
//! A [`Target`] is `sim` for the embedded instrument, or an [`Address`]. An address is written as `host:port`, as
//! `host` with the default port, or as a VISA resource name. It is shown and stored as `host:port`.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of the simulator.
const EMBEDDED: &str = "sim";

/// The instrument: the simulator, or one in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The instrument that this program simulates.
    Embedded,
    /// The instrument at an address.
    Remote(Address),
}

impl FromStr for Target {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if text == EMBEDDED { Ok(Self::Embedded) } else { text.parse().map(Self::Remote) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str(EMBEDDED),
            Self::Remote(address) => address.fmt(f),
        }
    }
}

/// The text is not an address, or is probably a typing error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "instrument `{0}` is not an address (`sim`, `host`, `host:port` or `TCPIP::host::port::SOCKET`; a host without a dot needs its port)"
)]
pub struct NotATarget(String);

impl Target {
    /// Reads the instrument named in a recipe. A name without a dot or a port is refused, because it is probably a
    /// typing error.
    ///
    /// # Errors
    /// The given text, and what is allowed.
    pub fn in_recipe(text: &str) -> Result<Self, NotATarget> {
        let is_word = |host: &str| !host.contains(['.', ':']) && host != "localhost";
        match text.parse() {
            Ok(Self::Remote(address)) if is_word(&address.host) && is_word(text) => {
                Err(NotATarget(text.to_owned()))
            }
            Ok(target) => Ok(target),
            Err(_) => Err(NotATarget(text.to_owned())),
        }
    }

    /// Whether `found` is the instrument that is meant here: `sim` means any simulated one.
    #[must_use]
    pub fn means(&self, found: &Self, is_simulated: bool) -> bool {
        if self.is_embedded() { is_simulated } else { self == found }
    }

    /// Whether this is the simulator.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        *self == Self::Embedded
    }
}

/// Host and TCP port of an instrument's SCPI socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// Name or IP address of the host; an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The default port of the CTP10's SCPI socket.
const DEFAULT_PORT: u16 = 5025;

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an instrument's address (write host:port, host, or TCPIP::host::port::SOCKET)")]
pub struct NotAnAddress(String);

impl Address {
    /// The VISA resource name.
    #[must_use]
    pub fn visa(&self) -> String {
        format!("TCPIP::{}::{}::SOCKET", self.host, self.port)
    }

    /// Joins a host and a port that are given apart, so that the result can be read as an address.
    #[must_use]
    pub fn join(host: &str, port: &str) -> String {
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Self { host: socket.ip().to_string(), port: socket.port() }
    }
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let refuse = || NotAnAddress(text.to_owned());
        let trimmed = text.trim();
        let (host, port) = match trimmed.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("TCPIP")) {
            Some(_) => visa_parts(trimmed).ok_or_else(refuse)?,
            None => host_and_port(trimmed),
        };
        let port = port.map_or(Ok(DEFAULT_PORT), str::parse).map_err(|_| refuse())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || port == 0 || !host.chars().all(plain) {
            return Err(refuse());
        }
        // Only an IPv6 address contains colons. It may end with a zone: `fe80::1%eth0`.
        let without_zone = host.split_once('%').map_or(host, |(address, _)| address);
        if host.contains(':') && without_zone.parse::<Ipv6Addr>().is_err() {
            return Err(refuse());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// `TCPIP[board]::host::port::SOCKET`, in any case.
fn visa_parts(text: &str) -> Option<(&str, Option<&str>)> {
    let (board, rest) = text[5..].split_once("::")?;
    let (host, port) = rest
        .rsplit_once("::")
        .filter(|(_, kind)| kind.eq_ignore_ascii_case("SOCKET"))?
        .0
        .rsplit_once("::")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    board.bytes().all(|b| b.is_ascii_digit()).then_some((host, Some(port)))
}

fn host_and_port(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::join(&self.host, &self.port.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_as_people_write_them() {
        for (text, shown) in [
            ("192.0.2.7:10001", "192.0.2.7:10001"),
            ("ctp10.lab", "ctp10.lab:5025"),
            ("TCPIP::192.0.2.7::5025::SOCKET", "192.0.2.7:5025"),
            ("tcpip0::bench::10001::socket", "bench:10001"),
            ("[fe80::1]:5025", "[fe80::1]:5025"),
            ("::1", "[::1]:5025"),
            ("fe80::1%eth0", "[fe80::1%eth0]:5025"),
            (" 192.0.2.7:10001 ", "192.0.2.7:10001"),
            (" TCPIP::192.0.2.7::5025::SOCKET\n", "192.0.2.7:5025"),
            ("TCPIP::[::1]::5025::SOCKET", "[::1]:5025"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":5025",
            "bench:0",
            "bench:99999",
            "bench:port",
            "TCPIP::bench::INSTR",
            " TCPIP::bench::INSTR",
            "TCPIP::bench::1::5025::SOCKET",
            "bench::5025",
            "bench:1:2",
            "[bench:1]:2",
            "::1::5025",
            "a b",
            "http://bench/x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
    #[test]
    fn the_embedded_instrument_is_a_target_and_a_word_in_a_recipe_is_none() {
        for (text, shown) in [
            ("sim", "sim"),
            ("bench:1", "bench:1"),
            ("localhost", "localhost:5025"),
            ("10.0.0.1", "10.0.0.1:5025"),
        ] {
            assert_eq!(Target::in_recipe(text).unwrap().to_string(), shown);
        }
        for text in ["simulator", "SIM", "a b"] {
            assert!(
                Target::in_recipe(text).unwrap_err().to_string().contains(&format!("`{text}`")),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_is_stored_as_it_is_shown() {
        let address: Address = "TCPIP::fe80::1::5025::SOCKET".parse().unwrap();
        let stored = serde_json::to_string(&address).unwrap();
        assert_eq!(stored, r#""[fe80::1]:5025""#);
        assert_eq!(serde_json::from_str::<Address>(&stored).unwrap(), address);
    }
}
