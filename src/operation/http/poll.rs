//! Waits for an action that a request has started: the server replies immediately, and the action takes time.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::destination::check_url;
use crate::units::{ApiPath, Seconds, is_below};

/// Default time between two polls, s.
const INTERVAL_S: f64 = 0.5;
/// Shortest time between two polls, s; no instrument on a bench needs more polls.
const SHORTEST_INTERVAL_S: f64 = 0.02;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PollFields {
    /// Address of the poll, relative to `url` of the request; `{task_id}` stands for that field of the reply. With `to`: a
    /// path below the `url` of the instrument. Default: the `Location` header of the reply.
    url: Option<String>,
    /// An expression over `reply` and `status` that is true when the action is done.
    ready: String,
    /// An expression over `reply` and `status` that is true when the action has failed. The step fails at once then.
    failed: Option<String>,
    /// Time between two polls. Default: 0.5 s.
    interval_s: Option<Seconds>,
    /// After this time the poll is a fault.
    timeout_s: Seconds,
}

/// Sends further requests until an action that the request has started is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "PollFields")]
#[schemars(with = "PollFields")]
pub struct Poll {
    /// Address of the poll, with `{field}` for fields of the reply; relative to the request's own URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// An expression over `reply` and `status`.
    pub ready: String,
    /// An expression that is true when the action has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Time between two polls.
    pub interval_s: Seconds,
    /// After this time the poll is a fault.
    pub timeout_s: Seconds,
}

impl TryFrom<PollFields> for Poll {
    type Error = String;

    fn try_from(given: PollFields) -> Result<Self, String> {
        if let Some(url) = &given.url {
            pieces(url)?;
        }
        let interval_s = interval(given.interval_s, given.timeout_s)?;
        let PollFields { url, ready, failed, timeout_s, .. } = given;
        Ok(Self { url, ready, failed, interval_s, timeout_s })
    }
}

/// The time between two polls.
pub(in crate::operation) fn interval(given: Option<Seconds>, timeout_s: Seconds) -> Result<Seconds, String> {
    match given {
        Some(interval) if interval.get() < SHORTEST_INTERVAL_S => {
            Err(format!("interval_s `{}` is not allowed ({SHORTEST_INTERVAL_S} s or more)", interval.get()))
        }
        Some(interval) if interval > timeout_s => {
            Err(format!("interval_s `{interval}` is longer than timeout_s `{timeout_s}`"))
        }
        Some(interval) => Ok(interval),
        None => Seconds::new(INTERVAL_S).map_err(|error| error.to_string()),
    }
}

/// A part of a poll's URL.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    /// The path of a field of the reply: `task.id`.
    Field(&'a str),
}

/// A small part of the notation of URI templates (RFC 6570). `${…}` has already been replaced.
fn pieces(url: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = url;
    while let Some((text, after)) = rest.split_once('{') {
        let field = after.split_once('}').filter(|(field, _)| {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
            field.split('.').all(|part| !part.is_empty() && part.chars().all(plain))
        });
        let Some((field, after)) = field else {
            return Err(format!("url `{url}` has a `{{` without a field of the reply (`{{task_id}}`)"));
        };
        pieces.extend([Piece::Text(text), Piece::Field(field)]);
        rest = after;
    }
    if pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('}')))
        || rest.contains('}')
    {
        return Err(format!("url `{url}` has a `}}` without a `{{`"));
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

impl Poll {
    /// The address of the poll, from the URL of the request, its reply and the `Location` of the reply. With `base`, the
    /// URL of a named instrument, the address must lie below that URL: headers and tokens are sent to no other place.
    ///
    /// # Errors
    /// If the reply has no address, or if the address is not allowed.
    pub fn target(
        &self,
        request: &Url,
        base: Option<&Url>,
        location: Option<&str>,
        reply: &Value,
    ) -> Result<Url, String> {
        let Some(url) = &self.url else {
            let location = location.ok_or(
                "the address of the poll is unknown: the reply has no `Location`, and `poll` has no `url`",
            )?;
            let found = join(request, location)?;
            return match base.filter(|base| !is_below(&found, base)) {
                Some(base) => {
                    Err(format!("the `Location` `{found}` is not below `{base}`: give `url` in `poll`"))
                }
                None => Ok(found),
            };
        };
        let text = filled(url, |way| Ok(utf8_percent_encode(&field(reply, way)?, RESERVED).to_string()))?;
        match base {
            Some(base) => ApiPath::try_from(text)?.below(base),
            None => join(request, &text),
        }
    }

    /// Checks that the address is a path, as far as it does not depend on a reply.
    pub(super) fn check_path(&self) -> Result<(), String> {
        let Some(url) = &self.url else { return Ok(()) };
        ApiPath::try_from(filled(url, |_| Ok("0".to_owned()))?)
            .map(|_| ())
            .map_err(|why| format!("poll: {why}"))
    }

    /// The address of the poll, as far as it is known before the reply: the host is known, the path may be unknown.
    pub(super) fn known_url(&self, request: &Url) -> Option<Url> {
        let url = self.url.as_ref()?;
        // A text that begins with a scheme or `//` contains its host, up to the next slash.
        let host = url.split_once("//").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest));
        let text = filled(url, |_| Ok("0".to_owned())).ok().filter(|_| !host.contains('{'))?;
        join(request, &text).ok()
    }
}

/// The text of a URL with the fields that `value` gives.
fn filled(url: &str, value: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut text = String::new();
    for piece in pieces(url)? {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Field(way) => text.push_str(&value(way)?),
        }
    }
    Ok(text)
}

