//! HTTP headers of every response. A page that needs other headers sets them itself.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// Data is neither a page nor a script, and may not appear in a frame. It is not cached, because the next user of the
/// browser may have no token.
const USUAL: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer`, browsers send the login form with the origin `null`, which is refused. Other sites get no address.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];

/// A report contains only a style and inline pictures.
pub(super) const REPORT_POLICY: [(HeaderName, &str); 1] = [(
    CONTENT_SECURITY_POLICY,
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
)];

pub(super) async fn complete(mut response: Response) -> Response {
    for (name, value) in USUAL {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
