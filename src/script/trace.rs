//! A trace in a script: an object with methods, and never an array of a million elements. Figures that were computed
//! while the trace arrived come from its summary. All others are read from the file in pieces.

mod figures;

use std::ops::Range;
use std::sync::Arc;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::context::{ScriptResult, raise, raise_mistake};
use super::host::HostSlot;
use crate::measurement::{Extreme, Grid, TraceSummary};
use crate::step::{Fault, TraceReader};
pub(super) use figures::numbered;

/// A stored trace, or a slice of one.
#[derive(Clone)]
pub(super) struct Trace {
    summary: Arc<TraceSummary>,
    range: Range<u64>,
    host: Arc<HostSlot>,
}

/// Extrema and mean of the finite values in a range; `None` if there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Figures {
    min: Option<Extreme>,
    max: Option<Extreme>,
    mean: Option<f64>,
}

impl Trace {
    pub(super) fn whole(summary: TraceSummary, host: &Arc<HostSlot>) -> Self {
        let range = 0..summary.grid.points;
        Self { summary: Arc::new(summary), range, host: Arc::clone(host) }
    }

    fn is_whole(&self) -> bool {
        self.range == (0..self.summary.grid.points)
    }

    fn grid(&self) -> &Grid {
        &self.summary.grid
    }

