//! Before the program ends, it waits until the end-of-run notifications are sent. The wait has a limit, and Ctrl-C
//! ends it.

use std::pin::pin;
use std::time::Duration;

use super::signals::stop_signal;
use crate::notify::Outbox;
use crate::terminal::output::errln;

/// A message is printed if the wait takes longer than this.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// Waits until all notifications are sent, or for a signal.
pub(super) async fn wait(outbox: &Outbox, quiet: bool) {
    if outbox.is_empty() {
        return;
    }
    let (mut sent, mut signal) = (pin!(outbox.emptied()), pin!(stop_signal()));
    let mut noticed = pin!(tokio::time::sleep(NOTICEABLE));
    let mut is_announced = quiet;
    loop {
        tokio::select! {
            () = &mut sent => return,
            signal = &mut signal => {
                tracing::warn!("end-of-run notifications were not sent: {signal} came first");
                return;
            }
            () = &mut noticed, if !is_announced => {
                is_announced = true;
                errln!("sending end-of-run notifications (up to 1 min; Ctrl-C skips)");
            }
        }
    }
}
