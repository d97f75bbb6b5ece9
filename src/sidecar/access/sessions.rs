//! Sessions of people who have logged in. The browser has only the identifier of its session. The file has a digest of the
//! identifier and the token together. So neither the browser nor the file has the token, nobody can use the file to log in,
//! and a new token ends all sessions of the old one.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use etcetera::BaseStrategy;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::watch;

use super::tokens::{Right, Tokens};
use crate::files;

/// How long a session lasts. A page on the wall needs one login a month.
const LIFETIME: TimeDelta = TimeDelta::seconds(SECONDS);
/// The same, s.
pub(in crate::sidecar) const SECONDS: i64 = 30 * 24 * 3600;
/// Most sessions of one token. The oldest ends when there is one more.
const MOST: usize = 64;
/// The largest file that is read, bytes.
const LARGEST: u64 = 64 << 10;
/// Random bytes of an identifier.
const IDENTIFIER: usize = 32;

/// A session as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    digest: String,
    right: Right,
    expires: DateTime<Utc>,
}

/// A session that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sidecar) struct Found {
    identifier: String,
    pub(in crate::sidecar) right: Right,
    pub(in crate::sidecar) expires: DateTime<Utc>,
}

/// All sessions of a server.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Where they are kept; `None`: only in memory.
    path: Option<PathBuf>,
    /// The oldest first.
    known: Mutex<Vec<Session>>,
    /// Changes when a session ends.
    ended: watch::Sender<()>,
}

impl Sessions {
    /// No sessions, because nobody needs to log in.
    pub(super) fn none() -> Self {
        Self::with(None, Vec::new())
    }

