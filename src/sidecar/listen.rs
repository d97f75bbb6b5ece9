//! Takes connections in, within limits: how many, how large their headers, how long they may be idle.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections at once. One more waits until another has gone.
const MOST_CONNECTIONS: usize = 4096;
/// Bytes of the headers of a request.
const MOST_HEADER_BYTES: usize = 32 * 1024;
/// Headers of a request.
const MOST_HEADERS: usize = 100;
/// A request's headers arrive within this time, and a connection is idle no longer between two requests.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// Connections that are open when the sidecar ends are given this long.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Serves until `closing` is up.
pub(super) async fn listen(listener: TcpListener, router: Router, mut closing: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEADER_BYTES);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let accepted = tokio::select! {
            _ = closing.wait_for(|closing| *closing) => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file handles, most likely: they come back as clients leave.
                tracing::warn!(%error, "a connection cannot be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Frames are small and wanted now.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut closing = closing.clone();
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                _ = closing.wait_for(|closing| *closing) => None,
            };
            let ended = match ended {
                Some(ended) => ended,
                // The request under way is answered, and no other taken.
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "client left");
            }
            drop(place);
        });
        // Those that have ended are forgotten.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(STOP_LIMIT, connections.join_all()).await.is_err() {
        tracing::debug!("clients that are still there are left");
    }
}
