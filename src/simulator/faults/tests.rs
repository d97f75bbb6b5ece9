use proptest::prelude::*;

use super::super::call::{Call, resolve};
use super::super::grammar::{Parsed, parse};
use super::*;

/// The faults at a series of commands: one text per command, empty if there is none.
fn hits(specs: &[&str], commands: &[&str]) -> Vec<String> {
    let specs: Vec<FaultSpec> = specs.iter().map(|spec| spec.parse().unwrap()).collect();
    let mut faults = Faults::new(&specs, Part::Ctp10);
    let mut next = |text: &&str| {
        let parsed: Option<Parsed> = parse(text).remove(0);
        let call: Option<Call<'_>> = parsed.as_ref().and_then(|parsed| resolve(parsed, &mut Vec::new()).ok());
        faults.next(call.as_ref().map(Call::command)).map_or(String::new(), |hit| hit.to_string())
    };
    commands.iter().map(&mut next).collect()
}

const RUN: [&str; 8] = [
    "*IDN?",
    "INIT:TLS1:SPE 50",
    "INIT",
    "STAT:OPER:COND?",
    "STAT:OPER:COND?",
    "TRAC:SENS4:CHAN1:TYPE1:DATA? BIN,DB",
    "INIT",
    "TRAC:SENS4:CHAN2:TYPE1:DATA? BIN,DB",
];

#[test]
fn a_fault_hits_the_command_that_its_number_or_its_word_means_and_no_other() {
    for (spec, expected) in [
        ("drop@1", "drop@1"),
        ("stall@4", "stall@4"),
        ("drop@sweep", "drop@3"),
        ("drop@sweep:2", "drop@7"),
        ("hang@INITiate:IMMediate:2", "hang@7"),
        ("late@condition:2=0.5", "late@5=0.5"),
        ("late@:stat:oper:condition?", "late@4=8"),
        ("refuse@INIT:TLS:SPE", "refuse@2"),
        ("refuse@INIT:TLS1:SPE", "refuse@2"),
        ("slow@trace=9000", "slow@6=9000"),
        ("garble@TRAC:SENS4:CHAN2:TYPE:DATA?=-4", "garble@8=-4"),
    ] {
        let told: Vec<String> = hits(&[spec], &RUN).into_iter().filter(|hit| !hit.is_empty()).collect();
        assert_eq!(told, [expected], "{spec}");
    }
    for spec in ["drop@sweep:3", "drop@9", "refuse@INIT:TLS2:SPE", "drop@INIT:TLS1:SPE?", "drop@reference"] {
        assert!(hits(&[spec], &RUN).concat().is_empty(), "{spec}");
    }
    assert_eq!(hits(&["error-queue@condition:every"], &RUN).concat(), "error-queue@4error-queue@5");
    assert_eq!(hits(&["refuse@every"], &["*IDN?", "nonsense", "??"]).concat(), "refuse@1refuse@2refuse@3");
}

#[test]
fn a_fault_that_can_do_nothing_to_its_command_waits_for_the_next() {
    assert_eq!(hits(&["garble@2"], &RUN).concat(), "garble@4");
    assert_eq!(hits(&["hang@4"], &RUN).concat(), "hang@7");
    // One fault per command: the first one given occurs, and the other is not lost.
    assert_eq!(hits(&["drop@sweep", "stall@3"], &RUN).concat(), "drop@3stall@4");
}

#[test]
fn a_seed_repeats_its_faults_and_the_rate_is_kept() {
    let long: Vec<&str> = RUN.iter().copied().cycle().take(8000).collect();
    let count = |hits: &[String]| hits.iter().filter(|hit| !hit.is_empty()).count();
    let one = hits(&["random@7"], &long);
    assert_eq!(one, hits(&["random@7"], &long));
    assert_ne!(one, hits(&["random@8"], &long));
    assert!((40..160).contains(&count(&one)), "{}", count(&one));
    assert_eq!(count(&hits(&["random@7=1"], &long)), long.len());
    // Other faults take commands from it, but do not change the rest.
    let mut both = hits(&["drop@11", "random@7"], &long);
    both[10].clone_from(&one[10]);
    assert_eq!(one, both);
    let all = hits(&["random@7=1"], &long).concat();
    for kind in FaultSpec::kinds().filter(|kind| *kind != "random") {
        assert!(all.contains(kind), "{kind}");
    }
}

