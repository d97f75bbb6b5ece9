//! The constant columns of the run's trace files. Each column has one type in all files of the run. Values written in
//! the recipe decide the type before the first file; otherwise the first file decides. The journal records the decision
//! for a resumed run.

use std::collections::BTreeMap;

use super::Engine;
use crate::measurement::{Detector, TRACE_COLUMNS};
use crate::operation::{Constant, FetchTrace, plain};
use crate::recipe::WrittenColumns;
use crate::run::context::StepContext;
use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::run::resume::transcript::Transcript;
use crate::step::{Column, ColumnType, ColumnValue, DETECTOR_COLUMN, DecidedBy, Fault, Outcome, columns};

/// The columns of a run.
#[derive(Debug, Clone, Default)]
pub(in crate::run) struct Columns {
    /// The columns of the recipe. `None` if only the run can decide the type.
    own: WrittenColumns,
    /// The columns from a batch, which have the same value in every file.
    given: BTreeMap<String, Constant>,
}

/// The constants of one fetch, and the types that its first file decides.
#[derive(Debug, Default)]
pub(in crate::run) struct FetchColumns {
    values: BTreeMap<String, ColumnValue>,
    pub(super) new: BTreeMap<String, Column>,
    /// Whether the files get the name of the detector.
    names_detector: bool,
}

impl Columns {
    /// The columns of a run: those of the recipe (`own`), and those that were `given` to the run.
    #[must_use]
    pub(in crate::run) fn new(own: WrittenColumns, given: BTreeMap<String, Constant>) -> Self {
        // If both have a column of the same name, the recipe's column is used.
        let free = |name: &String| !own.contains_key(name) && !TRACE_COLUMNS.contains(&name.as_str());
        let given: BTreeMap<_, _> = given.into_iter().filter(|(name, _)| free(name)).collect();
        Self { own, given }
    }

    /// Emits the types that written values decide. Decisions of earlier processes of the run hold.
    pub(in crate::run) fn begin(&self, earlier: &Transcript, log: &RunLog) -> Result<(), Fault> {
        let mut columns = self.written();
        columns.extend(stored_columns(earlier));
        let known = log.history(|history| history.columns.clone());
        columns.extend(known.clone());
        if columns == known { Ok(()) } else { log.emit(RunEvent::ColumnsDecided { columns }) }
    }

    /// The types that the written values decide.
    fn written(&self) -> BTreeMap<String, Column> {
        let by_recipe = |kind| Column { kind, by: DecidedBy::Recipe };
        let own = self.own.iter().filter_map(|(name, kind)| Some((name.clone(), by_recipe((*kind)?))));
        let of_batch =
            self.given.iter().map(|(name, value)| (name.clone(), by_recipe(ColumnType::of(value))));
        own.chain(of_batch).collect()
    }
}

/// The columns of the stored files. Old journals do not record how the types were decided.
fn stored_columns(past: &Transcript) -> BTreeMap<String, Column> {
    let mut found = BTreeMap::new();
    for step in past.steps() {
        if let (Some(fetch), Some(Ok(Outcome::Traces(_)))) =
            (step.step.operation.traits().fetch(), &step.told)
        {
            for (name, value) in columns(fetch, &step.step.place) {
                let column = Column { kind: ColumnType::of(&value), by: DecidedBy::FirstFile };
                found.entry(name).or_insert(column);
            }
        }
    }
    found
}

impl Engine {
    /// The constants for the traces of a fetch. If a value does not fit the type of its column, null is stored and a
    /// warning is emitted.
    pub(in crate::run) fn fetch_columns(
        &self,
        ctx: &StepContext,
        fetch: &FetchTrace,
    ) -> Result<FetchColumns, Fault> {
        let own = columns(fetch, &ctx.step.place);
        let mut found = FetchColumns {
            names_detector: !self.output.columns.own.contains_key(DETECTOR_COLUMN)
                && !own.contains_key(DETECTOR_COLUMN),
            ..FetchColumns::default()
        };
        let given = self.output.columns.given.iter();
        let given = given.filter(|(name, _)| {
            let taken = own.contains_key(*name) || found.names_detector && *name == DETECTOR_COLUMN;
            !taken
        });
        let given: Vec<(String, Constant)> =
            given.map(|(name, value)| (name.clone(), value.clone())).collect();
        let decided = self.log.history(|history| history.columns.clone());
        for (name, value) in own.into_iter().chain(given) {
            let column = decided.get(&name).copied().unwrap_or_else(|| {
                let column = Column { kind: ColumnType::of(&value), by: DecidedBy::FirstFile };
                found.new.insert(name.clone(), column);
                column
            });
            let held = column.hold(value.clone());
            if held.is_none() {
                self.log.emit(RunEvent::Warning { message: mismatch(&name, column.kind, &value) })?;
            }
            found.values.insert(name, ColumnValue::new(column.kind, held));
        }
        Ok(found)
    }

    /// The constants for a trace of one detector.
    pub(in crate::run) fn constants(
        &self,
        ctx: &StepContext,
        columns: &FetchColumns,
        detector: Detector,
    ) -> BTreeMap<String, ColumnValue> {
        let mut values = columns.values.clone();
        if columns.names_detector {
            values.insert(
                DETECTOR_COLUMN.to_owned(),
                ColumnValue::Text(Some(self.detector_name(ctx, detector))),
            );
        }
        values
    }

    /// The name that the recipe gives to a detector, or `module/channel`.
    pub(in crate::run) fn detector_name(&self, ctx: &StepContext, detector: Detector) -> String {
        let named = self.recipe.detector_name(&ctx.step.place.path, detector);
        named.map_or_else(|| detector.to_string(), str::to_owned)
    }

    /// The first file of the fetch is stored, so the types of its new columns hold for all later files.
    pub(in crate::run) fn decide_columns(&self, new: &mut BTreeMap<String, Column>) -> Result<(), Fault> {
        let new = std::mem::take(new);
        if new.is_empty() {
            return Ok(());
        }
        self.log.emit(RunEvent::ColumnsDecided { columns: new })
    }
}

fn mismatch(name: &str, kind: ColumnType, value: &Constant) -> String {
    let (holds, is) = match kind {
        ColumnType::Number => ("numbers", "a text"),
        ColumnType::Text => ("texts", "a number"),
    };
    let value = plain(&serde_json::json!(value));
    format!(
        "column `{name}` contains {holds} in the files of this run, but `{value}` is {is}: null is stored"
    )
}
