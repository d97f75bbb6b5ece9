//! The language of the embedded instrument, over a plain socket: registers, compound lines, every setting.

use crate::support::{Bench, Talk, simulate};

#[test]
fn the_status_registers_are_those_of_the_standard() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    assert_eq!(talk.ask("*STB?;*ESE?;*SRE?;*TST?;*OPT?;:SYST:VERS?"), "0;0;0;0;0;1999.0");
    assert_eq!(talk.ask("*ESR?;*ESR?"), "128;0");
    talk.send("*ESE 60;*SRE 32");
    talk.send("NO:SUCH:HEADER");
    talk.send("INIT:TLS1:SPE 999");
    assert_eq!(talk.ask("SYST:ERR:COUN?"), "2");
    // The queue is not empty (4), a reply is not read (16), an enabled event (32) asks for service (64).
    assert_eq!(talk.ask("*STB?"), "100");
    assert_eq!(talk.ask("*ESE?;*STB?"), "60;116");
    assert_eq!(talk.ask("*ESR?"), "48");
    assert_eq!(talk.ask("*STB?"), "4");
    assert!(talk.ask("SYST:ERR?").starts_with("-113,"));
    let all = talk.ask("SYST:ERR:ALL?");
    assert!(all.starts_with("-222,Data out of range"), "{all}");
    assert_eq!(talk.ask("SYST:ERR:COUN?;ALL?"), "0;0,No error");
    // `*RST` leaves errors and registers alone, `*CLS` takes the events and keeps what is enabled.
    talk.send("INIT:TLS1:SPE 999;POW 5DBM;*RST");
    assert_eq!(talk.ask("INIT:TLS1:POW?;:SYST:ERR:COUN?;*ESE?"), "0.00000000E+000;1;60");
    talk.send("*CLS");
    assert_eq!(talk.ask("SYST:ERR:COUN?;*ESR?;*ESE?;*STB?"), "0;0;60;16");
    for (command, code) in
        [("*ESE 256", "-222"), ("*ESE", "-109"), ("*ESR", "-113"), ("*CLS 1", "-108"), ("*WAI?", "-113")]
    {
        assert!(talk.told(command).starts_with(code), "{command}");
    }
}

#[test]
fn several_commands_on_a_line_follow_the_standard() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:TLS1:WAV:STAR 1520NM;STOP 1630NM");
    assert_eq!(talk.ask("INIT:TLS1:WAV:STAR?;STOP?"), "1.52000000E-006;1.63000000E-006");
    // A common command does not change the path.
    talk.send("INIT:TLS1:WAV:STAR 1525NM;*CLS;STOP 1590NM");
    assert_eq!(talk.ask("INIT:TLS1:WAV:STAR?;*OPC?;STOP?"), "1.52500000E-006;1;1.59000000E-006");
    // A colon goes back to the root; without one the header continues.
    assert_eq!(talk.ask("INIT:TLS1:SPE?;:SYST:ERR?"), "50;0,No error");
    assert!(talk.told("INIT:TLS1:SPE 40;SYST:ERR?").starts_with("-113"));
    assert!(talk.told("INIT:TLS1:WAV:STAR 1530NM;:STOP 1630NM").starts_with("-113"));
    // What is wrong on a line takes nothing from the rest of it.
    talk.send("INIT:TLS1:SPE 999;SPE 20;NONE 1;POW 2DBM");
    assert_eq!(talk.ask("INIT:TLS1:SPE?;POW?;:SYST:ERR:COUN?"), "20;2.00000000E+000;2");
    talk.send("*CLS");
    // Line ends, blanks and colons.
    for text in ["*IDN?\n", "  *IDN?  \r\n", "\t:*IDN?\r\n", "\r\n\n;;*idn?;\r\n"] {
        talk.send_bytes(text.as_bytes());
        assert_eq!(talk.raw_line().iter().filter(|byte| **byte == b',').count(), 3, "{text:?}");
    }
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

/// What is set, and what is answered afterwards.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("INITiate:SMODe", "CONT", "CONT"),
    ("INITiate:SMODe", "single", "SING"),
    ("INITiate:WAVelength:STARt", "1262.5NM", "1.26250000E-006"),
    ("INITiate:WAVelength:STOP", "1.6E-6", "1.60000000E-006"),
    ("INITiate:WAVelength:STOP", "193.4 THZ", "1.55011612E-006"),
    ("INITiate:WAVelength:STARt", "2.0E14", "1.49896229E-006"),
    ("INITiate:WAVelength:SAMPling", "0.02 pm", "2.00000000E-014"),
    ("INITiate:WAVelength:SAMPling", "2.5E-10", "2.50000000E-010"),
    ("INITiate:STABilization", "1,12.3", "1,12.3"),
    ("INITiate:STABilization", "OFF", "0,12.3"),
    ("INITiate:TLS3:IDentifier", "2.0", "2"),
    ("INITiate:TLS:WAVelength:STARt", "1520000PM", "1.52000000E-006"),
    ("INITiate:TLS1:WAVelength:STOP", "193400GHZ", "1.55011612E-006"),
    ("INITiate:TLS1:SPEed", "67", "67"),
    ("INITiate:TLS1:POWer", "10 MW", "1.00000000E+001"),
    ("INITiate:TLS1:POWer", "-2.5", "-2.50000000E+000"),
    ("INITiate:TLS1:TRIGin", "8", "8"),
    ("INITiate:LASer:POWer", "1DBM", "1.00000000E+000"),
    ("INITiate:FBC:SENSe", "1", "1"),
    ("CTP:SENSe:FBC", "2", "2"),
    ("CTP:FUNCtion:STATe", "ON", "1"),
    ("CTP:RLASer2:TYPE", "1", "1"),
    ("CTP:RLASer2:POWer", "1.5DBM", "1.50000000E+000"),
    ("CTP:RLASer:POWer:STATe", "on", "1"),
    ("CTP:RLASer2:WAVelength", "1.31E-6 M", "1.31000000E-006"),
    ("CTP:RLASer1:WAVelength", "1.934E14", "1.55011612E-006"),
    ("CTP:SENSe4:CHANnel2:UNIT:X", "FREQ", "1"),
    ("CTP:SENSe4:CHANnel2:UNIT:Y", "MW", "1"),
    ("CTP:SENSe5:CHANnel2:WAVelength", "1310 NM", "1.31000000E-006"),
    ("CTP:SENSe4:CHANnel2:FUNCtion:TRIGger", "4", "4"),
    ("SYSTem:ANLG:OUT1:SOURce", "4,1", "4,1"),
    ("SYSTem:ANLG:OUT2:SOURce", "5 , 4", "5,4"),
    ("STATus:OPERation:ENABle", "12", "12"),
    ("STATus:QUEStionable:ENABle", "65535", "65535"),
    ("*ESE", "255", "255"),
    ("*SRE", "1", "1"),
];

