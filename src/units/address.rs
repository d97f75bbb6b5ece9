//! Where an instrument is reached.

use std::fmt;
use std::str::FromStr;

/// Host and TCP port of an instrument's SCPI socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or number of the host; an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// The port of the CTP10's SCPI socket unless the unit is set otherwise.
pub const DEFAULT_PORT: u16 = 5025;

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an instrument's address (write host:port, host, or TCPIP::host::port::SOCKET)")]
pub struct NotAnAddress(String);

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let refuse = || NotAnAddress(text.to_owned());
        let (host, port) = match text.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("TCPIP")) {
            Some(_) => visa_parts(text).ok_or_else(refuse)?,
            None => host_and_port(text.trim()),
        };
        let port = port.map_or(Ok(DEFAULT_PORT), str::parse).map_err(|_| refuse())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || port == 0 || !host.chars().all(plain) {
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
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
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
            "a b",
            "http://bench/x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
