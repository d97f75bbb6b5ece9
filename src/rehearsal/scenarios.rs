//! The scenarios of a series of rehearsals.

use std::fmt;

use super::safety::ProgramEnd;
use crate::simulator::FaultSpec;

/// A rate for traces that is slow enough to be noticed, but does not take minutes.
const SLOW_BYTES_PER_S: u32 = 200_000;
/// Average number of faults in a rehearsal with random faults.
const FAULTS_BY_CHANCE: f64 = 3.0;

/// The faults of one rehearsal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// Faults of the instrument.
    pub faults: Vec<FaultSpec>,
    /// The program is killed after this many events.
    pub kill_after: Option<u64>,
}

impl Scenario {
    /// Whether the rehearsal shows nothing, because its fault or its kill did not occur. Random faults may be absent.
    #[must_use]
    pub fn was_missed(&self, faults_occurred: u64, ending: ProgramEnd) -> bool {
        let is_random = self.faults.iter().any(FaultSpec::is_random);
        let fault_missed = !self.faults.is_empty() && faults_occurred == 0;
        let kill_missed = self.kill_after.is_some() && ending != ProgramEnd::Killed;
        !is_random && (fault_missed || kill_missed)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        words.extend(self.kill_after.map(|events| format!("kill after {events} events")));
        if words.is_empty() { f.write_str("no fault") } else { f.write_str(&words.join(", ")) }
    }
}

/// The size of a rehearsal without faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunSize {
    /// Number of commands that the instrument received.
    pub commands: u64,
    /// Number of events.
    pub events: u64,
    /// Number of sweeps.
    pub sweeps: u64,
    /// Number of fetched traces.
    pub traces: u64,
}

/// Every kind of fault once, in the middle of the matching commands, and a kill in the middle of the run.
#[must_use]
pub fn standard(size: RunSize) -> Vec<Scenario> {
    let middle = |count: u64| count.div_ceil(2);
    let (sweep, trace, command) = (middle(size.sweeps), middle(size.traces), middle(size.commands));
    let mut texts = Vec::new();
    if size.traces > 0 {
        texts.extend(["drop", "stall", "garble", "truncate"].map(|kind| format!("{kind}@trace:{trace}")));
        texts.push(format!("slow@trace:{trace}={SLOW_BYTES_PER_S}"));
    }
    if size.sweeps > 0 {
        texts.extend(
            ["drop", "stall", "refuse", "error-queue", "hang"].map(|kind| format!("{kind}@sweep:{sweep}")),
        );
        texts.push(format!("reboot@sweep:{sweep}=1"));
        texts.push(format!("late@condition:{sweep}=6"));
    }
    if size.sweeps + size.traces == 0 {
        texts.extend(["drop", "stall", "refuse", "error-queue"].map(|kind| format!("{kind}@{command}")));
        texts.extend([format!("reboot@{command}=1"), format!("late@{command}=6")]);
    }
    let faults = texts.iter().filter_map(|text| text.parse().ok());
    let faulty = faults.map(|fault| Scenario { faults: vec![fault], kill_after: None });
    faulty.chain([Scenario { faults: Vec::new(), kill_after: Some(middle(size.events)) }]).collect()
}

/// One rehearsal for each of these faults and kills.
#[must_use]
pub fn given(faults: &[FaultSpec], kills: &[u64]) -> Vec<Scenario> {
    let faults = faults.iter().map(|fault| Scenario { faults: vec![fault.clone()], kill_after: None });
    let kills = kills.iter().map(|events| Scenario { faults: Vec::new(), kill_after: Some(*events) });
    faults.chain(kills).collect()
}

/// Random faults, and a kill in every second rehearsal. The same seed gives the same scenarios.
#[must_use]
pub fn chaos(seed: u64, times: u64, size: RunSize) -> Vec<Scenario> {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand commands")]
    let rate = (FAULTS_BY_CHANCE / size.commands.max(1) as f64).clamp(1e-4, 0.5);
    let one = |number: u64| {
        let seed = seed.wrapping_add(number);
        let fault = format!("random@{seed}={rate:.4}").parse();
        // The golden ratio spreads the kills evenly over the run.
        let moment = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % size.events.max(1) + 1;
        Scenario { faults: fault.into_iter().collect(), kill_after: (number % 2 == 1).then_some(moment) }
    };
    (0..times).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: RunSize = RunSize { commands: 400, events: 90, sweeps: 5, traces: 10 };

    #[test]
    fn the_standard_course_has_every_kind_of_fault_and_a_kill() {
        let course = standard(EXTENT);
        let texts: Vec<String> = course.iter().map(ToString::to_string).collect();
        for kind in FaultSpec::kinds().filter(|kind| *kind != "random") {
            assert!(texts.iter().any(|text| text.starts_with(&format!("{kind}@"))), "no {kind} in {texts:?}");
        }
        assert_eq!(texts.last().unwrap(), "kill after 45 events");
        let quiet = standard(RunSize { commands: 9, events: 4, ..RunSize::default() });
        assert_eq!(quiet[0].to_string(), "drop@5");
    }

    #[test]
    fn a_fault_or_a_kill_that_did_not_occur_is_missed_unless_chance_decides() {
        let missed = |scenario: &Scenario, occurred, ending| scenario.was_missed(occurred, ending);
        let done = ProgramEnd::Exit(0);
        let fault = &given(&["drop@trace:999".parse().unwrap()], &[])[0];
        assert!(missed(fault, 0, done) && !missed(fault, 1, done));
        let kill = &given(&[], &[99_999])[0];
        assert!(missed(kill, 0, done) && !missed(kill, 0, ProgramEnd::Killed));
        assert!(!missed(&Scenario::default(), 0, done));
        assert!(chaos(7, 4, EXTENT).iter().all(|scenario| !missed(scenario, 0, done)));
    }

    #[test]
    fn a_seed_gives_the_same_course_again_and_another_one_another() {
        assert_eq!(chaos(7, 10, EXTENT), chaos(7, 10, EXTENT));
        assert_ne!(chaos(7, 10, EXTENT), chaos(8, 10, EXTENT));
        let course = chaos(7, 10, EXTENT);
        assert!(course.iter().all(|scenario| scenario.faults.len() == 1));
        assert!(course.iter().filter_map(|scenario| scenario.kill_after).all(|at| (1..=90).contains(&at)));
        assert_eq!(course.iter().filter(|scenario| scenario.kill_after.is_some()).count(), 5);
    }
}
