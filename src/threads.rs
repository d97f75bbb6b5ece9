//! Threads for the blocking work of a run: its recipe, its files, its report. The shared threads of the runtime may
//! all be used by clients, and a run must not wait for them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

/// Why work on a thread has no result.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// The system cannot start a thread.
    #[error("cannot start a thread: {0}")]
    NoThread(#[from] std::io::Error),
    /// The work panicked.
    #[error("internal error: {0}")]
    Panicked(String),
}

/// Starts work on its own thread; the future returns the result. The work continues even if the future is dropped.
pub fn begin<T, F>(name: &str, work: F) -> impl Future<Output = Result<T, Unfinished>> + Send + use<T, F>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (done, end) = oneshot::channel();
    let started = spawn(
        name,
        Box::new(move || {
            let worked = catch_unwind(AssertUnwindSafe(work));
            // The future may have been dropped.
            let _ = done.send(worked.map_err(|panic| Unfinished::Panicked(text(&*panic))));
        }),
    );
    async move {
        started?;
        end.await.unwrap_or_else(|_| Err(Unfinished::Panicked("the thread has ended".to_owned())))
    }
}

/// Starts a thread. The work is boxed, so that the start of a thread is compiled once.
fn spawn(name: &str, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_begins_at_once_and_its_panic_is_told() {
        let (begun, seen) = std::sync::mpsc::channel();
        let work = begin("work", move || begun.send(()).is_ok());
        seen.recv().unwrap();
        assert!(work.await.unwrap());
        let panicked = begin("panic", || panic!("no value")).await;
        assert!(panicked.unwrap_err().to_string().contains("no value"));
    }
}
