//! The pages: the dashboard, the page for a screen on the wall, and the page of the API, with the libraries that they load.
//! `build/assets.rs` compresses each file into the program. The browser keeps a file until the program changes.

use std::io::Read as _;

use axum::Json;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use schemars::JsonSchema;
use serde::Deserialize;

use super::accept;
use super::problem::Problem;
use super::read::Path;
use super::reply::{Reply, Service};
use super::state::App;
use super::wire::instrument::Root;

/// A page may only send requests to its own server, and only run the scripts of its own server.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; \
    base-uri 'none'; form-action 'self'";

/// A file of a page, compressed with gzip.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    /// The entity tag of the file, and of the compressed file.
    tag: &'static str,
    packed_tag: &'static str,
    packed: &'static [u8],
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

impl Asset {
    fn reply(&self, headers: &HeaderMap) -> Response {
        let is_packed = accept::names(headers, &ACCEPT_ENCODING, "gzip");
        // The two encodings are different bytes, so their entity tags differ (RFC 9110, section 8.8.3).
        let tag = if is_packed { self.packed_tag } else { self.tag };
        let about = [
            (CONTENT_TYPE, self.media_type),
            // The browser asks every time, and gets 304 if the file has not changed.
            (CACHE_CONTROL, "no-cache"),
            (VARY, "Accept-Encoding"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (ETAG, tag),
        ];
        let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut known = known.flat_map(|line| line.split(',')).map(str::trim);
        if known.any(|known| known == "*" || known.trim_start_matches("W/") == tag) {
            (StatusCode::NOT_MODIFIED, about).into_response()
        } else if is_packed {
            (about, [(CONTENT_ENCODING, "gzip")], self.packed).into_response()
        } else {
            (about, self.text()).into_response()
        }
    }

    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Reading from memory cannot fail, and the build has made the file.
        let _ = GzDecoder::new(self.packed).read_to_end(&mut text);
        text
    }
}

fn serve(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map(|asset| asset.reply(headers)).ok_or_else(|| Problem::not_found(&format!("`{name}`")))
}

/// Which file of a page.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AssetPath {
    name: String,
}

/// Returns a file of a page.
pub(super) async fn asset(
    Path(AssetPath { name }): Path<AssetPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    serve(&name, &headers)
}

/// Returns the page for a screen on the wall. The page has no controls.
pub(super) async fn wall(headers: HeaderMap) -> Result<Response, Problem> {
    serve("wall.html", &headers)
}

/// Returns the page that shows the API and tries its paths.
pub(super) async fn docs(headers: HeaderMap) -> Result<Response, Problem> {
    serve("docs.html", &headers)
}

/// Returns information about the service to programs, and the dashboard to browsers.
pub(super) async fn root(State(_): State<App>, headers: HeaderMap) -> Result<Reply<Service>, Problem> {
    if accept::names_page(&headers) {
        return serve("index.html", &headers).map(Reply::new);
    }
    let root = Root {
        service: "EXFO CTP10 Vector Analyzer API",
        version: "1.0.0",
        server: format!("ctp10 {}", env!("CARGO_PKG_VERSION")),
        status: "running",
    };
    Ok(Reply::new(Json(root)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ASSETS;
    use crate::files::hex_sha256;
    use crate::run::events::RunEvent;

    #[test]
    fn the_libraries_are_the_files_whose_checksums_their_readme_has() {
        let readme = include_str!("dashboard/vendor/README.md");
        for name in ["plotly-basic.min.js", "swagger-ui-bundle.js", "swagger-ui.css"] {
            let asset = ASSETS.iter().find(|asset| asset.name == name).unwrap();
            let sum = hex_sha256(&asset.text());
            assert!(readme.contains(&sum), "{name}: {sum}");
        }
    }

    #[test]
    fn the_page_subscribes_to_every_event_of_a_run() {
        let names = |text: &str, quote: char| -> BTreeSet<String> {
            text.split(quote).skip(1).step_by(2).map(str::to_owned).collect()
        };
        let unknown = serde_json::from_value::<RunEvent>(serde_json::json!({ "event": "?" })).unwrap_err();
        let unknown = unknown.to_string();
        let (_, told) = unknown.split_once("expected one of").unwrap();
        let script = include_str!("dashboard/follow.js");
        let (_, kinds) = script.split_once("const KINDS = [").unwrap();
        let (kinds, _) = kinds.split_once("];").unwrap();
        assert_eq!(names(kinds, '\''), names(told, '`'));
    }
}
