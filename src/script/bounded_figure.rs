//! A figure that is only a bound (`≥ 40`) in expressions and scripts. It can be compared where the bound decides, and
//! computed with. Used as if it were a number, it would decide wrongly.

use std::fmt;

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, ImmutableString};
use serde_json::{Value, json};

use crate::analysis::{Bound, Figure};

/// All values from the lowest to the highest one, ends included. One end of a bound is infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BoundedFigure {
    low: FLOAT,
    high: FLOAT,
}

type Computed = Result<Dynamic, Box<EvalAltResult>>;

const COMPARISONS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];
const ARITHMETIC: [&str; 4] = ["+", "-", "*", "/"];

/// The value of a figure as plain data: a number, null, or for a bound a map that [`of_plain`] reads.
pub(super) fn plain(figure: &Figure) -> Value {
    match figure.bound {
        Some(bound) if figure.is_bound() => json!({ bound.sign(): figure.value }),
        Some(_) | None => json!(figure.value),
    }
}

/// The bound in plain data.
pub(super) fn of_plain(map: &serde_json::Map<String, Value>) -> Option<BoundedFigure> {
    let (sign, value) = map.iter().next().filter(|_| map.len() == 1)?;
    let bound = [Bound::AtLeast, Bound::AtMost].into_iter().find(|bound| bound.sign() == sign)?;
    value.as_f64().map(|value| BoundedFigure::new(bound, value))
}

impl BoundedFigure {
    fn new(bound: Bound, value: FLOAT) -> Self {
        match bound {
            Bound::AtLeast => Self { low: value, high: FLOAT::INFINITY },
            Bound::AtMost => Self { low: FLOAT::NEG_INFINITY, high: value },
        }
    }

    /// A number, or another bound.
    #[expect(clippy::cast_precision_loss, reason = "whole numbers beside a figure are small")]
    fn of(value: &Dynamic) -> Option<Self> {
        let number = value.as_float().or_else(|_| value.as_int().map(|whole| whole as FLOAT)).ok();
        let exact = number.map(|number| Self { low: number, high: number });
        exact.or_else(|| value.read_lock::<Self>().map(|bound| *bound))
    }

    fn sign(&self) -> &'static str {
        if self.high.is_infinite() { Bound::AtLeast.sign() } else { Bound::AtMost.sign() }
    }

    fn value(&self) -> FLOAT {
        if self.high.is_infinite() { self.low } else { self.high }
    }

    /// Whether the comparison holds; `None` if the bound does not decide.
    fn compare(self, comparison: &str, other: Self) -> Option<bool> {
        let (below, not_above) = (self.high < other.low, self.high <= other.low);
        let (above, not_below) = (self.low > other.high, self.low >= other.high);
        let decided = |is: bool, is_not: bool| if is { Some(true) } else { is_not.then_some(false) };
        match comparison {
            "<" => decided(below, not_below),
            "<=" => decided(not_above, above),
            ">" => decided(above, not_above),
            ">=" => decided(not_below, below),
            "==" => decided(false, below || above),
            _ => decided(below || above, false),
        }
    }

    /// `None` if nothing is known of the result.
    fn compute(self, operator: &str, other: Self) -> Option<Self> {
        let negative = |of: Self| Self { low: -of.high, high: -of.low };
        let Self { low, high } = match operator {
            "+" => Self { low: self.low + other.low, high: self.high + other.high },
            "-" => return self.compute("+", negative(other)),
            "*" if self.low == self.high => return other.compute("*", self),
            "*" if other.low == other.high && other.low < 0.0 => {
                return negative(self).compute("*", negative(other));
            }
            "*" if other.low == other.high => Self { low: self.low * other.low, high: self.high * other.low },
            "/" if other.low == other.high => {
                let inverse = 1.0 / other.low;
                return self.compute("*", Self { low: inverse, high: inverse });
            }
            _ => return None,
        };
        let is_known = low.is_finite() != high.is_finite();
        is_known.then_some(Self { low, high })
    }
}

impl fmt::Display for BoundedFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{} {}", self.sign(), self.value())
        }
    }
}

