//! The views of traces that were asked for last. A page asks for the same ones again and again, and a stored trace never
//! changes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::measurement::TraceSummary;
use crate::sidecar::wire::runs::ViewReply;

/// Views that are kept. The largest, of 20,000 pieces, takes about 0.5 MB.
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

/// The views that were asked for last, the latest first.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct Views(Mutex<VecDeque<(ViewKey, ViewReply)>>);

impl Views {
    pub(super) fn find(&self, key: &ViewKey) -> Option<ViewReply> {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let position = views.iter().position(|(known, _)| known == key)?;
        let found = views.remove(position)?;
        let view = found.1.clone();
        views.push_front(found);
        Some(view)
    }

    pub(super) fn keep(&self, key: ViewKey, view: ViewReply) {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two clients may have asked for the same view at once.
        views.retain(|(known, _)| *known != key);
        views.push_front((key, view));
        views.truncate(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pieces: u64) -> ViewKey {
        ViewKey { sha256: String::new(), from_nm: 0, to_nm: 0, pieces }
    }

    fn view(points: u64) -> ViewReply {
        let (unit, envelope) = ("dB".to_owned(), crate::store::Envelope::default());
        ViewReply { trace_index: 1, unit, points, from_nm: 1500.0, to_nm: 1501.0, envelope }
    }

    #[test]
    fn the_view_that_was_asked_for_the_longest_ago_is_dropped() {
        let views = Views::default();
        let most = KEPT as u64;
        (0..most).for_each(|number| views.keep(key(number), view(number)));
        assert_eq!(views.find(&key(0)).unwrap().points, 0);
        // A view that is kept again takes no second place.
        views.keep(key(most - 1), view(most - 1));
        views.keep(key(most), view(most));
        let is_kept = |number| views.find(&key(number)).is_some();
        assert_eq!([0, 1, 2, most - 1, most].map(is_kept), [true, false, true, true, true]);
    }
}
