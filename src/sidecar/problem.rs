//! Error responses: `{"detail": …}` with a suitable status.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Documented, SchemaObject};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::json_schema;
use serde_json::{Value, json};

use crate::budget::{Busy, Gone};
use crate::error::chain;
use crate::instrument::Error;
use crate::metrics::HTTP_REFUSED;
use crate::session::{Held, NotChanged, NotConnected, NotStarted};
use crate::source::Diagnostic;
use crate::store::StoreError;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: Value,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<Value>) -> Self {
        Self { status, detail: detail.into() }
    }

    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The value at a place of the request is wrong.
    pub(super) fn wrong(kind: &str, place: &[&str], why: &str, input: &Value) -> Self {
        let problem = json!({ "type": kind, "loc": place, "msg": why, "input": input });
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, vec![problem])
    }

    /// The value of a field of the body is wrong.
    pub(super) fn wrong_field(field: &str, why: &str, input: &str) -> Self {
        let problem = json!({ "type": "value_error", "loc": ["body", field], "msg": why, "input": input });
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, vec![problem])
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} does not exist"))
    }

    pub(super) fn conflict(detail: impl Into<Value>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub(super) fn not_connected(reason: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, not_connected(reason))
    }

    pub(super) fn bad_gateway(detail: impl Into<Value>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, detail)
    }
}

/// The text that clients look for.
pub(super) fn not_connected(reason: &str) -> String {
    format!("Not connected to CTP10. {reason}")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() || self.status == StatusCode::CONFLICT {
            tracing::info!(status = self.status.as_u16(), detail = %self.detail, "request refused");
        }
        HTTP_REFUSED.add_of(self.status.as_str(), 1);
        (self.status, Json(json!({ "detail": self.detail }))).into_response()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let told = chain(&error);
        match error {
            Error::Unreachable { reason, .. } => Self::not_connected(&reason),
            Error::Lost { .. }
            | Error::OutOfStep { .. }
            | Error::FateUnknown { .. }
            | Error::OtherInstrument { .. }
            | Error::WrongIdentity { .. } => Self::not_connected(&told),
            // The state of the instrument forbids the request, although the instrument works.
            Error::Scanning { .. } | Error::ScanUnderWay { .. } | Error::Aborted { .. } => {
                Self::conflict(told)
            }
            Error::Refused { .. } | Error::DidNotStart { .. } | Error::Implausible { .. } => {
                Self::bad_gateway(told)
            }
            Error::NoReply { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, told),
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, told),
        }
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, busy.to_string())
    }
}

impl From<Gone> for Problem {
    fn from(gone: Gone) -> Self {
        Self::bad_gateway(gone.to_string())
    }
}

impl From<Held> for Problem {
    fn from(held: Held) -> Self {
        Self::conflict(held.to_string())
    }
}

impl From<NotChanged> for Problem {
    fn from(error: NotChanged) -> Self {
        match error {
            NotChanged::Held(held) => held.into(),
            NotChanged::Cut { .. } => Self::conflict(error.to_string()),
            NotChanged::Moved { .. } => Self::bad_gateway(error.to_string()),
            NotChanged::Instrument(error) => error.into(),
        }
    }
}

impl From<NotConnected> for Problem {
    fn from(error: NotConnected) -> Self {
        match error {
            NotConnected::Held(held) => held.into(),
            NotConnected::InUse { .. } => Self::not_connected(&error.to_string()),
            NotConnected::Instrument(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let told = chain(&error);
        match error {
            StoreError::WhichRun(_) => Self::new(StatusCode::NOT_FOUND, told),
            StoreError::Full { .. } => Self::new(StatusCode::INSUFFICIENT_STORAGE, told),
            StoreError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::new(StatusCode::GONE, told)
            }
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, told),
        }
    }
}

impl From<NotStarted> for Problem {
    fn from(error: NotStarted) -> Self {
        match error {
            NotStarted::Recipe(findings) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                findings.iter().map(Diagnostic::json).collect::<Vec<_>>(),
            ),
            NotStarted::Held(held) => held.into(),
            NotStarted::Busy(reason) | NotStarted::OtherInstrument(reason) | NotStarted::Limits(reason) => {
                Self::conflict(reason)
            }
            NotStarted::Instrument(error) => error.into(),
            NotStarted::Named { name, error } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("{name}: {error}"))
            }
            NotStarted::Store(error) => error.into(),
        }
    }
}

impl OperationOutput for Problem {
    type Inner = Self;

    fn operation_response(_: &mut GenContext, _: &mut Operation) -> Option<Documented> {
        let schema = json_schema!({
            "type": "object",
            "required": ["detail"],
            "properties": { "detail": {
                "description": "a text, or a list if values are wrong (422)",
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "object" } }],
            } },
            "additionalProperties": false,
        });
        let media = MediaType {
            schema: Some(SchemaObject { json_schema: schema, external_docs: None, example: None }),
            ..MediaType::default()
        };
        Some(Documented {
            description: "The reason why the request was refused or failed.".to_owned(),
            content: [("application/json".to_owned(), media)].into_iter().collect(),
            ..Documented::default()
        })
    }
}