/// Compares or computes. One of both is a bound.
fn operate(operator: &str, one: &Dynamic, other: &Dynamic) -> Computed {
    let numbers = BoundedFigure::of(one).zip(BoundedFigure::of(other));
    let result = match (operator, numbers) {
        // A bound is no text and not `()`.
        ("==" | "!=", None) => Some(Dynamic::from(operator == "!=")),
        ("+", None) if one.is_string() || other.is_string() => Some(format!("{one}{other}").into()),
        (_, Some((one, other))) if COMPARISONS.contains(&operator) => {
            one.compare(operator, other).map(Dynamic::from)
        }
        (_, Some((one, other))) => one.compute(operator, other).map(Dynamic::from),
        (_, None) => None,
    };
    result.ok_or_else(|| {
        let message =
            format!("`{one} {operator} {other}` is not decided, because the figure is only a bound");
        format!("{message}: `is_bound(x)` tells it, and `x.value` is the number of the bound").into()
    })
}

/// Registers what bounds can do.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<BoundedFigure>("bound");
    for operator in COMPARISONS.into_iter().chain(ARITHMETIC) {
        engine
            .register_fn(operator, move |one: BoundedFigure, other: Dynamic| {
                operate(operator, &Dynamic::from(one), &other)
            })
            .register_fn(operator, move |one: Dynamic, other: BoundedFigure| {
                operate(operator, &one, &Dynamic::from(other))
            });
    }
    engine
        .register_fn("-", |of: BoundedFigure| BoundedFigure { low: -of.high, high: -of.low })
        .register_fn("to_string", |of: &mut BoundedFigure| of.to_string())
        .register_fn("to_debug", |of: &mut BoundedFigure| of.to_string())
        .register_fn("is_bound", |value: Dynamic| value.is::<BoundedFigure>())
        .register_get("value", |of: &mut BoundedFigure| of.value())
        .register_get("bound", |of: &mut BoundedFigure| ImmutableString::from(of.sign()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::expression::Expression;

    fn evaluate(text: &str) -> Result<Value, String> {
        let variables = json!({ "deep": { "≥": 40.0 }, "low": { "≤": -40.0 }, "no": null });
        let Value::Object(variables) = variables else { panic!() };
        let variables = variables.into_iter().collect();
        let compiled = Expression::compile(text, ["deep", "low", "no"]).map_err(|mistake| mistake.message)?;
        compiled.evaluate(&variables).map_err(|mistake| mistake.message)
    }

    #[test]
    fn a_comparison_is_made_where_the_bound_decides_and_refused_elsewhere() {
        for (text, expected) in [
            ("deep > 30", true),
            ("deep >= 40.0", true),
            ("deep < 40", false),
            ("30 <= deep", true),
            ("low < -30.5 && deep > 30", true),
            ("low > -30", false),
            ("deep == 30", false),
            ("deep != 30", true),
            ("deep > low", true),
            ("deep == () || no != ()", false),
            ("deep - low > 79", true),
            ("-deep < -39 && 2 * deep / 4 > 19", true),
            ("100 - deep <= 60", true),
            ("is_bound(deep) && !is_bound(3.5) && deep.value == 40", true),
        ] {
            assert_eq!(evaluate(text), Ok(json!(expected)), "{text}");
        }
        for text in [
            "deep > 45",
            "deep == 40",
            "low > -50",
            "deep < 100",
            "deep + low > 0",
            "deep * deep > 0",
            "deep > low + 90",
        ] {
            let said = evaluate(text).expect_err(text);
            assert!(said.contains("only a bound") && said.contains("`is_bound(x)`"), "{text}: {said}");
        }
    }

    #[test]
    fn a_bound_is_shown_as_one() {
        assert_eq!(evaluate("deep"), Ok(json!("≥ 40")));
        assert_eq!(evaluate("`extinction ${deep} dB`"), Ok(json!("extinction ≥ 40 dB")));
        assert_eq!(evaluate("\"loss \" + low"), Ok(json!("loss ≤ -40")));
        assert_eq!(evaluate("deep.bound"), Ok(json!("≥")));
        assert_eq!(evaluate("deep - 3"), Ok(json!("≥ 37")));
    }
}
