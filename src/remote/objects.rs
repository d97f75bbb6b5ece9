//! The objects of a store. This is the only module that uses `object_store`. Names of objects are relative to the prefix of
//! the store, with `/` between their parts.

mod connector;
mod open;
mod parts;
mod words;

use std::io::Write as _;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::{Path, PathPart};
use object_store::{Error, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use sha2::{Digest as _, Sha256};

use super::address::StoreKind;
use super::{Created, Listed, RemoteError, StoreAddress, room};
use crate::files;

/// Larger files are sent in parts, so that they do not fill the memory.
const LARGEST_WHOLE: u64 = 32 << 20;
/// A name that no object has.
const NOTHING: &str = "nothing";
/// Most objects that one list may have.
const MOST_LISTED: usize = 2_000_000;

/// An open store. Clones share it.
#[derive(Debug, Clone)]
pub struct Objects {
    address: StoreAddress,
    store: Arc<dyn ObjectStore>,
    prefix: Vec<String>,
}

impl Objects {
    /// Opens a store. `endpoint` is another server than that of the cloud provider. Nothing is sent.
    ///
    /// # Errors
    /// If the settings are wrong, or the folder does not exist.
    pub fn open(address: &StoreAddress, endpoint: Option<&str>) -> Result<Self, RemoteError> {
        let store = open::open(address, endpoint)?;
        let prefix = match address.kind {
            StoreKind::Folder => Vec::new(),
            StoreKind::S3 | StoreKind::Google | StoreKind::Azure => address.parts.clone(),
        };
        Ok(Self { address: address.clone(), store, prefix })
    }

    /// The address of the store.
    #[must_use]
    pub fn address(&self) -> &StoreAddress {
        &self.address
    }

    /// Creates an object if no object has this name.
    ///
    /// # Errors
    /// If the store cannot be reached, or refuses the object.
    pub async fn create(&self, name: &str, content: impl Into<Bytes>) -> Result<Created, RemoteError> {
        self.check_folder()?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(content.into());
        let done = self.store.put_opts(&self.path(name), payload, options).await;
        self.created(name, done.map(drop))
    }

    /// Creates an object with the content of a file, if no object has this name.
    ///
    /// # Errors
    /// If the file cannot be read, the store cannot be reached, or it refuses the object.
    pub async fn create_from(&self, name: &str, file: &FilePath) -> Result<Created, RemoteError> {
        let unreadable = |error: std::io::Error| unreadable(file, &error);
        let size = files::open(file).and_then(|file| file.metadata()).map_err(unreadable)?.len();
        if size <= LARGEST_WHOLE {
            let path = file.to_owned();
            let read = tokio::task::spawn_blocking(move || files::read(&path, LARGEST_WHOLE));
            let content = read.await.map_err(|panic| RemoteError::Disk(panic.to_string()))?;
            return self.create(name, content.map_err(unreadable)?).await;
        }
        self.check_folder()?;
        self.create_in_parts(name, file).await
    }

    /// Whether an attempt to create an object has created one.
    fn created(&self, name: &str, done: Result<(), Error>) -> Result<Created, RemoteError> {
        match done {
            Ok(()) => Ok(Created::New),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Created::Existed),
            Err(error) => Err(self.told(name, &error)),
        }
    }

    /// Whether the store can be used: asks for a list that is empty.
    ///
    /// # Errors
    /// If the store cannot be reached, does not exist, or refuses access.
    pub async fn look(&self) -> Result<(), RemoteError> {
        self.check_folder()?;
        match self.store.list(Some(&self.path(NOTHING))).try_next().await {
            Ok(_) => Ok(()),
            Err(Error::NotFound { .. }) => Err(RemoteError::NoStore(self.address.to_string())),
            Err(error) => Err(self.told(NOTHING, &error)),
        }
    }

    /// Reads an object of at most `most` bytes; `None` if it does not exist.
    ///
    /// # Errors
    /// If the store cannot be reached, or the object is larger.
    pub async fn get(&self, name: &str, most: u64) -> Result<Option<Bytes>, RemoteError> {
        let Some(found) = self.begin_get(name).await? else { return Ok(None) };
        let bytes = found.meta.size;
        if bytes > most {
            return Err(RemoteError::TooLarge { object: name.to_owned(), bytes, most });
        }
        found.bytes().await.map(Some).map_err(|error| self.told(name, &error))
    }

    /// Size and SHA-256 of an object, as the store returns it; `None` if it does not exist.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn sha256(&self, name: &str) -> Result<Option<(u64, String)>, RemoteError> {
        let Some(found) = self.begin_get(name).await? else { return Ok(None) };
        self.read_through(name, found, |_| Ok(())).await.map(Some)
    }

    /// Writes an object into a new file. Returns its size and SHA-256; `None` if it does not exist.
    ///
    /// # Errors
    /// If the store cannot be reached, or the file cannot be written.
    pub async fn download(&self, name: &str, into: &FilePath) -> Result<Option<(u64, String)>, RemoteError> {
        let failed =
            |error: std::io::Error| RemoteError::Disk(format!("cannot write `{}`: {error}", into.display()));
        let Some(found) = self.begin_get(name).await? else { return Ok(None) };
        room::check(into.parent().unwrap_or(into), found.meta.size)?;
        let mut file = std::fs::File::create_new(into).map_err(failed)?;
        self.read_through(name, found, |piece| file.write_all(piece).map_err(failed)).await.map(Some)
    }

    /// Reads an object piece by piece.
    async fn read_through(
        &self,
        name: &str,
        found: GetResult,
        mut take: impl FnMut(&[u8]) -> Result<(), RemoteError>,
    ) -> Result<(u64, String), RemoteError> {
        let (mut pieces, mut digest, mut size) = (found.into_stream(), Sha256::new(), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| self.told(name, &error))?;
            digest.update(&piece);
            size += piece.len() as u64;
            take(&piece)?;
        }
        Ok((size, files::hex(&digest.finalize())))
    }

    async fn begin_get(&self, name: &str) -> Result<Option<GetResult>, RemoteError> {
        self.check_folder()?;
        match self.store.get(&self.path(name)).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.told(name, &error)),
        }
    }

    /// All objects below a name, at any depth.
    ///
    /// # Errors
    /// If the store cannot be reached, or there are too many objects.
    pub async fn list(&self, below: &str) -> Result<Vec<Listed>, RemoteError> {
        self.check_folder()?;
        let mut found = self.store.list(Some(&self.path(below)));
        let mut listed = Vec::new();
        while let Some(object) = found.try_next().await.map_err(|error| self.told(below, &error))? {
            if listed.len() >= MOST_LISTED {
                return Err(RemoteError::WhichRun(format!(
                    "there are more than {MOST_LISTED} objects below `{below}`"
                )));
            }
            listed.extend(self.name(&object.location).map(|name| Listed { name, bytes: object.size }));
        }
        Ok(listed)
    }

    /// The names of the folders directly below a name, sorted.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn folders(&self, below: &str) -> Result<Vec<String>, RemoteError> {
        self.check_folder()?;
        let found = self.store.list_with_delimiter(Some(&self.path(below))).await;
        let found = found.map_err(|error| self.told(below, &error))?;
        let last = |path: &Path| Some(decoded(path.parts().next_back()?));
        let mut names: Vec<String> = found.common_prefixes.iter().filter_map(last).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// An error of `object_store` for people.
    fn told(&self, name: &str, error: &Error) -> RemoteError {
        let mut text = words::of(error);
        if let Some(note) = open::about_keys(&self.address) {
            text = format!("{text} ({note})");
        }
        match error {
            Error::NotFound { .. } => RemoteError::Missing(name.to_owned()),
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => RemoteError::Denied(text),
            // Of lists, `object_store` tells the status only in the text.
            _ => match words::status(error) {
                Some(401 | 403) => RemoteError::Denied(text),
                Some(404) => RemoteError::NoStore(self.address.to_string()),
                Some(_) | None => RemoteError::Temporary(text),
            },
        }
    }

    fn path(&self, name: &str) -> Path {
        let names = self.prefix.iter().map(String::as_str).chain(name.split('/'));
        Path::from_iter(names.filter(|part| !part.is_empty()))
    }

    fn name(&self, path: &Path) -> Option<String> {
        let parts: Vec<String> = path.parts().skip(self.prefix.len()).map(decoded).collect();
        Some(parts.join("/")).filter(|name| !name.is_empty())
    }

    /// The folder of a `file` store must exist. Otherwise, data for a network disk that is not mounted would go to the
    /// local disk.
    fn check_folder(&self) -> Result<(), RemoteError> {
        match self.address.kind {
            StoreKind::Folder if !open::folder(&self.address).is_dir() => {
                Err(RemoteError::NoStore(self.address.to_string()))
            }
            StoreKind::Folder | StoreKind::S3 | StoreKind::Google | StoreKind::Azure => Ok(()),
        }
    }
}

/// The name that `object_store` has encoded.
fn decoded(part: PathPart<'_>) -> String {
    percent_encoding::percent_decode_str(part.as_ref()).decode_utf8_lossy().into_owned()
}

fn unreadable(file: &FilePath, error: &std::io::Error) -> RemoteError {
    RemoteError::Disk(format!("cannot read `{}`: {error}", file.display()))
}
