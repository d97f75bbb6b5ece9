//! The settings of the store of a bench.

use super::StoreAddress;

/// Where runs are uploaded, and how long they stay on the disk.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    /// The address of the store.
    pub address: StoreAddress,
    /// Another server than that of the cloud provider: `http://minio.lab:9000`.
    pub endpoint: Option<String>,
    /// Days after which the local copy of an uploaded run is deleted; `None`: never.
    pub keep_local_days: Option<f64>,
}
