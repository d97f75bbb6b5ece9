//! One program for each instrument on this computer. A lock file names the program, so that a second program gets an
//! error with this name, and `ctp10 off` finds the program that holds the only connection.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::instrument::Address;

/// The program that holds an instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process identifier.
    pub pid: u32,
    /// The command: `run recipes/a.yaml`, `serve`.
    pub what: String,
    /// The address of its sidecar, if it has one.
    pub sidecar: Option<String>,
    /// The token of its sidecar. Only the owner of the file can read it.
    pub token: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} (`ctp10 {}`)", self.pid, self.what)?;
        self.sidecar.as_ref().map_or(Ok(()), |sidecar| write!(f, ", its HTTP server is at {sidecar}"))
    }
}

/// The claim of this process on an instrument. The operating system releases it when the process ends.
#[derive(Debug)]
pub struct Claim {
    file: Option<File>,
}

impl Claim {
    /// Claims the instrument at an address.
    ///
    /// # Errors
    /// The program that holds the instrument.
    pub fn take(address: &Address, holder: &Holder) -> Result<Self, Holder> {
        let opened = claims().and_then(|folder| open(&folder.join(name(address))));
        let file = match opened {
            Ok(file) => file,
            // If no lock file can be created, the instrument is used without a claim.
            Err(error) => {
                tracing::warn!(%error, "cannot write a lock file for the instrument: other programs do not see that it is in use");
                return Ok(Self { file: None });
            }
        };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(read(&file).unwrap_or_default());
        }
        let mut claim = Self { file: Some(file) };
        claim.say(holder);
        Ok(claim)
    }

    /// Writes again who holds the instrument.
    pub fn say(&mut self, holder: &Holder) {
        let Some(file) = &mut self.file else { return };
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(serde_json::json!(holder).to_string().as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "cannot write the lock file of the instrument");
        }
    }
}

/// The program on this computer that holds the instrument at an address.
#[must_use]
pub fn find_holder(address: &Address) -> Option<Holder> {
    let file = File::open(claims().ok()?.join(name(address))).ok()?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => read(&file),
        _ => None,
    }
}

fn read(mut file: &File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The folder of the lock files, which belongs to the user.
fn claims() -> std::io::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy().map_err(std::io::Error::other)?;
    let base =
        strategy.runtime_dir().or_else(|| strategy.state_dir()).unwrap_or_else(|| strategy.cache_dir());
    let folder = base.join("ctp10");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The name of the lock file. The same instrument has the same name, no matter how its host is written.
fn name(address: &Address) -> String {
    let resolved =
        (address.host.as_str(), address.port).to_socket_addrs().ok().and_then(|mut all| all.next());
    let text = resolved.map_or_else(|| address.to_string(), |address| address.to_string());
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    format!("{}.json", text.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_instrument_has_the_same_name_however_its_host_is_written() {
        let name_of = |text: &str| name(&text.parse().unwrap());
        assert_eq!(name_of("127.0.0.1:5025"), name_of("TCPIP::127.0.0.1::5025::SOCKET"));
        assert_ne!(name_of("127.0.0.1:5025"), name_of("127.0.0.1:5026"));
    }
}
