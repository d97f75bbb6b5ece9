//! Why an object store cannot be used.

use crate::shown::{beginning, one_line};
use crate::store::StoreError;

/// Why an object store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The program was built without this part.
    #[error(
        "this program was built without object stores: install a released package, or build with `cargo build --release --features store`"
    )]
    NotBuilt,
    /// The store cannot be opened with these settings.
    #[error("the store `{store}` cannot be used: {reason}")]
    Settings {
        /// The address of the store.
        store: String,
        /// The reason.
        reason: String,
    },
    /// The store cannot be reached, or asks to try again later.
    #[error("the store does not respond correctly: {0}")]
    Temporary(String),
    /// The credentials are missing or do not suffice.
    #[error("the store refuses access: {0}")]
    Denied(String),
    /// The object, or the bucket, does not exist.
    #[error("`{0}` does not exist in the store")]
    Missing(String),
    /// An object with this name exists, and its content is different.
    #[error("`{0}` exists in the store with other content: nothing was replaced")]
    OtherContent(String),
    /// What the store returns is not what was sent.
    #[error("the store returns `{0}` with another SHA-256 than was sent")]
    NotVerified(String),
    /// The object is larger than allowed.
    #[error("`{object}` has {bytes} bytes; at most {most} are allowed")]
    TooLarge {
        /// The object.
        object: String,
        /// Its size.
        bytes: u64,
        /// The largest size.
        most: u64,
    },
    /// The local run is damaged.
    #[error("the run is damaged: {0}; `ctp10 runs verify` lists the damage")]
    Damaged(String),
    /// The run has changed during its upload.
    #[error("the run was resumed or changed during its upload")]
    Changed,
    /// The run or the runs that are meant cannot be found.
    #[error("{0}")]
    WhichRun(String),
    /// A local file cannot be read or written.
    #[error(transparent)]
    Local(#[from] StoreError),
    /// A local file cannot be read or written.
    #[error("{0}")]
    Disk(String),
}

impl RemoteError {
    /// Whether another attempt may succeed without a person.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_) | Self::NotVerified(_) | Self::Changed)
    }

    /// Whether only this run cannot be uploaded. Otherwise, no run can be uploaded at present.
    #[must_use]
    pub fn concerns_one_run(&self) -> bool {
        match self {
            Self::OtherContent(_)
            | Self::TooLarge { .. }
            | Self::Damaged(_)
            | Self::Changed
            | Self::WhichRun(_)
            | Self::Local(_)
            | Self::Disk(_) => true,
            Self::NotBuilt
            | Self::Settings { .. }
            | Self::Temporary(_)
            | Self::Denied(_)
            | Self::Missing(_)
            | Self::NotVerified(_) => false,
        }
    }
}

/// A message of a server for people: of an XML reply only its code and message. The rest may quote headers of the request
/// with credentials.
pub(super) fn plain(text: &str) -> String {
    let tag = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.trim().to_owned())
    };
    let told = match (tag("Code"), tag("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => text.split('<').next().unwrap_or_default().trim().trim_end_matches(':').to_owned(),
    };
    one_line(&beginning(&told)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_a_server_is_told_without_what_it_quotes_of_the_request() {
        let reply = "Client error with status 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId><CanonicalRequest>x-amz-security-token:secret</CanonicalRequest></Error>";
        assert_eq!(plain(reply), "SignatureDoesNotMatch: The signature does not match");
        assert_eq!(plain("no reply within 30 s"), "no reply within 30 s");
        assert_eq!(plain("status 502: <html>Bad Gateway</html>"), "status 502");
    }
}
