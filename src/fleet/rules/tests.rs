use std::time::Duration;

use super::*;
use crate::batch::Task;

const LEASE: Duration = Duration::from_secs(60);

pub(in crate::fleet) fn entry(placement: Placement) -> Entry {
    Entry {
        content: "c".to_owned(),
        bundle: "b".to_owned(),
        submitted: at(0),
        task: Task { recipe: "a.yaml".to_owned(), placement, ..Task::default() },
        not_before: None,
        deadline: None,
        estimated_s: 10.0,
        bytes: 1000,
        state: FleetState::Queued,
        reason: None,
        owner: None,
        failed: Vec::new(),
        accepted: None,
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn elsewhere() -> Placement {
    Placement { elsewhere: true, ..Placement::default() }
}

fn claimed(entry: &Entry, bench: &str, unchanged: f64) -> Result<Entry, Refused> {
    claim(entry, (bench, &[]), LEASE, Duration::from_secs_f64(unchanged), at(0))
}

pub(in crate::fleet) fn run(bench: &str, epoch: u64) -> AcceptedRun {
    AcceptedRun {
        bench: bench.to_owned(),
        run: format!("run-{bench}-{epoch}"),
        folder: "folder".to_owned(),
        epoch,
        ended: at(9),
        verdict: None,
        store: None,
    }
}

fn of(bench: &str, epoch: u64) -> Claim<'_> {
    Claim { bench, epoch }
}

#[test]
fn a_claim_without_a_lease_stays_with_its_bench_for_ever() {
    let item = claimed(&entry(Placement::default()), "a", 0.0).unwrap();
    assert_eq!(claimed(&item, "b", 1e9), Err(Refused::State(FleetState::Claimed)));
    assert!(owned(&item, 7, of("a", 7)).is_ok());
    assert_eq!(item.owner.unwrap().lease_s, None);
}

#[test]
fn an_item_that_may_be_measured_elsewhere_changes_hands_after_its_lease() {
    let item = claimed(&entry(elsewhere()), "a", 0.0).unwrap();
    assert!(claimed(&item, "b", 60.0).is_err());
    let taken = claimed(&item, "b", 60.1).unwrap();
    // The bench that was too late cannot report, whatever it has measured.
    let late = report(&taken, 9, of("a", 7), Report::Measured(run("a", 7))).unwrap_err();
    assert!(late.to_string().contains("bench b has the item with epoch 9"), "{late}");
    let done = report(&taken, 9, of("b", 9), Report::Measured(run("b", 9))).unwrap();
    assert_eq!((done.state, done.accepted.unwrap().bench.as_str()), (FleetState::Measured, "b"));
}

#[test]
fn a_renewal_changes_the_revision_and_keeps_the_epoch() {
    let item = claimed(&entry(elsewhere()), "a", 0.0).unwrap();
    let once = renew(&item, 7, of("a", 7)).unwrap();
    let twice = renew(&once, 8, of("a", 7)).unwrap();
    assert_ne!(once, twice);
    assert_eq!(twice.epoch(9), Some(7));
    assert!(report(&twice, 9, of("a", 7), Report::Measured(run("a", 7))).is_ok());
}

#[test]
fn the_same_bench_with_an_older_claim_cannot_report_either() {
    let item = claimed(&entry(elsewhere()), "a", 0.0).unwrap();
    let again = claimed(&item, "a", 61.0).unwrap();
    assert!(owned(&again, 9, of("a", 7)).is_err());
}

#[test]
fn an_item_that_failed_on_two_benches_or_on_its_only_one_is_held() {
    let failed = |item: &Entry, bench: &str| {
        let item = claimed(item, bench, 0.0).unwrap();
        report(&item, 5, of(bench, 5), Report::Failed("no light".to_owned())).unwrap()
    };
    let once = failed(&entry(Placement::default()), "a");
    assert_eq!(once.state, FleetState::Queued);
    assert!(matches!(claimed(&once, "a", 0.0), Err(Refused::Unsuitable(_))));
    let twice = failed(&once, "b");
    assert_eq!(twice.state, FleetState::Held);
    assert_eq!(twice.reason.as_deref(), Some("failed on bench b: no light"));
    let only = failed(&entry(Placement { bench: Some("a".to_owned()), ..Placement::default() }), "a");
    assert_eq!(only.state, FleetState::Held);
    let released = release(&only).unwrap();
    assert!(claimed(&released, "a", 0.0).is_ok());
}

#[test]
fn a_bench_takes_only_what_it_can_do() {
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    let needs = Placement { needs: labels(&["o-band", "smu"]), ..Placement::default() };
    let why = unsuitable(&needs, "a", &labels(&["o-band"])).unwrap();
    assert!(why.contains("no label smu"), "{why}");
    assert_eq!(unsuitable(&needs, "a", &labels(&["smu", "x", "o-band"])), None);
    let only = Placement { bench: Some("b".to_owned()), ..Placement::default() };
    assert!(unsuitable(&only, "a", &[]).is_some());
    assert!(unsuitable(&only, "b", &[]).is_none());
}

#[test]
fn a_released_claim_is_lost_for_its_bench() {
    let item = claimed(&entry(Placement::default()), "a", 0.0).unwrap();
    let held = report(&item, 5, of("a", 5), Report::Held("a prompt".to_owned())).unwrap();
    // Released at the bench, the item continues there.
    let resumed = report(&held, 6, of("a", 5), Report::Resumed).unwrap();
    assert_eq!(resumed.state, FleetState::Claimed);
    let released = release(&held).unwrap();
    assert!(report(&released, 7, of("a", 5), Report::Measured(run("a", 5))).is_err());
    assert!(release(&released).is_err());
}

#[test]
fn an_entry_of_a_later_version_can_be_read() {
    let mut value = serde_json::to_value(entry(Placement::default())).unwrap();
    value["colour"] = serde_json::json!("blue");
    assert_eq!(serde_json::from_value::<Entry>(value).unwrap(), entry(Placement::default()));
}

#[test]
fn the_record_in_the_store_decides_which_run_counts() {
    let item = claimed(&entry(Placement::default()), "b", 0.0).unwrap();
    assert_eq!(stored(&item, run("a", 3)), Err(Refused::State(FleetState::Claimed)));
    let measured = report(&item, 7, of("b", 7), Report::Measured(run("b", 7))).unwrap();
    let done = stored(&measured, run("a", 3)).unwrap();
    assert_eq!((done.state, done.accepted.as_ref()), (FleetState::Stored, Some(&run("a", 3))));
    assert_eq!(stored(&done, run("b", 7)), Err(Refused::State(FleetState::Stored)));
    // A broker that has lost its disk knows no result.
    assert_eq!(stored(&entry(Placement::default()), run("a", 3)).unwrap().state, FleetState::Stored);
}
