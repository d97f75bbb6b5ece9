//! The limit for the memory of all variables of a script together. Rhai limits only each single value, so that a thousand
//! variables in each of sixty nested calls would still fill the memory.
//!
//! Each new variable is measured once, which takes about as long as making its value. Rhai does not report when a value
//! grows later. So all variables are measured again when one of them is used, but at most during a fifth of the time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rhai::{Array, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, ImmutableString, Map, Position};

use super::errors::Mistake;
use crate::budget::{ALL_VALUES_BYTES, ELEMENT_BYTES};

/// The number of uses of variables for each look at the clock.
const USES: u32 = 8;
/// The pause after a measurement, as a multiple of the time that the measurement took.
const PAUSE: u32 = 4;
/// The most values that may be nested in each other. A function that is stored in a variable which it uses nests for ever.
const MOST_NESTED: usize = 1_000;

/// The measurements of a script's variables.
#[derive(Default)]
struct Measured {
    uses: u32,
    /// The earliest time of the next measurement.
    next: Option<Instant>,
    /// The bytes of each variable in each of the nested calls.
    calls: Vec<Vec<usize>>,
    /// The bytes of all these variables.
    bytes: usize,
}

/// Why the variables of a script are not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    Bytes,
    Nesting,
}

/// Ends the script if its variables need too much memory.
pub(super) fn limit(engine: &mut Engine) {
    let used = std::sync::Arc::new(Mutex::new(Measured::default()));
    let defined = std::sync::Arc::clone(&used);
    let check = |measured: &Mutex<Measured>, context: &EvalContext, most: usize| {
        let checked = measured.lock().unwrap_or_else(PoisonError::into_inner).check(context, most);
        checked.map_err(|excess| {
            EvalAltResult::ErrorRuntime(Dynamic::from(excess.mistake()), Position::NONE).into()
        })
    };
    #[expect(deprecated, reason = "rhai marks the part of its interface so that may still change")]
    engine
        .on_var(move |_, _, context| check(&used, &context, ALL_VALUES_BYTES).map(|()| None))
        // Rhai gives no position for an error here. The higher limit lets an error at the use of a variable come first.
        .on_def_var(move |_, _, context| check(&defined, &context, 2 * ALL_VALUES_BYTES).map(|()| true));
}

/// How long this thread has computed. On a busy computer a measurement is interrupted, and the pause after it must not grow by
/// that.
fn computed() -> Duration {
    #[cfg(unix)]
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    #[cfg(unix)]
    return Duration::try_from(time).unwrap_or_default();
    #[cfg(not(unix))]
    {
        static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        BEGAN.get_or_init(Instant::now).elapsed()
    }
}

impl Measured {
    fn check(&mut self, context: &EvalContext, most: usize) -> Result<(), Excess> {
        self.uses += 1;
        let is_due = self.uses >= USES && self.next.is_none_or(|next| Instant::now() >= next);
        if self.uses >= USES {
            self.uses = 0;
        }
        let (level, scope) = (context.call_level(), context.scope());
        let has_changed =
            self.calls.len() != level + 1 || self.calls.last().is_none_or(|sizes| sizes.len() != scope.len());
        if !is_due && !has_changed {
            return if self.bytes > most { Err(Excess::Bytes) } else { Ok(()) };
        }
        let begun = is_due.then(computed);
        // Only the variables of the innermost call can have changed since they were measured.
        self.calls.resize(level + 1, Vec::new());
        if let Some(sizes) = self.calls.last_mut() {
            sizes.truncate(if is_due { 0 } else { scope.len() });
        }
        let known = self.calls.iter().flatten().sum();
        let mut left = most.checked_sub(known).ok_or(Excess::Bytes)?;
        let Some(sizes) = self.calls.last_mut() else { return Ok(()) };
        for (_, _, value) in scope.iter_raw().skip(sizes.len()) {
            let before = left;
            take(value, &mut left, MOST_NESTED)?;
            sizes.push(before - left);
        }
        self.bytes = most - left;
        if let Some(begun) = begun {
            let took = computed().saturating_sub(begun);
            self.next = Some(Instant::now() + took * PAUSE + Duration::from_micros(20));
        }
        Ok(())
    }
}

impl Excess {
    fn mistake(self) -> Mistake {
        let (message, hint) = match self {
            Self::Bytes => (
                format!("the script's variables need more than {} MiB", ALL_VALUES_BYTES >> 20),
                "keep only the part of a value that is needed",
            ),
            Self::Nesting => (
                format!("a variable of the script has more than {MOST_NESTED} values nested in each other"),
                "is a function stored in a variable that the function uses?",
            ),
        };
        Mistake::new(message).hint(Some(hint))
    }
}

/// Subtracts the approximate size of a value from the bytes that are `left`. A value that several variables share counts
/// for each of them.
///
/// The work is limited too, because every visit of a value needs some of the bytes.
fn take(value: &Dynamic, left: &mut usize, nested: usize) -> Result<(), Excess> {
    let nested = nested.checked_sub(1).ok_or(Excess::Nesting)?;
    let mut take_bytes = |bytes: usize| {
        *left = left.checked_sub(bytes).ok_or(Excess::Bytes)?;
        Ok(())
    };
    take_bytes(ELEMENT_BYTES)?;
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return take_bytes(text.len());
    }
    if let Some(bytes) = value.read_lock::<rhai::Blob>() {
        return take_bytes(bytes.len());
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().try_for_each(|item| take(item, left, nested));
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.iter().try_for_each(|(key, inner)| {
            *left = left.checked_sub(ELEMENT_BYTES + key.len()).ok_or(Excess::Bytes)?;
            take(inner, left, nested)
        });
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return function.iter_curry().try_for_each(|captured| take(captured, left, nested));
    }
    Ok(())
}
