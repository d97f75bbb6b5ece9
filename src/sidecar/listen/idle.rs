//! Tracks which connections have no request in progress.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{Notify, watch};

/// The requests of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(watch::Sender<Seen>);

/// The state of the requests.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    begun: u64,
    under_way: u64,
}

/// Held until the response to a request is sent.
#[derive(Debug)]
pub(super) struct UnderWay(watch::Sender<Seen>);

impl Requests {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.send_modify(|seen| {
            seen.begun += 1;
            seen.under_way += 1;
        });
        UnderWay(self.0.clone())
    }

    pub(super) fn watch(&self) -> watch::Receiver<Seen> {
        self.0.subscribe()
    }
}

impl UnderWay {
    /// The body of the response. The request ends with the body.
    pub(super) fn until_sent(self, body: Body) -> Body {
        Body::new(Sent { body, _under_way: self })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|seen| seen.under_way -= 1);
    }
}

/// Resolves when a connection should be closed: it is idle and its place is needed, or its first request does not
/// come in time.
pub(super) async fn left(mut requests: watch::Receiver<Seen>, wanted: Arc<Notify>, first_limit: Duration) {
    loop {
        let Ok(seen) = requests.wait_for(|seen| seen.under_way == 0).await.map(|seen| *seen) else { break };
        tokio::select! {
            busy = requests.wait_for(|now| now.begun > seen.begun) => if busy.is_err() { break },
            () = wanted.notified() => return,
            () = tokio::time::sleep(first_limit), if seen.begun == 0 => return,
        }
    }
    // The connection has ended, or changed to another protocol.
    std::future::pending::<()>().await;
}

struct Sent {
    body: Body,
    _under_way: UnderWay,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_goes_when_its_first_request_does_not_come() {
        left(Requests::default().watch(), Arc::default(), Duration::from_millis(1)).await;
    }

    #[tokio::test]
    async fn a_connection_goes_when_it_is_idle_and_its_place_is_wanted() {
        let (requests, wanted) = (Requests::default(), Arc::new(Notify::new()));
        let request = requests.begin();
        let mut leaving = Box::pin(left(requests.watch(), Arc::clone(&wanted), Duration::from_millis(1)));
        wanted.notify_one();
        let soon = tokio::time::timeout(Duration::from_millis(10), &mut leaving).await;
        assert!(soon.is_err(), "a request that is under way keeps its connection");
        drop(request);
        leaving.await;
    }
}
