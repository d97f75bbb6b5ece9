//! Races of many benches on one bucket, and a model of random events.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::Placement;
use crate::fleet::kv::memory::Memory;
use crate::fleet::rules::tests::{entry, run};
use crate::fleet::rules::{Claim, Report};

const LEASE: Duration = Duration::from_secs(60);

fn taker(bench: &str) -> Taker {
    Taker { bench: bench.to_owned(), labels: Vec::new(), lease: LEASE, room: None }
}

fn key(number: u32) -> ItemKey {
    ItemKey { batch: "night".to_owned(), number }
}

async fn fill(kv: &Memory, entries: impl IntoIterator<Item = Entry>) {
    for (number, entry) in (1..).zip(entries) {
        kv.create(&key(number).key(), serde_json::to_vec(&entry).unwrap()).await.unwrap();
    }
}

/// Brings a mirror up to date, as the watch does. `at` is the time of the bench.
fn refresh(mirror: &SharedMirror, kv: &Memory, at: Instant) {
    for (key, (value, revision)) in kv.entries() {
        mirror.lock().apply(&key, &value, revision, at);
    }
}

fn items(kv: &Memory) -> Vec<(Entry, u64)> {
    kv.entries()
        .values()
        .map(|(value, revision)| (serde_json::from_slice(value).unwrap(), *revision))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_benches_that_want_the_same_items_each_gets_different_ones() {
    let kv = Arc::new(Memory::default());
    fill(&kv, (0..40).map(|_| entry(Placement::default()))).await;
    let benches = (0..20).map(|number| {
        let kv = Arc::clone(&kv);
        tokio::spawn(async move {
            let (taker, mirror) = (taker(&format!("bench-{number}")), SharedMirror::default());
            let mut own = Vec::new();
            // Every bench begins with what it has seen once, however old that is.
            refresh(&mirror, &kv, Instant::now());
            while own.len() < 2 {
                match take(&taker, &*kv, &mirror).await {
                    Taken::Claimed(key) => own.push(key),
                    Taken::Again | Taken::Unclear(_) => refresh(&mirror, &kv, Instant::now()),
                    Taken::Nothing { .. } => break,
                }
            }
            own
        })
    });
    let mut taken = Vec::new();
    for bench in benches.collect::<Vec<_>>() {
        taken.extend(bench.await.unwrap());
    }
    taken.sort();
    assert_eq!(taken, (1..=40).map(key).collect::<Vec<_>>());
    assert!(items(&kv).iter().all(|(entry, _)| entry.state == FleetState::Claimed));
}

#[tokio::test]
async fn a_claim_that_was_not_confirmed_is_found_in_the_bucket() {
    let kv = Memory::default();
    fill(&kv, [entry(Placement::default())]).await;
    let mirror = SharedMirror::default();
    refresh(&mirror, &kv, Instant::now());
    *kv.unconfirmed.lock().unwrap() = 1;
    assert!(matches!(take(&taker("a"), &kv, &mirror).await, Taken::Unclear(_)));
    // Trying again does not claim the item twice.
    assert_eq!(take(&taker("a"), &kv, &mirror).await, Taken::Again);
    refresh(&mirror, &kv, Instant::now());
    let known = mirror.lock().items[&key(1)].clone();
    assert_eq!(known.value.owner.unwrap().bench, "a");
    assert_eq!(take(&taker("a"), &kv, &mirror).await, Taken::Nothing { until: None });
}

#[tokio::test]
async fn the_order_is_the_one_of_a_batch_and_a_late_item_is_skipped() {
    let kv = Memory::default();
    let mut items = vec![entry(Placement::default()); 3];
    items[1].task.priority = 5;
    items[2].deadline = Some(Utc::now() - chrono::TimeDelta::minutes(1));
    fill(&kv, items).await;
    let mirror = SharedMirror::default();
    refresh(&mirror, &kv, Instant::now());
    assert_eq!(take(&taker("a"), &kv, &mirror).await, Taken::Again);
    assert_eq!(mirror.lock().items[&key(3)].value.state, FleetState::Skipped);
    assert_eq!(take(&taker("a"), &kv, &mirror).await, Taken::Claimed(key(2)));
    assert_eq!(take(&taker("a"), &kv, &mirror).await, Taken::Claimed(key(1)));
}

#[tokio::test]
async fn nothing_is_claimed_while_the_stop_flag_is_set_or_the_disk_is_full() {
    let kv = Memory::default();
    fill(&kv, [entry(Placement::default())]).await;
    let mirror = SharedMirror::default();
    refresh(&mirror, &kv, Instant::now());
    let full = Taker { room: Some(1000), ..taker("a") };
    assert_eq!(take(&full, &kv, &mirror).await, Taken::Nothing { until: None });
    let flag = |set| serde_json::json!({ "set": set, "by": "me", "at": Utc::now() }).to_string().into_bytes();
    mirror.apply("stop", &flag(true), 10);
    assert_eq!(take(&taker("a"), &kv, &mirror).await, Taken::Nothing { until: None });
    mirror.apply("stop", &flag(false), 11);
    assert_eq!(take(&taker("a"), &kv, &mirror).await, Taken::Claimed(key(1)));
}

/// An event in the model.
#[derive(Debug, Clone)]
enum Event {
    /// A bench looks at the bucket.
    Look(usize),
    /// A bench claims an item, with what it has seen.
    Take(usize),
    /// A bench reports about one of the claims that it has ever made.
    Report(usize, usize, Outcome),
    /// A bench renews one of its claims.
    Renew(usize, usize),
    /// A person releases an item.
    Release(u32),
    /// Time passes, s.
    Pass(u64),
    /// The next write happens, but is not confirmed.
    Lose,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Measured,
    Failed,
    Held,
    Returned,
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Measured), 1 => Just(Outcome::Failed), 1 => Just(Outcome::Held), 1 => Just(Outcome::Returned)
    ];
    prop_oneof![
        4 => (0..3_usize).prop_map(Event::Look),
        4 => (0..3_usize).prop_map(Event::Take),
        4 => (0..3_usize, 0..8_usize, outcome).prop_map(|(bench, claim, outcome)| Event::Report(bench, claim, outcome)),
        2 => (0..3_usize, 0..8_usize).prop_map(|(bench, claim)| Event::Renew(bench, claim)),
        1 => (1..5_u32).prop_map(Event::Release),
        2 => (1..90_u64).prop_map(Event::Pass),
        1 => Just(Event::Lose),
    ]
}

