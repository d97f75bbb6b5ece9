//! Logs refused requests: one line per minute and address, with a count. A client that guesses tokens cannot fill the
//! disk.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sidecar::listen::Peer;

/// Interval between two lines about one address.
const INTERVAL: Duration = Duration::from_secs(60);
/// Highest number of addresses that are counted separately.
const MOST_ADDRESSES: usize = 1024;

/// Counts refused requests.
#[derive(Debug, Clone)]
pub(super) struct Refusals {
    interval: Duration,
    known: Arc<Mutex<HashMap<Option<IpAddr>, Since>>>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { interval: INTERVAL, known: Arc::default() }
    }
}

/// The requests of an address since its last line in the log.
#[derive(Debug, Default)]
struct Since {
    count: u64,
    last: String,
}

impl Refusals {
    /// Logs a refused request, at once or together with others.
    pub(super) fn note(&self, peer: Option<Peer>, reason: &str) {
        let mut known = self.known();
        let address = peer.map(|Peer(address)| address);
        let address = address.filter(|_| known.len() < MOST_ADDRESSES || known.contains_key(&address));
        if let Some(since) = known.get_mut(&address) {
            since.count += 1;
            reason.clone_into(&mut since.last);
            return;
        }
        known.insert(address, Since::default());
        drop(known);
        log(address, 1, reason);
        let refusals = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(refusals.interval).await;
                let Some(Since { count, last }) = refusals.next(address) else { return };
                log(address, count, &last);
            }
        });
    }

    /// The requests since the last line. An address without requests is forgotten.
    fn next(&self, address: Option<IpAddr>) -> Option<Since> {
        let mut known = self.known();
        let since = known.get_mut(&address).map(std::mem::take).filter(|since| since.count > 0);
        if since.is_none() {
            known.remove(&address);
        }
        since
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Since>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(address: Option<IpAddr>, count: u64, reason: &str) {
    let address = address.map_or_else(|| "several addresses".to_owned(), |address| address.to_string());
    let requests = if count == 1 { "request" } else { "requests" };
    tracing::warn!("{count} {requests} from {address} refused: {reason}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_counted_until_nothing_comes_from_it_any_more() {
        let refusals = Refusals { interval: Duration::from_millis(1), ..Refusals::default() };
        let address: IpAddr = [192, 168, 1, 5].into();
        for _ in 0..5 {
            refusals.note(Some(Peer(address)), "the token is wrong");
        }
        assert_eq!(refusals.known()[&Some(address)].count, 4, "the first is logged at once");
        while !refusals.known().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn addresses_beyond_a_number_are_counted_together() {
        let refusals = Refusals::default();
        for number in 0..2000_u32 {
            refusals.note(Some(Peer(IpAddr::from(number.to_be_bytes()))), "the token is wrong");
        }
        let known = refusals.known();
        assert_eq!(known.len(), MOST_ADDRESSES + 1);
        assert_eq!(known[&None].count, 2000 - 1024 - 1);
    }
}
