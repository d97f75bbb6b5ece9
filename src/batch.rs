//! Batches: many recipes one after another, without a person. A batch file is expanded to items, the catalogue's
//! queue contains the items, and a worker takes one at a time. A pure function of the queue and the time decides the
//! next item.

mod attempt;
mod begin;
mod check;
mod claim;
mod columns;
mod disk;
mod expand;
mod expect;
mod file;
mod given;
mod notice;
mod patience;
mod pauses;
mod placement;
mod queue;
mod queue_error;
mod report;
mod resume;
mod schedule;
mod schema;
mod summary;
mod task;
#[cfg(test)]
mod tests;
mod times;
mod values;
mod vary;
mod work;

pub use check::{Checked, check};
pub use claim::known_items;
pub use disk::reserve;
pub use expand::{Expanded, expand, expand_entry};
pub use expect::{Expectation, Forecast, expect};
pub use file::{BatchFile, Devices, ItemEntry, OnFailure, Policy, QUEUE, read_file};
pub use given::EntryFinding;
pub use notice::{end, notice};
pub use placement::{Placement, check_word};
pub use queue::Queue;
pub use queue_error::QueueError;
pub use report::{batch_page, batch_report, page_file, summary_file, write};
pub use schedule::{Candidate, Decision, Situation, in_order, next_item, span};
pub use schema::schema;
pub use summary::{BatchState, Summary, SummaryItem};
pub use task::Task;
pub use times::{Moment, Window, contradiction, skipped, window};
pub use work::{BatchObserver, Worker, WorkerCommand, WorkerEnd};
