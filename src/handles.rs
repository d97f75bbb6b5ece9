//! File handles. A process has a limited number of them, and a run must never be without: clients of the sidecar get
//! what is left.

/// Handles kept for everything but clients: the instrument, journals, the catalogue, trace files, the watchdog.
const RESERVE: u64 = 256;
/// More than this is never needed.
const WANTED: u64 = 65_536;
/// A client holds its connection, and often the file that it is sent.
const FOR_EACH_CLIENT: u64 = 2;
/// Clients that are served however low the limit is.
const FEWEST_CLIENTS: u64 = 8;

/// Raises the soft limit as far as the system allows. To be called once, when the program starts.
pub fn raise_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let found = getrlimit(Resource::Nofile);
        let wanted = found.maximum.map_or(WANTED, |most| most.min(WANTED));
        if found.current.is_some_and(|current| current < wanted) {
            // What cannot be raised stays, and fewer clients are served.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..found });
        }
    }
}

/// How many clients may be connected at once without taking a handle that a run needs.
#[must_use]
pub fn for_clients() -> usize {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(WANTED);
    #[cfg(not(unix))]
    let limit = WANTED;
    shared_out(limit)
}

fn shared_out(limit: u64) -> usize {
    let clients = (limit.saturating_sub(RESERVE) / FOR_EACH_CLIENT).max(FEWEST_CLIENTS);
    usize::try_from(clients).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_the_limit_without_the_reserve() {
        assert_eq!(shared_out(1024), 384);
        assert_eq!(shared_out(65_536), 32_640);
        assert_eq!(shared_out(64), 8, "a few are served in any case");
    }
}
