//! What the forecast says of analyses that combine traces.

use super::said;

const SCAN: &str = "
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50 }
  - configure_scan: { start_nm: 1540, stop_nm: 1550, resolution_pm: 10 }
";

#[test]
fn traces_that_an_analysis_cannot_combine_are_errors_before_the_run() {
    let minus = |trace: &str, minus: &str| {
        format!(
            "{SCAN}  - sweep:
  - fetch_trace: {{ id: a, detector: 4/1, trace: {trace} }}
  - fetch_trace: {{ id: b, detector: 4/2, trace: {minus} }}
  - analyze: {{ trace: a, minus: b, figures: [dips] }}
"
        )
    };
    let photocurrent = "  - configure_detector: { detector: 4/2, power_unit: dBmA }\n";
    let average = |starts: &str| {
        format!(
            "{SCAN}  - repeat:
      for: start_nm
      in: {starts}
      steps:
        - configure_scan: {{ start_nm: \"${{start_nm}}\", stop_nm: \"${{start_nm + 10}}\" }}
        - sweep:
        - fetch_trace: {{ id: a, detector: 4/1, trace: raw }}
  - analyze: {{ trace: a, average: true, figures: [dips] }}
"
        )
    };
    let unlike = "only traces in the same unit have a difference in dB";
    for (steps, expected) in [
        (minus("raw", "raw"), None),
        (minus("raw", "tf"), Some(format!("the trace `raw` of 4/1 is in dBm, and `minus` is in dB: {unlike}"))),
        (minus("tf", "raw"), Some(format!("the trace `tf` of 4/1 is in dB, and `minus` is in dBm: {unlike}"))),
        (
            format!("\n{photocurrent}{}", minus("raw", "raw").trim_start_matches('\n')),
            Some(format!("the trace `raw` of 4/1 is in dBm, and `minus` is in dBmA: {unlike}")),
        ),
        (average("[1540, 1540]"), None),
        (
            average("[1540, 1550]"),
            Some(
                "the trace `raw` of 4/1 has the wavelengths 1540 to 1550 nm by 10 pm and 1550 to 1560 nm by 10 pm: \
                 an average needs the same ones"
                    .to_owned(),
            ),
        ),
    ] {
        let told = said(&steps);
        let found = told.iter().find(|told| told.contains("`minus`") || told.contains("an average"));
        assert_eq!(found.map(|told| told.split_once(": ").unwrap().1.to_owned()), expected, "{steps}{told:?}");
        assert!(found.is_none_or(|told| told.contains("error")), "{told:?}");
    }
}

#[test]
fn a_loss_of_a_photocurrent_is_a_warning() {
    for (unit, figures, is_told) in [
        ("dBmA", "insertion_loss_max_db", true),
        ("dBmA", "dip_nm", false),
        ("dBm", "insertion_loss_max_db", false),
    ] {
        let steps = format!(
            "{SCAN}  - configure_detector: {{ detector: 4/1, power_unit: {unit} }}
  - sweep:
  - fetch_trace: {{ id: a, detector: 4/1, trace: raw }}
  - analyze: {{ trace: a, figures: [{figures}] }}
"
        );
        let told = said(&steps);
        let warning =
            "warning: the trace `raw` of 4/1 is in dBmA: its `insertion_loss_max_db` is not measured";
        assert_eq!(told.iter().any(|told| told.contains(warning)), is_told, "{told:?}");
    }
}
