use super::*;

fn policy(allow: &[&str], limits: &[(&str, [f64; 2])]) -> Policy {
    let allow: Vec<String> = allow.iter().map(ToString::to_string).collect();
    Policy::new(&allow, limits.iter().map(|(header, range)| ((*header).to_owned(), *range)).collect())
        .unwrap()
}

#[test]
fn a_voltage_beyond_the_limits_is_refused_however_it_is_written() {
    let smu = policy(&["*"], &[(":SOUR:VOLT", [0.0, 5.0])]);
    for line in [
        ":SOUR:VOLT 5",
        "sour:volt +0.5e1",
        ":SOURce:VOLTage:LEVel 5",
        ":SOUR:VOLT?",
        ":SOUR:CURR 30",
        ":OUTP ON",
        ":SOUR:VOLT 3,(@1,2)",
        ":SOUR:VOLT (@1:3, 2!5),3",
        "*RST",
    ] {
        assert_eq!(smu.judge(line), Ok(()), "{line}");
    }
    for line in [
        ":SOUR:VOLT 5.01",
        ":SOUR:VOLT -1",
        ":SOUR:VOLT 3e1",
        ":SOUR:VOLT 0.3E+2",
        ":SOUR:VOLT\t30",
        "SOUR:VOLT 30",
        ":source:voltage 30",
        ":SOURCE1:VOLTAGE:LEVEL:IMMEDIATE:AMPLITUDE 30",
        ":SOUR2:VOLT 30",
        ":VOLT 30",
        ":VOLT:PROT 30",
        ":VOLT:LEV 30",
        ":SOUR:VOLT:RANG 30",
        ":SOUR:VOLT 3,30",
        ":SOUR:VOLT=30",
        ":SOUR:VOLT (@1),30",
        ":SOUR:VOLT 3,(@1),30",
    ] {
        assert!(matches!(smu.judge(line), Err(Refusal::BeyondLimit { .. })), "{line}");
    }
    for line in [
        ":SOUR:VOLT MAX",
        ":SOUR:VOLT 30V",
        ":SOUR:VOLT 3000 MV",
        ":SOUR:VOLT #H1E",
        ":SOUR:VOLT INF",
        ":SOUR:VOLT 1e999",
        ":SOUR:VOLT 3:SOUR:VOLT 30",
        ":SOUR:VOLT 30?",
        ":SOUR:VOLT (@1,30",
        ":SOUR:VOLT (@1)30",
        ":SOUR:VOLT (@1 30)),30",
        ":SOUR:VOLT (30)",
    ] {
        assert!(matches!(smu.judge(line), Err(Refusal::NotANumber { .. })), "{line}");
    }
    for line in [":SOUR:VOLT 1;:SOUR:VOLT 30", ":OUTP ON;", ":SOUR:VOLT\u{a0}30", ":OUTP ON\r:SOUR:VOLT 30"] {
        assert!(matches!(smu.judge(line), Err(Refusal::NotOneCommand { .. })), "{line}");
    }
}

#[test]
fn a_number_needs_no_space_after_its_header() {
    let limits = [("V", 5.0), ("SETV", 5.0), (":SOUR:VOLT", 5.0), ("I1", 1.0), ("SET.P", 1.0)];
    let old = policy(&["*"], &limits.map(|(header, high)| (header, [0.0, high])));
    let allowed = "V5|V 5|V=5|V,5|V+5|V.5|V0.5E1|V_5|V2 5|V2V 5|V2?|SETV(@1),5|:SOUR:VOLT5|:SOUR2:VOLT:PROT:CLE|:VOLT:PROT:CLE|\
                   VER?|VERSION 7|I1|I1,1|I2,9|I12|SET.P,1|SET.P 1|*IDN?|*CLS|P25V 30";
    for line in allowed.split('|') {
        assert_eq!(old.judge(line), Ok(()), "{line}");
    }
    let beyond = "V6|v6|V 6|V=6|V:=6|V,6|V+6|V-6|V:6|V_6|V6E0|V6.5|V99999999999|V2 6|V2V 6|SETV,6|SETV6|SETV=6|SETV 2,6|\
                  :SOUR:VOLT,6|:SOUR:VOLT6|:SOURCE:VOLTAGE6|:SOUR:VOLT+6|:SOUR:VOLT:LEV6|:VOLT,6|:VOLT-6|VOLT6|:VOLT:PROT,6|\
                  I1,2|I1 2|I1-2|I1.5|I,2|SET.P,2|SET.P2";
    for line in beyond.split('|') {
        assert!(matches!(old.judge(line), Err(Refusal::BeyondLimit { .. })), "{line}: {:?}", old.judge(line));
    }
    let unclear =
        "SETV(6)|V(6)|V\"6\"|V'6'|V#6|V@6|V/6|V?6|V6V|V6?6|V,6?|V3,6|V3,6 1|V3.5 1|V*6|VOLT(6)|SET.P(2)";
    for line in unclear.split('|') {
        assert!(matches!(old.judge(line), Err(Refusal::NotANumber { .. })), "{line}: {:?}", old.judge(line));
    }
}

