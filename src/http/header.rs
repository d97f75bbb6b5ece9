//! Headers of requests, and secrets in them. A secret comes from the environment or from a file. No message, log or record
//! shows it, also if the other side repeats it in a reply.

use std::fmt;
use std::fs::File;
use std::io::Read;

use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Reply;

/// Shown in the place of a secret.
const MASK: &str = "***";
/// The shortest secret, characters. A shorter text also occurs where nobody means the secret, so replies could not be
/// masked.
const SHORTEST: usize = 8;
/// The longest secret, bytes.
const LONGEST: u64 = 16 << 10;

/// Where the value of a header comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")]
pub enum HeaderSource {
    /// From the configuration. Such a value is no secret.
    Text(String),
    /// A secret.
    Secret(SecretSource),
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the environment.
    Env(String),
    /// A file with one line.
    File(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
        }
    }
}

impl SecretSource {
    /// The secret.
    ///
    /// # Errors
    /// Why there is none, without any part of it.
    pub fn read(&self) -> Result<String, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|error| match error {
                std::env::VarError::NotPresent => format!("{self} is not set"),
                std::env::VarError::NotUnicode(_) => format!("{self} is not a text"),
            })?,
            Self::File(path) => {
                let mut bytes = Vec::new();
                let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
                read.map_err(|error| format!("{self} cannot be read: {error}"))?;
                String::from_utf8(bytes).map_err(|_| format!("{self} is not a text"))?
            }
        };
        let secret = text.trim();
        if secret.len() as u64 > LONGEST || !secret.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(format!("{self} is not one line of at most {LONGEST} ASCII characters"));
        }
        if secret.len() < SHORTEST {
            return Err(format!(
                "{self} has fewer than {SHORTEST} characters, so it could not be masked in replies"
            ));
        }
        Ok(secret.to_owned())
    }
}

/// One header of a request. Its value is not shown.
#[derive(Clone)]
pub struct Header {
    name: HeaderName,
    value: HeaderValue,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {MASK}", self.name)
    }
}

impl Header {
    /// A header.
    ///
    /// # Errors
    /// If the name or the value is not allowed. The message does not contain the value.
    pub fn new(name: &str, value: &str) -> Result<Self, String> {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is not the name of a header"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of the header `{name}` has characters that are not allowed"))?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }

    /// The header for authorization with a token.
    ///
    /// # Errors
    /// If the token has characters that are not allowed.
    pub fn bearer(token: &str) -> Result<Self, String> {
        Self::new("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn parts(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }
}

/// Secrets that are masked wherever a reply repeats them.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    pub(super) fn add(&mut self, secret: String) {
        self.0.push(secret);
        // A secret may contain another one.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The reply without the secrets. JSON is compared after its escapes are resolved, and stays JSON.
    pub(super) fn masked(&self, mut reply: Reply) -> Reply {
        if self.0.is_empty() {
            return reply;
        }
        reply.location = reply.location.map(|text| self.without(&text));
        match serde_json::from_slice::<Value>(&reply.body) {
            Ok(mut value) => {
                if self.mask(&mut value) {
                    reply.body = value.to_string().into_bytes();
                }
            }
            Err(_) => {
                // A body that is not UTF-8 is shown only in parts, and these are the parts that are UTF-8.
                let text = String::from_utf8_lossy(&reply.body);
                let masked = self.without(&text);
                if masked != text {
                    reply.body = masked.into_bytes();
                }
            }
        }
        reply
    }

    fn mask(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let masked = self.without(text);
                let has_changed = masked != *text;
                *text = masked;
                has_changed
            }
            Value::Array(items) => {
                let mut has_changed = false;
                for item in items {
                    has_changed |= self.mask(item);
                }
                has_changed
            }
            Value::Object(map) => {
                let mut has_changed = false;
                for (name, mut value) in std::mem::take(map) {
                    let masked = self.without(&name);
                    has_changed |= self.mask(&mut value) || masked != name;
                    map.insert(masked, value);
                }
                has_changed
            }
            // A key of digits only may come back as a number.
            Value::Number(number) if self.0.contains(&number.to_string()) => {
                *value = MASK.into();
                true
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn without(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            for form in forms(secret) {
                if text.contains(&form) {
                    text = text.replace(&form, MASK);
                }
            }
        }
        text
    }
}

/// The forms in which a server may repeat a secret: as it is, in JSON, in a URL, in HTML.
fn forms(secret: &str) -> [String; 5] {
    let json = Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    [
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string(),
        html,
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "s3cr3t/to\"k+en";

    fn masked(body: &str) -> String {
        let mut secrets = Secrets::default();
        secrets.add(SECRET.to_owned());
        secrets.add("12345678".to_owned());
        let mut reply = Reply::new(401, Some(format!("/x?t={SECRET}")), "");
        reply.body = body.into();
        let reply = secrets.masked(reply);
        assert_eq!(reply.location.as_deref(), Some("/x?t=***"));
        String::from_utf8(reply.body).unwrap()
    }

    #[test]
    fn a_secret_in_a_reply_is_masked_however_it_is_written() {
        assert_eq!(masked(&format!("token {SECRET} is expired")), "token *** is expired");
        let body = json!({ "error": [format!("Bearer {SECRET}")], "key": 12_345_678, SECRET: 1.50 });
        assert_eq!(masked(&body.to_string()), r#"{"***":1.5,"error":["Bearer ***"],"key":"***"}"#);
        assert_eq!(masked(r#"{ "e": "\u00733cr3t\/to\"k+en" }"#), r#"{"e":"***"}"#);
        assert_eq!(masked("<p>s3cr3t/to&quot;k+en</p>"), "<p>***</p>");
        assert_eq!(masked("/login?t=s3cr3t%2Fto%22k%2Ben"), "/login?t=***");
        assert_eq!(masked(r#"{"e": "s3cr3t\/to\"k+en", }"#), r#"{"e": "***", }"#);
        let plain = r#"{ "x_um":  1.50 }"#;
        assert_eq!(masked(plain), plain);
    }

    #[test]
    fn a_secret_is_one_line_and_is_named_by_its_source_alone() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = folder.path().join("token");
            std::fs::write(&path, text).unwrap();
            SecretSource::File(path.to_str().unwrap().to_owned()).read()
        };
        assert_eq!(read("  long-enough \r\n").as_deref(), Ok("long-enough"));
        for (text, words) in [
            ("short", "fewer than 8"),
            ("two-lines\nsecret-line", "one line"),
            ("", "fewer than 8"),
            ("µµµµµµµµ", "ASCII"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(words) && !refused.contains("secret-line"), "{refused}");
        }
        let unset = SecretSource::Env("CTP10_NO_SUCH_TOKEN".to_owned()).read().unwrap_err();
        assert_eq!(unset, "the environment variable `CTP10_NO_SUCH_TOKEN` is not set");
        assert_eq!(format!("{:?}", Header::bearer(SECRET).unwrap()), "authorization: ***");
    }
}