#[test]
fn what_a_random_fault_did_is_told_as_a_fault_that_does_it_again() {
    let long: Vec<&str> = RUN.iter().copied().cycle().take(800).collect();
    let random = hits(&["random@3=0.1"], &long);
    let told: Vec<&str> = random.iter().map(String::as_str).filter(|hit| !hit.is_empty()).collect();
    assert!(told.len() > 40);
    assert_eq!(hits(&told, &long), random);
}

#[test]
fn a_wrong_fault_is_answered_with_what_is_allowed() {
    for (spec, told) in [
        ("", "unknown kind ``; allowed: `drop`, `stall`"),
        ("dorp@3", "fault `dorp@3`: unknown kind `dorp`; did you mean `drop`?"),
        ("@night.txt", "a file of faults is only allowed on the command line"),
        ("drop", "the place is missing: write `drop@` and a number, or a command such as"),
        ("drop@", "the place is missing"),
        ("drop@0", "there is no command `0`: commands are counted from 1"),
        ("drop@99999999999999999999", "commands are counted from 1"),
        ("drop@swep", "`swep` is neither a group nor a header; did you mean `sweep`?"),
        ("drop@trace:evry", "`evry` is neither a number nor `every`"),
        ("drop@trace:-1", "`-1` is neither a number nor `every`"),
        ("drop@INIT:WAVE:STAR", "no command of the CTP10 has the header `INIT:WAVE:STAR`"),
        ("drop@INIT:WAV:STAR 1550NM", "no command of the CTP10 has the header"),
        ("drop@*IDN", "`*IDN` exists only as a query: write `*IDN?`"),
        ("drop@abor?", "`ABOR` has no query: remove the `?`"),
        ("drop@3=5", "value `5` is not allowed (`drop` accepts no value)"),
        ("late@3=soon", "value `soon` is not allowed (`late` accepts 0 to 3600 seconds)"),
        ("late@3=NaN", "value `NaN` is not allowed"),
        ("reboot@3=-1", "`reboot` accepts 0 to 3600 seconds"),
        ("slow@trace=0", "`slow` accepts 1 to 1000000000 bytes per second"),
        ("garble@trace=0", "`garble` accepts -1000000 to 1000000 bytes, not 0"),
        ("garble@sweep", "`garble` needs a reply, but `sweep` has none"),
        ("hang@power", "`power` starts no scan (`sweep` and `reference` do)"),
        ("smu:drop@MEAS:POW?", "no command of the source-meter has the header `MEAS:POW?`"),
        ("switch:drop@trace", "no command of the switch has the header `trace`"),
        ("thermostat:hang@OUTP", "`OUTP` starts no scan"),
        ("random", "the seed is missing"),
        ("random@night", "seed `night` is not allowed (a whole number)"),
        ("random@7=2", "rate `2` is not allowed (more than 0, at most 1: every command)"),
    ] {
        let error = spec.parse::<FaultSpec>().unwrap_err().to_string();
        assert!(error.contains(told), "{spec}: {error}");
    }
}

/// Texts that are mostly valid faults.
fn likely() -> impl Strategy<Value = String> {
    let kind = proptest::sample::select(FaultSpec::kinds().collect::<Vec<_>>());
    let word = proptest::sample::select(FaultSpec::commands().collect::<Vec<_>>());
    let header = prop_oneof!["init:tls[0-9]{0,2}:spe\\??", ":TRACe:SENS4:chan:TYPE1[12]:DATA:?[xyY]?\\?"];
    let place = prop_oneof![word.prop_map(str::to_owned), header, "[0-9]{0,4}"];
    let which = prop_oneof![Just(String::new()), ":[0-9]{1,3}", Just(":every".to_owned())];
    let value = prop_oneof![Just(String::new()), "=-?[0-9]{1,4}(\\.[0-9]{1,3})?", Just("=1e-3".to_owned())];
    (kind, place, which, value)
        .prop_map(|(kind, place, which, value)| format!("{kind}@{place}{which}{value}"))
}

proptest! {
    #[test]
    fn reading_a_fault_never_panics(text in ".*", near in "[a-z-]{0,8}@?[*:a-zA-Z0-9?]{0,20}[:=]{0,2}.{0,8}") {
        let _ = text.parse::<FaultSpec>();
        let _ = near.parse::<FaultSpec>();
    }

    #[test]
    fn a_fault_that_was_read_is_written_so_that_it_reads_the_same(text in likely()) {
        if let Ok(fault) = text.parse::<FaultSpec>() {
            prop_assert_eq!(fault.to_string().parse::<FaultSpec>().unwrap(), fault.clone());
            let json = serde_json::to_value(&fault).unwrap();
            prop_assert_eq!(serde_json::from_value::<FaultSpec>(json).unwrap(), fault);
        }
    }
}
