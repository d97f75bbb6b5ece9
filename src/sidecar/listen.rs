//! Accepts connections within limits: number of clients, size of headers, idle time.

mod idle;
mod outgoing;
mod places;
mod socket;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::base_path::BasePath;
use super::problem::Problem;
use crate::handles;
use idle::Requests;
pub(super) use outgoing::Outgoing;
use places::{Place, Places};
use socket::Socket;

/// Highest number of clients, if the limit of file handles allows it.
const MOST_CLIENTS: usize = 2048;
/// Largest headers of a request, bytes.
const MOST_HEADER_BYTES: usize = 32 * 1024;
/// Highest number of headers of a request.
const MOST_HEADERS: usize = 100;
/// Time limit for the headers of a request, and for the idle time between two requests.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// Time limit for the first request of a connection.
const FIRST_LIMIT: Duration = Duration::from_secs(10);
/// A client that reads nothing for this time is disconnected.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// Time for open connections when the sidecar stops.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// Pause before the next connection is accepted when no file handle is free.
const PAUSE: Duration = Duration::from_millis(100);

/// The address of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(pub(super) IpAddr);

/// Accepts clients until `closing` becomes true.
pub(super) async fn listen(
    listener: TcpListener,
    router: Router,
    base: BasePath,
    mut closing: watch::Receiver<bool>,
) {
    let places = Places::new(MOST_CLIENTS.min(handles::for_clients()));
    let mut connections = JoinSet::new();
    let mut is_short = false;
    loop {
        let accepted = tokio::select! {
            _ = closing.wait_for(|closing| *closing) => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // The program has probably no free file handle. Handles become free when clients disconnect.
                if !std::mem::replace(&mut is_short, true) {
                    tracing::warn!(%error, "a connection cannot be accepted");
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        is_short = false;
        let place = tokio::select! {
            _ = closing.wait_for(|closing| *closing) => break,
            place = places.take() => place,
        };
        // Frames are small and must not be delayed.
        let _ = stream.set_nodelay(true);
        let requests = Requests::default();
        let left = idle::left(requests.watch(), places.wanted(), FIRST_LIMIT);
        let site = (router.clone(), base.clone());
        let connection = serve(stream, peer.ip(), place, site, requests, closing.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = left => tracing::debug!(%peer, "an idle client was disconnected"),
            }
        });
        // Removes connections that have ended.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(STOP_LIMIT, connections.join_all()).await.is_err() {
        tracing::debug!("the server ends while clients are still connected");
    }
}

/// Serves one client until it disconnects, or until `closing` becomes true and its request is answered.
async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    place: Place,
    (router, base): (Router, BasePath),
    requests: Requests,
    mut closing: watch::Receiver<bool>,
) {
    let is_crowded = place.is_urgent();
    let socket = Socket::new(stream, place, STALL_LIMIT);
    let outgoing = Arc::clone(socket.outgoing());
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let under_way = requests.begin();
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(Arc::clone(&outgoing));
        // Everything behind this works without the prefix.
        if let Some(uri) = base.stripped(request.uri()) {
            *request.uri_mut() = uri;
        }
        let router = router.clone();
        async move {
            let is_turned_away = is_crowded && !places::is_urgent(request.uri().path());
            let response = if is_turned_away { crowded() } else { answer(router, request).await };
            Ok::<_, Infallible>(response.map(|body| under_way.until_sent(body)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEADER_BYTES)
        .keep_alive(!is_crowded)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = closing.wait_for(|closing| *closing) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        // The present request is answered, and no other is accepted.
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "client disconnected");
    }
}

async fn answer(router: Router, request: Request) -> Response {
    match TowerToHyperService::new(router).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn crowded() -> Response {
    let problem =
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many clients are connected: try again later");
    ([(CONNECTION, "close"), (RETRY_AFTER, "5")], problem).into_response()
}
