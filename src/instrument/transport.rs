//! How an instrument is reached: over TCP, over a serial port, or over a GPIB adapter in the network.

mod stream;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::units::Address;
pub(super) use stream::Stream;

/// Bits per second of a serial port without `baud`.
const BAUD: u32 = 9600;
/// The TCP port of a GPIB adapter without a port.
const PROLOGIX_PORT: u16 = 1234;
/// The highest primary address of GPIB.
const MOST_GPIB: u8 = 30;

/// The way to an instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Transport {
    /// A socket that carries lines of text.
    Tcp(Address),
    /// A serial port of this computer.
    Serial(SerialLine),
    /// An instrument behind a GPIB adapter with the commands of Prologix.
    Prologix {
        /// The adapter.
        adapter: Address,
        /// The primary address of the instrument.
        gpib: u8,
    },
}

/// A serial port and its settings: 8 data bits, no parity, 1 stop bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialLine {
    /// The device: `/dev/ttyUSB0`, `COM3`.
    pub path: String,
    /// Bits per second.
    pub baud: u32,
    /// The end of each line.
    pub end: LineEnd,
}

/// The end of a line, in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// Line feed, the end of a line of SCPI.
    #[default]
    Lf,
    /// Carriage return.
    Cr,
    /// Both.
    CrLf,
}

impl LineEnd {
    const ALL: [Self; 3] = [Self::Lf, Self::Cr, Self::CrLf];

    fn name(self) -> &'static str {
        match self {
            Self::Lf => "lf",
            Self::Cr => "cr",
            Self::CrLf => "crlf",
        }
    }

    /// The characters that are sent.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Cr => "\r",
            Self::CrLf => "\r\n",
        }
    }

    /// The byte with which a reply is complete.
    pub(super) fn last(self) -> u8 {
        match self {
            Self::Lf | Self::CrLf => b'\n',
            Self::Cr => b'\r',
        }
    }
}

/// A text that is no address of an instrument on the bench.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not the address of an instrument{reason} (TCPIP::host::port::SOCKET, host:port, \
     serial:///dev/ttyUSB0?baud=9600 or prologix://host:1234/12)"
)]
pub struct NotATransport {
    given: String,
    reason: String,
}

impl Transport {
    /// Whether bytes of an earlier connection may still arrive on a new one.
    pub(super) fn outlives_connections(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Serial(_) | Self::Prologix { .. } => true,
        }
    }
}

impl From<Address> for Transport {
    fn from(address: Address) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for Transport {
    type Err = NotATransport;

    fn from_str(text: &str) -> Result<Self, NotATransport> {
        let text = text.trim();
        let refuse = |reason: String| {
            let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
            NotATransport { given: text.to_owned(), reason }
        };
        let read = match text.split_once("://") {
            Some(("serial", _)) => serial(text),
            Some(("prologix", _)) => prologix(text),
            Some((scheme, _)) => Err(format!("`{scheme}://` is unknown")),
            // A port is required: instruments on a bench have many different ones.
            None if text.parse::<Address>().is_ok() && !has_port(text) => {
                Err("the port is missing".to_owned())
            }
            None => text.parse().map(Self::Tcp).map_err(|_| String::new()),
        };
        read.map_err(refuse)
    }
}

fn has_port(text: &str) -> bool {
    let after_host = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
    after_host.contains(':') && after_host.parse::<std::net::Ipv6Addr>().is_err()
}

fn serial(text: &str) -> Result<Transport, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    // `serial:///dev/ttyUSB0` has a path; `serial://COM3` has a host.
    let path = match url.host_str() {
        Some(host) if matches!(url.path(), "" | "/") => host.to_owned(),
        Some(_) => return Err("the path of a serial port follows three slashes".to_owned()),
        None => url.path().to_owned(),
    };
    if path.trim_matches('/').is_empty() {
        return Err("the serial port is missing".to_owned());
    }
    let mut line = SerialLine { path, baud: BAUD, end: LineEnd::default() };
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "baud" => match value.parse() {
                Ok(baud @ 50..=4_000_000) => line.baud = baud,
                _ => return Err(format!("baud `{value}` is not allowed (50 to 4000000)")),
            },
            "end" => {
                let known = LineEnd::ALL.into_iter().find(|end| end.name() == value);
                line.end = known.ok_or_else(|| format!("end `{value}` is not allowed (lf, cr or crlf)"))?;
            }
            other => return Err(format!("`{other}` is unknown (baud, end)")),
        }
    }
    Ok(Transport::Serial(line))
}

fn prologix(text: &str) -> Result<Transport, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let adapter = Address { host, port: url.port().unwrap_or(PROLOGIX_PORT) };
    let gpib = url.path().trim_start_matches('/');
    match gpib.parse() {
        Ok(gpib @ 0..=MOST_GPIB) if url.query().is_none() => Ok(Transport::Prologix { adapter, gpib }),
        _ => Err(format!("the GPIB address `{gpib}` is not allowed (0 to {MOST_GPIB})")),
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Serial(SerialLine { path, baud, end }) => {
                write!(f, "serial://{path}?baud={baud}")?;
                if *end == LineEnd::default() { Ok(()) } else { write!(f, "&end={}", end.name()) }
            }
            Self::Prologix { adapter, gpib } => write!(f, "prologix://{adapter}/{gpib}"),
        }
    }
}

impl TryFrom<String> for Transport {
    type Error = NotATransport;

    fn try_from(text: String) -> Result<Self, NotATransport> {
        text.parse()
    }
}

impl From<Transport> for String {
    fn from(transport: Transport) -> Self {
        transport.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_an_instrument_is_read_and_shown() {
        for (text, shown) in [
            ("TCPIP::192.168.1.30::5025::SOCKET", "192.168.1.30:5025"),
            ("smu.lab:5025", "smu.lab:5025"),
            ("[::1]:5025", "[::1]:5025"),
            ("serial:///dev/ttyUSB0?baud=115200", "serial:///dev/ttyUSB0?baud=115200"),
            ("serial:///dev/ttyUSB0", "serial:///dev/ttyUSB0?baud=9600"),
            ("serial:///dev/ttyS1?end=cr&baud=1200", "serial:///dev/ttyS1?baud=1200&end=cr"),
            ("prologix://gpib:1234/12", "prologix://gpib:1234/12"),
            ("prologix://192.168.1.9/0", "prologix://192.168.1.9:1234/0"),
        ] {
            let transport: Transport = text.parse().unwrap();
            assert_eq!(transport.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(transport), "{text}");
        }
        assert!(matches!("serial://COM3".parse(), Ok(Transport::Serial(line)) if line.path == "COM3"));
    }

    #[test]
    fn what_is_no_way_to_an_instrument_is_refused_with_its_reason() {
        for (text, reason) in [
            ("smu", "the port is missing"),
            ("::1", "the port is missing"),
            ("serial://", "the serial port is missing"),
            ("serial:///dev/ttyUSB0?speed=9600", "`speed` is unknown (baud, end)"),
            ("serial:///dev/ttyUSB0?baud=fast", "baud `fast` is not allowed"),
            ("prologix://gpib/31", "the GPIB address `31` is not allowed (0 to 30)"),
            ("prologix://gpib", "the GPIB address `` is not allowed"),
            ("usb://1234", "`usb://` is unknown"),
            ("TCPIP::smu::INSTR", "is not the address of an instrument ("),
        ] {
            let error = text.parse::<Transport>().expect_err(text).to_string();
            assert!(error.contains(reason) && error.contains("serial:///dev/ttyUSB0?baud=9600"), "{error}");
        }
    }
}
