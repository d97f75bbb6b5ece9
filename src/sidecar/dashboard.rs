//! The dashboard: one page, its modules and the chart library, all compiled in. Each file is compressed once. The browser
//! keeps it until the program changes.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::problem::Problem;
use super::state::App;
use super::wire::instrument::Root;
use crate::files::hex_sha256;

/// The page may only send requests to its own server.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; \
    base-uri 'none'; form-action 'self'";

/// A file of the page, compressed at its first request.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
    packed: OnceLock<Packed>,
}

/// A compressed file with its entity tag.
struct Packed {
    bytes: Vec<u8>,
    tag: String,
}

macro_rules! assets {
    ($($name:literal = $media_type:literal),+ $(,)?) => {
        static ASSETS: [Asset; 1 + [$($name),+].len()] = [
            $(Asset {
                name: $name,
                media_type: $media_type,
                text: include_str!(concat!("dashboard/", $name)),
                packed: OnceLock::new(),
            },)+
            Asset {
                name: "plotly.js",
                media_type: "text/javascript; charset=utf-8",
                text: include_str!("dashboard/vendor/plotly-basic.min.js"),
                packed: OnceLock::new(),
            },
        ];
    };
}

assets! {
    "index.html" = "text/html; charset=utf-8",
    "wall.html" = "text/html; charset=utf-8",
    "charts.css" = "text/css; charset=utf-8",
    "frame.css" = "text/css; charset=utf-8",
    "panels.css" = "text/css; charset=utf-8",
    "style.css" = "text/css; charset=utf-8",
    "wall.css" = "text/css; charset=utf-8",
    "activity.js" = "text/javascript; charset=utf-8",
    "app.js" = "text/javascript; charset=utf-8",
    "dom.js" = "text/javascript; charset=utf-8",
    "drawer.js" = "text/javascript; charset=utf-8",
    "enqueue.js" = "text/javascript; charset=utf-8",
    "figures.js" = "text/javascript; charset=utf-8",
    "findings.js" = "text/javascript; charset=utf-8",
    "fits.js" = "text/javascript; charset=utf-8",
    "follow.js" = "text/javascript; charset=utf-8",
    "format.js" = "text/javascript; charset=utf-8",
    "header.js" = "text/javascript; charset=utf-8",
    "kept.js" = "text/javascript; charset=utf-8",
    "live.js" = "text/javascript; charset=utf-8",
    "livechart.js" = "text/javascript; charset=utf-8",
    "log.js" = "text/javascript; charset=utf-8",
    "marks.js" = "text/javascript; charset=utf-8",
    "names.js" = "text/javascript; charset=utf-8",
    "net.js" = "text/javascript; charset=utf-8",
    "pins.js" = "text/javascript; charset=utf-8",
    "plot.js" = "text/javascript; charset=utf-8",
    "progress.js" = "text/javascript; charset=utf-8",
    "question.js" = "text/javascript; charset=utf-8",
    "queue.js" = "text/javascript; charset=utf-8",
    "queueitem.js" = "text/javascript; charset=utf-8",
    "readout.js" = "text/javascript; charset=utf-8",
    "run.js" = "text/javascript; charset=utf-8",
    "runs.js" = "text/javascript; charset=utf-8",
    "scales.js" = "text/javascript; charset=utf-8",
    "session.js" = "text/javascript; charset=utf-8",
    "spectrum.js" = "text/javascript; charset=utf-8",
    "start.js" = "text/javascript; charset=utf-8",
    "tabs.js" = "text/javascript; charset=utf-8",
    "theme.js" = "text/javascript; charset=utf-8",
    "traces.js" = "text/javascript; charset=utf-8",
    "tree.js" = "text/javascript; charset=utf-8",
    "uploads.js" = "text/javascript; charset=utf-8",
    "verdict.js" = "text/javascript; charset=utf-8",
    "views.js" = "text/javascript; charset=utf-8",
    "wafer.js" = "text/javascript; charset=utf-8",
    "wall.js" = "text/javascript; charset=utf-8",
    "zoom.js" = "text/javascript; charset=utf-8",
}

impl Asset {
    fn packed(&self) -> &Packed {
        self.packed.get_or_init(|| {
            let text = self.text.as_bytes();
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            // Writing into memory cannot fail.
            let _ = encoder.write_all(text);
            let tag = format!("\"{}\"", &hex_sha256(text)[..16]);
            Packed { bytes: encoder.finish().unwrap_or_default(), tag }
        })
    }

    fn reply(&'static self, headers: &HeaderMap) -> Response {
        let Packed { bytes, tag } = self.packed();
        let about = [
            (CONTENT_TYPE, self.media_type),
            // The browser asks every time, and gets 304 if the file has not changed.
            (CACHE_CONTROL, "no-cache"),
            (VARY, "Accept-Encoding"),
            (CONTENT_SECURITY_POLICY, POLICY),
        ];
        let says = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if says(IF_NONE_MATCH) == tag.as_str() {
            return (StatusCode::NOT_MODIFIED, about, [(ETAG, tag.as_str())]).into_response();
        }
        if says(ACCEPT_ENCODING).contains("gzip") {
            return (about, [(ETAG, tag.as_str())], [(CONTENT_ENCODING, "gzip")], bytes.as_slice())
                .into_response();
        }
        (about, [(ETAG, tag.as_str())], self.text).into_response()
    }
}

async fn serve(name: &str, headers: &HeaderMap) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    // The first compression of a library takes a moment.
    let _ = tokio::task::spawn_blocking(|| asset.packed().bytes.len()).await;
    Some(asset.reply(headers))
}

/// Returns a file of the page.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    serve(&name, &headers).await.ok_or_else(|| Problem::not_found(&format!("`{name}`")))
}

/// Returns the page for a screen on the wall. The page has no controls.
pub(super) async fn wall(headers: HeaderMap) -> Result<Response, Problem> {
    serve("wall.html", &headers).await.ok_or_else(|| Problem::not_found("`/wall`"))
}

/// Returns information about the service to programs, and the dashboard to browsers.
pub(super) async fn root(State(_): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html")
        && let Some(page) = serve("index.html", &headers).await
    {
        return page;
    }
    Json(Root {
        service: "EXFO CTP10 Vector Analyzer API",
        version: "1.0.0",
        server: format!("ctp10 {}", env!("CARGO_PKG_VERSION")),
        status: "running",
    })
    .into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::hex_sha256;
    use crate::run::events::RunEvent;

    #[test]
    fn the_chart_library_is_the_file_whose_checksum_its_readme_has() {
        let sum = hex_sha256(include_bytes!("dashboard/vendor/plotly-basic.min.js"));
        assert!(include_str!("dashboard/vendor/README.md").contains(&sum), "{sum}");
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
