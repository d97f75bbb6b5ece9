//! What the forecast says of whole recipes.

use super::*;
use crate::measurement::TraceKind;
use crate::operation::{Operation, Surroundings};
use crate::recipe::Recipe;
use crate::source::Severity;

mod references;
mod traces;
mod types;

fn walk_file(name: &str, text: &str, circumstances: Circumstances) -> Walk {
    let recipe = Recipe::from_text(name, text, None, &[]).unwrap();
    walk(|host| recipe.perform(host), recipe.sources(), circumstances)
}

fn walked(steps: &str) -> Walk {
    let text = format!("name: t\nsteps:\n{steps}");
    walk_file("t.yaml", &text, Circumstances { simulated: false, attended: Some(true) })
}

/// The findings as `line severity message`, the recipe's first step being on line 1.
fn told(walk: &Walk) -> Vec<String> {
    let line = |finding: &crate::source::Diagnostic| finding.place.as_ref().map_or(0, |(_, at)| at.line - 2);
    let kind = |severity| if severity == Severity::Error { "error" } else { "warning" };
    walk.findings.iter().map(|f| format!("{} {}: {}", line(f), kind(f.severity), f.message)).collect()
}

fn said(steps: &str) -> Vec<String> {
    told(&walked(steps))
}

/// A measurement without anything to say about it.
const SOUND: &str = r#"
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50 }
  - configure_scan: { start_nm: 1520, stop_nm: 1580, resolution_pm: 1 }
  - create_reference: { detector: 4/1, connect: "patch cord", max_age_min: 720 }
  - prompt: { message: "Connect the device." }
  - sweep: { timeout_s: 60 }
  - fetch_trace: { detector: 4/1, trace: tf }
"#;

#[test]
fn a_sound_measurement_gives_no_findings() {
    assert_eq!(said(SOUND), [""; 0]);
}

