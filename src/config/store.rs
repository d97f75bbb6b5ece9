//! The object store of a bench: `store`, `store_endpoint` and `keep_local`.

use url::Url;

use crate::remote::{StoreAddress, StoreSettings};

/// The settings of a store, as far as they are given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenStore {
    address: Option<StoreAddress>,
    endpoint: Option<String>,
    keep_local_days: Option<f64>,
}

impl GivenStore {
    /// Replaces what is given.
    pub(super) fn take(
        &mut self,
        address: Option<String>,
        endpoint: Option<String>,
        keep_local: Option<f64>,
    ) -> Result<(), String> {
        if let Some(text) = address {
            self.address = Some(text.parse().map_err(|why| format!("store: {why}"))?);
        }
        if let Some(text) = endpoint {
            let wrong =
                |why: &str| format!("store_endpoint: {why}; for example `http://minio.lab:9000` is allowed");
            let url = Url::parse(&text).map_err(|_| wrong("the text is not an address"))?;
            if !["http", "https"].contains(&url.scheme()) {
                return Err(wrong("the address must begin with `http://` or `https://`"));
            }
            if !url.username().is_empty() || url.password().is_some() {
                return Err(wrong("credentials belong into the environment, not into the address"));
            }
            self.endpoint = Some(text.trim_end_matches('/').to_owned());
        }
        match keep_local {
            None => {}
            Some(days) if days.is_finite() && (0.0..=36_500.0).contains(&days) => {
                self.keep_local_days = Some(days);
            }
            Some(days) => return Err(format!("keep_local `{days}` is not allowed (0 to 36500 days)")),
        }
        Ok(())
    }

    /// The store; `None` if none is given.
    #[must_use]
    pub fn settings(&self) -> Option<StoreSettings> {
        Some(StoreSettings { keep_local_days: self.keep_local_days, ..self.at(self.address.clone()?) })
    }

    /// Another store at the same endpoint, only for reading.
    #[must_use]
    pub fn at(&self, address: StoreAddress) -> StoreSettings {
        StoreSettings { address, endpoint: self.endpoint.clone(), keep_local_days: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_checked_and_its_password_is_not_repeated() {
        let mut given = GivenStore::default();
        given
            .take(Some("s3://lab/ctp10".to_owned()), Some("http://minio:9000/".to_owned()), Some(30.0))
            .unwrap();
        let settings = given.settings().unwrap();
        assert_eq!(settings.address.to_string(), "s3://lab/ctp10");
        assert_eq!(
            (settings.endpoint.as_deref(), settings.keep_local_days),
            (Some("http://minio:9000"), Some(30.0))
        );
        for (address, endpoint, keep, told) in [
            (Some("ftp://lab"), None, None, "is not a store"),
            (None, Some("minio:9000"), None, "must begin with"),
            (None, Some("http://key:secret@minio"), None, "belong into the environment"),
            (None, None, Some(-1.0), "keep_local `-1`"),
        ] {
            let why = given.take(address.map(str::to_owned), endpoint.map(str::to_owned), keep).unwrap_err();
            assert!(why.contains(told), "{why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
