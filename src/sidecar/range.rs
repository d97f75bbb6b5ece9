//! Requests for a part of a file: `Range` and `If-Range` (RFC 9110, sections 13.1.5 and 14.2).

use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeFile;

use super::problem::Problem;

/// Serves a file of a known length, or the part of it that the request names.
pub(super) async fn serve(file: &Path, length: u64, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let wanted = wanted(&parts.method, &parts.headers, length);
    parts.headers.remove(RANGE);
    if let Some(wanted) = wanted {
        parts.headers.insert(RANGE, wanted);
    }
    let mut response = send(file, &parts).await?;
    let is_part =
        matches!(response.status(), StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
    // The client has the start of a file. Only the entity tag shows that this is the same file, because a date counts seconds.
    let is_other = |known| response.headers().get(ETAG) != Some(known);
    if is_part && parts.headers.get(IF_RANGE).is_some_and(is_other) {
        parts.headers.remove(RANGE);
        response = send(file, &parts).await?;
    }
    Ok(response)
}

async fn send(file: &Path, parts: &Parts) -> Result<Response, Problem> {
    let request = Request::from_parts(parts.clone(), Body::empty());
    let served = ServeFile::new(file).try_call(request).await;
    let served = served.map_err(|error| Problem::new(StatusCode::GONE, error.to_string()))?;
    let told = match served.status() {
        StatusCode::PRECONDITION_FAILED => "the file is not the one that the request expects",
        StatusCode::RANGE_NOT_SATISFIABLE => "the file is shorter than the start of the range",
        _ => return Ok(served.map(Body::new)),
    };
    let mut refused = Problem::new(served.status(), told).into_response();
    for name in [ETAG, CONTENT_RANGE] {
        if let Some(value) = served.headers().get(&name) {
            refused.headers_mut().insert(name, value.clone());
        }
    }
    Ok(refused)
}

/// The part of a file that a request wants; `None` for the whole file. A server ignores what is no range of bytes, and it may
/// ignore several ranges.
fn wanted(method: &Method, headers: &HeaderMap, length: u64) -> Option<HeaderValue> {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let (unit, range) = line.to_str().ok()?.split_once('=')?;
    if *method != Method::GET || !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let range = match (number(first), number(last)) {
        // More bytes than the file has are the whole file.
        (None, Some(count)) if first.is_empty() => format!("-{}", count.min(length)),
        (Some(first), None) if last.is_empty() => format!("{first}-"),
        (Some(first), Some(last)) if first <= last => format!("{first}-{last}"),
        _ => return None,
    };
    HeaderValue::try_from(format!("bytes={range}")).ok()
}

/// A number of any length: no file reaches the greatest one.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_a_part_and_everything_else_is_the_whole_file() {
        for (lines, expected) in [
            (&["bytes=0-9"][..], Some("bytes=0-9")),
            (&["BYTES=0-9"], Some("bytes=0-9")),
            (&["bytes= 007-010 "], Some("bytes=7-10")),
            (&["bytes=5-5"], Some("bytes=5-5")),
            (&["bytes=100-"], Some("bytes=100-")),
            (&["bytes=0-99999999999999999999999"], Some("bytes=0-18446744073709551615")),
            (&["bytes=-8"], Some("bytes=-8")),
            (&["bytes=-0"], Some("bytes=-0")),
            (&["bytes=-65536"], Some("bytes=-1000")),
            (&["bytes=9-5"], None),
            (&["bytes=abc"], None),
            (&["bytes=1x-2"], None),
            (&["bytes=+1-2"], None),
            (&["bytes=-"], None),
            (&["bytes=--5"], None),
            (&["bytes="], None),
            (&["bytes"], None),
            (&["bytes=0-9,20-29"], None),
            (&["bytes=0-9", "bytes=20-29"], None),
            (&["items=0-1"], None),
            (&["lines=1-2"], None),
            (&[], None),
        ] {
            let headers: HeaderMap =
                lines.iter().map(|line| (RANGE, HeaderValue::from_static(line))).collect();
            let found = wanted(&Method::GET, &headers, 1000);
            assert_eq!(found, expected.map(HeaderValue::from_static), "{lines:?}");
            assert_eq!(wanted(&Method::HEAD, &headers, 1000), None);
        }
    }
}