#[test]
fn the_more_specific_limit_counts_and_a_channel_has_its_own() {
    let smu = policy(
        &["*"],
        &[(":SOUR:VOLT", [0.0, 5.0]), (":SOUR:VOLT:PROT", [0.0, 20.0]), (":SOUR2:CURR", [0.0, 0.1])],
    );
    assert_eq!(smu.judge(":SOUR:VOLT:PROT 20"), Ok(()));
    assert!(smu.judge(":SOUR:VOLT:PROT 21").is_err());
    assert_eq!(smu.judge(":VOLT:PROT 20"), Ok(()));
    assert!(smu.judge(":VOLT:PROT 21").is_err());
    assert!(smu.judge(":SOUR:VOLT 6").is_err());
    assert_eq!(smu.judge(":SOUR1:CURR 3"), Ok(()));
    assert!(smu.judge(":SOUR2:CURR 3").is_err());
}

#[test]
fn only_allowed_lines_are_sent_and_nothing_when_nothing_is_said() {
    let smu = policy(&[":SOURCE:VOLT*", ":OUTP O*", "*RST", ":MEAS:CURR?"], &[]);
    for line in
        [":SOUR:VOLT 3", "sour:voltage:prot 3", ":output on", ":OUTP  OFF", "*rst", ":MEASURE:CURRENT?"]
    {
        assert_eq!(smu.judge(line), Ok(()), "{line}");
    }
    for line in [":OUTP 1", ":SYST:PRES", ":MEAS:CURRX", "*RST1", ":SYST:RST", ":MEAS:VOLT?"] {
        let refused = smu.judge(line).expect_err(line).to_string();
        assert!(refused.contains("allowed: `:SOURCE:VOLT*`, `:OUTP O*`"), "{refused}");
    }
    let stars = policy(&[":A*:B*C", ":D**"], &[]);
    for line in [":A:BC", ":A1:B:B 2C", ":D", ":D 1"] {
        assert_eq!(stars.judge(line), Ok(()), "{line}");
    }
    for line in [":A:B", ":A:BCD", ":AC", ":C:A:BC", ":E"] {
        assert!(stars.judge(line).is_err(), "{line}");
    }
    let nothing = policy(&[], &[]).judge("*IDN?").unwrap_err().to_string();
    assert_eq!(nothing, "`*IDN?` is not allowed (allowed: nothing)");
}

#[test]
fn a_limit_without_a_range_and_a_pattern_that_is_none_are_refused() {
    let new = |allow: &str, header: &str, range| {
        Policy::new(&[allow.to_owned()], [(header.to_owned(), range)].into()).unwrap_err()
    };
    assert!(new("*", ":SOUR:VOLT", [5.0, 0.0]).contains("is not a range"));
    assert!(new("*", ":SOUR:VOLT", [0.0, f64::INFINITY]).contains("is not a range"));
    assert!(new("*", "SOUR:VOLT 3", [0.0, 5.0]).contains("is not a header"));
    for pattern in ["[", ":SOUR[12]:*", ":OUTP {ON,OFF}"] {
        let told = new(pattern, ":SOUR:VOLT", [0.0, 5.0]);
        assert!(told.contains(&format!("`{pattern}` is not a pattern")), "{told}");
    }
}

#[test]
fn of_two_files_both_limits_apply() {
    let mut near = policy(&["*"], &[(":SOUR:VOLT", [1.0, 9.0])]);
    near.add_limits_of(&policy(&[], &[(":SOURCE:VOLTAGE", [0.0, 5.0]), (":SOUR:CURR", [0.0, 1.0])]));
    for (line, is_allowed) in [(":SOUR:VOLT 5", true), (":SOUR:VOLT 6", false), (":SOUR:VOLT 0", false)] {
        assert_eq!(near.judge(line).is_ok(), is_allowed, "{line}");
    }
    assert!(near.judge(":SOUR:CURR 2").is_err());
}
