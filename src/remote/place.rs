//! The places of runs in a store.

use super::StoreAddress;
use crate::store::FoundRun;
use crate::store::runs::original_folder;

/// The folder with all runs.
pub const RUNS: &str = "runs";
/// The folder with the indexes.
const INDEX: &str = "index";
/// What is between the folder of a run and the number of its continuation.
const RESUMED: &str = ".resumed";

/// The name of a run in a store: that of its folder, as the program creates it. A run that was resumed has another name,
/// because its earlier state may be in the store.
pub(super) fn name(run: &FoundRun) -> String {
    let folder = original_folder(run);
    match run.manifest.taken_up {
        0 => folder,
        times => format!("{folder}{RESUMED}{times}"),
    }
}

/// The folder of a run in a store, and how often the run had been resumed.
pub(super) fn folder_of(name: &str) -> (&str, u64) {
    match name.rsplit_once(RESUMED).map(|(folder, times)| (folder, times.parse())) {
        Some((folder, Ok(times))) => (folder, times),
        Some((_, Err(_))) | None => (name, 0),
    }
}

/// The name of the folder of a run, by its name in a store.
#[must_use]
pub fn folder(name: &str) -> &str {
    folder_of(name).0
}

/// Where the files of a run are.
pub(super) fn of_run(name: &str) -> String {
    format!("{RUNS}/{name}")
}

/// Where the index of a run is. The days let a query skip what it does not need.
pub(super) fn of_index(run: &FoundRun) -> String {
    format!("{INDEX}/day={}/{}.parquet", run.manifest.started.format("%Y-%m-%d"), name(run))
}

/// The store and the name of the run in an address such as `s3://bucket/prefix/runs/<name>`.
pub(super) fn run_in(address: &StoreAddress) -> Option<(StoreAddress, String)> {
    let (above, name) = address.split_last()?;
    let (store, runs) = above.split_last()?;
    (runs == RUNS).then_some((store, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_has_a_name_of_its_own_and_the_same_folder() {
        assert_eq!(folder_of("20261128T101500Z_ring_abc234"), ("20261128T101500Z_ring_abc234", 0));
        assert_eq!(folder_of("20261128T101500Z_ring_abc234.resumed2"), ("20261128T101500Z_ring_abc234", 2));
        assert_eq!(folder_of("a.resumed_b"), ("a.resumed_b", 0));
    }

    #[test]
    fn the_address_of_a_run_names_its_store() {
        let run: StoreAddress = "s3://lab/bench/runs/20261128T101500Z_ring_abc234".parse().unwrap();
        let (store, name) = run_in(&run).unwrap();
        assert_eq!(
            (store.to_string().as_str(), name.as_str()),
            ("s3://lab/bench", "20261128T101500Z_ring_abc234")
        );
        assert!(run_in(&"s3://lab/bench".parse().unwrap()).is_none());
    }
}
