//! Opens a store by its address. Keys and regions come from the environment, under the names that the tools of the cloud
//! providers use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::connector::Connector;
use crate::http::Transport;
use crate::remote::address::StoreKind;
use crate::remote::{RemoteError, StoreAddress};

/// Short retries of one request. Longer waits belong to the caller, which can be stopped and shows what it waits for.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(20),
    }
}

/// The folder of a `file` address.
pub(super) fn folder(address: &StoreAddress) -> PathBuf {
    std::iter::once("/").chain(address.parts.iter().map(String::as_str)).collect()
}

pub(super) fn open(
    address: &StoreAddress,
    endpoint: Option<&str>,
) -> Result<Arc<dyn ObjectStore>, RemoteError> {
    let wrong = |reason: String| RemoteError::Settings { store: address.to_string(), reason };
    let built = |error: object_store::Error| wrong(error.to_string());
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let create_only_parts = address.kind == StoreKind::S3;
    let connector = || {
        let transport = Transport::new(is_plain).map_err(wrong)?;
        Ok::<_, RemoteError>(Connector { transport, create_only_parts })
    };
    let bucket = &address.bucket;
    Ok(match address.kind {
        StoreKind::Folder => {
            let folder = folder(address);
            if !folder.is_dir() {
                return Err(RemoteError::NoStore(address.to_string()));
            }
            let opened = LocalFileSystem::new_with_prefix(folder).map_err(built)?;
            Arc::new(opened.with_fsync(true))
        }
        StoreKind::S3 => {
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            // The server compares what has arrived with this checksum.
            let builder = builder.with_checksum_algorithm(Checksum::SHA256).with_retry(retries());
            Arc::new(builder.with_http_connector(connector()?).build().map_err(built)?)
        }
        StoreKind::Google => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
            if let Some(endpoint) = endpoint {
                builder = builder.with_base_url(endpoint);
            }
            let builder = builder.with_retry(retries()).with_http_connector(connector()?);
            Arc::new(builder.build().map_err(built)?)
        }
        StoreKind::Azure => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint.to_owned());
            }
            let builder = builder.with_retry(retries()).with_http_connector(connector()?);
            Arc::new(builder.build().map_err(built)?)
        }
    })
}

/// What explains a failure if no keys are given; `None` if keys are given.
pub(super) fn about_keys(address: &StoreAddress) -> Option<&'static str> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (names, note): (&[&str], _) = match address.kind {
        StoreKind::S3 => (
            &["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
            "`AWS_ACCESS_KEY_ID` is not set, so the role of this computer was tried",
        ),
        StoreKind::Google => (
            &["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"],
            "`GOOGLE_SERVICE_ACCOUNT` is not set, so the role of this computer was tried",
        ),
        StoreKind::Azure => (
            &["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CLIENT_SECRET"],
            "no key of Azure is set, so the role of this computer was tried",
        ),
        StoreKind::Folder => return None,
    };
    if names.iter().any(is_set) { None } else { Some(note) }
}
