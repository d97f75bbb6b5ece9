//! A host for tests: it records the steps of a recipe and returns plausible outcomes.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::align::Alignment;
use super::{Fault, FaultKind, Forecast, Host, Now, OnError, RunTime, Step, Suspension, TraceReader};
use crate::local_time::Moment;
use crate::measurement::{Extreme, Grid, PowerReading, PowerUnit, TraceSummary};
use crate::operation::{Align, Exchange, Operation, ResultKind, Wait};
use crate::step::Outcome;

/// The time at which a recipe begins, s since 1970.
pub(crate) const BEGAN_S: f64 = 1e9;

/// Records the steps of a recipe. The text of a `log` step can control it: `fail` fails, `stop` stops the run.
#[derive(Default)]
pub(crate) struct Recorder {
    steps: Mutex<Vec<Step>>,
    pub(crate) stopped: AtomicBool,
    pub(crate) finally: AtomicBool,
    uses: AtomicU64,
}

impl Recorder {
    /// A recorder that performs steps through an [`Arc`], as recipes need it.
    pub(crate) fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// The steps that were performed.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }

    /// A short text for each step that was performed: the name of its operation, or the text of a `log`.
    pub(crate) fn performed(&self) -> Vec<String> {
        let short = |step: Step| match step.operation {
            Operation::Log(log) => log.message,
            other => other.name().to_owned(),
        };
        self.steps().into_iter().map(short).collect()
    }

    /// How often a measured value decided how the recipe continued.
    pub(crate) fn uses(&self) -> u64 {
        self.uses.load(Ordering::SeqCst)
    }

    fn stopped() -> Fault {
        Fault::new(FaultKind::Stopped, "the run is being stopped")
    }
}

/// A dip of 20 dB at 1550 nm: falls and rises by 10 dB/nm, 0 dB beyond 2 nm.
pub(crate) fn dip(nm: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "that is what a trace holds")]
    let level = (-20.0 + 10.0 * (nm - 1550.0).abs()).min(0.0) as f32;
    level
}

fn summary(step: &Step, index: u64) -> TraceSummary {
    let fetch = step.operation.traits().fetch().unwrap();
    TraceSummary {
        trace_index: index + 1,
        sweep_index: 1,
        attempt: 1,
        detector: fetch.detectors[0],
        detector_name: None,
        trace: fetch.traces[0],
        unit: "dB".into(),
        name: fetch.name.clone().unwrap_or_default(),
        file: format!("traces/{:04}.parquet", index + 1),
        bytes: 1,
        sha256: String::new(),
        grid: Grid { start_nm: 1545.0, step_pm: 10.0, points: 1001 },
        nulls: 0,
        min: Some(Extreme { value: -20.0, nm: 1550.0 }),
        max: Some(Extreme { value: 0.0, nm: 1545.0 }),
        mean: Some(-4.0),
        above_reference_db: None,
        reference: None,
        seams: Vec::new(),
        turns: Vec::new(),
    }
}