    /// The sessions of the server that listens at an address. They survive a restart.
    pub(super) fn of(address: SocketAddr) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
        let name: String = address.to_string().chars().map(plain).collect();
        match folder() {
            Ok(folder) => Self::at(folder.join(format!("sessions-{name}.json"))),
            Err(error) => {
                tracing::warn!(%error, "no folder for sessions: people must log in again after a restart");
                Self::none()
            }
        }
    }

    fn with(path: Option<PathBuf>, known: Vec<Session>) -> Self {
        Self { path, known: Mutex::new(known), ended: watch::Sender::default() }
    }

    fn at(path: PathBuf) -> Self {
        let known = match files::read(&path, LARGEST) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(%error, path = %path.display(), "the file of the sessions is damaged: people must log in again");
                Vec::new()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the sessions cannot be read: people must log in again");
                Vec::new()
            }
        };
        Self::with(Some(path), known)
    }

    /// Begins a session for the owner of a token; returns its identifier.
    pub(super) fn begin(&self, token: &str, right: Right) -> String {
        let mut random = [0; IDENTIFIER];
        rand::rng().fill_bytes(&mut random);
        let identifier = files::hex(&random);
        let now = Utc::now();
        let mut known = self.known();
        known.retain(|session| session.expires > now);
        if known.iter().filter(|session| session.right == right).count() >= MOST
            && let Some(oldest) = known.iter().position(|session| session.right == right)
        {
            known.remove(oldest);
            self.ended.send_replace(());
        }
        known.push(Session { digest: digest(&identifier, token), right, expires: now + LIFETIME });
        self.save(&known);
        identifier
    }

    /// The session with this identifier, if it has begun with one of the present tokens and has not ended.
    pub(super) fn find(&self, identifier: &str, tokens: &Tokens) -> Option<Found> {
        let known = self.known();
        let position = position(&known, identifier, tokens)?;
        let Session { right, expires, .. } = known[position];
        let identifier = identifier.to_owned();
        (expires > Utc::now()).then_some(Found { identifier, right, expires })
    }

    /// Ends a session.
    pub(super) fn end(&self, identifier: &str, tokens: &Tokens) {
        let mut known = self.known();
        if let Some(position) = position(&known, identifier, tokens) {
            known.remove(position);
            self.save(&known);
            self.ended.send_replace(());
        }
    }

    /// Changes when a session ends.
    pub(super) fn ended(&self) -> watch::Receiver<()> {
        self.ended.subscribe()
    }

    /// Whether a session that was found has not ended since.
    pub(super) fn is_open(&self, session: &Found, tokens: &Tokens) -> bool {
        self.find(&session.identifier, tokens).is_some()
    }

    fn save(&self, known: &[Session]) {
        let Some(path) = &self.path else { return };
        if let Err(error) = write(path, known) {
            tracing::warn!(%error, path = %path.display(), "the sessions cannot be stored: people must log in again after a restart");
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Session>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn position(known: &[Session], identifier: &str, tokens: &Tokens) -> Option<usize> {
    let mut found = None;
    tokens.find(|token| {
        let digest = digest(identifier, token);
        let mut any = Choice::from(0);
        for (position, session) in known.iter().enumerate() {
            let is_same = session.digest.as_bytes().ct_eq(digest.as_bytes());
            any |= is_same;
            if is_same.into() {
                found = Some(position);
            }
        }
        any
    });
    found
}

fn digest(identifier: &str, token: &str) -> String {
    let mut digest = Sha256::new();
    // Neither contains a line end.
    for part in ["ctp10 session", identifier, token] {
        digest.update(part);
        digest.update("\n");
    }
    files::hex(&digest.finalize())
}

/// Replaces the file. Only its owner can read it.
fn write(path: &Path, known: &[Session]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, known)?;
    file.flush()?;
    file.persist(path)?;
    Ok(())
}

/// The folder for the state of the user's programs. Unlike the folder of the lock files, it survives a reboot.
fn folder() -> std::io::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy().map_err(std::io::Error::other)?;
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("ctp10");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn tokens(full: &str) -> Tokens {
        Tokens { full: Some(full.to_owned()), read_only: Some("read-only-0123456".to_owned()) }
    }

    #[test]
    fn a_session_survives_a_restart_and_ends_with_its_token_or_a_logout() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.json");
        let sessions = Sessions::at(path.clone());
        let identifier = sessions.begin(TOKEN, Right::Full);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&identifier) && !text.contains(TOKEN), "{text}");
        let sessions = Sessions::at(path.clone());
        assert_eq!(sessions.find(&identifier, &tokens(TOKEN)).unwrap().right, Right::Full);
        assert_eq!(sessions.find(&identifier, &tokens("another-token-0123")), None);
        assert_eq!(sessions.find(&identifier[1..], &tokens(TOKEN)), None);
        assert_eq!(sessions.find("", &tokens(TOKEN)), None);
        sessions.end(&identifier, &tokens(TOKEN));
        assert_eq!(sessions.find(&identifier, &tokens(TOKEN)), None);
        assert_eq!(Sessions::at(path).find(&identifier, &tokens(TOKEN)), None);
    }

    #[test]
    fn the_number_of_sessions_and_their_lifetime_are_limited() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::at(folder.path().join("sessions.json"));
        let own = sessions.begin(TOKEN, Right::Full);
        let read: Vec<String> =
            (0..=MOST).map(|_| sessions.begin("read-only-0123456", Right::ReadOnly)).collect();
        let is_there = |identifier: &String| sessions.find(identifier, &tokens(TOKEN)).is_some();
        assert!(!is_there(&read[0]) && read[1..].iter().all(is_there), "the oldest ends");
        assert!(is_there(&own), "logins with the read-only token end no session of the token");
        sessions.known()[0].expires = Utc::now() - TimeDelta::seconds(1);
        assert!(!is_there(&own));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.json");
        Sessions::at(path.clone()).begin(TOKEN, Right::Full);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_no_session() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.json");
        std::fs::write(&path, "[{\"digest\":").unwrap();
        assert_eq!(Sessions::at(path).find("x", &tokens(TOKEN)), None);
    }
}
