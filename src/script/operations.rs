//! Every operation as a function of scripts, generated from the list of operations. It takes a map of fields and
//! returns the result.

use std::sync::Arc;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::align;
use super::clock;
use super::condition::Condition;
use super::context::{Context, ScriptResult, lock, raise, raise_mistake, raise_read_error};
use super::errors::Mistake;
use super::outcome;
use super::trace;
use super::values::to_plain;
use crate::local_time::Moment;
use crate::operation::{OnFail, Operation, Question, ResultKind};
use crate::step::{self, Fault, FaultKind, OnError, Step};

/// The functions of scripts that are not operations.
pub(super) const OTHERS: [&str; 6] = ["recipe", "parameter", "finally", "now", "time_of_day", "next_time"];

pub(super) fn register(engine: &mut Engine, context: &Arc<Context>) {
    for name in Operation::NAMES.iter().copied() {
        let with = Arc::clone(context);
        engine.register_fn(name, move |call: NativeCallContext, fields: Dynamic| {
            operate(&with, name, &fields, &call)
        });
        let without = Arc::clone(context);
        engine
            .register_fn(name, move |call: NativeCallContext| operate(&without, name, &Dynamic::UNIT, &call));
    }
    let [of_now, of_day, of_next] = [Arc::clone(context), Arc::clone(context), Arc::clone(context)];
    engine
        .register_fn("now", move |call: NativeCallContext| -> ScriptResult<f64> {
            Ok(now(&of_now, &call)?.time_s)
        })
        .register_fn("time_of_day", move |call: NativeCallContext| -> ScriptResult<String> {
            Ok(now(&of_day, &call)?.shown())
        })
        .register_fn("next_time", move |call: NativeCallContext, text: &str| -> ScriptResult<f64> {
            let moment = now(&of_next, &call)?;
            clock::next(moment, text).map_err(|message| raise_mistake(message, None, &call))
        });
    register_errors(engine);
}

/// The time, which the run records.
fn now(context: &Context, call: &NativeCallContext) -> ScriptResult<Moment> {
    context.begin_operation()?;
    let now = context.host.get().and_then(|host| host.now()).map_err(|fault| raise(fault, call))?;
    Ok(now.wall)
}

fn operate(
    context: &Arc<Context>,
    name: &str,
    fields: &Dynamic,
    call: &NativeCallContext,
) -> ScriptResult<Dynamic> {
    context.begin_operation()?;
    if Operation::result_kind(name) == Some(ResultKind::Alignment) {
        return align::align(context, name, fields, call);
    }
    let place = context.place(call);
    let fields = &trace::numbered(name, fields).map_err(|message| raise_mistake(message, None, call))?;
    let fields =
        to_plain(fields).map_err(|message| raise_mistake(format!("{name}: {message}"), None, call))?;
    let read = step::read(name, &fields, &lock(&context.detectors));
    let (operation, options) = read.map_err(|error| raise_read_error(error, call))?;
    Condition::check(&operation)
        .map_err(|(_, mistake)| raise_mistake(mistake.message, mistake.hint, call))?;
    // The answer to a prompt without choices cannot influence the script.
    let decides = match operation.traits().question {
        Question::Prompt(prompt) => !prompt.choices.is_empty(),
        Question::None | Question::Connect(_) => true,
    };
    let analysis = operation.traits().analysis;
    if analysis.is_some_and(|analysis| analysis.limits.is_some()) {
        let hint = Some("give the limits under `expect`".to_owned());
        return Err(raise_mistake("`limits` is only for YAML recipes", hint, call));
    }
    let stops = analysis.is_some_and(|analysis| analysis.on_fail == OnFail::Stop);
    let operation = align::with_columns(context, operation, &place);
    align::again_if_doubtful(context, &operation, &place, call)?;
    check_turn(context, options.on_error, call)?;
    let step = Step { operation, options: options.clone(), place };
    let outcome = context.host.get().and_then(|host| host.perform(step));
    let outcome = outcome.and_then(|outcome| options.unless_turn_ends(outcome));
    context.reset_computed();
    if let (true, Ok(outcome)) = (stops, &outcome) {
        step::stop_unless_passed(outcome).map_err(|fault| raise(fault, call))?;
    }
    outcome::returned(outcome.map_err(|fault| raise(fault, call))?, decides, &context.host)
        .map_err(|message| raise_mistake(message, None, call))
}

/// A script cannot leave the turn of its own loop. It can leave the turn of the YAML loop around the script.
pub(super) fn check_turn(context: &Context, on_error: OnError, call: &NativeCallContext) -> ScriptResult<()> {
    if on_error != OnError::NextTurn || !context.loops.is_empty() {
        return Ok(());
    }
    let hint = "use `on_error: \"continue\"`, and `continue` if the result is `failed`".to_owned();
    let message = "`next_turn` needs a loop of a YAML recipe around the script";
    Err(raise_mistake(message, Some(hint), call))
}

/// Registers the properties of a caught fault: `e.kind`, `e.message`, `e.hint`.
fn register_errors(engine: &mut Engine) {
    engine
        .register_type_with_name::<Fault>("Fault")
        .register_get("kind", |fault: &mut Fault| kind(fault.kind))
        .register_get("message", |fault: &mut Fault| fault.message.clone())
        .register_get("hint", |fault: &mut Fault| fault.hint.clone().unwrap_or_default())
        .register_fn("to_string", |fault: &mut Fault| fault.message.clone())
        .register_type_with_name::<Mistake>("Mistake")
        .register_get("kind", |_: &mut Mistake| kind(FaultKind::Recipe))
        .register_get("message", |mistake: &mut Mistake| mistake.message.clone())
        .register_get("hint", |mistake: &mut Mistake| mistake.hint.clone().unwrap_or_default())
        .register_fn("to_string", |mistake: &mut Mistake| mistake.message.clone());
}

fn kind(kind: FaultKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
