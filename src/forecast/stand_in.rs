//! Assumed results for measurements in the forecast. They only let the recipe continue and are never reported.

mod figures;

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::bench::{ASSUMED_SPEED_NM_S, BenchState, Source};
use crate::measurement::{Detector, Extreme, Grid, PowerReading, PowerUnit, TraceKind, TraceSummary};
use crate::operation::{AlignPart, Exchange, Lasers, Operation, OperationTraits, Question, ResultKind};
use crate::step::align::Alignment;
use crate::step::{Fault, Outcome, TraceReader};

/// Level of a trace outside its dip, dB or dBm.
const LEVEL: f64 = -3.0;
/// Depth of the dip in the middle of every trace, dB.
const DEPTH_DB: f64 = 20.0;
/// A steady reading.
const POWER_DBM: f64 = -10.0;
/// Largest number of assumed readings; recipes do not need more in a forecast.
const MOST_READINGS: usize = 10_000;

/// A flat trace with one dip in the middle.
pub(super) struct StandInTrace {
    grid: Grid,
}

impl StandInTrace {
    pub(super) fn new(grid: Grid) -> Self {
        Self { grid }
    }

    /// A Lorentzian with a width of a fiftieth of the trace.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a stand-in")]
    fn value(&self, index: u64) -> f32 {
        let points = self.grid.points as f64;
        let off = (index as f64 - (self.grid.points / 2) as f64) / (points / 100.0).max(1.0);
        (LEVEL - DEPTH_DB / (1.0 + off * off)) as f32
    }
}

impl TraceReader for StandInTrace {
    fn grid(&self) -> Grid {
        self.grid
    }

    fn read(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault> {
        const PIECE: u64 = 65_536;
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE);
            let values: Vec<f32> = (start..end).map(|index| self.value(index)).collect();
            take(start, &values);
            start = end;
        }
        Ok(())
    }
}

/// The assumed result of an operation. `traces` is the number of earlier traces.
pub(super) fn outcome(operation: &Operation, bench: &BenchState, traces: u64, time_s: f64) -> Outcome {
    let traits = operation.traits();
    match Operation::result_kind(operation.name()).unwrap_or(ResultKind::Nothing) {
        ResultKind::Nothing => Outcome::Done,
        ResultKind::Settings => settings(operation, settings_of(&traits, bench)),
        ResultKind::Reference => Outcome::Reference { created: true },
        ResultKind::Traces => {
            let fetches = traits.fetch().into_iter();
            let each = fetches.flat_map(|fetch| {
                let detectors = fetch.detectors.iter();
                detectors.flat_map(|detector| fetch.traces.iter().map(move |trace| (*detector, *trace)))
            });
            let unit = |detector: &Detector, trace: TraceKind| {
                let is_photocurrent = bench.photocurrent.contains(detector);
                traits.fetch().map_or(trace.unit(), |fetch| fetch.unit_of(trace, is_photocurrent))
            };
            let summaries = each.zip(traces + 1..).map(|((detector, trace), index)| TraceSummary {
                name: traits.name.unwrap_or_default().to_owned(),
                unit: unit(&detector, trace).symbol().to_owned(),
                ..summary(index, detector, trace, bench)
            });
            Outcome::Traces(summaries.collect())
        }
        ResultKind::Analysis => {
            let grid = bench.swept.unwrap_or_else(|| bench.grid());
            let middle_nm = grid.wavelength_nm(grid.points / 2);
            let assumed = traits.analysis.map(|fields| figures::analysis(fields, middle_nm));
            Outcome::Analysis(Box::new(assumed.unwrap_or_default()))
        }
        ResultKind::Power => {
            let sample = traits.detectors.iter().map(|detector| PowerReading {
                detector: *detector,
                value: Some(POWER_DBM),
                unit: PowerUnit::Dbm,
                calibration_nm: bench.calibrated_nm.get(detector).copied(),
                time_s,
            });
            let samples = match traits.exchange {
                Exchange::Readings(samples) => samples,
                Exchange::Nothing
                | Exchange::Commands
                | Exchange::Values
                | Exchange::WatchesPower
                | Exchange::JudgesPower
                | Exchange::Traces => 1,
            };
            let samples = std::iter::repeat_n(sample, samples as usize);
            Outcome::Power(samples.flatten().take(MOST_READINGS).collect())
        }
        ResultKind::Alignment => Outcome::Alignment(alignment(&traits)),
        ResultKind::Answer => {
            let answer = match traits.question {
                Question::Prompt(prompt) => {
                    prompt.unattended.clone().or_else(|| prompt.choices.first().cloned())
                }
                Question::None | Question::Connect(_) => None,
            };
            Outcome::Answer(answer.unwrap_or_default())
        }
        ResultKind::Reply => match traits.line {
            Some(scpi) if scpi.is_query => {
                scpi.assume.clone().unwrap_or_else(|| scpi.parse.stand_in()).into()
            }
            Some(_) | None => Outcome::Done,
        },
        ResultKind::Http => {
            let status = traits.request.and_then(|http| http.expect_status.first().copied());
            let reply = traits.request.and_then(|http| http.assume.clone());
            Outcome::Http { status: status.unwrap_or(200), reply: reply.unwrap_or_else(|| json!({})) }
        }
    }
}

