//! Local times around a change of the clocks, whatever the time of this computer is: the zone's rule puts the change to
//! where the test needs it.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use serde_json::Value;

use crate::support::{Bench, events, journal, said_by, text, watch_command};

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

#[test]
fn a_run_that_is_resumed_in_another_time_zone_keeps_its_times_of_day() {
    let bench = Bench::new();
    let stop = (Utc::now() - TimeDelta::hours(1)).format("%H:%M");
    bench.write("ctp10.toml", "");
    bench.write(
        "loop.yaml",
        &format!(
            "name: loop
instrument: sim
parameters: {{ stop: {{ default: \"{stop}\" }} }}
steps:
  - set: {{ began: \"${{time_of_day()}}\", next: \"${{next_time(stop)}}\" }}
  - repeat:
      until: \"${{stop}}\"
      steps:
        - log: \"${{began}} ${{next}}\"
        - wait: 2
"
        ),
    );
    let mut first = bench.command(&["--log-format", "json", "run", "loop.yaml"]);
    first.env("TZ", "UTC0");
    let mut run = watch_command(first);
    run.wait_for(|event| event["event"] == "log");
    run.signal("KILL");
    run.finish();
    let folder = bench.only_run();
    let records = journal(&folder);
    let loop_began = records.iter().rfind(|record| record["event"] == "now").unwrap()["time_s"].to_string();
    // The same run, if the loop had begun three hours earlier: its time of day has passed by now.
    let earlier = (loop_began.parse::<f64>().unwrap() - 10_800.0).to_string();
    let text = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    std::fs::write(folder.join("journal.jsonl"), text.replace(&loop_began, &earlier)).unwrap();
    let resumed = bench.command(&["resume", folder.to_str().unwrap()]).env("TZ", "XXX5").output().unwrap();
    assert!(resumed.status.success(), "{}", said_by(&resumed));
    let records = journal(&folder);
    let logged: Vec<_> = records.iter().filter(|record| record["event"] == "log").collect();
    assert_eq!(logged.len(), 1, "the loop ends after the turn in which its time has passed: {logged:?}");
    assert_eq!(events(&records).iter().filter(|event| **event == "taken_up").count(), 1);
}
