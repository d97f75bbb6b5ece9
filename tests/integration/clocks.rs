//! Local times around a change of the clocks, whatever the time of this computer is: the zone's rule puts the change to
//! where the test needs it.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use serde_json::Value;

use crate::support::{Bench, text};

/// A zone in POSIX words that is UTC until its clocks are set by an hour at an hour of UTC: forward, or back.
fn zone(at: DateTime<Utc>, forward: bool) -> String {
    // Days of the year from 0; the rule's hour is local. The other change is half a year away.
    let (day, other) = (at.ordinal0(), (at + TimeDelta::days(180)).ordinal0());
    let hour = at.hour();
    if forward {
        format!("AAA0BBB-1,{day}/{hour},{other}/3")
    } else {
        format!("AAA0BBB-1,{other}/3,{day}/{}", hour + 1)
    }
}

fn plan(bench: &Bench, zone: &str) -> Value {
    let ended = bench.command(&["batch", "plan", "night.yaml", "--json"]).env("TZ", zone).output().unwrap();
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{}", text(&ended.stderr)))
}

fn moment(plan: &Value, name: &str) -> DateTime<Utc> {
    plan[name].as_str().unwrap().parse().unwrap()
}

/// The next change is at an hour from 2 to 21 of UTC, so that its day is the same in all of this.
fn change() -> DateTime<Utc> {
    let hour = (Utc::now() + TimeDelta::hours(4)).date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let now = Utc::now();
    [6, 12, 18, 30]
        .into_iter()
        .map(|h| hour + TimeDelta::hours(h))
        .find(|at| *at > now + TimeDelta::hours(2))
        .unwrap()
}

fn night(bench: &Bench, not_before: &str, deadline: &str) {
    bench.write("r.yaml", "name: r\ninstrument: sim\nsteps: [ { sweep: {} } ]\n");
    let times = [("not_before", not_before), ("deadline", deadline)];
    let times = times.iter().filter(|(_, time)| !time.is_empty());
    let times: String = times.map(|(name, time)| format!("{name}: \"{time}\"\n")).collect();
    bench.write("night.yaml", &format!("name: night\n{times}items:\n  - recipe: r.yaml\n"));
}

#[test]
fn a_skipped_time_is_the_first_moment_after_the_change_and_batch_check_says_so() {
    let (bench, at) = (Bench::new(), change());
    let zone = zone(at, true);
    let half_past = format!("{:02}:30", at.hour());
    night(&bench, "", &half_past);
    assert_eq!(moment(&plan(&bench, &zone), "deadline"), at, "TZ={zone}");
    let (from, to) = (format!("{:02}:15", at.hour()), format!("{:02}:45", at.hour()));
    night(&bench, &from, &to);
    let planned = plan(&bench, &zone);
    assert_eq!((moment(&planned, "not_before"), moment(&planned, "deadline")), (at, at), "TZ={zone}");
    let ended = bench.command(&["batch", "check", "night.yaml"]).env("TZ", &zone).output().unwrap();
    let told = text(&ended.stderr);
    assert!(told.contains(&format!("skip all times from {from} to {to}")), "TZ={zone}: {told}");
}

#[test]
fn a_time_that_comes_twice_is_the_first_that_is_still_to_come() {
    let (bench, at) = (Bench::new(), change());
    // The clocks go back at the full hour: the hour before it comes again.
    let zone = zone(at, false);
    night(&bench, "", &format!("{:02}:30", at.hour()));
    assert_eq!(moment(&plan(&bench, &zone), "deadline"), at - TimeDelta::minutes(30), "TZ={zone}");
}
