//! The leases of claims on items that may be measured elsewhere. They follow the monotonic clock of this process.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::agent::{Agent, LOOK};
use crate::catalogue::ItemRow;
use crate::error::chain;
use crate::fleet::choice::write;
use crate::fleet::entry::{Entry, FleetState, ItemKey};
use crate::fleet::kv::KvError;
use crate::fleet::mirror::Known;
use crate::fleet::rules::{self, Claim, lease_times};
use crate::store::FleetRecord;

/// What a claim with a lease needs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeaseNeed {
    /// Nothing.
    Nothing,
    /// The lease must be renewed.
    Renewal,
    /// The run must stop: another bench may take the item soon.
    Stop,
}

/// The last renewals that the broker has confirmed.
#[derive(Debug, Default)]
pub(super) struct Leases(BTreeMap<(String, u32, u64), Instant>);

fn key(claim: &FleetRecord) -> (String, u32, u64) {
    (claim.batch.clone(), claim.item, claim.epoch)
}

impl Leases {
    /// Notes a renewal. `sent` is the time before the request, so that the broker counts from a later time.
    pub(super) fn renewed(&mut self, claim: &FleetRecord, sent: Instant) {
        self.0.insert(key(claim), sent);
    }

    /// Forgets a claim.
    pub(super) fn forget(&mut self, claim: &FleetRecord) {
        self.0.remove(&key(claim));
    }

    /// What the claim needs now. A claim of before the start of this process counts as just made: the first renewal
    /// shows whether another bench has it.
    pub(super) fn need(&mut self, claim: &FleetRecord, lease_s: f64, now: Instant) -> LeaseNeed {
        let (renewal, stop) = lease_times(lease_s);
        let Some(last) = self.0.get(&key(claim)) else {
            self.0.insert(key(claim), now);
            return LeaseNeed::Renewal;
        };
        let passed: Duration = now.saturating_duration_since(*last);
        match passed {
            passed if passed >= stop => LeaseNeed::Stop,
            passed if passed >= renewal => LeaseNeed::Renewal,
            _ => LeaseNeed::Nothing,
        }
    }
}

impl Agent {
    /// Renews the lease of a claim, or stops its run if that has failed for too long. Returns whether anything was done.
    pub(super) async fn keep_lease(
        &mut self,
        item: &ItemRow,
        fleet: &FleetRecord,
        key: &ItemKey,
        known: &Known<Entry>,
    ) -> bool {
        let Some(lease_s) = known.value.owner.as_ref().and_then(|owner| owner.lease_s) else { return false };
        let claim = Claim { bench: &fleet.bench, epoch: fleet.epoch };
        let Ok(next) = rules::renew(&known.value, known.revision, claim) else { return false };
        let sent = Instant::now();
        match self.leases.need(fleet, lease_s, sent) {
            LeaseNeed::Nothing => false,
            LeaseNeed::Renewal if known.value.state == FleetState::Claimed => {
                let Ok(bucket) = self.bucket.borrow().clone() else { return false };
                match write(&bucket, &self.mirror, key, &next, known.revision).await {
                    Ok(()) => self.leases.renewed(fleet, sent),
                    // The watch brings the newer entry.
                    Err(KvError::Changed) => {}
                    Err(error) => self.say(format!("the lease of {key} is not renewed: {error}")),
                }
                false
            }
            LeaseNeed::Renewal => false,
            LeaseNeed::Stop => {
                if self.is_lost(key, claim).await {
                    return false;
                }
                let why = format!(
                    "the lease of {key} could not be renewed for two thirds of {lease_s} s: another bench may take the item"
                );
                self.say(why.clone());
                self.given_back.insert((fleet.batch.clone(), fleet.item, fleet.epoch));
                if let Err(error) = self.queue.withdraw(item.number, &why).await {
                    tracing::error!("the run cannot be stopped: {}", chain(&error));
                }
                true
            }
        }
    }

    /// Whether another bench has the item, according to the broker. A bench that was suspended learns it here first.
    async fn is_lost(&self, key: &ItemKey, claim: Claim<'_>) -> bool {
        let Ok(bucket) = self.bucket.borrow().clone() else { return false };
        let asked = tokio::time::timeout(LOOK, bucket.get(&key.key())).await;
        if let Ok(Ok(Some((value, revision, _)))) = asked {
            self.mirror.apply(&key.key(), &value, revision);
        }
        let known = self.mirror.lock().items.get(key).cloned();
        known.is_some_and(|known| rules::owned(&known.value, known.revision, claim).is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_renewed_early_and_its_run_stops_at_two_thirds() {
        let claim = FleetRecord {
            batch: "night".to_owned(),
            content: String::new(),
            item: 1,
            bench: "a".to_owned(),
            epoch: 5,
        };
        let (mut leases, start) = (Leases::default(), Instant::now());
        let after = |s: f64| start + Duration::from_secs_f64(s);
        leases.renewed(&claim, start);
        assert_eq!(leases.need(&claim, 60.0, after(9.0)), LeaseNeed::Nothing);
        assert_eq!(leases.need(&claim, 60.0, after(11.0)), LeaseNeed::Renewal);
        assert_eq!(leases.need(&claim, 60.0, after(39.0)), LeaseNeed::Renewal);
        assert_eq!(leases.need(&claim, 60.0, after(40.0)), LeaseNeed::Stop);
        leases.renewed(&claim, after(40.0));
        assert_eq!(leases.need(&claim, 60.0, after(41.0)), LeaseNeed::Nothing);
        leases.forget(&claim);
        assert_eq!(leases.need(&claim, 60.0, after(99.0)), LeaseNeed::Renewal);
    }
}