/// The short form of a header is what is written in capitals.
fn short(header: &str) -> String {
    header.chars().filter(|c| !c.is_ascii_lowercase()).collect()
}

#[test]
fn every_setting_is_taken_and_answered_in_long_and_in_short_form() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    for (header, value, answer) in SETTINGS {
        let forms = [header.to_string(), short(header), short(header).to_lowercase(), header.to_uppercase()];
        for (tell, ask) in forms.iter().zip(forms.iter().rev()) {
            let colon = if header.starts_with('*') { "" } else { ":" };
            assert_eq!(talk.told(&format!("{colon}{tell} {value}")), "0,No error", "{tell} {value}");
            assert_eq!(talk.ask(&format!("{ask}?")), *answer, "{ask}?");
        }
        // Nothing between long and short, no suffix where none belongs, nothing too few or too many.
        for (command, code) in [
            (format!("{header}X {value}"), "-113"),
            (header.to_string(), "-109"),
            (format!("{header} {value},1,1"), "-108"),
            (format!("{header}? 1"), "-108"),
            (format!("{header}?? "), "-102"),
        ] {
            let error = talk.told(&command);
            assert!(error.starts_with(code), "{command}: {error}");
        }
    }
}

#[test]
fn what_is_no_value_of_a_setting_is_refused_and_the_setting_stays() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    for (command, code) in [
        ("INIT:SMOD TWICE", "-224"),
        ("INIT:WAV:STAR 1239NM", "-222"),
        ("INIT:WAV:STAR 1550", "-222"),
        ("INIT:WAV:STOP 1550DBM", "-224"),
        ("INIT:WAV:SAMP 251PM", "-222"),
        ("INIT:STAB 2", "-224"),
        ("INIT:STAB 1,61", "-222"),
        ("INIT:TLS1:ID 11", "-222"),
        ("INIT:TLS1:ID 1.5", "-222"),
        ("INIT:TLS5:ID 1", "-241"),
        ("INIT:TLS1:POW 5NM", "-224"),
        ("INIT:TLS1:POW 0MW", "-222"),
        ("INIT:TLS1:TRIG 9", "-222"),
        ("INIT:FBC:SENS soon", "-224"),
        ("INIT:FBC:SENS 21", "-222"),
        ("CTP:SENS:FBC 1,2", "-108"),
        ("CTP:SENS:FBC 3", "-241"),
        ("CTP:SENS:FBC", "-109"),
        ("CTP:FUNC:STAT maybe", "-224"),
        ("CTP:RLAS1:TYPE 11", "-222"),
        ("CTP:RLAS3:TYPE?", "-241"),
        ("CTP:RLAS11:POW?", "-241"),
        ("CTP:SENS4:CHAN7:POW?", "-241"),
        ("CTP:SENS4:CHAN1:UNIT:Y DB", "-224"),
        ("CTP:SENS4:CHAN1:WAV 1700NM", "-222"),
        ("SYST:ANLG:OUT1:SOUR 4", "-109"),
        ("SYST:ANLG:OUT1:SOUR 4,1,1", "-108"),
        ("SYST:ANLG:OUT1:SOUR 4,9", "-222"),
        ("SYST:ANLG:OUT1:SOUR 9,1", "-241"),
        ("TRAC:SENS4:CHAN1:TYPE24:DATA:LENG?", "-222"),
        ("INIT?", "-113"),
        ("INIT 1", "-108"),
        ("ABOR 1", "-108"),
        ("CLE 1", "-108"),
    ] {
        let error = talk.told(command);
        assert!(error.starts_with(code), "{command}: {error}");
        assert_eq!(talk.ask("SYST:ERR?"), "0,No error", "{command}");
    }
    assert_eq!(talk.ask("INIT:TLS1:ID?;POW?;TRIG?;:INIT:STAB?"), "1;0.00000000E+000;0;0,0");
    assert_eq!(talk.ask("CTP:SENS:FBC?;:INIT:FBC:SENS?;:SYST:ANLG:OUT1:SOUR?"), "0;0;0,0");
}
