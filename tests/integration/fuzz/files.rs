//! What a run has left: the lines of its journal.

use ctp10::run::events::Record;
use ctp10::run::resume::transcript::Transcript;
use ctp10::run::state::status::RunStatus;
use ctp10::store::read_run_journal;

use super::fuzz;

#[test]
fn a_damaged_journal_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.jsonl");
    fuzz("journal", |bytes| {
        std::fs::write(&file, bytes).unwrap();
        let (mut past, mut status, mut lines) = (Transcript::default(), RunStatus::default(), 0);
        for record in read_run_journal::<Record>(folder.path()).unwrap() {
            lines += 1;
            assert!(lines <= bytes.len() + 1, "a journal that does not end");
            let Ok(record) = record else { continue };
            past.apply(&record.event);
            status.apply(&record);
        }
        past.keep(past.done());
        let _ = past.left_over();
    });
}
