//! The Rhai engine with the bounds of scripts and expressions.

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, OptimizationLevel, Position};

use super::bounded_figure;
use super::bounds::{
    ARRAY_LENGTH, CALL_DEPTH, EXPRESSION_DEPTH, MAP_LENGTH, SWITCHED_OFF, TEXT_BYTES, VARIABLES,
};
use super::errors::reserved;

/// An engine with all bounds, without operations.
pub(super) fn bounded() -> Engine {
    let mut engine = Engine::new();
    engine
        // No optimization at compile time: it has no time limit, and would compute `5 / 2` as 2.
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_fast_operators(false)
        .set_max_call_levels(CALL_DEPTH)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH / 2)
        .set_max_string_size(TEXT_BYTES)
        .set_max_array_size(ARRAY_LENGTH)
        .set_max_map_size(MAP_LENGTH)
        .set_max_variables(VARIABLES)
        .set_max_modules(0)
        .on_print(|text| tracing::info!(target: "script", "{text}"))
        .on_debug(|text, _, at| tracing::debug!(target: "script", "{at} {text}"));
    for (word, _) in SWITCHED_OFF {
        engine.disable_symbol(word);
    }
    bounded_figure::register(&mut engine);
    engine
        .register_fn("/", divide)
        // These two are functions and not keywords, so they are disabled by replacing them.
        .register_fn("sleep", |_: INT| -> Result<(), _> { Err(switched_off("sleep")) })
        .register_fn("sleep", |_: FLOAT| -> Result<(), _> { Err(switched_off("sleep")) })
        .register_fn("timestamp", || -> Result<(), _> { Err(switched_off("timestamp")) });
    engine
}

fn switched_off(word: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(reserved(word)), Position::NONE).into()
}

/// Divides integers: `5 / 2` is 2.5, because a quantity must not depend on how it is written. A division without
/// remainder stays an integer, which can be used as count and index.
fn divide(a: INT, b: INT) -> Result<Dynamic, Box<EvalAltResult>> {
    match (a.checked_rem(b), a.checked_div(b)) {
        (Some(0), Some(whole)) => Ok(whole.into()),
        #[expect(clippy::cast_precision_loss, reason = "a quotient of such numbers is not exact anyway")]
        (Some(_), _) => Ok((a as f64 / b as f64).into()),
        (None, _) => Err(format!("`{a} / {b}` has no value").into()),
    }
}
