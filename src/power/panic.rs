//! Tasks that go on after a panic. A panic is a bug, but without such a task its clients would wait for ever.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

/// The pause before a task begins again. A bug that returns at once must not fill the log.
pub(crate) const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(1);

/// Runs a future to its end. After a panic, a new one begins.
pub(crate) async fn again_after_panic<F: Future<Output = ()>>(
    name: &str,
    pause: Duration,
    mut begin: impl FnMut() -> F,
) {
    // The state of the future is dropped by the panic, and locks are used also after a panic.
    while AssertUnwindSafe(begin()).catch_unwind().await.is_err() {
        tracing::error!("internal error in {name}: it begins again");
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_goes_on_after_a_panic_and_ends_at_its_end() {
        let mut begun = 0;
        again_after_panic("a test", Duration::ZERO, || {
            begun += 1;
            let is_last = begun == 3;
            async move { assert!(is_last, "a bug") }
        })
        .await;
        assert_eq!(begun, 3);
    }
}