#[test]
fn the_plan_counts_every_turn_of_a_loop() {
    let walk = walked(
        "
  - configure_scan: { start_nm: 1550, stop_nm: 1551, resolution_pm: 1 }
  - repeat:
      for: power
      in: [-5, 0, 5]
      steps:
        - configure_tls: { tls: 1, speed_nm_s: 10, power_dbm: \"${power}\" }
        - sweep:
        - fetch_trace: { detectors: [4/1, 4/2], trace: raw }
",
    );
    let total = plan::total(&walk.steps);
    assert_eq!((walk.steps.len(), total.points), (10, 3 * 2 * 1001));
    assert!(!total.may_differ);
    // 1 nm at 10 nm/s and half a second of analyzing, three times, and the transfers.
    assert!((1.8..3.5).contains(&total.seconds), "{}", total.seconds);
    let text = plan::text(&walk.steps, &Surroundings::default(), true, 80);
    assert!(text.contains("(power=-5) sweep"), "{text}");
    assert!(text.contains("> INIT:TLS1:POW -5DBM"), "{text}");
    assert!(text.contains("traces: [raw] }: 2002 points"), "{text}");
}

#[test]
fn a_range_is_judged_only_when_the_recipe_has_set_both_its_ends() {
    assert_eq!(said("  - sweep: { stop_nm: 1300 }\n"), [""; 0]);
    assert_eq!(said("  - configure_scan: { stop_nm: 1300 }\n  - sweep: { start_nm: 1260 }\n"), [""; 0]);
    assert_eq!(
        said("  - configure_scan: { start_nm: 1580 }\n  - sweep: { stop_nm: 1520 }\n"),
        ["2 error: the scan starts at 1580 nm and stops at 1520 nm"]
    );
}

#[test]
fn a_step_in_a_loop_gives_one_finding_however_its_values_change() {
    let steps = "
  - repeat:
      for: centre
      from: 1530
      to: 1570
      step: 0.1
      steps:
        - configure_scan: { start_nm: \"${centre}\" }
        - sweep: { stop_nm: 1530 }
";
    assert_eq!(said(steps), ["9 error: the scan starts at 1530 nm and stops at 1530 nm"]);
}

#[test]
fn a_trace_belongs_to_a_sweep_of_the_recipe() {
    assert_eq!(
        said("  - fetch_trace: { detector: 4/1, trace: raw }\n"),
        ["1 warning: a trace is fetched before any sweep"]
    );
    assert_eq!(
        said(
            "  - sweep:\n  - configure_scan: { resolution_pm: 5 }\n  - fetch_trace: { detector: 4/1, trace: raw }\n"
        ),
        ["3 warning: the scan settings have changed since the last sweep, but the trace is from that sweep"]
    );
}

#[test]
fn a_request_that_moves_something_is_not_retried_and_says_so() {
    let retried = |fields: &str| {
        said(&format!("  - http: {{ url: \"http://stage/\", {fields}, retry: {{ times: 2 }} }}\n"))
    };
    assert_eq!(retried("method: POST"), ["1 warning: `http` is never repeated automatically"]);
    assert_eq!(retried("method: POST, effect: configure"), [""; 0]);
    assert_eq!(retried("method: GET"), [""; 0]);
}

#[test]
fn a_reply_is_assumed_and_what_uses_it_is_marked() {
    let walk = walked(
        "
  - http: { id: oven, url: \"http://oven/\", assume: { temperature_c: 25.5 } }
  - log: \"before\"
  - log: \"${steps.oven.reply.temperature_c} ${steps.oven.status}\"
",
    );
    assert_eq!(told(&walk), [""; 0]);
    assert_eq!(walk.steps[2].step.operation.to_string(), "log { message: 25.5 200 }");
    assert_eq!(walk.steps.iter().map(|step| step.may_differ).collect::<Vec<_>>(), [false, false, true]);
    // Without one the plan ends where a field of the reply is used, and that is no error.
    let cut = walked("  - http: { id: oven, url: \"http://oven/\" }\n  - log: \"${steps.oven.reply.c}\"\n");
    assert_eq!(told(&cut), ["2 warning: `${steps.oven.reply.c}`: it contains no `c`"]);
    assert!(cut.findings[0].hint.as_ref().unwrap().starts_with("`assume` of an `http` or `scpi` step"));
}

#[test]
fn a_question_needs_somebody_to_answer_it() {
    let text = "name: t\nsteps:\n  - prompt: { message: Ready? }\n";
    let told = |attended| told(&walk_file("t.yaml", text, Circumstances { simulated: true, attended }));
    assert_eq!(told(None), ["1 warning: if no person is present, this question fails immediately"]);
    assert_eq!(told(Some(true)), [""; 0]);
}

#[test]
fn a_scan_needs_a_laser_wherever_it_goes() {
    let of = |tls: &str| said(&format!("{tls}  - sweep: {{ start_nm: 1500, stop_nm: 1640 }}\n"));
    assert_eq!(
        of("  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630 }\n"),
        ["2 warning: no TLS of this recipe sweeps 1630 to 1640 nm of the scan"]
    );
    let beside = "  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1570 }
  - configure_tls: { tls: 2, laser: 2, start_nm: 1570, stop_nm: 1640 }\n";
    assert_eq!(of(beside), [""; 0]);
    assert_eq!(of("  - configure_tls: { tls: 1, laser: 1, start_nm: 1500 }\n"), [""; 0]);
    assert_eq!(
        of("  - configure_tls: { tls: 2, laser: 2, start_nm: 1260, stop_nm: 1360 }\n"),
        ["2 warning: the range of TLS 2 lies outside the scan of 1500 to 1640 nm"]
    );
    assert_eq!(
        of("  - configure_tls: { tls: 1, laser: 1 }\n  - configure_tls: { tls: 2, laser: 1 }\n"),
        ["3 error: laser 1 is used as TLS 1 and as TLS 2"]
    );
    assert_eq!(
        said("  - configure_tls: { tls: 1, laser: 0, power_dbm: 5 }\n"),
        ["1 warning: TLS 1 has settings but no laser"]
    );
}

#[test]
fn times_have_to_fit_into_each_other() {
    assert_eq!(
        said("  - wait: { seconds: 10, timeout_s: 5 }\n"),
        ["1 error: `wait` needs 10 s, but its limit is 5 s"]
    );
    let slow = "  - configure_tls: { tls: 1, laser: 1, speed_nm_s: 5 }
  - sweep: { start_nm: 1520, stop_nm: 1580, timeout_s: 10 }\n";
    assert_eq!(said(slow), ["2 warning: `sweep` needs 12 s, but its limit is 10 s"]);
}

#[test]
fn power_does_not_hold_still_in_the_dark() {
    let wait = "  - wait: { stable: { detector: 4/1, within_db: 0.1, for_s: 1, timeout_s: 20 } }\n";
    assert_eq!(said(wait), [""; 0], "someone else may have switched a laser on");
    assert_eq!(
        said(&format!("  - sweep:\n{wait}")),
        ["2 warning: the power on 4/1 is waited for, but no laser is on"]
    );
    assert_eq!(
        said(&format!("  - sweep:\n  - configure_laser: {{ laser: 1, output: true }}\n{wait}")),
        [""; 0]
    );
    assert_eq!(said(&format!("  - sweep: {{ keep_lasers_on: true }}\n{wait}")), [""; 0]);
}

fn script(text: &str) -> Walk {
    let text = format!("recipe(#{{ name: \"t\" }});\n{text}");
    walk_file("t.rhai", &text, Circumstances { simulated: true, attended: Some(true) })
}

#[test]
fn a_coarse_sweep_finds_the_dip_in_the_middle_and_what_follows_is_marked() {
    let walk = script(
        r#"
configure_scan(#{ start_nm: 1520, stop_nm: 1580, resolution_pm: 10 });
prompt(#{ message: "Connect the device." });
sweep();
let coarse = fetch_trace(#{ detector: "4/1", trace: "raw", name: "coarse" });
let dip = coarse.min_nm();
sweep(#{ start_nm: dip - 0.5, stop_nm: dip + 0.5, resolution_pm: 0.1 });
let fine = fetch_trace(#{ detector: "4/1", trace: "raw" });
log(`${fine.min_nm()} nm, ${fine.bandwidth_nm(3)} nm wide`);
"#,
    );
    assert_eq!(told(&walk), [""; 0]);
    let marked: Vec<bool> = walk.steps.iter().map(|planned| planned.may_differ).collect();
    assert_eq!(marked, [false, false, false, false, true, true, true]);
    let Operation::Sweep(fine) = &walk.steps[4].step.operation else { panic!() };
    assert_eq!((fine.start_nm.unwrap().get(), fine.stop_nm.unwrap().get()), (1549.5, 1550.5));
    assert_eq!(walk.steps[5].estimate.points, 10_001);
}

#[test]
fn what_a_measured_value_decides_is_never_an_error() {
    let walk = script(
        r#"
configure_laser(#{ laser: 1, output: true });
let give_up = now() + 60;
while read_power(#{ detector: "4/1" }) < -5 {
    if now() > give_up { throw "no light"; }
    wait(1);
}
"#,
    );
    assert_eq!(walk.findings.len(), 1);
    assert_eq!(walk.findings[0].severity, Severity::Warning);
    assert!(walk.findings[0].message.contains("no light"));
    assert!(walk.findings[0].hint.as_ref().unwrap().contains("had to assume"));
    assert!(walk.complete);
}

#[test]
fn a_recipe_that_never_ends_is_walked_to_a_limit_and_through_its_finally() {
    let text = r#"
finally(|| configure_laser(#{ laser: 1, output: false }));
loop { try { log("again"); } catch (fault) { log("never mind"); } }
"#;
    // Here the number of operations ends it, however slow the computer is.
    let walk = crate::budget::Budget::for_a_past().spend(|| script(text));
    assert!(!walk.complete);
    assert_eq!(walk.steps.len(), 100_001);
    assert_eq!(walk.steps[100_000].step.operation.name(), "configure_laser");
    assert_eq!(walk.findings.len(), 1);
    assert_eq!(walk.findings[0].severity, Severity::Warning);
    assert!(walk.findings[0].message.starts_with("the recipe has more than 100000 operations"));
}

#[test]
fn settings_come_back_whole_though_the_recipe_set_only_some() {
    let walk = script(
        r#"
let tls = configure_tls(#{ tls: 1, power_dbm: 3 });
let scan = sweep(#{ start_nm: 1530, stop_nm: 1540 });
let detector = configure_detector(#{ detector: "4/1", power_unit: "mW" });
log(`${tls.power_dbm + tls.speed_nm_s + scan.resolution_pm + detector.wavelength_nm} ${detector.power_unit}`);
"#,
    );
    assert_eq!(told(&walk), [""; 0]);
    let last = walk.steps.last().unwrap().step.operation.to_string();
    assert!(last.contains("1613") && last.contains("mW"), "{last}");
}

#[test]
fn a_trace_that_is_fetched_is_the_last_sweeps() {
    let walk = walked(
        "
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 1 }
  - fetch_trace: { id: got, detector: 4/1, trace: raw }
  - if:
      condition: \"${steps.got.points == 1001 && steps.got.min.nm == 1540.5}\"
      then: [ { log: whole } ]
",
    );
    assert_eq!(walk.steps.last().unwrap().step.operation.to_string(), "log { message: whole }");
    assert!(matches!(&walk.steps[1].step.operation,
        Operation::FetchTrace(fetch) if fetch.traces == [TraceKind::Raw]));
}

#[test]
fn the_probe_of_a_suspension_is_looked_at_beside_the_plan() {
    let of = |probe: &str, condition: &str| {
        let text = format!(
            "name: t\nsteps: [ {{ sweep: {{ start_nm: 1500, stop_nm: 1600 }} }}, {{ log: done }} ]\nsuspend_when:\n  probe: [ {probe}{{ read_power: {{ id: tap, detector: 4/3 }} }} ]\n  condition: {condition}\n  timeout_s: 60\n"
        );
        walk_file("t.yaml", &text, Circumstances { simulated: false, attended: Some(true) })
    };
    let lit = of("{ configure_laser: { laser: 1, output: true } }, ", "steps.tap.value < -20");
    assert_eq!((told(&lit), lit.steps.len(), lit.probes.len()), (vec![], 2, 2));
    assert!(!lit.steps[1].may_differ);
    // The lasers are dark behind a scan.
    let dark = told(&of("", "steps.tap.value < -20"));
    assert_eq!(dark, ["2 warning: the power on 4/3 is judged, but no laser is on"]);
    let misspelt =
        told(&of("{ configure_laser: { laser: 1, output: true } }, ", "steps.tap.readings[0].valu < -20"));
    assert_eq!(misspelt, ["3 warning: `${steps.tap.readings[0].valu < -20}`: it contains no `valu`"]);
}

#[test]
fn a_scan_that_the_instrument_would_lengthen_is_an_error_where_its_range_is_set() {
    let short = "the scan covers 0.5 nm, but the shortest scan of the instrument is 1 nm";
    assert_eq!(
        said("  - configure_scan: { start_nm: 1549.75, stop_nm: 1550.25 }\n  - sweep:\n"),
        [format!("1 error: {short}")]
    );
    assert_eq!(
        said("  - configure_scan: { start_nm: 1549.75 }\n  - sweep: { stop_nm: 1550.25 }\n"),
        [format!("2 error: {short}")]
    );
    assert_eq!(
        said("  - sweep: { start_nm: 1549.7, stop_nm: 1550.7 }\n"),
        [""; 0],
        "rounding is no shortness"
    );
}

#[test]
fn a_transmission_is_of_one_laser_at_one_power() {
    let of = |before: &str, after: &str| {
        said(&format!(
            "  - configure_tls: {{ tls: 1, {before} }}
  - configure_scan: {{ start_nm: 1540, stop_nm: 1560, resolution_pm: 1 }}
  - create_reference: {{ detector: 4/1, connect: cord }}
  - prompt: {{ message: device }}
  - configure_tls: {{ tls: 1, {after} }}
  - sweep:
  - fetch_trace: {{ detector: 4/1, trace: tf }}
"
        ))
    };
    assert_eq!(
        of("laser: 1, power_dbm: 0", "power_dbm: 10"),
        ["7 warning: the reference of 4/1 was taken at 0 dBm, but the sweep runs at 10 dBm"]
    );
    assert_eq!(
        of("laser: 1, power_dbm: 0", "laser: 2"),
        ["7 warning: the reference of 4/1 was taken with laser 1, but the sweep runs with laser 2"]
    );
    assert_eq!(of("laser: 1, power_dbm: 0", "power_dbm: 0, speed_nm_s: 50"), [""; 0]);
    assert_eq!(of("laser: 1", "power_dbm: 10"), [""; 0], "the power of the reference is not known");
}

#[test]
fn a_detector_is_calibrated_for_the_light_that_it_measures() {
    let of = |laser_nm: f64, detector_nm: f64, read: &str| {
        said(&format!(
            "  - configure_detector: {{ detector: 4/1, wavelength_nm: {detector_nm} }}
  - configure_laser: {{ laser: 1, wavelength_nm: {laser_nm}, output: true }}
  - {read}
"
        ))
    };
    let read = "read_power: { detector: 4/1 }";
    let wrong = "3 warning: 4/1 is calibrated for 1310 nm, but the light of laser 1 has 1560 nm";
    assert_eq!(of(1560.0, 1310.0, read), [wrong]);
    assert_eq!(
        of(1560.0, 1310.0, "wait: { stable: { detector: 4/1, within_db: 0.1, for_s: 1, timeout_s: 9 } }"),
        [wrong]
    );
    assert_eq!(of(1560.0, 1545.0, read), [""; 0]);
    // After a scan nobody knows the wavelength of a laser.
    assert_eq!(of(1560.0, 1310.0, &format!("sweep: {{ keep_lasers_on: true }}\n  - {read}")), [""; 0]);
}