struct Model {
    kv: Memory,
    now: Instant,
    mirrors: Vec<SharedMirror>,
    claims: Vec<Vec<(ItemKey, u64)>>,
    /// The first accepted run of each item.
    accepted: BTreeMap<String, String>,
}

impl Model {
    async fn happen(&mut self, event: Event) {
        match event {
            Event::Look(bench) => refresh(&self.mirrors[bench], &self.kv, self.now),
            Event::Take(bench) => self.take(bench).await,
            Event::Report(bench, claim, outcome) => {
                let Some((key, epoch)) = self.claims[bench].get(claim).cloned() else { return };
                let name = format!("bench-{bench}");
                let report = match outcome {
                    Outcome::Measured => Report::Measured(run(&name, epoch)),
                    Outcome::Failed => Report::Failed("no light".to_owned()),
                    Outcome::Held => Report::Held("a prompt".to_owned()),
                    Outcome::Returned => Report::Returned,
                };
                self.change(bench, &key, |entry, revision| {
                    rules::report(entry, revision, Claim { bench: &name, epoch }, report)
                })
                .await;
            }
            Event::Renew(bench, claim) => {
                let Some((key, epoch)) = self.claims[bench].get(claim).cloned() else { return };
                let name = format!("bench-{bench}");
                self.change(bench, &key, |entry, revision| {
                    rules::renew(entry, revision, Claim { bench: &name, epoch })
                })
                .await;
            }
            Event::Release(number) => {
                refresh(&self.mirrors[0], &self.kv, self.now);
                self.change(0, &key(number), |entry, _| rules::release(entry)).await;
            }
            Event::Pass(seconds) => self.now += Duration::from_secs(seconds),
            Event::Lose => *self.kv.unconfirmed.lock().unwrap() += 1,
        }
    }

    /// Like `take`, with the time of the model.
    async fn take(&mut self, bench: usize) {
        let taker = taker(&format!("bench-{bench}"));
        let decision = taker.decide(&self.mirrors[bench].lock(), Utc::now(), self.now);
        let Decision::Begin(key) = decision else { return };
        let now = self.now;
        let known = self.mirrors[bench].lock().items[&key].clone();
        let who = (taker.bench.as_str(), &[][..]);
        let next = rules::claim(&known.value, who, LEASE, known.unchanged(now), Utc::now()).unwrap();
        if write(&self.kv, &self.mirrors[bench], &key, &next, known.revision).await.is_ok() {
            let revision = self.mirrors[bench].lock().items[&key].revision;
            self.claims[bench].push((key, revision));
        }
    }

    async fn change(
        &mut self,
        bench: usize,
        key: &ItemKey,
        next: impl FnOnce(&Entry, u64) -> Result<Entry, rules::Refused>,
    ) {
        let Some(known) = self.mirrors[bench].lock().items.get(key).cloned() else { return };
        if let Ok(next) = next(&known.value, known.revision) {
            let _ = write(&self.kv, &self.mirrors[bench], key, &next, known.revision).await;
        }
    }

    /// What must hold after every event.
    fn check(&mut self) {
        for (key, (value, _)) in self.kv.entries() {
            let entry: Entry = serde_json::from_slice(&value).unwrap();
            if let Some(accepted) = &entry.accepted {
                assert_eq!(entry.state, FleetState::Measured);
                assert_eq!(entry.owner, None);
                let first = self.accepted.entry(key).or_insert_with(|| accepted.run.clone());
                assert_eq!(*first, accepted.run, "the accepted run of an item never changes");
            } else {
                assert!(!self.accepted.contains_key(&key), "an accepted run is never forgotten");
            }
            assert_eq!(
                entry.state == FleetState::Claimed,
                entry.owner.is_some() && entry.state != FleetState::Held
            );
            assert!(entry.failed.len() <= 2);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_item_has_at_most_one_accepted_run_whatever_happens(events in prop::collection::vec(event(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model {
                kv: Memory::default(),
                now: Instant::now(),
                mirrors: (0..3).map(|_| SharedMirror::default()).collect(),
                claims: vec![Vec::new(); 3],
                accepted: BTreeMap::new(),
            };
            let elsewhere = Placement { elsewhere: true, ..Placement::default() };
            let placements = [Placement::default(), elsewhere.clone(), elsewhere, Placement::default()];
            fill(&model.kv, placements.map(entry)).await;
            for event in events {
                model.happen(event).await;
                model.check();
            }
            // In the end every item that is not held can still be measured.
            for number in 1..=4 {
                let (value, revision) = model.kv.entries()[&key(number).key()].clone();
                let entry: Entry = serde_json::from_slice(&value).unwrap();
                let is_over = matches!(entry.state, FleetState::Measured | FleetState::Held);
                let has_owner = entry.epoch(revision).is_some();
                assert!(is_over || has_owner || entry.state == FleetState::Queued);
            }
        });
    }
}
