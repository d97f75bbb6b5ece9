//! Expressions: the content of `${…}` in a YAML recipe.

use std::sync::LazyLock;

use rhai::{AST, Dynamic, Engine, Scope};
use serde_json::Value;

use super::clock;
use super::engine::bounded;
use super::errors::{Ending, Mistake, compile_error, evaluation_error};
use super::values::{to_dynamic, to_plain};
use crate::budget::{self, Budget};
use crate::step::{Fault, FaultKind, Values};

/// An expression checks its budget after this many operations. One operation on a long text can take a millisecond.
const LOOK_EVERY: u64 = 64;

/// The engine for all expressions.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = bounded();
    clock::register(&mut engine);
    engine.set_max_operations(1_000_000).on_progress(|count| {
        let is_over = count.is_multiple_of(LOOK_EVERY) && budget::is_spent();
        is_over.then(|| Dynamic::from(Fault::new(FaultKind::Recipe, "the expression takes too long")))
    });
    engine
});

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: String,
    ast: AST,
}

impl Expression {
    /// Compiles an expression that may use the variables `names`.
    ///
    /// # Errors
    /// A syntax error, or an unknown variable.
    pub(crate) fn compile<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Result<Self, Mistake> {
        let names: Vec<&str> = names.into_iter().collect();
        let mut scope = Scope::new();
        for name in &names {
            scope.push_dynamic(*name, Dynamic::UNIT);
        }
        match ENGINE.compile_expression_with_scope(&scope, text) {
            Ok(ast) => Ok(Self { text: text.to_owned(), ast }),
            Err(error) => Err(compile_error(&error, &names)),
        }
    }

    /// The expression as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates the expression with these variables.
    ///
    /// # Errors
    /// Any error, as text.
    pub(crate) fn evaluate(&self, variables: &Values) -> Result<Value, Mistake> {
        let mut scope = Scope::new();
        // Only the variables in the expression are copied, because others may be large.
        for (name, value) in variables.iter().filter(|(name, _)| self.text.contains(name.as_str())) {
            scope.push_constant_dynamic(name.as_str(), to_dynamic(value));
        }
        let given = Budget::here().spend(|| {
            ENGINE
                .eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast)
                .and_then(|value| to_plain(&value).map_err(Into::into))
        });
        given.map_err(|error| match evaluation_error(*error, &[]) {
            Ending::Mistake(mistake) => mistake,
            Ending::Fault(fault) => Mistake::new(fault.message).hint(fault.hint),
        })
    }
}

/// Whether expressions can use `name` as a variable. Reserved words of Rhai cannot be used.
pub(crate) fn is_free_word(name: &str) -> bool {
    ENGINE.compile(format!("let {name} = 0;")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str, variables: Value) -> Result<Value, String> {
        let Value::Object(variables) = variables else { panic!() };
        let variables: Values = variables.into_iter().collect();
        let expression =
            Expression::compile(text, variables.keys().map(String::as_str)).map_err(|m| m.message)?;
        expression.evaluate(&variables).map_err(|m| m.message)
    }

    #[test]
    fn an_expression_keeps_the_type_of_its_value() {
        assert_eq!(value("a + 1", json!({ "a": 5 })), Ok(json!(6)));
        assert_eq!(value("a + 0.5", json!({ "a": 5 })), Ok(json!(5.5)));
        assert_eq!(value("[a, \"x\"]", json!({ "a": true })), Ok(json!([true, "x"])));
        assert_eq!(
            value("steps.f.min.nm", json!({ "steps": { "f": { "min": { "nm": 1550.5 } } } })),
            Ok(json!(1550.5))
        );
    }

    #[test]
    fn whole_numbers_divide_like_quantities() {
        assert_eq!(value("a / 2", json!({ "a": 5 })), Ok(json!(2.5)));
        assert_eq!(value("a / 2", json!({ "a": -6 })), Ok(json!(-3)));
        assert_eq!(value("7 / 2", json!({})), Ok(json!(3.5)));
        assert!(value("a / 0", json!({ "a": 5 })).unwrap_err().contains("has no value"));
    }

    #[test]
    fn a_misspelt_variable_is_found_when_it_is_compiled() {
        let mistake = Expression::compile("powr + 1", ["power", "steps"]).unwrap_err();
        assert_eq!(mistake.message, "unknown variable `powr`");
        assert_eq!(mistake.hint.as_deref(), Some("did you mean `power`?"));
    }

    #[test]
    fn what_makes_no_sense_ends_in_plain_words() {
        for (text, words) in [
            ("1 +", "ends too early"),
            ("sleep(1)", "`sleep` is not available"),
            ("steps.g", "it contains no `g`"),
            ("0.0 / 0.0", "is not finite"),
            ("let x = 1", "unexpected"),
            ("foo(1)", "there is no function `foo`"),
            ("\"a\" * 2", "*"),
        ] {
            let message = value(text, json!({ "steps": {} })).expect_err(text);
            assert!(message.contains(words), "{text}: {message}");
        }
        let nested = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(value(&nested, json!({})).unwrap_err().contains("too deeply"));
    }
}
