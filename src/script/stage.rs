//! What the functions of one running script share: how far it has come, what it declared, where it stands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};
use serde_json::Value;

use super::Origin;
use super::desk::Desk;
use super::errors::{Mistake, position};
use crate::budget::{self, Budget};
use crate::decode::ReadError;
use crate::header::Header;
use crate::measurement::Detector;
use crate::source::Position;
use crate::step::{Fault, FaultKind, LoopPoint, Place, Values};

/// Most operations of the language between two operations on the instrument: a few seconds of computing.
const COMPUTING: u64 = 5_000_000;
/// What a call of an operation counts for.
const CALL: u64 = 1_000;
/// How often a computing script looks at the clock: one operation on a long text can take a millisecond.
const CLOCK_EVERY: u64 = 32;
/// How long it computes until it looks whether it should give up.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Longest message about a value that a script gave, in characters: the value may be in it.
const MESSAGE: usize = 500;

pub(super) type Raised<T> = Result<T, Box<EvalAltResult>>;

/// How far a script has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Its declarations are being collected; the first operation ends that.
    Declaring,
    /// It performs, and may still declare (again: what was collected holds).
    Opening,
    /// It has performed an operation.
    Performing,
    /// It is a step of a YAML recipe, which declares for it.
    Step,
}

/// What a script declared.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) header: Option<Header>,
    pub(super) values: Values,
    pub(super) finally: Vec<FnPtr>,
    /// When it is held, and where it says so.
    pub(super) suspend_when: Option<(Value, Position)>,
    /// The `--set` values, by parameter.
    pub(super) given: BTreeMap<String, Given>,
}

/// A value given for a parameter from outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given {
    /// From the command line: read as the type of the parameter's default.
    Text(String),
    /// From another recipe.
    Value(Value),
}

pub(super) struct Stage {
    pub(super) desk: Arc<Desk>,
    pub(super) origin: Origin,
    pub(super) act: Mutex<Act>,
    pub(super) declared: Mutex<Declared>,
    /// Detectors by name.
    pub(super) detectors: Mutex<BTreeMap<String, Detector>>,
    /// The loops of the YAML recipe around it.
    pub(super) loops: Vec<LoopPoint>,
    calls: AtomicU64,
    /// Operations of the language since the last one on the instrument. Rhai's own count begins anew within each
    /// function that is called through a pointer.
    computed: AtomicU64,
}

impl Stage {
    pub(super) fn new(origin: Origin, act: Act, loops: Vec<LoopPoint>) -> Self {
        Self {
            desk: Arc::default(),
            origin,
            act: Mutex::new(act),
            declared: Mutex::default(),
            detectors: Mutex::default(),
            loops,
            calls: AtomicU64::new(0),
            computed: AtomicU64::new(0),
        }
    }

    /// The script is about to reach out: its declarations are over.
    pub(super) fn begin_operation(&self) -> Raised<()> {
        let mut act = lock(&self.act);
        match *act {
            Act::Declaring => return Err(terminate(Curtain)),
            Act::Opening => *act = Act::Performing,
            Act::Performing | Act::Step => {}
        }
        // It counts until the host has performed it: a script that goes on failing must end too.
        self.computed.fetch_add(CALL, Ordering::Relaxed);
        Ok(())
    }

    /// The host has performed something, and would have said if it were stopping: the count begins anew.
    pub(super) fn rest(&self) {
        self.computed.store(0, Ordering::Relaxed);
    }

    /// The place of the call that is being made.
    pub(super) fn place(&self, call: &NativeCallContext) -> Place {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let prefix = &self.origin.path;
        let dot = if prefix.is_empty() { "" } else { "." };
        Place {
            file: self.origin.source.name.clone(),
            position: position(call.call_position()).map(|at| self.origin.shift(at)),
            path: format!("{prefix}{dot}call[{number}]"),
            loops: self.loops.clone(),
        }
    }

    /// Ends a script that computes without end, or whose run is being stopped.
    pub(super) fn watch(self: &Arc<Self>, engine: &mut Engine) {
        let stage = Arc::clone(self);
        let looked = Mutex::new(Instant::now());
        engine.on_progress(move |_| {
            let count = stage.computed.fetch_add(1, Ordering::Relaxed) + 1;
            if count > COMPUTING {
                let fault = Fault::new(
                    FaultKind::Recipe,
                    format!("the script computes for too long ({COMPUTING} steps without an operation)"),
                );
                return Some(Dynamic::from(fault.hint("is there a loop without an end?")));
            }
            if !count.is_multiple_of(CLOCK_EVERY) || lock(&looked).elapsed() < LOOK_EVERY {
                return None;
            }
            *lock(&looked) = Instant::now();
            if let Some(budget) = budget::current().filter(Budget::is_spent) {
                return Some(Dynamic::from(Fault::new(FaultKind::Stopped, budget.told())));
            }
            let stopped = || Dynamic::from(Fault::new(FaultKind::Stopped, "the run is being stopped"));
            stage.desk.stopping().then(stopped)
        });
    }
}

/// The mark that ends the collecting of declarations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curtain;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn terminate(token: impl Clone + Send + Sync + 'static) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(token), rhai::Position::NONE).into()
}

/// A fault as a script meets it: an instrument's can be caught, a stop cannot.
pub(super) fn raise(fault: Fault, call: &NativeCallContext) -> Box<EvalAltResult> {
    if fault.kind == FaultKind::Stopped {
        return terminate(fault);
    }
    EvalAltResult::ErrorRuntime(Dynamic::from(fault), call.call_position()).into()
}

/// A mistake in what a script gave to a function.
pub(super) fn mistaken(
    message: impl Into<String>,
    hint: Option<String>,
    call: &NativeCallContext,
) -> Box<EvalAltResult> {
    let mut message = message.into();
    if let Some((end, _)) = message.char_indices().nth(MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    let mistake = Mistake { message, hint, position: None };
    EvalAltResult::ErrorRuntime(Dynamic::from(mistake), call.call_position()).into()
}

/// A value that could not be read, with the way to it.
pub(super) fn unreadable(error: ReadError, call: &NativeCallContext) -> Box<EvalAltResult> {
    // What the message itself does not name.
    let path = error.path.join(".");
    let named = error.path.last().is_none_or(|last| error.message.contains(last.as_str()));
    let message = if named { error.message } else { format!("{path}: {}", error.message) };
    mistaken(message, error.hint, call)
}
