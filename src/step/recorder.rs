//! A host for tests: it records the steps of a recipe and returns plausible outcomes.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{Fault, FaultKind, Forecast, Host, OnError, Step, Suspension, TraceReader};
use crate::measurement::{Extreme, Grid, PowerReading, PowerUnit, TraceSummary};
use crate::operation::Operation;
use crate::step::Outcome;

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
    let Operation::FetchTrace(fetch) = &step.operation else { panic!() };
    TraceSummary {
        trace_index: index + 1,
        sweep_index: 1,
        attempt: 1,
        detector: fetch.detectors[0],
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
    }
}

impl Host for Recorder {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        if self.stopping() {
            return Err(Self::stopped());
        }
        let outcome = match &step.operation {
            Operation::Log(log) if log.message == "stop" => {
                self.stopped.store(true, Ordering::SeqCst);
                return Err(Self::stopped());
            }
            Operation::Log(log) if log.message == "fail" => {
                let fault = Fault::new(FaultKind::Instrument, "it failed").hint("try it by hand");
                if step.options.on_error == OnError::Stop {
                    return Err(fault);
                }
                Outcome::Failed(fault)
            }
            Operation::FetchTrace(fetch) => {
                let count = u64::try_from(fetch.detectors.len() * fetch.traces.len()).unwrap();
                Outcome::Traces((0..count).map(|index| summary(&step, index)).collect())
            }
            Operation::ReadPower(read) => {
                let reading = |detector| PowerReading {
                    detector,
                    value: Some(-12.5),
                    unit: PowerUnit::Dbm,
                    calibration_nm: Some(1550.0),
                    time_s: 0.0,
                };
                let each = read.detectors.iter().flat_map(|d| vec![reading(*d); read.samples as usize]);
                Outcome::Power(each.collect())
            }
            Operation::Prompt(_) => Outcome::Answer("yes".into()),
            Operation::Scpi(scpi) if scpi.is_query => Outcome::Reply("1".into()),
            Operation::Http(http) => {
                Outcome::Http { status: 200, reply: http.assume.clone().unwrap_or_default() }
            }
            Operation::CreateReference(_) => Outcome::Reference { created: true },
            Operation::ConfigureScan(scan) => {
                Outcome::Settings(serde_json::to_value(scan).unwrap().as_object().unwrap().clone())
            }
            _ => Outcome::Done,
        };
        self.steps.lock().unwrap().push(step);
        Ok(outcome)
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        Ok(Arc::new(Dip(trace.grid)))
    }

    fn now(&self) -> Result<f64, Fault> {
        Ok(1e9)
    }

    fn stopping(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) && !self.finally.load(Ordering::SeqCst)
    }

    fn begin_finally(&self) {
        assert!(!self.finally.swap(true, Ordering::SeqCst), "finally begins once");
    }

    fn suspension(&self) -> Option<&dyn Suspension> {
        None
    }

    fn forecast(&self) -> Option<&dyn Forecast> {
        Some(self)
    }
}

impl Forecast for Recorder {
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
