//! Figures of merit of a trace in a script.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::Trace;
use crate::analysis::{self, AxisNm, Figure, LevelsDb};
use crate::measurement::TraceUnit;
use crate::operation::Operation;
use crate::script::bounded_figure::plain;
use crate::script::context::{ScriptResult, raise, raise_mistake, raise_read_error};
use crate::script::values::{to_dynamic, to_plain};
use crate::step::{self, TraceAnalysis};

/// The fields of `analyze` with the numbers of traces in the place of traces. A part of a trace becomes its band.
///
/// # Errors
/// When parts of several traces are given.
pub(in crate::script) fn numbered(name: &str, fields: &Dynamic) -> Result<Dynamic, String> {
    let Some(map) = fields.read_lock::<Map>().filter(|_| name == "analyze") else {
        return Ok(fields.clone());
    };
    let mut numbered = map.clone();
    let minus = map.get("minus").and_then(|minus| minus.read_lock::<Trace>().map(|trace| number(&trace)));
    if let Some(minus) = minus {
        numbered.remove("minus");
        numbered.insert("minus_trace".into(), minus);
    }
    let Some(given) = map.get("trace") else { return Ok(Dynamic::from_map(numbered)) };
    let one = given.read_lock::<Trace>().map(|trace| vec![trace.clone()]);
    let many = given.read_lock::<Array>().map(|all| {
        all.iter().filter_map(|one| one.read_lock::<Trace>().map(|trace| trace.clone())).collect::<Vec<_>>()
    });
    let Some(traces) = one.or(many.filter(|traces| !traces.is_empty())) else {
        return Ok(Dynamic::from_map(numbered));
    };
    numbered.remove("trace");
    numbered.insert("traces".into(), Dynamic::from_array(traces.iter().map(number).collect()));
    if let Some(part) = traces.iter().find(|trace| !trace.is_whole()) {
        if traces.len() > 1 {
            return Err(
                "analyze: parts of several traces cannot be analysed together: give `band_nm`".to_owned()
            );
        }
        let band = [part.start_nm(), part.stop_nm()].map(Dynamic::from).to_vec();
        numbered.entry("band_nm".into()).or_insert(Dynamic::from_array(band));
    }
    Ok(Dynamic::from_map(numbered))
}

fn number(trace: &Trace) -> Dynamic {
    Dynamic::from(i64::try_from(trace.summary.trace_index).unwrap_or_default())
}

/// The figures of one name, with the strongest line or the first place first asked for separately.
fn figures(call: &NativeCallContext, trace: &Trace, name: &str, options: Map) -> ScriptResult<TraceAnalysis> {
    let mut fields = options;
    fields.insert("trace".into(), Dynamic::from(trace.clone()));
    fields.insert("figures".into(), Dynamic::from_array(vec![Dynamic::from(name.to_owned())]));
    let fields = numbered("analyze", &Dynamic::from_map(fields))
        .map_err(|message| raise_mistake(message, None, call))?;
    let plain = to_plain(&fields).map_err(|message| raise_mistake(message, None, call))?;
    let read = step::read("analyze", &plain, &Default::default());
    let (operation, _) = read.map_err(|error| raise_read_error(error, call))?;
    let Operation::Analyze(fields) = operation else {
        return Err(raise_mistake("there are no figures", None, call));
    };
    let task = fields.task(1).map_err(|message| raise_mistake(message, None, call))?;
    let reader = trace.open().map_err(|fault| raise(fault, call))?;
    let levels = reader.levels().map_err(|fault| raise(fault, call))?;
    let unit = TraceUnit::named(&trace.summary.unit);
    let unit = unit.map_err(|message| raise_mistake(format!("the trace {message}"), None, call))?;
    let axis = AxisNm::of_grid(*trace.grid(), levels.len());
    let analysis = analysis::Trace::new(axis, LevelsDb::Single(&levels))
        .map_err(|error| error.to_string())
        .and_then(|trace| task.figures_of(&trace.in_unit(unit)))
        .map_err(|message| raise_mistake(message, None, call))?;
    let settings = Some(analysis.settings);
    Ok(TraceAnalysis { figures: analysis.figures, settings, ..TraceAnalysis::of(&trace.summary) })
}

fn value(figure: Option<&Figure>) -> Dynamic {
    figure.map_or(Dynamic::UNIT, |figure| to_dynamic(&plain(figure)))
}

/// Registers `figure` and `figures`, each with and without settings.
pub(super) fn register(engine: &mut Engine) {
    let one = |call: &NativeCallContext, trace: &Trace, name: &str, options: Map| -> ScriptResult<Dynamic> {
        let analysis = figures(call, trace, name, options)?;
        Ok(value(analysis.representative(name)))
    };
    let all = |call: &NativeCallContext, trace: &Trace, name: &str, options: Map| -> ScriptResult<Dynamic> {
        let analysis = figures(call, trace, name, options)?;
        let named = analysis.figures.iter().filter(|figure| figure.name == name);
        Ok(Dynamic::from_array(named.map(|figure| value(Some(figure))).collect()))
    };
    engine
        .register_fn("figure", move |call: NativeCallContext, trace: &mut Trace, name: &str| {
            one(&call, trace, name, Map::new())
        })
        .register_fn("figure", move |call: NativeCallContext, trace: &mut Trace, name: &str, options: Map| {
            one(&call, trace, name, options)
        })
        .register_fn("figures", move |call: NativeCallContext, trace: &mut Trace, name: &str| {
            all(&call, trace, name, Map::new())
        })
        .register_fn(
            "figures",
            move |call: NativeCallContext, trace: &mut Trace, name: &str, options: Map| {
                all(&call, trace, name, options)
            },
        );
}
