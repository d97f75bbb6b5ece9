//! The connection to the broker.

mod ask;
mod bucket;
mod objects;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use tokio::sync::watch::{Receiver, Sender};

pub(super) use ask::Asked;
pub(super) use bucket::Bucket;
pub(super) use objects::LARGEST_BUNDLE;
pub(super) use objects::sha256;

/// Time limit of the first connection to a server.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Time limit of a request. The broker replies within milliseconds, unless its disk hangs.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// Longest pause between two attempts to connect again.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How to reach the broker. The secrets come from files and the environment only, because other users of the computer can
/// see a command line.
#[derive(Clone)]
pub struct Access {
    /// The addresses of the broker, separated by commas.
    pub address: String,
    /// The file with the credentials of the user (`.creds`).
    pub credentials: Option<PathBuf>,
    /// User and password.
    pub user: Option<(String, String)>,
    /// Token.
    pub token: Option<String>,
    /// File with the certificates that the certificate of the broker must come from.
    pub ca: Option<PathBuf>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why the broker cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// The address is wrong.
    #[error("the address of the broker `{address}` is not allowed: {why}")]
    Address {
        /// As given; without a password.
        address: String,
        /// The reason.
        why: String,
    },
    /// The broker cannot be reached.
    #[error("the broker at {address} cannot be reached: {why}")]
    Unreachable {
        /// The address.
        address: String,
        /// The reason.
        why: String,
    },
    /// The broker has refused the credentials, or they cannot be read.
    #[error("the broker at {address} refused the credentials: {why}")]
    Credentials {
        /// The address.
        address: String,
        /// The reason.
        why: String,
    },
    /// JetStream is disabled.
    #[error("the broker at {address} has no JetStream: start it with `nats-server --jetstream`")]
    NoJetStream {
        /// The address.
        address: String,
    },
    /// There is no queue on the broker.
    #[error("the broker at {address} has no queue yet")]
    NoQueue {
        /// The address.
        address: String,
    },
    /// A request failed.
    #[error("the broker at {address} failed: {why}")]
    Failed {
        /// The address.
        address: String,
        /// The reason.
        why: String,
    },
}

impl BrokerError {
    /// Whether another attempt may succeed without a person.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoQueue { .. } | Self::Failed { .. } => true,
            Self::Address { .. } | Self::Credentials { .. } | Self::NoJetStream { .. } => false,
        }
    }
}

/// A connection to the broker. It is restored in the background after a failure.
#[derive(Debug, Clone)]
pub struct Broker {
    client: Client,
    context: Context,
    address: String,
    /// How often the connection was made, and whether it stands.
    connection: Receiver<Connection>,
}

/// The state of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connection {
    /// Whether it stands.
    pub stands: bool,
    /// How often it was made.
    pub times: u64,
}

impl Broker {
    /// Connects to the broker. `name` is shown in the lists of the broker.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub async fn connect(access: &Access, name: &str) -> Result<Self, BrokerError> {
        let servers = addresses(&access.address)?;
        let address = access.address.clone();
        let (connections, connection) = tokio::sync::watch::channel(Connection::default());
        let options = options(access, name, connections).await?;
        let connected = tokio::time::timeout(CONNECT_LIMIT * 2, options.connect(servers)).await;
        let client = match connected {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let why = crate::error::chain(&error);
                return Err(match error.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        BrokerError::Credentials { address, why }
                    }
                    ConnectErrorKind::ServerParse => BrokerError::Address { address, why },
                    ConnectErrorKind::Dns
                    | ConnectErrorKind::TimedOut
                    | ConnectErrorKind::Tls
                    | ConnectErrorKind::Io
                    | ConnectErrorKind::MaxReconnects => BrokerError::Unreachable { address, why },
                });
            }
            Err(_) => return Err(BrokerError::Unreachable { address, why: "no reply in time".to_owned() }),
        };
        let mut context = jetstream::new(client.clone());
        context.set_timeout(REQUEST_LIMIT);
        Ok(Self { client, context, address, connection })
    }

    /// The address, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Reports the state of the connection.
    #[must_use]
    pub fn connection(&self) -> Receiver<Connection> {
        self.connection.clone()
    }

    /// Whether the connection stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection.borrow().stands
    }

    /// Sends what was not sent yet, before the program ends.
    pub async fn flush(&self) {
        // Without a connection there is nobody to send to.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.client.flush()).await;
    }

    pub(super) fn failed(&self, why: impl std::fmt::Display) -> BrokerError {
        BrokerError::Failed { address: self.address.clone(), why: why.to_string() }
    }
}

/// The addresses of the servers.
fn addresses(given: &str) -> Result<Vec<async_nats::ServerAddr>, BrokerError> {
    let wrong =
        |address: &str, why: &str| BrokerError::Address { address: address.to_owned(), why: why.to_owned() };
    given
        .split(',')
        .map(|text| {
            let text = text.trim();
            let address: async_nats::ServerAddr = text
                .parse()
                .map_err(|_| wrong(text, "write `nats://host`, `nats://host:4222` or `tls://host`"))?;
            if address.has_user_pass() || address.username().is_some() {
                let why =
                    "user and password come from the environment: `CTP10_FLEET_USER`, `CTP10_FLEET_PASSWORD`";
                return Err(wrong(address.host(), why));
            }
            Ok(address)
        })
        .collect()
}

async fn options(
    access: &Access,
    name: &str,
    connections: Sender<Connection>,
) -> Result<ConnectOptions, BrokerError> {
    let mut options = ConnectOptions::new()
        .name(name)
        .connection_timeout(CONNECT_LIMIT)
        .request_timeout(Some(REQUEST_LIMIT))
        .ping_interval(Duration::from_secs(10))
        .reconnect_delay_callback(|attempts| {
            let doubled = 2_u64.saturating_pow(u32::try_from(attempts.min(10)).unwrap_or(10));
            Duration::from_millis(50 * doubled).min(LONGEST_PAUSE)
        })
        .event_callback(move |event| {
            connections.send_if_modified(|connection| match event {
                Event::Connected => {
                    *connection = Connection { stands: true, times: connection.times + 1 };
                    true
                }
                Event::Disconnected | Event::Closed => std::mem::replace(&mut connection.stands, false),
                Event::LameDuckMode
                | Event::Draining
                | Event::SlowConsumer(_)
                | Event::ServerError(_)
                | Event::ClientError(_) => false,
            });
            async {}
        });
    let unreadable = |why: String| BrokerError::Credentials { address: access.address.clone(), why };
    if let Some(file) = &access.credentials {
        options = options
            .credentials_file(file)
            .await
            .map_err(|error| unreadable(format!("cannot use the file `{}`: {error}", file.display())))?;
    }
    if let Some((user, password)) = &access.user {
        options = options.user_and_password(user.clone(), password.clone());
    }
    if let Some(token) = &access.token {
        options = options.token(token.clone());
    }
    if let Some(file) = &access.ca {
        if let Err(error) = std::fs::metadata(file) {
            return Err(unreadable(format!("cannot use the file `{}`: {error}", file.display())));
        }
        options = options.add_root_certificates(file.clone());
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused_and_not_repeated() {
        assert_eq!(addresses("nats://a, tls://b:5000").unwrap().len(), 2);
        let error = addresses("nats://me:hush-hush@broker").unwrap_err().to_string();
        assert!(error.contains("CTP10_FLEET_PASSWORD") && !error.contains("hush"), "{error}");
        let error = addresses("http://broker").unwrap_err().to_string();
        assert!(error.contains("nats://host"), "{error}");
    }
}
