//! `align` in scripts: its `steps` are a closure, or the name of a function without parameters.

use std::sync::Arc;

use rhai::{Dynamic, FnPtr, Map, NativeCallContext};

use super::context::{Context, ScriptResult, lock, raise, raise_mistake, raise_read_error};
use super::operations::check_turn;
use super::outcome;
use super::values::to_plain;
use crate::operation::{OnAlignFail, Operation};
use crate::step::align::{Coupling, OwnSteps};
use crate::step::{self, Host, LoopPoint, OnError, Outcome, Place};

type Failure = Box<rhai::EvalAltResult>;

/// Performs an alignment.
pub(super) fn align(
    context: &Arc<Context>,
    name: &str,
    fields: &Dynamic,
    call: &NativeCallContext,
) -> ScriptResult<Dynamic> {
    let place = context.place(call);
    let (fields, steps) = without_steps(fields, call)?;
    let fields =
        to_plain(&fields).map_err(|message| raise_mistake(format!("{name}: {message}"), None, call))?;
    let read = step::read(name, &fields, &lock(&context.detectors));
    let (operation, options) = read.map_err(|error| raise_read_error(error, call))?;
    let Operation::Align(fields) = operation else { return Ok(Dynamic::UNIT) };
    let leaves = fields.on_fail == OnAlignFail::NextTurn;
    check_turn(context, if leaves { OnError::NextTurn } else { options.on_error }, call)?;
    let allowed = lock(&context.coupling).may_align(&place);
    allowed.map_err(|message| raise_mistake(message.to_owned(), None, call))?;
    lock(&context.aligning).clone_from(&steps);
    let outcome = with_coupling(context, steps, call, |coupling, host, steps| {
        coupling.align(host, (fields, options), place, steps)
    })?;
    context.reset_computed();
    outcome::returned(outcome, true, &context.host).map_err(|message| raise_mistake(message, None, call))
}

/// The columns that a fetch gets from the last alignment.
pub(super) fn with_columns(context: &Context, mut operation: Operation, place: &Place) -> Operation {
    if let Operation::FetchTrace(fetch) = &mut operation {
        lock(&context.coupling).add_columns(fetch, place);
    }
    operation
}

/// Makes the last alignment again before a sweep, if the run was interrupted since then.
pub(super) fn again_if_doubtful(
    context: &Context,
    operation: &Operation,
    place: &Place,
    call: &NativeCallContext,
) -> ScriptResult<()> {
    let host = context.host.get().map_err(|fault| raise(fault, call))?;
    while lock(&context.coupling).is_doubtful(&*host, operation, place) {
        let steps = lock(&context.aligning).clone();
        with_coupling(context, steps, call, Coupling::align_again)?;
    }
    Ok(())
}

fn with_coupling(
    context: &Context,
    steps: Option<FnPtr>,
    call: &NativeCallContext,
    perform: impl FnOnce(&mut Coupling, &dyn Host, Option<&mut OwnSteps<'_, Failure>>) -> Result<Outcome, Failure>,
) -> ScriptResult<Outcome> {
    let host = context.host.get().map_err(|fault| raise(fault, call))?;
    // The steps may use the context.
    let mut coupling = std::mem::replace(&mut *lock(&context.coupling), Coupling::inside());
    let ended = match steps {
        Some(steps) => {
            let mut own = |_: LoopPoint| steps.call_within_context::<Dynamic>(call, ()).map(drop);
            perform(&mut coupling, &*host, Some(&mut own))
        }
        None => perform(&mut coupling, &*host, None),
    };
    *lock(&context.coupling) = coupling;
    ended
}

/// The fields without `steps`, and the function that performs the steps.
fn without_steps(fields: &Dynamic, call: &NativeCallContext) -> ScriptResult<(Dynamic, Option<FnPtr>)> {
    let Some(mut map) = fields.clone().try_cast::<Map>() else { return Ok((fields.clone(), None)) };
    let Some(given) = map.remove("steps") else { return Ok((fields.clone(), None)) };
    let kind = given.type_name().to_owned();
    let steps = match given.clone().try_cast::<FnPtr>() {
        Some(steps) => Some(steps),
        None => given.into_string().ok().and_then(|name| FnPtr::new(name).ok()),
    };
    match steps {
        Some(steps) => Ok((map.into(), Some(steps))),
        None => {
            let hint = "align(#{ …, steps: || { http(#{ url: search }) } })".to_owned();
            let message = format!("`steps` must be a closure or the name of a function, not {kind}");
            Err(raise_mistake(message, Some(hint), call))
        }
    }
}
