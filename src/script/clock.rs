//! The time of a recipe. Expressions and scripts have the same functions, and each call gets a moment that the run records,
//! so a resumed run decides as before.

use std::cell::Cell;

use rhai::{Engine, EvalAltResult};

use crate::local_time::Moment;
use crate::operation::time_of_day;

/// The functions that ask for the time.
pub(crate) const FUNCTIONS: [&str; 3] = ["now", "time_of_day", "next_time"];

thread_local! {
    /// The moment of the expression that this thread evaluates.
    static MOMENT: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// Evaluates expressions at this moment.
pub(crate) fn at<T>(moment: Moment, evaluate: impl FnOnce() -> T) -> T {
    let before = MOMENT.replace(Some(moment));
    let value = evaluate();
    MOMENT.set(before);
    value
}

/// Gives the functions to the engine of expressions, whose moment is known before an expression begins.
pub(super) fn register(engine: &mut Engine) {
    let now = || MOMENT.get().ok_or("the time is not known here: it is known in the steps of a recipe");
    engine
        .register_fn("now", move || -> Result<f64, Box<EvalAltResult>> { Ok(now()?.time_s) })
        .register_fn("time_of_day", move || -> Result<String, Box<EvalAltResult>> { Ok(now()?.shown()) })
        .register_fn("next_time", move |text: &str| -> Result<f64, Box<EvalAltResult>> {
            Ok(next(now()?, text)?)
        });
}

/// The next moment at which a clock on the wall shows `text`, in seconds since 1970.
///
/// # Errors
/// If the text is no time of day.
pub(crate) fn next(now: Moment, text: &str) -> Result<f64, String> {
    let time =
        time_of_day(text).ok_or_else(|| format!("`{text}` is not a time of day: write `\"22:00\"`"))?;
    now.next(time).ok_or_else(|| format!("`{text}` does not exist in the local time zone"))
}
