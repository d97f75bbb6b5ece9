//! The declarations of a script: `recipe(#{…})`, `parameter(…)`, `finally(…)`.

use std::sync::Arc;

use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext};
use serde_json::Value;

use super::context::{Context, Phase, ScriptResult, lock, raise_mistake, raise_read_error};
use super::errors::position;
use super::expression::is_free_word;
use super::values::{to_dynamic, to_plain};
use crate::declarations::{Header, Parameter, bind, check_parameter};
use crate::decode;

/// Highest number of `finally` functions, because each needs a thread.
const MOST_FINALLY: usize = 100;

pub(super) fn register(engine: &mut Engine, context: &Arc<Context>) {
    let at = Arc::clone(context);
    engine.register_fn("recipe", move |call: NativeCallContext, keys: Map| recipe(&at, keys, &call));
    let at = Arc::clone(context);
    engine.register_fn("parameter", move |call: NativeCallContext, name: &str, default: Dynamic| {
        parameter(&at, name, &default, Map::new(), &call)
    });
    let at = Arc::clone(context);
    engine.register_fn(
        "parameter",
        move |call: NativeCallContext, name: &str, default: Dynamic, rest: Map| {
            parameter(&at, name, &default, rest, &call)
        },
    );
    let at = Arc::clone(context);
    engine.register_fn("finally", move |call: NativeCallContext, last: FnPtr| -> ScriptResult<()> {
        declaring(&at, "finally", &call)?;
        let mut declared = lock(&at.declared);
        if declared.finally.len() >= MOST_FINALLY {
            let message = format!("the script calls `finally` more than {MOST_FINALLY} times");
            return Err(raise_mistake(message, Some("one function can contain all steps".to_owned()), &call));
        }
        declared.finally.push(last);
        Ok(())
    });
}

/// Refuses a declaration that comes too late, or that only the YAML recipe may make.
fn declaring(context: &Context, what: &str, call: &NativeCallContext) -> ScriptResult<()> {
    let (message, hint) = match *lock(&context.phase) {
        Phase::Declaring | Phase::Opening => return Ok(()),
        Phase::Performing => (
            "comes after the first operation",
            "put the declarations (recipe, parameter, finally) before the first operation",
        ),
        Phase::Step => {
            ("is not allowed in a `script` step", "the surrounding YAML recipe contains the declarations")
        }
    };
    Err(raise_mistake(format!("`{what}` {message}"), Some(hint.to_owned()), call))
}

fn recipe(context: &Context, keys: Map, call: &NativeCallContext) -> ScriptResult<()> {
    declaring(context, "recipe", call)?;
    if lock(&context.declared).header.is_some() {
        return Err(raise_mistake("`recipe` is declared twice", None, call));
    }
    let keys = to_plain(&Dynamic::from_map(keys)).map_err(|message| raise_mistake(message, None, call))?;
    let Value::Object(mut keys) = keys else { return Ok(()) };
    if keys.contains_key("parameters") {
        let hint = "call `parameter(name, default, #{ … })` instead".to_owned();
        return Err(raise_mistake("a script does not use a map of `parameters`", Some(hint), call));
    }
    // Its steps have the form of YAML steps, and are read by the same code.
    let suspend_when = keys.remove("suspend_when");
    let (header, wrong) = Header::read(&keys);
    if let Some(first) = wrong.into_iter().next() {
        return Err(raise_read_error(first, call));
    }
    lock(&context.detectors).clone_from(&header.detectors);
    let at = position(call.call_position()).map_or(context.origin.start, |at| context.origin.shift(at));
    let mut declared = lock(&context.declared);
    declared.header = Some(header);
    declared.suspend_when = suspend_when.map(|given| (given, at));
    Ok(())
}

fn parameter(
    context: &Context,
    name: &str,
    default: &Dynamic,
    rest: Map,
    call: &NativeCallContext,
) -> ScriptResult<Dynamic> {
    declaring(context, "parameter", call)?;
    let plain = |value: &Dynamic| to_plain(value).map_err(|message| raise_mistake(message, None, call));
    let mut fields = plain(&Dynamic::from_map(rest))?;
    fields["default"] = plain(default)?;
    let parameter: Parameter = decode::from_value(&fields).map_err(|error| raise_read_error(error, call))?;
    check_parameter(name, &parameter).map_err(|error| raise_read_error(error, call))?;
    if !is_free_word(name) {
        return Err(raise_mistake(format!("parameter `{name}` is a word that scripts reserve"), None, call));
    }
    let mut declared = lock(&context.declared);
    let given = declared.given.get(name).map(|given| given.value_for(name, &parameter));
    let given = given.transpose().map_err(|error| raise_read_error(error, call))?;
    let Some(header) = declared.header.as_mut() else {
        return Err(raise_mistake("`parameter` comes before `recipe`", None, call));
    };
    if header.parameters.insert(name.to_owned(), parameter.clone()).is_some() {
        return Err(raise_mistake(format!("parameter `{name}` is declared twice"), None, call));
    }
    let one = [(name.to_owned(), parameter)].into();
    let given = given.map(|value| (name.to_owned(), value)).into_iter().collect();
    let bound = bind(&one, &given).map_err(|mut wrong| raise_read_error(wrong.swap_remove(0), call))?;
    let value = bound.get(name).map_or(Dynamic::UNIT, to_dynamic);
    declared.values.extend(bound);
    Ok(value)
}
