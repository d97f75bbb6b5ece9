//! One runner for one instrument on this computer: a lock file that says who it is, so that a second one is refused
//! with its name, and `ctp10 off` finds the runner that holds the only connection.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::instrument::Address;

/// Who holds an instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// What it does: `run recipes/a.yaml`, `serve`.
    pub what: String,
    /// Where its sidecar listens, if it has one.
    pub sidecar: Option<String>,
    /// What its sidecar wants to be shown; the file can be read by its owner only.
    pub token: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} (`ctp10 {}`)", self.pid, self.what)?;
        self.sidecar.as_ref().map_or(Ok(()), |sidecar| write!(f, ", its sidecar is at {sidecar}"))
    }
}

/// This process's claim on an instrument; it goes with the process, however that ends.
#[derive(Debug)]
pub struct Claim {
    file: Option<File>,
}

impl Claim {
    /// Claims the instrument at an address.
    ///
    /// # Errors
    /// Who holds it, when somebody does.
    pub fn take(address: &Address, holder: &Holder) -> Result<Self, Holder> {
        let opened = claims().and_then(|folder| open(&folder.join(name(address))));
        let file = match opened {
            Ok(file) => file,
            // Without a place for the claim there is none; the instrument is as usable as before.
            Err(error) => {
                tracing::warn!(%error, "no claim on the instrument can be left for others to see");
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

    /// Says anew who holds it.
    pub fn say(&mut self, holder: &Holder) {
        let Some(file) = &mut self.file else { return };
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(serde_json::json!(holder).to_string().as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "the claim on the instrument cannot be written");
        }
    }
}

/// Who holds the instrument at an address; `None` when nobody on this computer does.
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

/// The folder of claims: the user's own.
fn claims() -> std::io::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy().map_err(std::io::Error::other)?;
    let base =
        strategy.runtime_dir().or_else(|| strategy.state_dir()).unwrap_or_else(|| strategy.cache_dir());
    let folder = base.join("ctp10");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The same instrument has the same name, however its host is written.
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
