//! Makes the index of a run from its journal and its trace files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::place;
use crate::catalogue::{BATCH, BATCH_ITEM};
use crate::operation::Constant;
use crate::run::results::{StoredAnalyses, trace_columns};
use crate::step::ColumnType;
use crate::store::{
    FoundRun, IndexRow, IndexWriter, IndexedRun, IndexedTrace, StoreError, locate_trace, provenance, runs,
    skip_damaged,
};

/// The entry of a trace file with the settings of its sweep.
const SETTINGS: &str = "sweep_settings";

/// Writes the index of a run into a new file.
pub(super) fn write(run: &FoundRun, path: &Path) -> Result<(), StoreError> {
    let manifest = &run.manifest;
    let columns = trace_columns(&run.folder, &manifest.columns)?;
    let analyses = StoredAnalyses::read(&run.folder, &manifest.columns)?;
    let mut types = analyses.types().clone();
    for (name, value) in columns.values().flat_map(|columns| columns.iter()) {
        let kind = ColumnType::of(value);
        types.entry(name.clone()).and_modify(|known| *known = known.and(kind)).or_insert(kind);
    }
    let mut traces = BTreeMap::new();
    for summary in skip_damaged(runs::traces(&run.folder)?) {
        let summary = summary?;
        let file = locate_trace(&run.folder, &summary)?;
        let settings = provenance(file.path())?.metadata.get(SETTINGS).map(ToString::to_string);
        traces.insert(summary.trace_index, Arc::new(IndexedTrace { summary, settings }));
    }
    let indexed = IndexedRun {
        manifest,
        place: place::of_run(&place::name(run)),
        batch: manifest.metadata.get(BATCH).and_then(|name| name.as_str()).map(str::to_owned),
        item: manifest.metadata.get(BATCH_ITEM).and_then(serde_json::Value::as_u64),
    };
    let none = Arc::new(manifest.columns.clone());
    let of_trace = |index: u64| columns.get(&index).map_or_else(|| Arc::clone(&none), Arc::clone);
    let mut writer = IndexWriter::create(path, indexed, types)?;
    let mut with_figures = BTreeSet::new();
    analyses.each(|analysis| {
        for figure in analysis.rows().into_iter().filter(|row| row.counts) {
            let index = figure.trace.as_ref().map(|trace| trace.trace_index);
            with_figures.extend(index);
            let trace = index.and_then(|index| traces.get(&index)).cloned();
            let columns = match index {
                Some(index) => joined(&of_trace(index), &figure.columns),
                None => Arc::clone(&figure.columns),
            };
            writer.add(IndexRow { trace, figure: Some(figure), columns })?;
        }
        Ok::<(), StoreError>(())
    })?;
    let without_figures = traces.iter().filter(|(index, _)| !with_figures.contains(index));
    for (index, trace) in without_figures {
        writer.add(IndexRow { trace: Some(Arc::clone(trace)), figure: None, columns: of_trace(*index) })?;
    }
    if traces.is_empty() && with_figures.is_empty() {
        writer.add(IndexRow { trace: None, figure: None, columns: none })?;
    }
    writer.finish()
}

/// The columns of a trace, and those of its analysis.
fn joined(
    trace: &Arc<BTreeMap<String, Constant>>,
    analysis: &Arc<BTreeMap<String, Constant>>,
) -> Arc<BTreeMap<String, Constant>> {
    if analysis.keys().all(|name| trace.contains_key(name)) {
        return Arc::clone(trace);
    }
    let both = analysis.iter().chain(trace.iter());
    Arc::new(both.map(|(name, value)| (name.clone(), value.clone())).collect())
}
