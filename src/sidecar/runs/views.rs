//! The views of traces that were asked for last. A page asks for the same ones again and again, and a stored trace never
//! changes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::measurement::TraceSummary;
use crate::sidecar::wire::runs::ViewReply;

/// Views that are kept. One of 2,000 pieces takes about 50 KB.
const KEPT: usize = 16;

/// What a view shows: a trace by the SHA-256 of its file, the window and the number of pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ViewKey {
    sha256: String,
    from_nm: u64,
    to_nm: u64,
    pieces: u64,
}

impl ViewKey {
    pub(super) fn new(trace: &TraceSummary, from_nm: f64, to_nm: f64, pieces: u64) -> Self {
        let (from_nm, to_nm) = (from_nm.to_bits(), to_nm.to_bits());
        Self { sha256: trace.sha256.clone(), from_nm, to_nm, pieces }
    }
}

/// The views that were asked for last.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct Views(Mutex<VecDeque<(ViewKey, ViewReply)>>);

impl Views {
    pub(super) fn find(&self, key: &ViewKey) -> Option<ViewReply> {
        let views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        views.iter().find(|(known, _)| known == key).map(|(_, view)| view.clone())
    }

    pub(super) fn keep(&self, key: ViewKey, view: ViewReply) {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        views.push_front((key, view));
        views.truncate(KEPT);
    }
}
