//! Sends the notification of the end of a run. A notification that fails does not change the result of the run.

use super::LiveRun;
use crate::declarations::{Notify, NotifyOn};
use crate::notify::Outbox;
use crate::report::{Ended, Report, notice};
use crate::step::Fault;
use crate::store::RunState;

/// Sends the notification, if the recipe asks for one at such an end.
pub(super) fn send(
    run: &LiveRun,
    ended: &Result<RunState, Fault>,
    report: Option<&Report>,
    notify: &Notify,
    outbox: &Outbox,
) {
    let end = if matches!(ended, Ok(RunState::Done)) { NotifyOn::Done } else { NotifyOn::Failure };
    if !notify.wants(end) {
        return;
    }
    let status = run.status();
    let (state, reason) = match ended {
        Ok(state) => (*state, status.reason),
        Err(fault) => (RunState::Failed, Some(fault.to_string())),
    };
    let folder = std::path::absolute(run.folder()).unwrap_or_else(|_| run.folder().to_owned());
    let ended = Ended {
        run: run.id(),
        name: &status.name,
        folder: &folder.to_string_lossy(),
        simulated: status.instrument.is_some_and(|instrument| instrument.simulated),
        state,
        reason: reason.as_deref(),
    };
    outbox.send(notify, notice(ended, report));
}
