//! What to run, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::budget::Budget;
use crate::equipment::Live;
use crate::forecast::allowed::{self, Allowed};
use crate::forecast::{Circumstances, Walk, foreseen_columns, plan, taken_columns};
use crate::http::AllowedHosts;
use crate::instrument::{Ctp10, Target};
use crate::measurement::Detector;
use crate::operation::Constant;
use crate::power::PowerMonitor;
use crate::recipe::{Recipe, WrittenColumns};
use crate::run::prepare;
use crate::run::resume::start::Resumption;
use crate::run::state::configuration::lasers_in_static_control;
use crate::run::state::status::RunStatus;
use crate::source::Diagnostic;
use crate::store::{FleetRecord, InstrumentRecord, NamedRecord, RunFolder};

/// A recipe to be run, and how.
#[derive(Debug)]
pub struct RunRequest {
    /// The recipe with its parameters.
    pub recipe: Arc<Recipe>,
    /// The recipe's path as it was given.
    pub path: String,
    /// Added to the recipe's metadata.
    pub metadata: BTreeMap<String, Value>,
    /// Columns for every trace file, beside the recipe's own.
    pub columns: BTreeMap<String, Constant>,
    /// Options of the embedded instrument, if this process started one.
    pub simulator: Option<Value>,
    /// The instrument was named for this very run, so the recipe's own `instrument` is not compared with it.
    pub instrument_named: bool,
    /// The run may only use this instrument, whatever the recipe names.
    pub only_on: Option<Target>,
    /// Each prompt takes its `unattended` answer.
    pub unattended: bool,
    /// The run is an item of a batch: after a good end, some named instruments stay as they are for the next item.
    pub is_item: bool,
    /// The item of a queue of many benches that the run measures.
    pub fleet: Option<FleetRecord>,
    /// An operator is at the terminal.
    pub at_terminal: bool,
    /// The steps that the recipe is expected to perform, and the findings in it.
    pub walked: Walk,
    /// How to resume an interrupted run; `None` for a new one.
    pub resumed: Option<Resumption>,
    /// The claimed folder of the interrupted run; `None` for a new run, which gets a folder of its own.
    pub folder: Option<RunFolder>,
    /// The state of the interrupted run; the default for a new one.
    pub status: RunStatus,
}

/// Where a run takes place: the instrument as it was identified, the run folder, and the rules of the bench.
#[derive(Debug)]
pub struct Site {
    /// The instrument, under the limits that hold for this run.
    pub instrument: Ctp10,
    /// Live power of the instrument.
    pub monitor: PowerMonitor,
    /// The instrument as it was identified.
    pub record: InstrumentRecord,
    /// The detectors of the recipe that are present.
    pub detectors: BTreeSet<Detector>,
    /// The run folder.
    pub folder: RunFolder,
    /// The named instruments that the run may reach.
    pub live: Live,
    /// The named instruments that the recipe is known to use, as they were identified.
    pub named: Vec<NamedRecord>,
    /// Named instruments that earlier items of a batch have left as they were.
    pub kept: BTreeSet<String>,
    /// The CTP10 is embedded in this process and ends with it.
    pub is_embedded: bool,
    /// The hosts that `http` operations may reach.
    pub allow_http: AllowedHosts,
    /// How long the run waits.
    pub times: Times,
}

/// How long a run waits before it acts or gives up.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// After a pause of this length, the lasers turn off until the run continues.
    pub dark_after: Duration,
    /// The longest silence that the watchdog allows the run; `None`: no watchdog.
    pub guard_after: Option<Duration>,
    /// How long the run waits for free disk space.
    pub disk_full_wait: Duration,
    /// How long a question waits for an answer once an operator was present; `None`: without limit.
    pub answer_wait: Option<Duration>,
}

/// The detectors and lasers that a recipe is known to use, beside the sources of its scans.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// Detectors.
    pub detectors: BTreeSet<Detector>,
    /// Lasers in static control.
    pub lasers: BTreeSet<u8>,
}

impl RunRequest {
    /// A request to run a recipe at a bench. The recipe is walked, so that its errors are known before any instrument
    /// is touched.
    pub async fn new(
        recipe: Recipe,
        path: String,
        circumstances: Circumstances,
        bench: &Allowed,
        budget: &Budget,
    ) -> Self {
        let recipe = Arc::new(recipe);
        let mut walked = prepare::walk(&recipe, circumstances, budget).await;
        walked.findings.extend(allowed::check(&recipe, &walked.all(), bench));
        Self {
            recipe,
            path,
            metadata: BTreeMap::new(),
            columns: BTreeMap::new(),
            simulator: None,
            instrument_named: false,
            only_on: None,
            unattended: false,
            is_item: false,
            fleet: None,
            at_terminal: false,
            walked,
            resumed: None,
            folder: None,
            status: RunStatus::default(),
        }
    }

    /// The findings in the recipe.
    #[must_use]
    pub fn findings(&self) -> Vec<Diagnostic> {
        let taken = taken_columns(&self.columns, &self.recipe, &self.walked.steps);
        self.recipe.diagnostics().iter().chain(&self.walked.findings).cloned().chain(taken).collect()
    }

    /// Why the recipe must not run on this instrument: it names another one. This prevents that a simulation or a
    /// measurement starts by accident.
    #[must_use]
    pub fn other_instrument(&self, found: &Target, simulated: bool) -> Option<Diagnostic> {
        let header = self.recipe.header();
        let (written, target) = (header.instrument.as_ref()?, header.target()?);
        let is_named = self.instrument_named || self.only_on.is_some();
        (!target.means(found, simulated) && !is_named).then(|| {
            let message =
                format!("the recipe requires `instrument: {written}`, but this instrument is {found}");
            Diagnostic::error(message).hint(format!("name the instrument for this run: `{found}`"))
        })
    }

    /// The number of operations and their time in seconds, if both are known beforehand.
    pub(super) fn expected(&self) -> Option<(u64, f64)> {
        let totals = plan::total(&self.walked.steps);
        let known = self.walked.complete && !totals.may_differ;
        known.then_some((self.walked.steps.len() as u64, totals.seconds))
    }

    /// The columns that the recipe itself writes, as far as they are known.
    pub(super) fn own_columns(&self) -> WrittenColumns {
        foreseen_columns(&self.recipe, &self.walked.steps)
    }

    /// The named instruments that the recipe is known to use.
    #[must_use]
    pub fn named_instruments(&self) -> BTreeSet<String> {
        let all = self.walked.all();
        all.iter()
            .filter_map(|planned| planned.step.operation.traits().named.map(|named| named.name.to_owned()))
            .collect()
    }

    /// The lasers that the recipe is known to use in static control.
    pub(super) fn static_lasers(&self) -> BTreeSet<u8> {
        let all = self.walked.all();
        all.iter().flat_map(|planned| lasers_in_static_control(&planned.step.operation)).collect()
    }
}

/// Why a request must not be fulfilled with an instrument: it names another one.
#[must_use]
pub fn other_than_named(named: &Target, found: &Target, simulated: bool) -> Option<String> {
    (!named.means(found, simulated))
        .then(|| format!("the request names the instrument `{named}`, but this instrument is {found}"))
}
