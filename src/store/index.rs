//! Finds a trace of a run without reading the journal from its start: an index remembers the line of each trace. It is
//! built once, and continued when the journal has grown.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::PoisonError;

use super::lines::LONGEST;
use super::stored::FileEvent;
use super::{JOURNAL_FILE, KeptOfRuns, StoreError, find};
use crate::files;
use crate::measurement::TraceSummary;

/// Runs whose index is kept in memory.
const RUNS: usize = 8;
/// The name of an event stands within the first bytes of its line.
const HEAD: usize = 160;
/// How the events about traces begin.
const ABOUT_TRACES: &[u8] = b"\"event\":\"trace_";

/// The indexes of the runs that were asked for last.
#[derive(Debug, Default)]
pub struct TraceIndexes(KeptOfRuns<TraceIndex, RUNS>);

/// Where the journal of a run tells about its traces.
#[derive(Debug, Default)]
struct TraceIndex {
    /// The first and the last byte of the line of each trace, by the number of the trace. A summary that cannot be
    /// understood is left out, as everywhere where a run is shown.
    lines: BTreeMap<u64, (u64, u64)>,
    /// Bytes of the journal that are in the index.
    known: u64,
}

impl TraceIndexes {
    /// A trace of the run in this folder, by its number. A withdrawn trace no longer exists.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn trace(&self, folder: &Path, number: u64) -> Result<Option<TraceSummary>, StoreError> {
        Ok(self.page(folder, number.saturating_sub(1), 1)?.pop().filter(|trace| trace.trace_index == number))
    }

    /// The traces with numbers above `after`, in order, at most `limit` of them.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn page(&self, folder: &Path, after: u64, limit: usize) -> Result<Vec<TraceSummary>, StoreError> {
        let index = self.0.of(folder);
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        let path = find(folder, JOURNAL_FILE)?;
        let failed = |source| StoreError::read(&path, source);
        let mut journal = files::open(&path).map_err(failed)?;
        index.update(&journal).map_err(failed)?;
        let lines = index.lines.range(after.saturating_add(1)..).take(limit);
        let mut traces = Vec::new();
        for (_, (first, end)) in lines {
            let mut line = vec![0; usize::try_from(end - first).unwrap_or_default()];
            journal
                .seek(SeekFrom::Start(*first))
                .and_then(|_| journal.read_exact(&mut line))
                .map_err(failed)?;
            if let Ok(FileEvent::TraceStored { trace }) = serde_json::from_slice(&line) {
                traces.push(*trace);
            }
        }
        Ok(traces)
    }
}

/// The number of traces of a run according to its journal, for a run whose end did not write it. `budget` is the number
/// of bytes that may be read, and becomes smaller. `None` if that is not enough, or if the journal cannot be read.
#[must_use]
pub fn count_traces(folder: &Path, budget: &mut u64) -> Option<u64> {
    let journal = files::open(&find(folder, JOURNAL_FILE).ok()?).ok()?;
    *budget = budget.checked_sub(journal.metadata().ok()?.len())?;
    let mut index = TraceIndex::default();
    index.update(&journal).ok()?;
    Some(index.lines.len() as u64)
}

