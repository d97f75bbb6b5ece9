//! What people write out of habit from other languages gets a hint with the form of the recipe language.

use super::*;

#[test]
fn forms_of_other_languages_get_a_hint() {
    for (step, hint) in [
        ("configure_laser: { laser: 1, output: off }", "write `false`"),
        ("configure_laser: { laser: 1, output: \"on\" }", "write `true`"),
        ("wait: 10min", "write `wait: { seconds: 600 }`"),
        ("wait: \"2 h\"", "write `wait: { seconds: 7200 }`"),
        ("wait: { seconds: 500 ms }", "write `seconds: 0.5`"),
        ("sweep: { timeout_s: 1h }", "write `timeout_s: 3600`"),
        ("configure_tls: { tls: 1, speed_nm_s: 50 nm/s }", "write `speed_nm_s: 50`"),
        ("prompt: Connect the device", "write `prompt: { message: \"Connect the device\" }`"),
        ("log: \"${1 > 0 ? 1 : 2}\"", "write `if a { b } else { c }`"),
        ("log: \"${'abc'}\"", "write \"abc\" or `abc`"),
        ("configure_laser: { <<: { laser: 1 }, power_dbm: 1 }", "write the fields out"),
        ("configure_laser: { laser: 1, power_dbm: ${p} }", "needs quotes: \"${…}\""),
    ] {
        let told = refused(&format!("name: t\nsteps:\n  - {step}\n"));
        assert!(told.contains(hint), "{step}: {told}");
    }
}

#[test]
fn a_loop_over_whole_numbers_counts_by_one() {
    let turns = |range: &str| {
        told(&format!("steps:\n  - repeat: {{ for: i, {range}, steps: [ {{ log: \"${{i}}\" }} ] }}\n"))
    };
    assert_eq!(turns("from: 2, to: 4"), turns("from: 2, to: 4, step: 1"));
    assert_eq!(turns("from: \"${1 + 1}\", to: 4").len(), 3);
    let refused = |range: &str| {
        refused(&format!("name: t\nsteps:\n  - repeat: {{ for: i, {range}, steps: [ {{ log: x }} ] }}\n"))
    };
    assert!(refused("from: 1, to: 2.5").contains("needs a `step`"));
    assert!(refused("from: 3, to: 1").contains("leads away"));
}
