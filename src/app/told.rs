//! The end of a program waits until those have been told who wait for the end of a run; not for ever, and not against
//! the will of whoever sits there.

use std::pin::pin;
use std::time::Duration;

use super::signals::stop_signal;
use crate::notify::Outbox;
use crate::terminal::output::errln;

/// A wait that takes longer is spoken of.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// Waits until nothing is under way any more, or for a signal.
pub(super) async fn wait(outbox: &Outbox, quiet: bool) {
    if outbox.is_empty() {
        return;
    }
    let (mut told, mut signal) = (pin!(outbox.emptied()), pin!(stop_signal()));
    let mut noticed = pin!(tokio::time::sleep(NOTICEABLE));
    let mut spoken = quiet;
    loop {
        tokio::select! {
            () = &mut told => return,
            signal = &mut signal => {
                tracing::warn!("whoever waits for the end was not told of it: {signal} came first");
                return;
            }
            () = &mut noticed, if !spoken => {
                spoken = true;
                errln!("telling whoever waits for the end, for a minute at most; Ctrl-C ends that");
            }
        }
    }
}
