//! Damage of files that a resumed run relies on. Every file is compared with its record.

use std::collections::BTreeMap;
use std::path::Path;

use crate::run::resume::transcript::Transcript;
use crate::store::{PowerSegment, segment_damage, trace_damage};

/// Files that differ from their records, each with the damage: `has changed`, `is missing`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Damage {
    /// Traces, by file.
    pub traces: BTreeMap<String, String>,
    /// Segments of power.
    pub segments: Vec<(PowerSegment, String)>,
}

impl Damage {
    /// Looks at every file that the journal says is there: its size, its SHA-256, its points. Reads them all, and blocks.
    #[must_use]
    pub fn look(folder: &Path, past: &Transcript) -> Self {
        let traces = past.stored.iter().filter_map(|trace| {
            let finding = trace_damage(folder, trace)?;
            Some((trace.file.clone(), finding.what()))
        });
        let segments = past.segments.iter().filter_map(|segment| {
            let finding = segment_damage(folder, segment)?;
            Some((segment.clone(), finding.what()))
        });
        Self { traces: traces.collect(), segments: segments.collect() }
    }
}