/// An outcome of the kind that the operation has.
fn plausible(step: &Step) -> Outcome {
    let traits = step.operation.traits();
    match Operation::result_kind(step.operation.name()).unwrap() {
        ResultKind::Nothing => Outcome::Done,
        ResultKind::Settings => {
            let fields = serde_json::to_value(&step.operation).unwrap()[step.operation.name()].clone();
            Outcome::Settings(fields.as_object().unwrap().clone())
        }
        ResultKind::Reference => Outcome::Reference { created: true },
        ResultKind::Traces => {
            let fetch = traits.fetch().unwrap();
            let count = u64::try_from(fetch.detectors.len() * fetch.traces.len()).unwrap();
            Outcome::Traces((0..count).map(|index| summary(step, index)).collect())
        }
        ResultKind::Analysis => Outcome::Analysis(Box::default()),
        ResultKind::Power => {
            let Exchange::Readings(samples) = traits.exchange else { panic!("{:?}", traits.exchange) };
            let reading = |detector| PowerReading {
                detector,
                value: Some(-12.5),
                unit: PowerUnit::Dbm,
                calibration_nm: Some(1550.0),
                time_s: 0.0,
            };
            let each = traits.detectors.iter().flat_map(|d| vec![reading(*d); samples as usize]);
            Outcome::Power(each.collect())
        }
        ResultKind::Alignment => {
            let align = traits.alignment.unwrap();
            let part = align.part.unwrap();
            let power_dbm = part.needed_dbm.filter(|_| part.attempt > 0).or(Some(-90.0));
            Outcome::Alignment(Alignment::judge(power_dbm, part))
        }
        ResultKind::Answer => Outcome::Answer("yes".into()),
        ResultKind::Reply if traits.line.is_some_and(|scpi| !scpi.is_query) => Outcome::Done,
        ResultKind::Reply => Outcome::Reply("1".into()),
        ResultKind::Http => {
            let reply = traits.request.and_then(|http| http.assume.clone());
            Outcome::Http { status: 200, reply: reply.unwrap_or_default() }
        }
    }
}

impl Host for Recorder {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        if self.stopping() {
            return Err(Self::stopped());
        }
        let said = if let Operation::Log(log) = &step.operation { log.message.as_str() } else { "" };
        if said == "stop" {
            self.stopped.store(true, Ordering::SeqCst);
            return Err(Self::stopped());
        }
        let is_failed_alignment = |align: &Align| align.part.is_some_and(|part| part.has_failed);
        let fails = said == "fail" || step.operation.traits().alignment.is_some_and(is_failed_alignment);
        let outcome = if fails {
            let fault = Fault::new(FaultKind::Instrument, "it failed").hint("try it by hand");
            if step.options.on_error == OnError::Stop {
                return Err(fault);
            }
            Outcome::Failed(fault)
        } else {
            plausible(&step)
        };
        self.steps.lock().unwrap().push(step);
        Ok(outcome)
    }

    fn perform_later(&self, step: Step) -> Result<(), Fault> {
        self.perform(step).map(drop)
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        Ok(Arc::new(Dip(trace.grid)))
    }

    fn now(&self) -> Result<Now, Fault> {
        // The time passes only in waits.
        let steps = self.steps();
        let waited = steps.iter().map(|step| match &step.operation {
            Operation::Wait(Wait::Seconds(seconds)) => seconds.get(),
            _ => 0.0,
        });
        let elapsed_s = waited.sum::<f64>();
        Ok(Now { wall: Moment::here(BEGAN_S + elapsed_s), run: RunTime { elapsed_s, process: 0 } })
    }

    fn stopping(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) && !self.finally.load(Ordering::SeqCst)
    }

    fn begin_finally(&self) {
        assert!(!self.finally.swap(true, Ordering::SeqCst), "finally begins once");
    }

    fn coupling_is_doubtful(&self) -> bool {
        false
    }

    fn suspension(&self) -> Option<&dyn Suspension> {
        None
    }

    fn forecast(&self) -> Option<&dyn Forecast> {
        Some(self)
    }
}

impl Forecast for Recorder {
    fn branch(&self, _steps: &mut dyn FnMut() -> Result<(), Fault>) {}

    fn outside_plan(&self, _steps: &mut dyn FnMut() -> Result<(), Fault>) {}

    fn assume_performed(&self, _step: &Step) {}

    fn uses_measurement(&self) {
        self.uses.fetch_add(1, Ordering::SeqCst);
    }
}

struct Dip(Grid);

impl TraceReader for Dip {
    fn grid(&self) -> Grid {
        self.0
    }

    fn read(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault> {
        let values: Vec<f32> = range.clone().map(|index| dip(self.0.wavelength_nm(index))).collect();
        for (piece, first) in values.chunks(300).zip(range.step_by(300)) {
            take(first, piece);
        }
        Ok(())
    }
}
