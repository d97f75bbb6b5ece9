//! What a script says of itself before it acts: `recipe(#{…})`, `parameter(…)`, `finally(…)`.

use std::sync::Arc;

use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext};
use serde_json::Value;

use super::errors::position;
use super::expression::is_free_word;
use super::stage::{Act, Given, Raised, Stage, lock, mistaken, unreadable};
use super::values::{to_dynamic, to_plain};
use crate::decode;
use crate::header::{Header, Parameter, bind, check_parameter, read_text};

/// Most functions that a script may have performed last: each begins a thread.
const MOST_FINALLY: usize = 100;

pub(super) fn register(engine: &mut Engine, stage: &Arc<Stage>) {
    let at = Arc::clone(stage);
    engine.register_fn("recipe", move |call: NativeCallContext, keys: Map| recipe(&at, keys, &call));
    let at = Arc::clone(stage);
    engine.register_fn("parameter", move |call: NativeCallContext, name: &str, default: Dynamic| {
        parameter(&at, name, &default, Map::new(), &call)
    });
    let at = Arc::clone(stage);
    engine.register_fn(
        "parameter",
        move |call: NativeCallContext, name: &str, default: Dynamic, rest: Map| {
            parameter(&at, name, &default, rest, &call)
        },
    );
    let at = Arc::clone(stage);
    engine.register_fn("finally", move |call: NativeCallContext, last: FnPtr| -> Raised<()> {
        declaring(&at, "finally", &call)?;
        let mut declared = lock(&at.declared);
        if declared.finally.len() >= MOST_FINALLY {
            let message = format!("the script declares more than {MOST_FINALLY} parts of `finally`");
            return Err(mistaken(message, Some("one function can do all of it".to_owned()), &call));
        }
        declared.finally.push(last);
        Ok(())
    });
}

/// Refuses a declaration that comes too late, or that is not the script's to make.
fn declaring(stage: &Stage, what: &str, call: &NativeCallContext) -> Raised<()> {
    let (message, hint) = match *lock(&stage.act) {
        Act::Declaring | Act::Opening => return Ok(()),
        Act::Performing => {
            ("comes after the first operation", "declare first: recipe, parameter, finally; then act")
        }
        Act::Step => ("cannot stand in a `script` step", "the YAML recipe around it declares"),
    };
    Err(mistaken(format!("`{what}` {message}"), Some(hint.to_owned()), call))
}

fn recipe(stage: &Stage, keys: Map, call: &NativeCallContext) -> Raised<()> {
    declaring(stage, "recipe", call)?;
    if lock(&stage.declared).header.is_some() {
        return Err(mistaken("`recipe` is declared twice", None, call));
    }
    let keys = to_plain(&Dynamic::from_map(keys)).map_err(|message| mistaken(message, None, call))?;
    let Value::Object(mut keys) = keys else { return Ok(()) };
    if keys.contains_key("parameters") {
        let hint = "call `parameter(name, default, #{ … })` instead".to_owned();
        return Err(mistaken("a script has no map of `parameters`", Some(hint), call));
    }
    // Its steps are those of a YAML recipe; who has read those reads it.
    let suspend_when = keys.remove("suspend_when");
    let (header, wrong) = Header::read(&keys);
    if let Some(first) = wrong.into_iter().next() {
        return Err(unreadable(first, call));
    }
    lock(&stage.detectors).clone_from(&header.detectors);
    let at = position(call.call_position()).map_or(stage.origin.start, |at| stage.origin.shift(at));
    let mut declared = lock(&stage.declared);
    declared.header = Some(header);
    declared.suspend_when = suspend_when.map(|given| (given, at));
    Ok(())
}

fn parameter(
    stage: &Stage,
    name: &str,
    default: &Dynamic,
    rest: Map,
    call: &NativeCallContext,
) -> Raised<Dynamic> {
    declaring(stage, "parameter", call)?;
    let plain = |value: &Dynamic| to_plain(value).map_err(|message| mistaken(message, None, call));
    let mut fields = plain(&Dynamic::from_map(rest))?;
    fields["default"] = plain(default)?;
    let parameter: Parameter = decode::from_value(&fields).map_err(|error| unreadable(error, call))?;
    check_parameter(name, &parameter).map_err(|error| unreadable(error, call))?;
    if !is_free_word(name) {
        return Err(mistaken(format!("parameter `{name}` is a word that scripts reserve"), None, call));
    }
    let mut declared = lock(&stage.declared);
    let given = declared.given.get(name).map(|given| match given {
        Given::Text(text) => read_text(name, &parameter, text),
        Given::Value(value) => Ok(value.clone()),
    });
    let given = given.transpose().map_err(|error| unreadable(error, call))?;
    let Some(header) = declared.header.as_mut() else {
        return Err(mistaken("`parameter` comes before `recipe`", None, call));
    };
    if header.parameters.insert(name.to_owned(), parameter.clone()).is_some() {
        return Err(mistaken(format!("parameter `{name}` is declared twice"), None, call));
    }
    let one = [(name.to_owned(), parameter)].into();
    let given = given.map(|value| (name.to_owned(), value)).into_iter().collect();
    let bound = bind(&one, &given).map_err(|mut wrong| unreadable(wrong.swap_remove(0), call))?;
    let value = bound.get(name).map_or(Dynamic::UNIT, to_dynamic);
    declared.values.extend(bound);
    Ok(value)
}
