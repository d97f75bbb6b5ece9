//! The OpenAPI document, generated from the routes and the wire types, and offline pages to try the API.

use aide::openapi::{Info, OpenApi};
use aide::redoc::Redoc;
use aide::swagger::Swagger;
use aide::transform::TransformOpenApi;
use axum::Json;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse};

use super::api::Routes;
use super::problem::Problem;
use super::routes;
use crate::threads;

const TITLE: &str = "ctp10";

/// The parts of the document that do not come from the routes.
pub(super) fn document() -> OpenApi {
    let info = Info {
        title: TITLE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: Some(
            "Instrument access, runs and live power of a CTP10. Live power is a WebSocket at `/ws/power`, and server-sent events at `/power`."
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

/// Makes the document. The thread ends with it, so that all of its memory becomes free.
pub(super) async fn openapi() -> Result<Json<OpenApi>, Problem> {
    let made = threads::begin("openapi", || routes::api(Routes::described()).document());
    made.await.map(Json).map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
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
