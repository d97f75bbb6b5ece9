//! Stands for the object store in a program that was built without it: no store can be opened.

use std::convert::Infallible;
use std::path::Path;

use bytes::Bytes;

use super::{Created, Listed, RemoteError, StoreAddress};

/// An open store, which does not exist in this program.
#[derive(Debug, Clone)]
pub struct Objects(Infallible);

#[expect(missing_docs, clippy::missing_errors_doc, clippy::unused_async, reason = "see objects.rs")]
impl Objects {
    pub fn open(_: &StoreAddress, _: Option<&str>) -> Result<Self, RemoteError> {
        Err(RemoteError::NotBuilt)
    }

    #[must_use]
    pub fn address(&self) -> &StoreAddress {
        match self.0 {}
    }

    pub async fn create(&self, _: &str, _: impl Into<Bytes>) -> Result<Created, RemoteError> {
        match self.0 {}
    }

    pub async fn create_from(&self, _: &str, _: &Path) -> Result<Created, RemoteError> {
        match self.0 {}
    }

    pub async fn look(&self) -> Result<(), RemoteError> {
        match self.0 {}
    }

    pub async fn get(&self, _: &str, _: u64) -> Result<Option<Bytes>, RemoteError> {
        match self.0 {}
    }

    pub async fn sha256(&self, _: &str) -> Result<Option<(u64, String)>, RemoteError> {
        match self.0 {}
    }

    pub async fn download(&self, _: &str, _: &Path) -> Result<Option<(u64, String)>, RemoteError> {
        match self.0 {}
    }

    pub async fn list(&self, _: &str) -> Result<Vec<Listed>, RemoteError> {
        match self.0 {}
    }

    pub async fn folders(&self, _: &str) -> Result<Vec<String>, RemoteError> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_object_stores_says_how_to_get_one() {
        let address = "s3://lab-traces".parse().unwrap();
        let refused = Objects::open(&address, None).unwrap_err().to_string();
        assert!(refused.contains("install a released package"), "{refused}");
        assert!(refused.contains("--features store"), "{refused}");
    }
}
