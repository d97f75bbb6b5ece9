//! Conditions on the reply of another instrument: `poll.ready` and `poll.failed` of an operation.

use serde_json::Value;

use super::braces::bare;
use super::clock;
use super::errors::Mistake;
use super::expression::Expression;
use crate::operation::{Operation, ResultKind};
use crate::step::Values;

/// The conditions within `poll`.
pub(crate) const POLL_CONDITIONS: [&str; 2] = ["ready", "failed"];

/// The variables of a condition of the operation called `operation`: only an HTTP reply has a status.
#[must_use]
pub(crate) fn variables(operation: &str) -> &'static [&'static str] {
    match Operation::result_kind(operation) {
        Some(ResultKind::Http) => &["reply", "status"],
        _ => &["reply"],
    }
}

/// A compiled condition on a reply and its status.
#[derive(Debug, Clone)]
pub(crate) struct Condition(Expression);

impl Condition {
    /// Compiles a condition of the operation called `operation`, with or without `${` and `}` around it.
    ///
    /// # Errors
    /// A syntax error, or a variable that the reply does not have.
    pub(crate) fn compile(operation: &str, text: &str) -> Result<Self, Mistake> {
        let text = bare(text);
        if let Some(function) = clock::FUNCTIONS.iter().find(|name| text.contains(&format!("{name}("))) {
            let message = format!("`{function}()` cannot be used in a condition on a reply");
            return Err(Mistake::new(message).hint(Some("`timeout_s` of `poll` limits how long is asked")));
        }
        Expression::compile(text, variables(operation).iter().copied()).map(Self)
    }

    /// Compiles the conditions of an operation, to find errors before it is performed.
    ///
    /// # Errors
    /// See [`compile`](Self::compile); the error has the name of the condition, and the message names it too.
    pub(crate) fn check(operation: &Operation) -> Result<(), (&'static str, Mistake)> {
        let traits = operation.traits();
        let of_http = traits.request.and_then(|http| http.poll.as_ref()).map(|poll| {
            let failed = poll.failed.iter().map(|failed| ("failed", failed));
            std::iter::once(("ready", &poll.ready)).chain(failed)
        });
        let of_line = traits.line.and_then(|scpi| scpi.poll.as_ref()).map(|poll| {
            let failed = poll.failed.iter().map(|failed| ("failed", failed));
            std::iter::once(("ready", &poll.ready)).chain(failed)
        });
        for (name, text) in of_http.into_iter().flatten().chain(of_line.into_iter().flatten()) {
            Self::compile(operation.name(), text).map_err(|mistake| {
                let message = format!("{name} `{text}`: {}", mistake.message);
                (name, Mistake { message, position: None, ..mistake })
            })?;
        }
        Ok(())
    }

    /// Whether the condition is true for a reply. A reply of text has no status.
    ///
    /// # Errors
    /// An expression that fails, or a value that is not a boolean.
    pub(crate) fn holds(&self, status: Option<u16>, reply: &Value) -> Result<bool, Mistake> {
        let status = status.map(|status| ("status".to_owned(), status.into()));
        let variables: Values = std::iter::once(("reply".to_owned(), reply.clone())).chain(status).collect();
        match self.0.evaluate(&variables)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(Mistake::new(format!("returns `{other}`, but must return true or false"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(text: &str, status: u16, reply: &Value) -> Result<bool, String> {
        Condition::compile("http", text)
            .and_then(|condition| condition.holds(Some(status), reply))
            .map_err(|wrong| wrong.message)
    }

    #[test]
    fn a_condition_sees_the_reply_and_its_status() {
        assert_eq!(holds(r#"reply.state == "done""#, 200, &json!({ "state": "done" })), Ok(true));
        assert_eq!(holds(r#"reply.state == "done""#, 200, &json!({ "state": "moving" })), Ok(false));
        assert_eq!(holds("reply > 24.5 && status == 200", 200, &json!(25)), Ok(true));
        assert_eq!(holds(r#"reply == "OK""#, 200, &json!("OK")), Ok(true));
        assert_eq!(holds(r#""error" in reply"#, 200, &json!({})), Ok(false));
    }

    #[test]
    fn a_reply_of_text_has_no_status() {
        let condition = Condition::compile("scpi", "reply > 24.5").unwrap();
        assert_eq!(condition.holds(None, &json!(25.0)).map_err(|wrong| wrong.message), Ok(true));
        let wrong = Condition::compile("scpi", "status == 200").unwrap_err();
        assert!(wrong.message.contains("unknown variable `status`"), "{}", wrong.message);
    }

    #[test]
    fn what_is_no_condition_is_said() {
        for (text, words) in [
            ("reply.stat", "it contains no `stat`"),
            ("reply.state", "returns `\"done\"`, but must return true or false"),
            ("repl.state == 1", "unknown variable `repl`"),
            ("reply.state ==", "ends too early"),
            ("sleep(1)", "`sleep` is not available"),
        ] {
            let said = holds(text, 200, &json!({ "state": "done" })).expect_err(text);
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
