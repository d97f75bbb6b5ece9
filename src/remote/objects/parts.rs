//! Large files, which are sent in parts. The object appears only with the last request, and only if no object has its name.

use std::path::Path as FilePath;

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, WriteMultipart};

use super::{Created, Objects, RemoteError, StoreKind, unreadable};
use crate::files;

/// The size of a part.
const PART: usize = 8 << 20;
/// Parts that are sent at the same time.
const AT_ONCE: usize = 2;
/// The folder for files of a `file` store that are not complete.
const UNFINISHED: &str = "unfinished";

impl Objects {
    /// Creates an object with the content of a large file, if no object has this name.
    pub(super) async fn create_in_parts(&self, name: &str, file: &FilePath) -> Result<Created, RemoteError> {
        let path = self.path(name);
        // An object that exists need not be sent again.
        match self.store.head(&path).await {
            Ok(_) => return Ok(Created::Existed),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(self.told(name, &error)),
        }
        match self.address.kind {
            // On S3, the connector makes the last request fail if an object has the name by then. Elsewhere the request cannot
            // be limited. Two programs that both find no object send the same content, because the place of a run is unique.
            StoreKind::S3 | StoreKind::Google | StoreKind::Azure => self.send(name, &path, file).await,
            StoreKind::Folder => {
                let place = self.path(&format!("{UNFINISHED}/{:016x}", rand::random::<u64>()));
                self.send(name, &place, file).await?;
                let renamed = self.store.rename_if_not_exists(&place, &path).await;
                if renamed.is_err() {
                    // What is left there disturbs nobody.
                    let _ = self.store.delete(&place).await;
                }
                self.created(name, renamed)
            }
        }
    }

    async fn send(&self, name: &str, path: &Path, file: &FilePath) -> Result<Created, RemoteError> {
        let begun = self.store.put_multipart(path).await.map_err(|error| self.told(name, &error))?;
        let mut parts = WriteMultipart::new_with_chunk_size(begun, PART);
        match self.send_parts(name, file, &mut parts).await {
            Ok(()) => self.created(name, parts.finish().await.map(drop)),
            Err(error) => {
                // The server deletes the parts that have arrived; otherwise its rules for unfinished uploads apply.
                let _ = parts.abort().await;
                Err(error)
            }
        }
    }

    async fn send_parts(
        &self,
        name: &str,
        file: &FilePath,
        parts: &mut WriteMultipart,
    ) -> Result<(), RemoteError> {
        let mut opened = files::open(file).map_err(|error| unreadable(file, &error))?;
        loop {
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::new();
                let read = std::io::Read::take(&mut opened, PART as u64);
                std::io::Read::read_to_end(&mut { read }, &mut piece).map(|_| (opened, piece))
            });
            let read = read.await.map_err(|panic| RemoteError::Disk(panic.to_string()))?;
            let (rest, piece) = read.map_err(|error| unreadable(file, &error))?;
            opened = rest;
            if piece.is_empty() {
                return Ok(());
            }
            parts.wait_for_capacity(AT_ONCE).await.map_err(|error| self.told(name, &error))?;
            parts.put(piece.into());
        }
    }
}
