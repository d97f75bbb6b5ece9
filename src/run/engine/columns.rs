//! The constant columns of the run's trace files. Each column has one type in all files of the run: written values decide
//! before the first file, and otherwise the first file does. The journal keeps the decision for a run that is resumed.

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

/// What is known of the columns of a run.
#[derive(Debug, Clone, Default)]
pub(in crate::run) struct Columns {
    /// The recipe's own; `None` where only the run can tell the type.
    own: WrittenColumns,
    /// Those that a batch gives: the same in every file.
    given: BTreeMap<String, Constant>,
}

/// The constants of one fetch, and the decisions that its first file makes.
#[derive(Debug, Default)]
pub(in crate::run) struct FetchColumns {
    values: BTreeMap<String, ColumnValue>,
    new: BTreeMap<String, Column>,
    /// The files get the detector's name.
    names_detector: bool,
}

impl Columns {
    /// Those of a run with the recipe's columns `own`, which has been given others.
    #[must_use]
    pub(in crate::run) fn new(own: WrittenColumns, given: BTreeMap<String, Constant>) -> Self {
        // Where a name is taken, the recipe's column stays.
        let free = |name: &String| !own.contains_key(name) && !TRACE_COLUMNS.contains(&name.as_str());
        let given: BTreeMap<_, _> = given.into_iter().filter(|(name, _)| free(name)).collect();
        Self { own, given }
    }

    /// Emits the types that the written values have decided. The decisions of the run's earlier processes hold.
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

/// The columns of the stored files, for journals that do not say how their types were decided.
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
    /// The constants for the traces of a fetch. A value of another type than its column's becomes a null, with a warning.
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

    /// The name that the recipe gives a detector; where it gives none, `module/channel`.
    pub(in crate::run) fn detector_name(&self, ctx: &StepContext, detector: Detector) -> String {
        let named = self.recipe.detector_name(&ctx.step.place.path, detector);
        named.map_or_else(|| detector.to_string(), str::to_owned)
    }

    /// A file of the fetch is stored: the types of its new columns are those of all later files.
    pub(in crate::run) fn decide_columns(&self, columns: &mut FetchColumns) -> Result<(), Fault> {
        let new = std::mem::take(&mut columns.new);
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
