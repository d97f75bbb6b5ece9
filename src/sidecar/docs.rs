//! The OpenAPI document, generated from the routes and the wire types, and offline pages to try the API.

use std::sync::Arc;

use aide::openapi::{Info, OpenApi};
use aide::redoc::Redoc;
use aide::swagger::Swagger;
use aide::transform::TransformOpenApi;
use axum::Json;
use axum::http::HeaderName;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse};

const TITLE: &str = "ctp10";

/// The parts of the document that do not come from the routes.
pub(super) fn document() -> OpenApi {
    let info = Info {
        title: TITLE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: Some(
            "Instrument access, runs and live power of a CTP10. Live power is a WebSocket at `/ws/power`."
                .to_owned(),
        ),
        ..Info::default()
    };
    OpenApi { info, ..OpenApi::default() }
}

pub(super) fn finish(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    api.security_scheme(
        "token",
        aide::openapi::SecurityScheme::Http {
            scheme: "bearer".to_owned(),
            bearer_format: None,
            description: Some("Required if the server listens beyond loopback.".to_owned()),
            extensions: Default::default(),
        },
    )
}

pub(super) async fn openapi(document: Arc<OpenApi>) -> Json<OpenApi> {
    Json((*document).clone())
}

/// The pages contain their scripts. These would load a badge and a logo from other hosts, which the policy forbids.
const POLICY: [(HeaderName, &str); 1] =
    [(CONTENT_SECURITY_POLICY, "default-src 'self' 'unsafe-inline' data: blob:; frame-ancestors 'none'")];

pub(super) async fn swagger() -> impl IntoResponse {
    (POLICY, Html(Swagger::new("/openapi.json").with_title(TITLE).html()))
}

pub(super) async fn redoc() -> impl IntoResponse {
    (POLICY, Html(Redoc::new("/openapi.json").with_title(TITLE).html()))
}