    fn points(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn start_nm(&self) -> f64 {
        self.grid().wavelength_nm(self.range.start)
    }

    fn stop_nm(&self) -> f64 {
        self.grid().wavelength_nm(self.range.end.saturating_sub(1).max(self.range.start))
    }

    /// Opens the file. The caller will use a measured value for a decision.
    fn open(&self) -> Result<Arc<dyn TraceReader>, Fault> {
        self.host.uses_measurement();
        self.host.get()?.open_trace(&self.summary)
    }

    fn figures(&self) -> Result<Figures, Fault> {
        if self.is_whole() {
            self.host.uses_measurement();
            let TraceSummary { min, max, mean, .. } = *self.summary;
            return Ok(Figures { min, max, mean });
        }
        let mut figures = Figures::default();
        let (mut sum, mut count) = (0.0, 0.0);
        self.open()?.read(self.range.clone(), &mut |first, values| {
            for (index, value) in (first..).zip(values).filter(|(_, value)| value.is_finite()) {
                let here = Extreme { value: f64::from(*value), nm: self.grid().wavelength_nm(index) };
                if figures.min.is_none_or(|min| here.value < min.value) {
                    figures.min = Some(here);
                }
                if figures.max.is_none_or(|max| here.value > max.value) {
                    figures.max = Some(here);
                }
                sum += here.value;
                count += 1.0;
            }
        })?;
        figures.mean = (count > 0.0).then(|| sum / count);
        Ok(figures)
    }

    /// The value at a wavelength, interpolated linearly between two points.
    fn at(&self, nm: f64) -> Result<Option<f64>, Fault> {
        let last = self.range.end.saturating_sub(1);
        let not_above = self.grid().indices(f64::NEG_INFINITY, nm).end;
        let below = not_above.saturating_sub(1).clamp(self.range.start, last);
        let weight = ((nm - self.grid().wavelength_nm(below)) * 1e3 / self.grid().step_pm).clamp(0.0, 1.0);
        // A difference below a thousandth of a step is rounding, so the point itself is used.
        let weight = if weight < 1e-3 { 0.0 } else { weight };
        let wanted = below..(below + if weight > 0.0 { 2 } else { 1 }).min(self.range.end);
        let mut found = Vec::with_capacity(2);
        self.open()?.read(wanted, &mut |_, values| found.extend_from_slice(values))?;
        let value = match found.as_slice() {
            [low, high] => f64::from(*low) * (1.0 - weight) + f64::from(*high) * weight,
            [only] => f64::from(*only),
            _ => f64::NAN,
        };
        Ok(value.is_finite().then_some(value))
    }

    /// The largest step at a seam. The caller will use a measured value for a decision.
    fn seam_step_db(&self) -> f64 {
        self.host.uses_measurement();
        self.summary.seam_step_db()
    }

    fn slice(&self, from_nm: f64, to_nm: f64) -> Self {
        let asked = self.grid().indices(from_nm, to_nm);
        let start = asked.start.clamp(self.range.start, self.range.end);
        let end = asked.end.clamp(start, self.range.end);
        Self { range: start..end, ..self.clone() }
    }

    /// The width at `level_db` relative to the extreme. A negative level is below the maximum (`-3`: the 3 dB
    /// bandwidth of a filter), a positive one above the minimum (the width of a dip).
    ///
    /// The width reaches from the extreme to the first crossing on each side. A crossing is interpolated linearly
    /// between its two points. Values that are not finite are skipped. `None` if the trace ends before a crossing, or
    /// has no finite value.
    fn bandwidth_nm(&self, level_db: f64) -> Result<Option<f64>, Fault> {
        let figures = self.figures()?;
        let Some(extreme) = (if level_db < 0.0 { figures.max } else { figures.min }) else { return Ok(None) };
        let level = extreme.value + level_db;
        let centre = self.grid().indices(extreme.nm, extreme.nm).start;
        let reader = self.open()?;
        let side = |range: Range<u64>, first_counts: bool| -> Result<Option<f64>, Fault> {
            let mut crossing = None;
            let mut before: Option<(f64, f64)> = None;
            reader.read(range, &mut |first, values| {
                for (index, value) in (first..).zip(values).filter(|(_, value)| value.is_finite()) {
                    let here = (self.grid().wavelength_nm(index), f64::from(*value) - level);
                    if let Some(last) = before
                        && (last.1 < 0.0) != (here.1 < 0.0)
                        && !(first_counts && crossing.is_some())
                    {
                        crossing = Some(last.0 + (here.0 - last.0) * last.1 / (last.1 - here.1));
                    }
                    before = Some(here);
                }
            })?;
            Ok(crossing)
        };
        // To the right of the centre, the first crossing is the nearest one; to the left, the last one is.
        let right = side(centre..self.range.end, true)?;
        let left = side(self.range.start..(centre + 1).min(self.range.end), false)?;
        Ok(left.zip(right).map(|(left, right)| right - left))
    }
}

/// One of the figures.
type Figure = fn(Figures) -> Option<f64>;

/// Registers the methods. A method returns `()` if there is no finite value.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Trace>("Trace");
    figures::register(engine);
    let figures: [(&str, Figure); 5] = [
        ("min_db", |figures| figures.min.map(|min| min.value)),
        ("min_nm", |figures| figures.min.map(|min| min.nm)),
        ("max_db", |figures| figures.max.map(|max| max.value)),
        ("max_nm", |figures| figures.max.map(|max| max.nm)),
        ("mean_db", |figures| figures.mean),
    ];
    for (name, figure) in figures {
        engine.register_fn(
            name,
            move |call: NativeCallContext, trace: &mut Trace| -> ScriptResult<Dynamic> {
                let figures = trace.figures().map_err(|fault| raise(fault, &call))?;
                Ok(or_unit(figure(figures)))
            },
        );
    }
    for_numbers(engine, "at", |call, trace, nm| {
        let half_step = trace.grid().step_pm * 0.5e-3;
        let inside = trace.start_nm() - half_step <= nm && nm <= trace.stop_nm() + half_step;
        if trace.points() == 0 || !inside {
            let (start, stop) = (trace.start_nm(), trace.stop_nm());
            return Err(raise_mistake(
                format!("`{nm}` nm is outside the trace ({start} to {stop} nm)"),
                None,
                call,
            ));
        }
        trace.at(nm).map(or_unit).map_err(|fault| raise(fault, call))
    });
    for_numbers(engine, "bandwidth_nm", |call, trace, level_db| {
        if !level_db.is_finite() || level_db == 0.0 {
            let hint = Some("`-3`: 3 dB below the maximum; `3`: 3 dB above the minimum".to_owned());
            return Err(raise_mistake(
                format!("the trace has no bandwidth at level `{level_db}` dB"),
                hint,
                call,
            ));
        }
        trace.bandwidth_nm(level_db).map(or_unit).map_err(|fault| raise(fault, call))
    });
    engine
        .register_fn("slice", |trace: &mut Trace, from: f64, to: f64| trace.slice(from, to))
        .register_fn("slice", |trace: &mut Trace, from: i64, to: i64| trace.slice(float(from), float(to)))
        .register_fn("slice", |trace: &mut Trace, from: f64, to: i64| trace.slice(from, float(to)))
        .register_fn("slice", |trace: &mut Trace, from: i64, to: f64| trace.slice(float(from), to))
        .register_fn("points", |trace: &mut Trace| i64::try_from(trace.points()).unwrap_or(i64::MAX))
        .register_fn("start_nm", |trace: &mut Trace| trace.start_nm())
        .register_fn("stop_nm", |trace: &mut Trace| trace.stop_nm())
        .register_fn("step_pm", |trace: &mut Trace| trace.grid().step_pm)
        .register_fn("seam_step_db", |trace: &mut Trace| trace.seam_step_db())
        .register_fn("file", |trace: &mut Trace| trace.summary.file.clone());
}

/// Registers a method with one number, which may be written with or without a decimal point.
fn for_numbers(
    engine: &mut Engine,
    name: &str,
    method: fn(&NativeCallContext, &Trace, f64) -> ScriptResult<Dynamic>,
) {
    engine
        .register_fn(name, move |call: NativeCallContext, trace: &mut Trace, x: f64| method(&call, trace, x));
    engine.register_fn(name, move |call: NativeCallContext, trace: &mut Trace, x: i64| {
        method(&call, trace, float(x))
    });
}

#[expect(clippy::cast_precision_loss, reason = "wavelengths and levels are small numbers")]
fn float(number: i64) -> f64 {
    number as f64
}

fn or_unit(value: Option<f64>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Dynamic::from)
}
