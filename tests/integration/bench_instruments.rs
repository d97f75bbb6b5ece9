//! Named instruments on the bench, beside a simulated CTP10: what recipes may send, and what becomes of an instrument that
//! answers as it should not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fake_instrument::{Answer, FakeInstrument, IDENTITY, State};
use crate::support::{Bench, journal, manifest, said_by, text};

/// Deadlines with which a silent instrument does not delay a test.
const DEADLINES: &str = "[deadlines]\nquestion_s = 0.5\nreconnect_s = 1\n";

/// A bench with this source-meter.
pub(crate) fn bench_with(smu: &FakeInstrument, more: &str) -> Bench {
    let bench = Bench::new();
    bench.write("ctp10.toml", &format!("{}{DEADLINES}", smu.config("smu", more)));
    bench
}

pub(crate) fn recipe(bench: &Bench, steps: &str) {
    bench.write("r.yaml", &format!("name: r\ninstrument: sim\nsteps:\n{steps}"));
}

/// The results of the steps with a result of text or numbers.
pub(crate) fn results(records: &[Value]) -> Vec<Value> {
    let finished = records.iter().filter(|record| record["event"] == "step_finished");
    let kinds = ["reply", "number", "numbers"];
    finished
        .filter(|record| kinds.contains(&record["outcome"]["kind"].as_str().unwrap()))
        .map(|record| record["outcome"]["value"].clone())
        .collect()
}