impl TraceIndex {
    /// Reads the lines that were added since the last time.
    fn update(&mut self, journal: &File) -> io::Result<()> {
        let length = journal.metadata()?.len();
        if length < self.known {
            // Another journal has taken the place of the one that was read.
            (self.known, self.lines) = (0, BTreeMap::new());
        }
        let mut reader = BufReader::with_capacity(1 << 16, journal);
        reader.seek(SeekFrom::Start(self.known))?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut reader).take(LONGEST).read_until(b'\n', &mut line)? as u64;
            if !line.ends_with(b"\n") && read < LONGEST {
                // The rest of this line is still to be written.
                return Ok(());
            }
            let first = self.known;
            self.known += read;
            if line[..line.len().min(HEAD)].windows(ABOUT_TRACES.len()).any(|part| part == ABOUT_TRACES) {
                self.note(&line, first);
            }
        }
    }

    fn note(&mut self, line: &[u8], first: u64) {
        match serde_json::from_slice(line) {
            Ok(FileEvent::TraceStored { trace }) => {
                self.lines.entry(trace.trace_index).or_insert((first, first + line.len() as u64));
            }
            Ok(FileEvent::TraceWithdrawn { trace_index, .. }) => {
                self.lines.remove(&trace_index);
            }
            // A damaged line is no trace.
            Ok(FileEvent::PowerStored(_) | FileEvent::PowerWithdrawn { .. } | FileEvent::Other) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn stored(number: u64) -> String {
        let trace = json!({
            "trace_index": number, "sweep_index": 1, "attempt": 1, "detector": "4/1", "trace": "tf", "unit": "dB",
            "name": "", "file": format!("traces/{number:04}_m4c1_tf.parquet"), "bytes": 1, "sha256": "",
            "start_nm": 1500.0, "step_pm": 1.0, "points": 2, "nulls": 0, "min": null, "max": null, "mean": null,
        });
        json!({ "n": 1, "event": "trace_stored", "trace": trace }).to_string() + "\n"
    }

    fn withdrawn(number: u64) -> String {
        let file = format!("traces/{number:04}_m4c1_tf.parquet");
        json!({ "n": 1, "event": "trace_withdrawn", "trace_index": number, "file": file }).to_string() + "\n"
    }

    #[test]
    fn an_index_follows_the_journal_and_leaves_out_withdrawn_traces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(JOURNAL_FILE);
        let mut journal = File::create(&path).unwrap();
        let mut append = |text: &str| journal.write_all(text.as_bytes()).unwrap();
        let indexes = TraceIndexes::default();
        let numbers = |after, limit| -> Vec<u64> {
            let page = indexes.page(folder.path(), after, limit).unwrap();
            page.iter().map(|trace| trace.trace_index).collect()
        };
        append("{\"n\":1,\"event\":\"started\"}\n");
        assert_eq!(numbers(0, 10), [] as [u64; 0]);
        append(&[&stored(1), "damaged \"event\":\"trace_\n", &stored(2)].concat());
        assert_eq!(numbers(0, 10), [1, 2]);
        append(&[withdrawn(2), stored(3)].concat());
        assert_eq!((numbers(0, 10), numbers(1, 10), numbers(0, 1)), (vec![1, 3], vec![3], vec![1]));
        assert_eq!(indexes.trace(folder.path(), 2).unwrap(), None);
        // A line that is still being written counts once it is whole.
        let line = stored(2);
        append(&line[..40]);
        assert_eq!(numbers(0, 10), [1, 3]);
        append(&line[40..]);
        assert_eq!(numbers(0, 10), [1, 2, 3]);
        assert_eq!(indexes.trace(folder.path(), 2).unwrap().unwrap().file, "traces/0002_m4c1_tf.parquet");
        // The journal of another run with the same name.
        std::fs::write(&path, stored(7)).unwrap();
        assert_eq!(numbers(0, 10), [7]);
    }

    #[test]
    fn traces_are_counted_as_long_as_the_journals_are_not_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let journal = [stored(1), stored(2), withdrawn(1), "{\"event\":\"trace_st".to_owned()].concat();
        let length = journal.len() as u64;
        let mut budget = length + 1;
        assert_eq!(count_traces(folder.path(), &mut budget), None);
        std::fs::write(folder.path().join(JOURNAL_FILE), journal).unwrap();
        assert_eq!((count_traces(folder.path(), &mut budget), budget), (Some(1), 1));
        assert_eq!((count_traces(folder.path(), &mut budget), budget), (None, 1));
    }

    #[test]
    fn a_summary_that_cannot_be_understood_does_not_shorten_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let unknown = stored(2).replace("\"tf\"", "\"of a later program\"");
        let journal = [stored(1), unknown, stored(3), stored(4)].concat();
        std::fs::write(folder.path().join(JOURNAL_FILE), journal).unwrap();
        let page = TraceIndexes::default().page(folder.path(), 0, 2).unwrap();
        assert_eq!(page.iter().map(|trace| trace.trace_index).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn a_run_whose_journal_is_being_read_does_not_delay_another() {
        let [long, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        std::fs::write(other.path().join(JOURNAL_FILE), stored(1)).unwrap();
        let indexes = Arc::new(TraceIndexes::default());
        let reading = indexes.0.of(long.path());
        let _held = reading.lock().unwrap();
        let (replies, reply) = std::sync::mpsc::channel();
        let (asked, path) = (Arc::clone(&indexes), other.path().to_owned());
        std::thread::spawn(move || replies.send(asked.page(&path, 0, 10).unwrap().len()));
        assert_eq!(reply.recv_timeout(std::time::Duration::from_secs(10)), Ok(1));
    }
}
