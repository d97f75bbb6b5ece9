//! The queue of many benches on a broker of NATS JetStream.
//!
//! Each item of a batch is one entry of a key-value bucket. Every bench watches the bucket and chooses with the scheduler
//! of batches. A claim replaces the entry only if its revision is still the known one, so that two benches never hold
//! the same claim. The revision at the claim is the *epoch*. It fences off a bench whose claim was lost: the late
//! reports of that bench name an old epoch, and change nothing.
//!
//! With an object store, the result of an item is also recorded there. The first record stays for ever.
//!
//! A claimed item is added to the local queue of the bench, which measures it like any other item. The catalogue of the bench
//! therefore knows after a restart which claims are open.

mod acceptance;
mod bench;
mod broker;
mod bundle;
mod choice;
mod entry;
mod kv;
mod mirror;
mod off;
mod rules;
mod status;
mod submit;

pub use acceptance::{Acceptance, accepted_results};
pub use bench::{Bench, BenchError, BenchStatus, OffReply, Settings, StoreOfBench, shortest_lease};
pub use broker::{Access, Broker, BrokerError};
pub use bundle::Bundle;
pub use entry::FleetState;
pub use off::{FleetOff, ReleasedItem, clear, off, release};
pub use status::{BatchOverview, BenchOverview, ItemOverview, Overview, overview};
pub use submit::{Results, Submission, SubmitError, Submitted, submit};
