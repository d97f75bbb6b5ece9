//! Requests to other instruments on the bench.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::attend::Effect;
use crate::units::ApiPath;

mod destination;
mod poll;
mod statuses;

pub use destination::Destination;
use destination::{UrlGiven, read_url};
pub use poll::Poll;
pub(super) use poll::interval;
use statuses::Statuses;

/// The method of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Tell it.
    #[default]
    Get,
    /// Do something.
    Post,
    /// Set it.
    Put,
    /// Change it.
    Patch,
    /// Remove it.
    Delete,
}

impl Method {
    /// The name in the request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The default effect of repeating it. Two moves by 5 µm are not one move by 5 µm, so only GET is safe. A request to a
    /// named instrument is expected to set an absolute value, as a command of text is.
    fn effect(self, destination: &Destination) -> Effect {
        match (self, destination) {
            (Self::Get, _) => Effect::Measure,
            (_, Destination::Named { .. }) => Effect::Configure,
            (_, Destination::Url(_)) => Effect::Ask,
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HttpFields {
    /// The name of an instrument with a `url` in `[instruments]` of ctp10.toml. Its headers and its token are sent too.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// The method of the request. Default: `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Method>,
    /// Address: `http://host:port/path`. The configuration must allow the host (`allow_http`). With `to`: a path such as
    /// `/move`, below the `url` of the instrument.
    #[serde(deserialize_with = "read_url")]
    #[schemars(with = "String")]
    url: UrlGiven,
    /// Body of the request: any value, sent as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    /// The status code of a success, or a list of codes. Default: all from 200 to 299.
    #[serde(skip_serializing_if = "Option::is_none")]
    expect_status: Option<Statuses>,
    /// Sends further requests until an action that the request has started is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<Poll>,
    /// Whether the step may be repeated automatically (`configure`, `measure`) or not (`ask`). Default: `measure` for
    /// GET. For all other methods `configure` with `to`, and `ask` without.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    /// The reply that `check` and `plan` assume, because they send no requests. Default: an empty map.
    #[serde(skip_serializing_if = "Option::is_none")]
    assume: Option<Value>,
}

/// Sends a request to the REST API of another instrument on the bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "HttpFields", into = "HttpFields")]
#[schemars(with = "HttpFields")]
pub struct Http {
    /// The method.
    pub method: Method,
    /// Where the request goes.
    pub destination: Destination,
    /// The body.
    pub json: Option<Value>,
    /// The status codes of a success; empty: any from 200 to 299.
    pub expect_status: Vec<u16>,
    /// The poll after the request.
    pub poll: Option<Box<Poll>>,
    /// The effect of repeating it.
    pub effect: Effect,
    /// The reply that the forecast assumes.
    pub assume: Option<Value>,
}

impl TryFrom<HttpFields> for Http {
    type Error = String;

    fn try_from(given: HttpFields) -> Result<Self, String> {
        let method = given.method.unwrap_or_default();
        let destination = Destination::new(given.to, given.url)?;
        if let (Destination::Named { .. }, Some(poll)) = (&destination, &given.poll) {
            poll.check_path()?;
        }
        Ok(Self {
            method,
            json: given.json,
            expect_status: given.expect_status.map(|codes| codes.0).unwrap_or_default(),
            poll: given.poll.map(Box::new),
            effect: given.effect.unwrap_or(method.effect(&destination)),
            assume: given.assume,
            destination,
        })
    }
}

/// The shortest written form.
impl From<Http> for HttpFields {
    fn from(http: Http) -> Self {
        let effect = Some(http.effect).filter(|effect| *effect != http.method.effect(&http.destination));
        let (to, url) = http.destination.written();
        Self {
            to,
            method: Some(http.method).filter(|method| *method != Method::default()),
            url,
            json: http.json,
            expect_status: Some(Statuses(http.expect_status)).filter(|codes| !codes.0.is_empty()),
            poll: http.poll.map(|poll| *poll),
            effect,
            assume: http.assume,
        }
    }
}

impl Http {
    /// Whether a reply with this status is a success.
    #[must_use]
    pub fn expects(&self, status: u16) -> bool {
        match self.expect_status.as_slice() {
            [] => (200..300).contains(&status),
            codes => codes.contains(&status),
        }
    }

    /// What a request with this path sets: a later request with the same method and path replaces it.
    #[must_use]
    pub fn target_of(&self, path: &ApiPath) -> String {
        format!("{} {}", self.method.as_str(), path.without_query())
    }

    /// The URLs in the recipe, as far as they do not depend on a reply. The URL of a named instrument is in the
    /// configuration.
    pub fn known_urls(&self) -> impl Iterator<Item = Url> {
        let Destination::Url(url) = &self.destination else { return [None, None].into_iter().flatten() };
        let polled = self.poll.as_ref().and_then(|poll| poll.known_url(url));
        [Some(url.clone()), polled].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::Operation;

    fn read(fields: &Value) -> Result<Http, String> {
        match Operation::read("http", fields) {
            Ok(Operation::Http(http)) => Ok(http),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(format!("{}: {error}", error.path.join("."))),
        }
    }

    #[test]
    fn what_moves_something_is_never_repeated_unless_the_recipe_says_that_it_may_be() {
        let effect = |fields: Value| read(&fields).unwrap().effect;
        assert_eq!(effect(json!({ "url": "http://stage/" })), Effect::Measure);
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(effect(json!({ "url": "http://stage/", "method": method })), Effect::Ask);
        }
        let absolute = json!({ "url": "http://stage/", "method": "PUT", "effect": "configure" });
        assert_eq!(effect(absolute), Effect::Configure);
    }

    #[test]
    fn any_success_is_expected_unless_the_recipe_says_which() {
        let expects = |fields: Value, status| read(&fields).unwrap().expects(status);
        assert!(expects(json!({ "url": "http://stage/" }), 204));
        assert!(!expects(json!({ "url": "http://stage/" }), 302));
        assert!(expects(json!({ "url": "http://stage/", "expect_status": 404 }), 404));
        assert!(!expects(json!({ "url": "http://stage/", "expect_status": [202, 404] }), 200));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_path() {
        for (fields, path, words) in [
            (json!({ "url": "stage/move" }), "url", "`stage/move` is not valid"),
            (json!({ "url": "ftp://stage/move" }), "url", "is not allowed (http://host:port/path"),
            (json!({ "url": "http://me:secret@stage/" }), "url", "the journal would show it"),
            (json!({ "url": "http://stage/{die}" }), "url", "write `${…}`"),
            (json!({ "url": "http://stage/", "method": "get" }), "method", "`GET`"),
            (json!({ "url": "http://stage/", "expect_status": 99 }), "expect_status", "(100 to 599)"),
            (json!({ "url": "http://stage/", "expect_status": [] }), "expect_status", "is empty"),
            (
                json!({ "url": "http://stage/", "poll": { "ready": "true" } }),
                "poll",
                "missing field `timeout_s`",
            ),
            (json!({ "url": "http://stage/", "body": 1 }), "body", "unknown field `body`"),
        ] {
            let refused = read(&fields).expect_err(path);
            assert!(refused.starts_with(&format!("{path}: ")) && refused.contains(words), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_request_is_shown_without_what_is_taken_for_granted() {
        let shown = |fields: Value| Operation::read("http", &fields).unwrap().to_string();
        assert_eq!(
            shown(json!({ "url": "http://stage:8000", "method": "GET" })),
            "http { url: http://stage:8000/ }"
        );
        let post =
            json!({ "url": "http://stage/", "method": "POST", "json": { "x_um": 5 }, "effect": "configure" });
        assert_eq!(
            shown(post),
            "http { effect: configure, json: { x_um: 5 }, method: POST, url: http://stage/ }"
        );
    }
}
