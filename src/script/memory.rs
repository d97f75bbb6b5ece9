//! Limits the memory of all variables of a script together. Rhai limits only each value, and a thousand variables in
//! each of sixty calls would fill the memory.
//!
//! There is no notification when a value grows. For this reason the variables are measured when one is used or
//! defined. The measurements take at most a fifth of the time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::{Array, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, ImmutableString, Map, Position};

use super::errors::Mistake;
use crate::budget::{ALL_VALUES_BYTES, ELEMENT_BYTES};

/// Number of uses of variables between two reads of the clock.
const USES: u32 = 8;
/// The pause between two measurements is this many times as long as a measurement.
const PAUSE: u32 = 4;

/// The measurements of a script's variables.
#[derive(Default)]
struct Seen {
    uses: u32,
    /// The earliest time of the next measurement.
    next: Option<Instant>,
    /// The bytes of each of the nested calls.
    calls: Vec<usize>,
}

/// Ends a script whose variables take too much memory.
pub(super) fn watch(engine: &mut Engine) {
    let used = std::sync::Arc::new(Mutex::new(Seen::default()));
    let defined = std::sync::Arc::clone(&used);
    let look = |seen: &Mutex<Seen>, context: &EvalContext, most: usize| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).look(context, most)
    };
    #[expect(deprecated, reason = "rhai marks the part of its interface so that may still change")]
    engine
        .on_var(move |_, _, context| look(&used, &context, ALL_VALUES_BYTES).map(|()| None))
        // Rhai does not report the position here. It does for the use of a variable, which has the lower limit.
        .on_def_var(move |_, _, context| look(&defined, &context, 2 * ALL_VALUES_BYTES).map(|()| true));
}

impl Seen {
    fn look(&mut self, context: &EvalContext, most: usize) -> Result<(), Box<EvalAltResult>> {
        self.uses += 1;
        if self.uses < USES {
            return Ok(());
        }
        self.uses = 0;
        let begun = Instant::now();
        if self.next.is_some_and(|next| begun < next) {
            return Ok(());
        }
        self.calls.resize(context.call_level() + 1, 0);
        if let Some(innermost) = self.calls.last_mut() {
            *innermost = context.scope().iter_raw().map(|(_, _, value)| size(value)).sum();
        }
        let took = begun.elapsed();
        self.next = Some(begun + took * (PAUSE + 1) + Duration::from_micros(20));
        if self.calls.iter().sum::<usize>() <= most {
            return Ok(());
        }
        let mistake = Mistake {
            message: format!("the script's variables need more than {} MiB", ALL_VALUES_BYTES >> 20),
            hint: Some("keep only the part of a value that is needed".to_owned()),
            position: None,
        };
        Err(EvalAltResult::ErrorRuntime(Dynamic::from(mistake), Position::NONE).into())
    }
}

/// The approximate size of a value, bytes. A shared value counts once for each variable.
fn size(value: &Dynamic) -> usize {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return ELEMENT_BYTES + text.len();
    }
    if let Some(items) = value.read_lock::<Array>() {
        return ELEMENT_BYTES + items.iter().map(size).sum::<usize>();
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter().map(|(key, inner)| ELEMENT_BYTES + key.len() + size(inner));
        return ELEMENT_BYTES + entries.sum::<usize>();
    }
    if let Some(bytes) = value.read_lock::<rhai::Blob>() {
        return ELEMENT_BYTES + bytes.len();
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return ELEMENT_BYTES + function.iter_curry().map(size).sum::<usize>();
    }
    ELEMENT_BYTES
}