pub(crate) const BIAS: &str = "  - scpi: { to: smu, command: \":SOUR:VOLT 2\" }
  - scpi: { to: smu, command: \":OUTP ON\" }
  - scpi: { to: smu, query: \":MEAS:CURR?\", parse: number, assume: 0.002, id: iv }
  - log: \"${steps.iv.value * 1000} mA\"
";

#[test]
fn a_recipe_sets_a_voltage_and_reads_a_current_and_leaves_the_source_meter_safe() {
    let smu = FakeInstrument::well();
    let bench = bench_with(&smu, "");
    recipe(&bench, BIAS);
    let output = bench.run(&["run", "r.yaml", "--with-real", "smu"]);
    assert!(output.status.success(), "{}", said_by(&output));
    let records = journal(&bench.only_run());
    assert_eq!(results(&records), [json!(0.002)]);
    assert!(records.iter().any(|record| record["message"] == "2 mA"), "{records:?}");
    let expected = [":SENS:CURR:PROT 0.02", ":SOUR:VOLT 2", ":OUTP ON", ":OUTP OFF", ":SOUR:VOLT 0"];
    assert_eq!(smu.commands(), expected);
    let manifest = manifest(&bench.only_run());
    let known = json!([{ "name": "smu", "address": smu.address, "simulated": false, "identity": IDENTITY }]);
    assert_eq!((&manifest["instruments"], &manifest["used_scpi"]), (&known, &json!(false)));
    let safe = records.iter().find(|record| record["event"] == "instruments_safe").unwrap();
    assert_eq!((&safe["safe"], &safe["unknown"]), (&json!(["smu"]), &json!([])));
    assert!(text(&output.stderr).contains("smu: KEITHLEY INSTRUMENTS"), "{}", text(&output.stderr));
}

#[test]
fn a_script_sends_the_same_lines_and_gets_a_number() {
    let smu = FakeInstrument::well();
    let bench = bench_with(&smu, "");
    let script = "recipe(#{ name: \"r\", instrument: \"sim\" });
scpi(#{ to: \"smu\", command: \":SOUR:VOLT 3\" });
scpi(#{ to: \"smu\", command: \":OUTP ON\" });
let amperes = scpi(#{ to: \"smu\", query: \":MEAS:CURR?\", parse: \"number\", assume: 0.003 });
log(`${amperes * 1000.0} mA`);
";
    bench.write("r.rhai", script);
    let output = bench.run(&["run", "r.rhai", "--with-real", "smu"]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert!(journal(&bench.only_run()).iter().any(|record| record["message"] == "3.0 mA"));
}

#[test]
fn a_simulation_reaches_no_real_instrument_by_accident() {
    let smu = FakeInstrument::well();
    let bench = bench_with(&smu, "");
    recipe(&bench, BIAS);
    for arguments in
        [&["run", "r.yaml"][..], &["check", "r.yaml"], &["plan", "r.yaml"], &["rehearse", "r.yaml"]]
    {
        let output = bench.run(arguments);
        assert_eq!(output.status.success(), matches!(arguments[0], "check" | "plan"), "{}", said_by(&output));
        if arguments[0] == "run" {
            assert!(said_by(&output).contains("--with-real smu"), "{}", said_by(&output));
        }
    }
    assert_eq!(smu.heard(), Vec::<String>::new());
    assert_eq!(bench.run_folders().len(), 0);
}

#[test]
fn a_voltage_beyond_the_limits_is_refused_before_light_however_it_comes_about() {
    let smu = FakeInstrument::well();
    let bench = bench_with(&smu, "");
    bench.write("volts.csv", "volts\n1\n7\n");
    for (steps, words) in [
        (
            "  - set: { v: 3 }\n  - scpi: { to: smu, command: \":SOUR:VOLT ${v * 2}\" }\n",
            "6 in `:SOUR:VOLT 6`",
        ),
        (
            "  - repeat: { for: row, in_csv: volts.csv, steps: [ { scpi: { to: smu, command: \":SOUR:VOLT ${row.volts}\" } } ] }\n",
            "7 in `:SOUR:VOLT 7`",
        ),
        ("  - scpi: { to: smu, command: \":sour:volt 6e0\" }\n", "6 in `:sour:volt 6e0`"),
        ("  - scpi: { to: smu, command: \":SOURCE:VOLTAGE:LEVEL 6\" }\n", "6 in `:SOURCE"),
        ("  - scpi: { to: smu, command: \":OUTP ON;:SOUR:VOLT 6\" }\n", "contains `;`"),
        ("  - scpi: { to: smu, command: \":SOUR:VOLT MAX\" }\n", "`MAX`"),
        ("  - scpi: { to: smu, command: \":SYST:PRES\" }\n", "is not allowed (allowed: `:SOUR:VOLT*`"),
        ("  - scpi: { to: oven, query: \"T?\" }\n", "no instrument is named `oven` (known: `smu`)"),
    ] {
        recipe(&bench, steps);
        for command in ["check", "plan"] {
            let output = bench.run(&[command, "r.yaml"]);
            let said = said_by(&output);
            assert!(!output.status.success() && said.contains(words), "{steps}: {said}");
            assert!(said.contains("r.yaml:4") || said.contains("r.yaml:5"), "{said}");
        }
        assert!(!bench.run(&["run", "r.yaml", "--with-real", "smu"]).status.success(), "{steps}");
    }
    assert_eq!((smu.heard(), bench.run_folders().len()), (Vec::new(), 0));
}

#[test]
fn a_voltage_that_follows_from_a_measurement_is_refused_when_it_is_sent() {
    let smu = FakeInstrument::start(|_, line| (line == ":MEAS:CURR?").then(|| Answer::Reply("7".to_owned())));
    let bench = bench_with(&smu, "");
    recipe(
        &bench,
        "  - scpi: { to: smu, query: \":MEAS:CURR?\", parse: number, assume: 1, id: iv }
  - scpi: { to: smu, command: \":SOUR:VOLT ${steps.iv.value}\" }\n",
    );
    assert!(bench.run(&["check", "r.yaml"]).status.success());
    let output = bench.run(&["run", "r.yaml", "--with-real", "smu"]);
    assert!(said_by(&output).contains("7 in `:SOUR:VOLT 7`"), "{}", said_by(&output));
    assert_eq!(smu.commands(), [":SENS:CURR:PROT 0.02", ":OUTP OFF", ":SOUR:VOLT 0"]);
}

/// What a run says when the source-meter answers oddly, with its journal.
fn odd(
    steps: &str,
    odd: impl Fn(&mut State, &str) -> Option<Answer> + Send + Sync + 'static,
) -> (String, Vec<Value>, FakeInstrument) {
    let smu = FakeInstrument::start(odd);
    let bench = bench_with(&smu, "");
    recipe(&bench, steps);
    let output = bench.run(&["run", "r.yaml", "--with-real", "smu"]);
    let records = bench.run_folders().first().map(|folder| journal(folder)).unwrap_or_default();
    (said_by(&output), records, smu)
}

const ASK_TWICE: &str = "  - scpi: { to: smu, query: \":MEAS:VOLT?\", id: volts }
  - scpi: { to: smu, query: \":MEAS:CURR?\", id: amperes }\n";

#[test]
fn a_reply_that_comes_twice_is_never_the_reply_to_the_next_query() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let (said, records, _) = odd(ASK_TWICE, move |_, line| match line {
        ":MEAS:VOLT?" if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 => {
            Some(Answer::Twice("11".to_owned()))
        }
        ":MEAS:VOLT?" => Answer::reply(12),
        ":MEAS:CURR?" => Answer::reply(13),
        _ => None,
    });
    assert_eq!(results(&records), [json!("12"), json!("13")], "{said}");
}

#[test]
fn a_late_reply_is_never_the_reply_to_the_next_query() {
    let late = |_: &mut State, line: &str| match line {
        ":MEAS:VOLT?" => Some(Answer::Late(Duration::from_millis(900), "11".to_owned())),
        ":MEAS:CURR?" => Answer::reply(13),
        _ => None,
    };
    let (said, records, _) = odd(&ASK_TWICE.replace("id: volts", "on_error: continue"), late);
    assert_eq!(results(&records), [json!("13")], "{said}");
    assert!(said.contains("no reply to `:MEAS:VOLT?` within 0.5 s"), "{said}");
}

#[test]
fn an_instrument_that_never_answers_is_a_clear_error() {
    let (said, records, smu) = odd(ASK_TWICE, |_, line| (line == ":MEAS:VOLT?").then_some(Answer::Silence));
    assert!(said.contains("smu: no reply to `:MEAS:VOLT?` within 0.5 s"), "{said}");
    assert!(results(&records).is_empty() && smu.is_safe());
}

#[test]
fn a_reply_that_is_no_number_is_asked_for_again_and_then_an_error() {
    let steps = "  - scpi: { to: smu, query: \":MEAS:VOLT?\", parse: number }\n";
    let (said, _, _) =
        odd(steps, |_, line| (line == ":MEAS:VOLT?").then(|| Answer::Reply("\u{1b}[2Jbusy".to_owned())));
    assert!(said.contains("smu: ") && said.contains("\\u{1b}[2Jbusy` is not valid"), "{said}");
}

#[test]
fn another_instrument_at_the_address_hears_nothing_but_the_question_who_it_is() {
    let (said, records, smu) =
        odd(BIAS, |_, line| (line == "*IDN?").then(|| Answer::Reply("ACME,OVEN,1,2".to_owned())));
    assert!(
        said.contains(
            "the reply to `*IDN?` is `ACME,OVEN,1,2`, which does not contain `KEITHLEY INSTRUMENTS`"
        ),
        "{said}"
    );
    assert_eq!((smu.heard(), records.len()), (vec!["*IDN?".to_owned()], 0));
}

#[test]
fn an_error_from_before_is_not_blamed_on_a_command_and_its_own_error_is() {
    let smu = FakeInstrument::start(|state, line| {
        // Somebody at the front panel makes mistakes before each command.
        if line == ":SOUR:VOLT 2" {
            state.errors.clear();
        }
        if line == ":MEAS:CURR?" {
            state.errors.push_back("-222,\"Data out of range\"".to_owned());
        }
        if line == ":OUTP MAYBE" {
            state.errors.push_back("-224,\"Illegal parameter value\"".to_owned());
        }
        (line == ":OUTP MAYBE").then(|| Answer::Reply(String::new()))
    });
    smu.state.lock().unwrap().errors.push_back("-350,\"Queue overflow\"".to_owned());
    let bench = bench_with(&smu, "");
    recipe(&bench, &format!("{BIAS}  - scpi: {{ to: smu, command: \":SOUR:VOLT 3\" }}\n"));
    let output = bench.run(&["run", "r.yaml", "--with-real", "smu"]);
    assert!(output.status.success(), "{}", said_by(&output));
    recipe(&bench, "  - scpi: { to: smu, command: \":OUTP MAYBE\" }\n");
    let output = bench.run(&["run", "r.yaml", "--with-real", "smu"]);
    let refused = "smu: the instrument refused `:OUTP MAYBE`: -224 Illegal parameter value";
    assert!(said_by(&output).contains(refused), "{}", said_by(&output));
}

#[test]
fn after_a_lost_connection_the_settings_are_made_again_and_the_query_is_answered() {
    let hung_up = std::sync::atomic::AtomicBool::new(false);
    let (said, records, smu) = odd(BIAS, move |state, line| {
        // A restart: the instrument forgets its settings.
        if line == ":MEAS:CURR?" && !hung_up.swap(true, std::sync::atomic::Ordering::SeqCst) {
            (state.volts, state.is_on) = (0.0, false);
            return Some(Answer::HangUp);
        }
        None
    });
    assert_eq!(results(&records), [json!(0.002)], "{said}");
    let bias = [":SENS:CURR:PROT 0.02", ":SOUR:VOLT 2", ":OUTP ON"];
    assert_eq!(smu.commands(), [&bias[..], &bias, &[":OUTP OFF", ":SOUR:VOLT 0"]].concat());
}

#[test]
fn a_poll_waits_for_a_condition_and_ends_at_once_when_it_has_failed() {
    let step = |ready: &str, failed: &str| {
        format!(
            "  - scpi: {{ to: smu, query: \":MEAS:VOLT?\", parse: number, assume: 5, id: v, poll: {{ ready: '{ready}', failed: '{failed}', interval_s: 0.02, timeout_s: 60 }} }}\n"
        )
    };
    let rising = |state: &mut State, line: &str| {
        (line == ":MEAS:VOLT?").then(|| {
            state.volts += 1.0;
            Answer::Reply(state.volts.to_string())
        })
    };
    let (said, records, _) = odd(&step("${reply >= 3}", "reply > 90"), rising);
    assert_eq!(results(&records), [json!(3.0)], "{said}");
    let (said, _, _) = odd(&step("reply >= 90", "reply == 2"), rising);
    assert!(said.contains("`:MEAS:VOLT?` has failed: the reply is 2"), "{said}");
}

#[test]
fn a_wait_ends_when_the_readings_hold_still_at_the_target() {
    let steps = "  - wait: { stable: { to: smu, query: \":MEAS:VOLT?\", within: 0.2, target: 5, for_s: 0.3, timeout_s: 60 } }\n";
    let (said, records, smu) = odd(steps, |state, line| {
        (line == ":MEAS:VOLT?").then(|| {
            state.volts += (5.0 - state.volts) / 2.0;
            Answer::Reply(state.volts.to_string())
        })
    });
    assert_eq!(records.last().unwrap()["state"], "done", "{said}");
    // 2.5, 3.75, 4.375, 4.6875 and 4.84 come first.
    assert!(smu.heard().iter().filter(|line| *line == ":MEAS:VOLT?").count() > 5);
}

#[test]
fn check_with_an_instrument_identifies_what_the_recipe_names_and_changes_nothing() {
    let smu = FakeInstrument::well();
    let bench = bench_with(&smu, "");
    recipe(&bench, BIAS);
    let output = bench.run(&["check", "r.yaml", "--with-real", "smu"]);
    assert!(
        output.status.success() && said_by(&output).contains(&format!("smu: {IDENTITY}")),
        "{}",
        said_by(&output)
    );
    assert_eq!(smu.commands(), Vec::<String>::new());
}

#[test]
fn a_configuration_that_is_wrong_is_refused_with_what_is_allowed() {
    for (text, words) in [
        ("[instruments.smu]\naddress = \"smu\"\n", "the port is missing"),
        ("[instruments.smu]\naddress = \"smu:1\"\nlimit = 3\n", "unknown field `limit`"),
        ("[instruments.smu]\nidentity = \"K\"\n", "needs an `address`"),
        ("[instruments.smu]\naddress = \"smu:1\"\nlimits = { \":SOUR:VOLT\" = [5, 0] }\n", "is not a range"),
        ("[instruments.\"a b\"]\naddress = \"smu:1\"\n", "`a b` is not a name"),
        ("[instruments.stage]\nurl = \"stage:8000\"\n", "url `stage:8000` is not allowed"),
    ] {
        let bench = Bench::new();
        bench.write("ctp10.toml", text);
        recipe(&bench, "  - log: hello\n");
        let said = said_by(&bench.run(&["check", "r.yaml"]));
        assert!(said.contains(words) && said.contains("ctp10.toml"), "{text}: {said}");
    }
}

#[test]
fn a_simulated_source_meter_gets_the_setup_of_the_real_one() {
    let smu = FakeInstrument::well();
    let bench = bench_with(&smu, "");
    let steps = "  - scpi: { to: smu, query: \":SOUR:VOLT?\", id: a }\n";
    bench.write("r.yaml", &format!("name: r\ninstrument: sim\nsimulator: {{ smu: true }}\nsteps:\n{steps}"));
    let output = bench.run(&["run", "r.yaml"]);
    assert!(output.status.success(), "{}", said_by(&output));
    // A line that the simulated one does not know is refused before the run.
    let file = bench.folder.path().join("ctp10.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace(":SENS:CURR:PROT 0.02", ":NO:SUCH:SETUP 1")).unwrap();
    let output = bench.run(&["run", "r.yaml"]);
    assert!(
        !output.status.success() && said_by(&output).contains(":NO:SUCH:SETUP 1"),
        "{}",
        said_by(&output)
    );
    assert_eq!(smu.heard(), Vec::<String>::new());
}
