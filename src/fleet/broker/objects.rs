//! The object store with the bundles: each bundle has its SHA-256 as its name.

use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::bucket::BUNDLES;
use super::{Broker, BrokerError};
use crate::error::chain;

/// The largest bundle, bytes.
pub(in crate::fleet) const LARGEST_BUNDLE: usize = 16 << 20;

impl Broker {
    /// Stores a bundle, unless the broker has it; returns its SHA-256.
    ///
    /// # Errors
    /// If the broker does not reply, or has no space.
    pub async fn put_bundle(&self, bundle: &[u8]) -> Result<String, BrokerError> {
        let name = sha256(bundle);
        let store =
            self.context.get_object_store(BUNDLES).await.map_err(|error| self.failed(chain(&error)))?;
        // A bundle that was damaged is replaced.
        if self.bundle(&name).await.is_ok() {
            return Ok(name);
        }
        let put = store.put(name.as_str(), &mut std::io::Cursor::new(bundle)).await;
        put.map(|_| name).map_err(|error| self.failed(chain(&error)))
    }

    /// Reads a bundle, and compares it with its SHA-256.
    ///
    /// # Errors
    /// If the broker does not have it, the bundle is damaged, or the broker does not reply.
    pub async fn bundle(&self, name: &str) -> Result<Vec<u8>, BrokerError> {
        let store =
            self.context.get_object_store(BUNDLES).await.map_err(|error| self.failed(chain(&error)))?;
        let mut object = store.get(name).await.map_err(|error| self.failed(chain(&error)))?;
        if object.info().size > LARGEST_BUNDLE {
            return Err(self.failed(format!("the bundle is larger than {} MiB", LARGEST_BUNDLE >> 20)));
        }
        let mut bundle = Vec::with_capacity(object.info().size);
        let read = tokio::time::timeout(super::REQUEST_LIMIT * 6, object.read_to_end(&mut bundle)).await;
        match read {
            Ok(Ok(_)) if sha256(&bundle) == name => Ok(bundle),
            Ok(Ok(_)) => Err(self.failed("the bundle differs from its SHA-256")),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(_) => Err(self.failed("the bundle did not arrive in time")),
        }
    }
}

/// SHA-256, hexadecimal.
pub(in crate::fleet) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
