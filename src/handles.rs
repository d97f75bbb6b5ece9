//! File handles. Their number is limited, and a run must always be able to open files. The clients of the sidecar get
//! the rest.

/// Handles reserved for everything except clients: the instrument, journals, the catalogue, trace files, the
/// watchdog.
const RESERVE: u64 = 256;
/// The highest limit that is requested.
const WANTED: u64 = 65_536;
/// A client needs a handle for its connection, and often one for the file that it receives.
const FOR_EACH_CLIENT: u64 = 2;
/// The smallest number of clients that are served, even with a low limit.
const FEWEST_CLIENTS: u64 = 8;

/// Raises the soft limit as far as the system allows. Call this once, when the program starts.
pub fn raise_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let found = getrlimit(Resource::Nofile);
        let wanted = found.maximum.map_or(WANTED, |most| most.min(WANTED));
        if found.current.is_some_and(|current| current < wanted) {
            // If the limit cannot be raised, fewer clients are served.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..found });
        }
    }
}

/// How many clients may be connected without taking a handle that a run needs.
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
