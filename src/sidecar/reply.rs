//! Replies that are not only JSON: pages, files, streams. Their types state what the OpenAPI document says about them.

use std::marker::PhantomData;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{
    MediaType, Operation, Response as Documented, SchemaObject, StatusCode as DocumentedStatus,
};
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, json_schema};
use serde::Serialize;

use super::wire::instrument::{Root, TraceMetadata};

/// A reply of the kind `K`.
pub(super) struct Reply<K>(Response, PhantomData<K>);

/// What the document says about a reply: its media types with their schemas.
pub(super) struct Words {
    status: u16,
    what: &'static str,
    content: Vec<(&'static str, Schema)>,
}

/// A kind of reply.
pub(super) trait Kind {
    /// What the handler may send if it refuses nothing.
    fn words(ctx: &mut GenContext) -> Vec<Words>;
}

impl<K> Reply<K> {
    pub(super) fn new(response: impl IntoResponse) -> Self {
        Self(response.into_response(), PhantomData)
    }
}

impl<K> IntoResponse for Reply<K> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<K: Kind> OperationOutput for Reply<K> {
    type Inner = Self;

    fn operation_response(_: &mut GenContext, _: &mut Operation) -> Option<Documented> {
        None
    }

    fn inferred_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<DocumentedStatus>, Documented)> {
        let documented = |Words { status, what, content }: Words| {
            let media = |(name, json_schema): (&str, Schema)| {
                let schema = SchemaObject { json_schema, external_docs: None, example: None };
                (name.to_owned(), MediaType { schema: Some(schema), ..MediaType::default() })
            };
            let response = Documented {
                description: what.to_owned(),
                content: content.into_iter().map(media).collect(),
                ..Documented::default()
            };
            (Some(DocumentedStatus::Code(status)), response)
        };
        K::words(ctx).into_iter().map(documented).collect()
    }
}

fn text() -> Schema {
    json_schema!({ "type": "string" })
}

/// Bytes have no schema (OpenAPI 3.1, section 4.8.14.1).
fn bytes() -> Schema {
    json_schema!({})
}

/// The replies with status 200 and one media type.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $media:literal, $schema:ident, $what:literal;)+) => {
        $($(#[$doc])*
        pub(super) struct $name;

        impl Kind for $name {
            fn words(_: &mut GenContext) -> Vec<Words> {
                vec![Words { status: 200, what: $what, content: vec![($media, $schema())] }]
            }
        })+
    };
}

kinds! {
    /// A page.
    Page: "text/html", text, "A page.";
    /// Server-sent events.
    Events: "text/event-stream", text, "Server-sent events.";
    /// The metrics of the program.
    Metrics: "text/plain", text, "The text format of Prometheus.";
    /// An archive of files.
    Archive: "application/zip", bytes, "A zip archive.";
    /// An array of numpy.
    Npy: "application/octet-stream", bytes, "An NPY file.";
}

/// A trace of a run in one of its formats.
pub(super) struct TraceFile;

impl Kind for TraceFile {
    fn words(_: &mut GenContext) -> Vec<Words> {
        let parquet = || ("application/vnd.apache.parquet", bytes());
        let content = vec![
            parquet(),
            ("application/vnd.apache.arrow.stream", bytes()),
            ("text/csv", text()),
            ("application/octet-stream", bytes()),
        ];
        vec![
            Words { status: 200, what: "The trace; NPY is `application/octet-stream`.", content },
            Words {
                status: 206,
                what: "The part of the Parquet file that `Range` names.",
                content: vec![parquet()],
            },
            Words { status: 304, what: "The client has this Parquet file.", content: Vec::new() },
        ]
    }
}

/// A trace of the instrument as JSON.
pub(super) struct TraceData;

impl Kind for TraceData {
    fn words(ctx: &mut GenContext) -> Vec<Words> {
        let schema = json_schema!({
            "type": "object",
            "required": ["metadata", "wavelengths", "values"],
            "properties": {
                "metadata": ctx.schema.subschema_for::<TraceMetadata>(),
                "wavelengths": { "description": "nm", "type": "array", "items": { "type": "number" } },
                "values": {
                    "description": "dB or dBm; null where the value is not finite",
                    "type": "array", "items": { "type": ["number", "null"] },
                },
            },
        });
        vec![Words { status: 200, what: "The trace.", content: vec![("application/json", schema)] }]
    }
}

/// The service for programs, and the dashboard for browsers.
pub(super) struct Service;

impl Kind for Service {
    fn words(ctx: &mut GenContext) -> Vec<Words> {
        let json = ("application/json", ctx.schema.subschema_for::<Root>());
        let what = "The service; the dashboard if `Accept` names HTML.";
        vec![
            Words { status: 200, what, content: vec![json, ("text/html", text())] },
            Words { status: 304, what: "The browser has this dashboard.", content: Vec::new() },
        ]
    }
}

/// Something was made.
pub(super) struct Created<T>(PhantomData<T>);

impl<T: JsonSchema> Kind for Created<T> {
    fn words(ctx: &mut GenContext) -> Vec<Words> {
        let content = vec![("application/json", ctx.schema.subschema_for::<T>())];
        vec![Words { status: 201, what: "What was made. `Location` has the address of a run.", content }]
    }
}

impl<T: Serialize> Reply<Created<T>> {
    /// `place` is the address of what was made, if it has one.
    pub(super) fn created(made: T, place: Option<String>) -> Self {
        Self::new((StatusCode::CREATED, place.map(|place| [(LOCATION, place)]), Json(made)))
    }
}

/// A login, or its end.
pub(super) struct Session;

impl Kind for Session {
    fn words(_: &mut GenContext) -> Vec<Words> {
        vec![Words {
            status: 303,
            what: "The next page; the cookie of the session has changed.",
            content: Vec::new(),
        }]
    }
}
