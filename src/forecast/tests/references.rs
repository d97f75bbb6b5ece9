//! References: which sweep they cover, what is connected, and who takes them.

use super::*;

#[test]
fn a_transmission_function_needs_a_reference_that_holds_for_its_sweep() {
    let of = |steps: &str| {
        said(&format!("  - configure_scan: {{ start_nm: 1540, stop_nm: 1560, resolution_pm: 1 }}\n{steps}"))
    };
    let reference =
        "  - create_reference: { detector: 4/1, connect: cord }\n  - prompt: { message: device }\n";
    let fetch = "  - fetch_trace: { detector: 4/1, trace: tf }\n";
    assert_eq!(
        of(&format!("  - sweep:\n{fetch}")),
        ["3 warning: the transmission function of 4/1 is fetched without a reference in this recipe"]
    );
    assert_eq!(
        of(&format!("{reference}  - sweep: {{ start_nm: 1530 }}\n{fetch}")),
        ["5 error: the reference of 4/1 covers 1540 to 1560 nm, but the sweep covers 1530 to 1560 nm"]
    );
    assert_eq!(
        of(&format!("  - sweep:\n{reference}{fetch}")),
        ["5 warning: the reference of 4/1 is taken after the sweep that needs it"]
    );
    assert_eq!(of(&format!("{reference}  - sweep: {{ start_nm: 1545 }}\n{fetch}")), [""; 0]);
}

#[test]
fn somebody_has_to_take_the_patch_cord_out_before_the_device_is_measured() {
    let steps = "  - create_reference: { detector: 4/1, connect: cord }\n  - sweep:\n";
    assert_eq!(
        said(steps),
        ["2 warning: no prompt asks for the device between the reference and this sweep"]
    );
    let text = format!("name: t\nsteps:\n{steps}");
    let simulated = Circumstances { simulated: true, attended: None };
    assert_eq!(told(&walk_file("t.yaml", &text, simulated)), [""; 0]);
}

#[test]
fn a_stage_or_a_switch_may_bring_the_device_and_what_only_asks_does_not() {
    let of = |method: &str| {
        let request = format!("  - http: {{ method: {method}, url: \"http://stage/\" }}\n");
        said(&format!("  - create_reference: {{ detector: 4/1, connect: cord }}\n{request}  - sweep:\n"))
    };
    assert_eq!(of("POST"), [""; 0]);
    assert_eq!(of("GET").len(), 1);
}

#[test]
fn references_say_what_to_connect_and_who_takes_them() {
    let of = |fields: &str, attended| {
        let text = format!("name: t\nsteps:\n  - create_reference: {{ detector: 4/1, {fields} }}\n");
        told(&walk_file("t.yaml", &text, Circumstances { simulated: false, attended }))
    };
    assert_eq!(of("max_age_min: 5", None), ["1 warning: the reference of 4/1 has no `connect`"]);
    assert_eq!(
        of("connect: cord, unattended: recreate", None),
        ["1 warning: the reference of 4/1 may be taken while no person is present"]
    );
    assert_eq!(of("connect: cord", Some(true)), [""; 0]);
    assert_eq!(
        of("connect: cord", Some(false)),
        ["1 warning: no person is present: the run fails here if a new reference of 4/1 is needed"]
    );
}

#[test]
fn a_step_with_several_references_lasts_as_long_as_their_scans() {
    let seconds = |detectors: &str| {
        let walk = walked(&format!("  - create_reference: {{ detectors: [{detectors}], connect: cord }}\n"));
        walk.steps[0].estimate.seconds
    };
    assert!((seconds("4/1, 4/2, 4/3") - 3.0 * seconds("4/1")).abs() < 1e-9);
}
