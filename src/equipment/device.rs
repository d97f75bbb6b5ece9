//! The two kinds of instruments: those that speak lines of text, and those with a REST API.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::live::{NO_LINES, NO_REQUESTS};
use crate::http::{ApiError, ApiInstrument, ApiSettings};
use crate::instrument::text::{TextInstrument, TextSettings};
use crate::instrument::{Deadlines, Error};

/// Longest time of a request that identifies an instrument or makes it safe.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How an instrument is reached and made safe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceSettings {
    /// An instrument that speaks lines of text.
    Text(TextSettings),
    /// An instrument with a REST API.
    Api(ApiSettings),
}

/// A handle for an instrument. Clones are cheap and share the connection.
#[derive(Debug, Clone)]
pub enum Device {
    /// An instrument that speaks lines of text.
    Text(TextInstrument),
    /// An instrument with a REST API.
    Api(ApiInstrument),
}

/// Why an instrument cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// An instrument that speaks lines of text.
    #[error(transparent)]
    Text(#[from] Error),
    /// An instrument with a REST API.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// The address of the instrument.
impl fmt::Display for DeviceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.address.fmt(f),
            Self::Api(api) => api.url.fmt(f),
        }
    }
}

impl DeviceSettings {
    /// Why the instrument does not take a request, or a line of text; `None` if it takes that.
    #[must_use]
    pub fn refuses(&self, is_request: bool) -> Option<&'static str> {
        match (self, is_request) {
            (Self::Text(_), true) => Some(NO_REQUESTS),
            (Self::Api(_), false) => Some(NO_LINES),
            (Self::Text(_), false) | (Self::Api(_), true) => None,
        }
    }

    /// The settings without what only measurements need: such a device may be identified and made safe.
    #[must_use]
    pub fn without_setup(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(TextSettings { setup: Vec::new(), ..text.clone() }),
            Self::Api(api) => Self::Api(api.clone()),
        }
    }
}

impl Device {
    /// A handle for the instrument. It is not connected yet.
    #[must_use]
    pub fn at(settings: DeviceSettings, deadlines: Deadlines) -> Self {
        match settings {
            DeviceSettings::Text(text) => Self::Text(TextInstrument::at(text, deadlines)),
            DeviceSettings::Api(api) => {
                let limit = REQUEST_LIMIT.min(deadlines.action.max(deadlines.query));
                Self::Api(ApiInstrument::at(api, limit))
            }
        }
    }

    /// How the instrument is reached.
    #[must_use]
    pub fn settings(&self) -> DeviceSettings {
        match self {
            Self::Text(text) => DeviceSettings::Text(text.settings().clone()),
            Self::Api(api) => DeviceSettings::Api(api.settings().clone()),
        }
    }

    /// Asks the instrument what it is; `None` for an instrument that is not identified.
    ///
    /// # Errors
    /// If the instrument does not answer, or another one does.
    pub async fn identify(&self) -> Result<Option<String>, DeviceError> {
        match self {
            Self::Text(text) => Ok(text.connect().await?.map(|identity| identity.to_string())),
            Self::Api(api) => Ok(api.identify().await?),
        }
    }

    /// Makes the instrument safe.
    ///
    /// # Errors
    /// Why it is unknown whether the instrument is safe.
    pub async fn make_safe(&self) -> Result<(), DeviceError> {
        match self {
            Self::Text(text) => Ok(text.make_safe().await?),
            Self::Api(api) => Ok(api.make_safe().await?),
        }
    }
}
