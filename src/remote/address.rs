//! The address of a store: `s3://bucket/prefix`, also `gs`, `az` and `file`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use url::Url;

/// The allowed forms, for messages.
const ALLOWED: &str =
    "`s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`";

/// The kind of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreKind {
    /// Amazon S3, or a compatible server.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// A folder.
    Folder,
}

/// Where a store is. The address contains no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreAddress {
    pub(super) kind: StoreKind,
    /// The bucket or container; empty for a folder.
    pub(super) bucket: String,
    /// The names below the bucket, or below the root of the file system.
    pub(super) parts: Vec<String>,
}

impl StoreAddress {
    /// Whether a text has the form of an address of a store, right or wrong. A path does not.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        ["s3://", "gs://", "az://", "file://"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// The address without its last name, and that name.
    pub(super) fn split_last(&self) -> Option<(Self, String)> {
        let mut above = self.clone();
        let last = above.parts.pop()?;
        Some((above, last))
    }
}

impl FromStr for StoreAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| format!("`{}` is not a store: {why}", without_credentials(text));
        let url = Url::parse(text).map_err(|_| refuse(&format!("{ALLOWED} is needed")))?;
        let kind = match url.scheme() {
            "s3" => StoreKind::S3,
            "gs" => StoreKind::Google,
            "az" => StoreKind::Azure,
            "file" => StoreKind::Folder,
            _ => return Err(refuse(&format!("{ALLOWED} is needed"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("credentials belong into the environment, not into the address"));
        }
        if url.query().is_some() || url.fragment().is_some() || url.port().is_some() {
            return Err(refuse("an address has no `?`, `#` or port; `store_endpoint` names another server"));
        }
        let bucket = url.host_str().unwrap_or_default().to_owned();
        match kind {
            StoreKind::Folder if !bucket.is_empty() => {
                return Err(refuse("a folder has three slashes: `file:///mnt/nas/ctp10`"));
            }
            StoreKind::S3 | StoreKind::Google | StoreKind::Azure if bucket.is_empty() => {
                return Err(refuse("the name of the bucket is missing"));
            }
            StoreKind::S3 | StoreKind::Google | StoreKind::Azure | StoreKind::Folder => {}
        }
        let decoded = percent_encoding::percent_decode_str(url.path()).decode_utf8();
        let path = decoded.map_err(|_| refuse("its path is not UTF-8"))?;
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if parts.iter().any(|part| part == "." || part == ".." || part.contains(char::is_control)) {
            return Err(refuse("`.`, `..` and control characters are not allowed in its path"));
        }
        if kind == StoreKind::Folder && parts.is_empty() {
            return Err(refuse("the root of the file system is not allowed"));
        }
        Ok(Self { kind, bucket, parts })
    }
}

/// A text for a message, without user and password.
fn without_credentials(text: &str) -> String {
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://…@{rest}"),
        None => text.to_owned(),
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            StoreKind::S3 => "s3",
            StoreKind::Google => "gs",
            StoreKind::Azure => "az",
            StoreKind::Folder => "file",
        };
        write!(f, "{scheme}://{}", self.bucket)?;
        self.parts.iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

impl Serialize for StoreAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_in_one_form() {
        for (given, shown) in [
            ("s3://lab-traces/ctp10/", "s3://lab-traces/ctp10"),
            ("gs://lab", "gs://lab"),
            ("az://container/a/b", "az://container/a/b"),
            ("file:///mnt/nas/ctp10", "file:///mnt/nas/ctp10"),
        ] {
            let address: StoreAddress = given.parse().unwrap();
            assert_eq!(address.to_string(), shown);
        }
    }

    #[test]
    fn a_wrong_address_is_refused_and_its_password_is_not_repeated() {
        for (given, told) in [
            ("s3://", "bucket is missing"),
            ("http://host/bucket", "is needed"),
            ("s3://key:secret@bucket", "credentials belong into the environment"),
            ("s3://bucket/a?x=secret", "has no `?`"),
            ("file://mnt/nas", "three slashes"),
            ("file:///", "root of the file system"),
        ] {
            let why = given.parse::<StoreAddress>().unwrap_err();
            assert!(why.contains(told), "{given}: {why}");
            assert!(!why.contains("key:secret"), "{why}");
        }
    }
}
