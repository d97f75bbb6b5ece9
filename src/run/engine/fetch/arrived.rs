//! A trace between its transfer and its publication.

use std::pin::Pin;

use tokio::sync::oneshot;

use super::write::Unwritten;
use crate::instrument::Error;
use crate::measurement::TraceSummary;
use crate::step::Fault;
use crate::store::StoreError;
use crate::threads::Unfinished;

/// The thread that writes a trace.
type Writing = Pin<Box<dyn Future<Output = Result<Result<TraceSummary, Unwritten>, Unfinished>> + Send>>;

/// A trace whose file is being written. The file appears only if it may be published.
pub(super) struct Arrived {
    pub(super) publish: oneshot::Sender<()>,
    pub(super) writing: Writing,
    /// The disk space that the trace needs, bytes.
    pub(super) room: u64,
}

/// Why a trace is not stored, and the disk space that was missing, if that is the reason.
pub(super) struct NotStored {
    pub(super) fault: Fault,
    pub(super) missing: Option<u64>,
}

impl<E: Into<Fault>> From<E> for NotStored {
    fn from(error: E) -> Self {
        Self { fault: error.into(), missing: None }
    }
}

impl Arrived {
    /// Gives the file its final name, once all values are encoded and synced.
    pub(super) async fn publish(self) -> Result<TraceSummary, NotStored> {
        // A writer that has failed does not receive this.
        let _ = self.publish.send(());
        self.writing.await?.map_err(|unwritten| unwritten.or_no_room(self.room))
    }

    /// Ends the writer of a trace whose transfer has failed.
    pub(super) async fn fail(self, error: Error) -> NotStored {
        drop(self.publish);
        match self.writing.await {
            Ok(Ok(_) | Err(Unwritten::Unproved | Unwritten::Store(StoreError::Incomplete { .. }))) => {
                error.into()
            }
            // If the disk fails, the transfer fails too. The error of the disk is more useful.
            Ok(Err(disk)) => disk.or_no_room(self.room),
            Err(unfinished) => unfinished.into(),
        }
    }

    /// Ends the writer, and waits until the incomplete file is removed.
    pub(super) async fn discard(self) {
        drop(self.publish);
        // The trace is not stored, whatever its writer says.
        let _ = self.writing.await;
    }
}

impl Unwritten {
    /// Another program may have filled the disk. Then the trace needs so much space.
    fn or_no_room(self, room: u64) -> NotStored {
        let missing = matches!(self, Self::Store(StoreError::Full { .. })).then_some(room);
        NotStored { fault: self.into(), missing }
    }
}