/// An alignment is assumed to need one attempt, so that its steps are checked and planned.
fn alignment(traits: &OperationTraits<'_>) -> Alignment {
    let Some(part) = traits.alignment.and_then(|align| align.part) else { return Alignment::assumed() };
    let without_steps = traits.alignment.is_none_or(|align| align.attempts == 0);
    let is_good = part.attempt > 0 || without_steps;
    Alignment::judge(
        Some(POWER_DBM),
        AlignPart { needed_dbm: Some(if is_good { POWER_DBM } else { POWER_DBM + 1.0 }), ..part },
    )
}

/// The settings that would be read back, as far as the forecast knows or assumes them.
fn settings_of(traits: &OperationTraits<'_>, bench: &BenchState) -> Value {
    if traits.scan.is_some() {
        return scan(bench);
    }
    match traits.lasers {
        Lasers::Source { tls: number, .. } => {
            let source = bench.sources.get(&number).copied().unwrap_or_default();
            tls(&source, bench)
        }
        Lasers::Static { laser, .. } => {
            let on = bench.lasers_on.contains(&laser);
            json!({ "power_dbm": 0.0, "wavelength_nm": bench.grid().start_nm, "output": on })
        }
        Lasers::None | Lasers::OfScan | Lasers::Any => {
            json!({ "power_unit": "dBm", "spectral_unit": "nm", "wavelength_nm": 1550.0, "trigger_in": 0 })
        }
    }
}

fn scan(bench: &BenchState) -> Value {
    let grid = bench.grid();
    json!({
        "start_nm": grid.start_nm,
        "stop_nm": grid.stop_nm(),
        "resolution_pm": grid.step_pm,
        "stabilization_s": bench.stabilization.seconds,
        "keep_lasers_on": bench.stabilization.output,
    })
}

fn tls(source: &Source, bench: &BenchState) -> Value {
    let grid = bench.grid();
    json!({
        "laser": source.laser.unwrap_or(1),
        "start_nm": source.start_nm.unwrap_or(grid.start_nm),
        "stop_nm": source.stop_nm.unwrap_or(grid.stop_nm()),
        "speed_nm_s": source.speed_nm_s.unwrap_or(ASSUMED_SPEED_NM_S),
        "power_dbm": source.power_dbm.unwrap_or_default(),
        "trigger_in": 0,
    })
}

/// The settings that would be read back: all of them, with the values that were set.
fn settings(operation: &Operation, all: Value) -> Outcome {
    let mut settings = match all {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    if let Ok(Value::Object(operation)) = serde_json::to_value(operation)
        && let Some(Value::Object(fields)) = operation.into_values().next()
    {
        settings
            .extend(fields.into_iter().filter(|(name, _)| settings.contains_key(name)).collect::<Vec<_>>());
    }
    Outcome::Settings(settings)
}

fn summary(trace_index: u64, detector: Detector, trace: TraceKind, bench: &BenchState) -> TraceSummary {
    let grid = bench.swept.unwrap_or_else(|| bench.grid());
    TraceSummary {
        trace_index,
        sweep_index: bench.sweeps,
        attempt: 1,
        detector,
        detector_name: None,
        trace,
        unit: trace.unit().symbol().to_owned(),
        name: String::new(),
        file: String::new(),
        bytes: 0,
        sha256: String::new(),
        grid,
        nulls: 0,
        min: Some(Extreme { value: LEVEL - DEPTH_DB, nm: grid.wavelength_nm(grid.points / 2) }),
        max: Some(Extreme { value: LEVEL, nm: grid.start_nm }),
        mean: Some(LEVEL),
        above_reference_db: None,
        reference: None,
        seams: Vec::new(),
        turns: Vec::new(),
    }
}
