//! The state that the functions of one running script share: its progress, its declarations, its origin.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};
use serde_json::Value;

use super::Origin;
use super::errors::{Mistake, position};
use super::host::HostSlot;
use crate::budget::{self, Budget};
use crate::declarations::{Given, Header};
use crate::decode::ReadError;
use crate::measurement::Detector;
use crate::source::Position;
use crate::step::align::Coupling;
use crate::step::{Fault, FaultKind, LoopPoint, Place, Values};

/// The most operations of the language between two operations on the instrument: a few seconds of computing.
const MOST_COMPUTING: u64 = 5_000_000;
/// The number of operations that a call of an instrument operation counts for until it has ended.
const CALL: u64 = 1_000;
/// The number of operations between two looks at the clock. One operation on a long text can take a millisecond.
const CLOCK_EVERY: u64 = 32;
/// The time between two checks whether a computing script has to end.
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// The longest message about a wrong value, in characters. The message may contain the value.
const MESSAGE: usize = 500;

/// The result of a function that a script calls.
pub(super) type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

/// The part of a script that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its declarations are collected. The first operation ends this phase and the script.
    Declaring,
    /// The script is performed, but has not reached its first operation. Its declarations are evaluated again.
    Opening,
    /// The script has performed an operation. Declarations are no longer allowed.
    Performing,
    /// The script is a step of a YAML recipe, which has the declarations.
    Step,
}

/// The declarations of a script.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) header: Option<Header>,
    pub(super) values: Values,
    pub(super) finally: Vec<FnPtr>,
    /// The `suspend_when` and its position.
    pub(super) suspend_when: Option<(Value, Position)>,
    /// The values given from outside, by parameter.
    pub(super) given: BTreeMap<String, Given>,
}

pub(super) struct Context {
    pub(super) host: Arc<HostSlot>,
    pub(super) origin: Origin,
    pub(super) phase: Mutex<Phase>,
    pub(super) declared: Mutex<Declared>,
    /// Detectors by name.
    pub(super) detectors: Mutex<BTreeMap<String, Detector>>,
    /// The loops of the YAML recipe around the script.
    pub(super) loops: Vec<LoopPoint>,
    /// The alignments so far.
    pub(super) coupling: Mutex<Coupling>,
    /// The steps of the last alignment.
    pub(super) aligning: Mutex<Option<FnPtr>>,
    calls: AtomicU64,
    /// Operations of the language since the last operation on the instrument. Rhai's own counter cannot be used: it
    /// restarts in each function that is called through a pointer.
    computed: AtomicU64,
}

impl Context {
    pub(super) fn new(origin: Origin, phase: Phase, loops: Vec<LoopPoint>) -> Self {
        Self {
            host: Arc::default(),
            origin,
            phase: Mutex::new(phase),
            declared: Mutex::default(),
            detectors: Mutex::default(),
            loops,
            coupling: Mutex::default(),
            aligning: Mutex::default(),
            calls: AtomicU64::new(0),
            computed: AtomicU64::new(0),
        }
    }

    /// Called before each operation, which ends the declarations.
    pub(super) fn begin_operation(&self) -> ScriptResult<()> {
        let mut phase = lock(&self.phase);
        match *phase {
            Phase::Declaring => return Err(terminate(EndOfDeclarations)),
            Phase::Opening => *phase = Phase::Performing,
            Phase::Performing | Phase::Step => {}
        }
        // The call counts as computing until it has ended, so that a loop of wrong calls ends too.
        self.computed.fetch_add(CALL, Ordering::Relaxed);
        Ok(())
    }

    /// Called when the host has performed an operation: the limit for computing starts again.
    pub(super) fn reset_computed(&self) {
        self.computed.store(0, Ordering::Relaxed);
    }

    /// The place of this call of an operation.
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

    /// Ends the script if it computes for too long, or if its run is being stopped.
    pub(super) fn limit_computing(self: &Arc<Self>, engine: &mut Engine) {
        let context = Arc::clone(self);
        let checked = Mutex::new(Instant::now());
        engine.on_progress(move |_| {
            let count = context.computed.fetch_add(1, Ordering::Relaxed) + 1;
            if count > MOST_COMPUTING {
                let fault = Fault::new(
                    FaultKind::Recipe,
                    format!("the script computes for too long ({MOST_COMPUTING} steps without an operation)"),
                );
                return Some(Dynamic::from(fault.hint("check for a loop that never ends")));
            }
            if !count.is_multiple_of(CLOCK_EVERY) || lock(&checked).elapsed() < CHECK_EVERY {
                return None;
            }
            *lock(&checked) = Instant::now();
            if let Some(budget) = budget::current().filter(Budget::is_spent) {
                return Some(Dynamic::from(Fault::new(FaultKind::Stopped, budget.told())));
            }
            let stopped = || Dynamic::from(Fault::new(FaultKind::Stopped, "the run is being stopped"));
            context.host.stopping().then(stopped)
        });
    }
}

/// The token that terminates a script when all its declarations have been collected.
#[derive(Debug, Clone, Copy)]
pub(super) struct EndOfDeclarations;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn terminate(token: impl Clone + Send + Sync + 'static) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(token), rhai::Position::NONE).into()
}

/// Converts a fault into an error of the script. The script can catch every fault except a stop, by a person or by a
/// verdict.
pub(super) fn raise(fault: Fault, call: &NativeCallContext) -> Box<EvalAltResult> {
    let mut error = Box::<EvalAltResult>::from(fault);
    if matches!(*error, EvalAltResult::ErrorRuntime(..)) {
        error.set_position(call.call_position());
    }
    error
}

impl From<Fault> for Box<EvalAltResult> {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Stopped | FaultKind::Verdict | FaultKind::NextTurn => terminate(fault),
            FaultKind::Refused
            | FaultKind::Instrument
            | FaultKind::Link
            | FaultKind::Timeout
            | FaultKind::DidNotStart
            | FaultKind::Store
            | FaultKind::Recipe => {
                EvalAltResult::ErrorRuntime(Dynamic::from(fault), rhai::Position::NONE).into()
            }
        }
    }
}

/// The error for a wrong argument or a wrong call.
pub(super) fn raise_mistake(
    message: impl Into<String>,
    hint: Option<String>,
    call: &NativeCallContext,
) -> Box<EvalAltResult> {
    let mut message = message.into();
    if let Some((end, _)) = message.char_indices().nth(MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    let mistake = Mistake::new(message).hint(hint);
    EvalAltResult::ErrorRuntime(Dynamic::from(mistake), call.call_position()).into()
}

/// The error for a value that cannot be read, with the path to it.
pub(super) fn raise_read_error(error: ReadError, call: &NativeCallContext) -> Box<EvalAltResult> {
    // The path is added only if the message does not name the field.
    let path = error.path.join(".");
    let named = error.path.last().is_none_or(|last| error.message.contains(last.as_str()));
    let message = if named { error.message } else { format!("{path}: {}", error.message) };
    raise_mistake(message, error.hint, call)
}
