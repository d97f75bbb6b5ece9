//! What a client accepts: `Accept` and `Accept-Encoding` (RFC 9110, section 12.5).

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName};

/// The values that a header lists, with their weights from 0 to 1, the greatest weight first. Parameters are left out. A weight
/// that is no number is 1.
pub(super) fn listed(headers: &HeaderMap, header: &HeaderName) -> Vec<(String, f32)> {
    let lines = headers.get_all(header).iter().filter_map(|line| line.to_str().ok());
    let mut values: Vec<(String, f32)> = lines.flat_map(|line| line.split(',')).map(weighed).collect();
    values.retain(|(value, _)| !value.is_empty());
    values.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    values
}

fn weighed(part: &str) -> (String, f32) {
    let mut fields = part.split(';').map(|field| field.trim().to_ascii_lowercase());
    let value = fields.next().unwrap_or_default();
    let weight = fields.find_map(|field| field.strip_prefix("q=")?.trim().parse().ok());
    (value, weight.unwrap_or(1.0))
}

/// Whether a client accepts a value that it names. `*` names all others.
pub(super) fn names(headers: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    let listed = listed(headers, header);
    let weight = |wanted: &str| listed.iter().find(|(value, _)| value == wanted).map(|(_, weight)| *weight);
    weight(wanted).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

/// Whether the client is a browser that loads a page. Browsers name HTML; programs accept everything, or JSON.
pub(super) fn names_page(headers: &HeaderMap) -> bool {
    listed(headers, &ACCEPT).iter().any(|(value, weight)| value == "text/html" && *weight > 0.0)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::ACCEPT_ENCODING;

    use super::*;

    fn headers(header: HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (header.clone(), HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn a_value_with_the_weight_0_is_refused_and_a_star_stands_for_the_others() {
        for (lines, accepted) in [
            (&["gzip, deflate, br"][..], true),
            (&["br", "GZIP"], true),
            (&["gzip;q=0.001"], true),
            (&["*"], true),
            (&["*;q=0, gzip"], true),
            (&["gzip; q=0, *"], false),
            (&["gzip;q=0.0"], false),
            (&["*;q=0"], false),
            (&["identity"], false),
            (&["x-gzip-like, gzipped"], false),
            (&[""], false),
            (&[], false),
        ] {
            assert_eq!(
                names(&headers(ACCEPT_ENCODING, lines), &ACCEPT_ENCODING, "gzip"),
                accepted,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn the_greatest_weight_is_first_and_equal_weights_keep_their_order() {
        let accept = headers(ACCEPT, &["text/html;level=1;q=0.5, a/b;q=x, */*;q=0.1", "c/d"]);
        let values: Vec<String> = listed(&accept, &ACCEPT).into_iter().map(|(value, _)| value).collect();
        assert_eq!(values, ["a/b", "c/d", "text/html", "*/*"]);
    }
}
