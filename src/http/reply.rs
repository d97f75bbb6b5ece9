//! HTTP replies.

use serde_json::Value;

use super::HttpError;

/// Longest excerpt of a reply in a message.
const EXCERPT: usize = 300;

/// A reply with any status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    says_json: bool,
}

impl Reply {
    /// A reply with the media type `kind`, whose body is not read yet.
    pub(super) fn new(status: u16, location: Option<String>, kind: &str) -> Self {
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let says_json = kind.ends_with("/json") || kind.ends_with("+json");
        Self { status, location, body: Vec::new(), says_json }
    }

    /// Whether the status means success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The decoded body: null if it is empty, JSON if it is declared or looks like JSON, otherwise text.
    ///
    /// # Errors
    /// A body that is declared as JSON but is not, or that is not text.
    pub fn value(&self) -> Result<Value, HttpError> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let read = serde_json::from_slice::<Value>(&self.body);
        // Small servers often omit the media type.
        let looks_so = || {
            self.body.trim_ascii_start().starts_with(b"{") || self.body.trim_ascii_start().starts_with(b"[")
        };
        match read {
            Ok(value) if self.says_json || looks_so() => Ok(value),
            Err(error) if self.says_json => Err(HttpError::NotUnderstood(format!(
                "is marked as JSON but is not valid ({error}): {}",
                self.excerpt()
            ))),
            _ => String::from_utf8(self.body.clone())
                .map(Value::String)
                .map_err(|_| HttpError::NotUnderstood("is neither JSON nor a UTF-8 text".to_owned())),
        }
    }

    /// Whether the body contains a text.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
    }

    /// The beginning of the body, for messages.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(4 * EXCERPT)]);
        let mut excerpt: String = text.trim().chars().take(EXCERPT).collect();
        if excerpt.len() < text.trim().len() {
            excerpt.push('…');
        }
        if excerpt.is_empty() { "nothing".to_owned() } else { excerpt }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(kind: &str, body: &[u8]) -> Reply {
        Reply { body: body.to_vec(), ..Reply::new(200, None, kind) }
    }

    #[test]
    fn a_body_is_json_where_it_says_so_or_looks_like_it_and_a_text_elsewhere() {
        let value = |kind: &str, body: &str| reply(kind, body.as_bytes()).value();
        assert_eq!(value("application/json", r#"{"a": 1}"#), Ok(json!({ "a": 1 })));
        assert_eq!(value("application/problem+json; charset=utf-8", "7"), Ok(json!(7)));
        assert_eq!(value("text/html", " [1, 2]\n"), Ok(json!([1, 2])));
        assert_eq!(value("text/plain", "25.5"), Ok(json!("25.5")));
        assert_eq!(value("text/plain", "{not JSON"), Ok(json!("{not JSON")));
        assert_eq!(value("application/json", ""), Ok(Value::Null));
        assert!(value("application/json", "{not JSON").unwrap_err().to_string().contains("{not JSON"));
        assert!(reply("image/png", b"\x89PNG").value().unwrap_err().to_string().contains("neither JSON nor"));
    }

    #[test]
    fn a_long_body_is_shown_by_its_beginning() {
        assert_eq!(reply("", b" busy \n").excerpt(), "busy");
        assert_eq!(reply("", b"").excerpt(), "nothing");
        let long = reply("", "µ".repeat(5_000).as_bytes()).excerpt();
        assert!(long.ends_with('…') && long.chars().count() == EXCERPT + 1);
    }
}
