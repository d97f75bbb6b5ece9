//! Conditions on the reply of another instrument: `poll.ready` of an `http` operation.

use serde_json::Value;

use super::braces::bare;
use super::errors::Mistake;
use super::expression::Expression;
use crate::operation::Operation;
use crate::step::Values;

/// The variables of such a condition.
const NAMES: [&str; 2] = ["reply", "status"];

/// A compiled condition on a reply and its status.
#[derive(Debug, Clone)]
pub(crate) struct Condition(Expression);

impl Condition {
    /// Compiles a condition, with or without `${` and `}` around it.
    ///
    /// # Errors
    /// A syntax error, or a variable that is neither `reply` nor `status`.
    pub(crate) fn compile(text: &str) -> Result<Self, Mistake> {
        Expression::compile(bare(text), NAMES).map(Self)
    }

    /// Compiles the conditions of an operation, to find errors before it is performed.
    ///
    /// # Errors
    /// See [`compile`](Self::compile); the error names the condition.
    pub(crate) fn check(operation: &Operation) -> Result<(), Mistake> {
        let Some(poll) = operation.traits().request.and_then(|http| http.poll.as_ref()) else {
            return Ok(());
        };
        Self::compile(&poll.ready).map(drop).map_err(|mistake| Mistake {
            message: format!("ready `{}`: {}", poll.ready, mistake.message),
            position: None,
            ..mistake
        })
    }

    /// Whether the condition is true for a reply.
    ///
    /// # Errors
    /// An expression that fails, or a value that is not a boolean.
    pub(crate) fn holds(&self, status: u16, reply: &Value) -> Result<bool, Mistake> {
        let values = [reply.clone(), status.into()];
        let variables: Values = NAMES.map(str::to_owned).into_iter().zip(values).collect();
        match self.0.evaluate(&variables)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(Mistake {
                message: format!("returns `{other}`, but must return true or false"),
                hint: None,
                position: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(text: &str, status: u16, reply: &Value) -> Result<bool, String> {
        Condition::compile(text)
            .and_then(|condition| condition.holds(status, reply))
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