fn join(request: &Url, url: &str) -> Result<Url, String> {
    check_url(request.join(url).map_err(|error| format!("url `{url}` is not valid: {error}"))?)
}

/// The field at the end of `way`, in a form for a URL.
fn field(reply: &Value, way: &str) -> Result<String, String> {
    let mut found = Some(reply);
    for part in way.split('.') {
        found = match found {
            Some(Value::Object(map)) => map.get(part),
            Some(Value::Array(items)) => part.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
    }
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
        Some(value) => Err(format!("`{way}` of the reply is `{value}`, which cannot be part of a URL")),
        None => Err(format!("the reply has no `{way}`")),
    }
}

/// Encoded in a URL: all characters but the unreserved ones. A reply fills in a part of the path and never adds one.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn poll(url: Option<&str>) -> Poll {
        let fields = json!({ "ready": "true", "timeout_s": 5 });
        let mut poll: Poll = serde_json::from_value(fields).unwrap();
        poll.url = url.map(str::to_owned);
        poll
    }

    fn target(url: &str, reply: &Value) -> Result<String, String> {
        let request = "http://stage:8000/api/move".parse().unwrap();
        poll(Some(url)).target(&request, None, None, reply).map(|url| url.to_string())
    }

    #[test]
    fn a_poll_asks_where_the_reply_says() {
        let reply = json!({ "task_id": 17, "task": { "id": "a/b c" }, "all": [{ "id": true }] });
        for (url, expected) in [
            ("http://stage:8000/tasks/{task_id}", "http://stage:8000/tasks/17"),
            ("/tasks/{task_id}", "http://stage:8000/tasks/17"),
            ("tasks/{task.id}?part={all.0.id}", "http://stage:8000/api/tasks/a%2Fb%20c?part=true"),
            ("state", "http://stage:8000/api/state"),
        ] {
            assert_eq!(target(url, &reply).as_deref(), Ok(expected));
        }
        assert_eq!(target("{id}", &reply).unwrap_err(), "the reply has no `id`");
        assert!(target("{task}", &reply).unwrap_err().contains("cannot be part of a URL"));
        assert!(target("{task_id}", &json!("17")).unwrap_err().contains("has no `task_id`"));
    }

    #[test]
    fn without_a_url_it_asks_where_the_location_points() {
        let request: Url = "http://stage:8000/api/move".parse().unwrap();
        let target =
            |location| poll(None).target(&request, None, location, &Value::Null).map(|url| url.to_string());
        assert_eq!(target(Some("/tasks/4")).as_deref(), Ok("http://stage:8000/tasks/4"));
        assert!(target(None).unwrap_err().contains("the reply has no `Location`"));
    }

    #[test]
    fn the_poll_of_a_named_instrument_stays_below_its_url() {
        let base: Url = "http://stage:8000/api".parse().unwrap();
        let request = "http://stage:8000/api/move".parse().unwrap();
        let target = |url: Option<&str>, location: Option<&str>, reply: &Value| {
            poll(url).target(&request, Some(&base), location, reply).map(|url| url.to_string())
        };
        let task = |id: &str| target(Some("/tasks/{id}"), None, &json!({ "id": id }));
        assert_eq!(task("7").as_deref(), Ok("http://stage:8000/api/tasks/7"));
        assert!(task("a/../b").unwrap_err().starts_with("path `/tasks/a%2F..%2Fb` has a part `.` or `..`"));
        assert!(task("..").is_err());
        for location in ["tasks/7", "/api/tasks/7", "http://stage:8000/api/tasks/7"] {
            let found = target(None, Some(location), &Value::Null);
            assert_eq!(found.as_deref(), Ok("http://stage:8000/api/tasks/7"));
        }
        for location in ["/tasks/7", "//elsewhere/api/tasks/7", "http://stage/api/tasks/7", "../tasks/7"] {
            let refused = target(None, Some(location), &Value::Null).unwrap_err();
            assert!(refused.contains("is not below `http://stage:8000/api`"), "{refused}");
        }
    }

    #[test]
    fn braces_that_name_no_field_are_refused() {
        for url in ["/tasks/{", "/tasks/{}", "/tasks/{a b}", "/tasks/{a..b}", "/tasks/{{a}}"] {
            assert!(pieces(url).unwrap_err().contains("has a `{` without a field"), "{url}");
        }
        assert!(pieces("/tasks/a}/{b}").unwrap_err().contains("without a `{`"));
    }

    #[test]
    fn the_host_of_a_poll_is_known_beforehand_unless_the_reply_names_it() {
        let request = "http://stage:8000/move".parse().unwrap();
        let known = |url| poll(Some(url)).known_url(&request).map(|url| url.host_str().unwrap().to_owned());
        assert_eq!(known("http://other/tasks/{id}").as_deref(), Some("other"));
        assert_eq!(known("//other/tasks/{id}").as_deref(), Some("other"));
        assert_eq!(known("/tasks/{id}").as_deref(), Some("stage"));
        assert_eq!(known("http://{host}/tasks"), None);
    }

    #[test]
    fn nobody_is_asked_without_a_pause_nor_after_one_that_is_too_long() {
        for (interval_s, words) in
            [(0, "interval_s `0` is not allowed"), (6, "is longer than timeout_s `5 s`")]
        {
            let fields = json!({ "ready": "true", "timeout_s": 5, "interval_s": interval_s });
            let refused = serde_json::from_value::<Poll>(fields).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
