//! The embedded instrument over a plain socket, without the driver.

use crate::support::{Bench, Talk, simulate};

fn floats(block: &[u8]) -> Vec<f64> {
    block.chunks_exact(4).map(|bytes| f64::from(f32::from_be_bytes(bytes.try_into().unwrap()))).collect()
}

fn measure(talk: &mut Talk) -> Vec<f64> {
    talk.send("INIT:WAV:STAR 1548NM;STOP 1550 nm;SAMP 1PM");
    talk.send("REF:SENS4:CHAN1:INIT");
    talk.wait_until_idle();
    talk.send("INITiate:IMMediate");
    talk.wait_until_idle();
    floats(&talk.block("TRAC:SENS4:CHAN1:TYPE1:DATA? BIN,DB"))
}

#[test]
fn raw_minus_reference_is_the_transmission_function() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let mut talk = Talk::to(&simulator.address);
    let tf = measure(&mut talk);
    let raw = floats(&talk.block("TRACe:SENSe4:CHANnel1:TYPE11:DATA:Y? BIN,DB"));
    let reference = floats(&talk.block("trac:sens4:chan1:type12:data? 1,DB"));
    assert_eq!((tf.len(), raw.len(), reference.len()), (2001, 2001, 2001));
    assert!(
        tf.iter()
            .zip(raw.iter().zip(&reference))
            .all(|(tf, (raw, reference))| (tf - (raw - reference)).abs() < 1e-3)
    );
    let dip = tf.iter().copied().fold(f64::MAX, f64::min);
    assert!(dip < -20.0, "{dip}");
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn what_the_laser_does_not_have_is_refused_and_the_setting_stays() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:TLS1:SPE 40");
    for (command, code) in [
        ("INIT:TLS1:SPE 999", "-222"),
        ("INIT:TLS1:POW 11DBM", "-222"),
        ("INIT:WAV:SAMP 1.5PM", "-222"),
        ("INIT:TLS1:SPE", "-109"),
        ("INIT:TLS1:SPE 20,30", "-108"),
        ("INIT:TLS1:SPEE 20", "-113"),
        ("INIT:TLS1:SPE fast", "-224"),
        ("INIT:TLS1:ID 7", "-241"),
        ("CTP:RLAS3:POW:STAT ON", "-241"),
        ("CTP:SENS9:CHAN1:UNIT:Y MW", "-241"),
        ("TRAC:SENS4:CHAN1:TYPE11:SAVE", "-230"),
        ("::", "-102"),
    ] {
        talk.send(command);
        let error = talk.ask("SYST:ERR?");
        assert!(error.starts_with(code), "{command}: {error}");
        assert_eq!(talk.ask("SYSTem:ERRor:NEXT?"), "0,No error", "{command}");
    }
    assert_eq!(talk.ask("INIT:TLS1:SPE?"), "40");
    // A query in error sends nothing: the next reply is the next query's.
    talk.send("CTP:SENS9:CHAN1:POW?");
    assert!(talk.ask("*IDN?").starts_with("EXFO,CTP10,SIMULATED-1,"));
    // The O-band laser has speeds of its own.
    talk.send("INIT:TLS1:ID 2;SPE 200");
    assert_eq!(talk.ask("INIT:TLS1:SPE?"), "200");
}

#[test]
fn a_scan_goes_from_scanning_over_analyzing_to_idle_and_refuses_settings_meanwhile() {
    let bench = Bench::new();
    // Each state lasts a second: long enough to be seen from a busy machine.
    let simulator = simulate(&bench, &["--time-scale", "5"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:WAV:STAR 1540NM;STOP 1541NM;:INIT:TLS1:SPE 5;:INIT");
    let mut seen = vec![talk.ask("STAT:OPER:COND?")];
    for (command, code) in [
        ("INIT:TLS1:POW 1DBM", "-221"),
        ("CTP:RLAS1:POW:STAT ON", "-221"),
        ("CTP:SENS4:CHAN1:WAV 1540NM", "-221"),
        ("TRAC:SENS4:CHAN1:TYPE11:DATA:LENG?", "-221"),
        ("INIT", "-213"),
        ("REF:SENS4:CHAN1:INIT", "-213"),
    ] {
        talk.send(command);
        let error = talk.ask("SYST:ERR?");
        assert!(error.starts_with(code), "{command}: {error}");
    }
    while seen.last().unwrap() != "0" {
        let condition = talk.ask("STAT:OPER:COND?");
        if *seen.last().unwrap() != condition {
            seen.push(condition);
        }
    }
    assert_eq!(seen, ["4", "8", "0"]);
    talk.send("INIT:WAV:STAR 1500NM;STOP 1630NM;:INIT:TLS1:SPE 5;:INIT");
    assert_eq!(talk.ask("STAT:OPER:COND?"), "4");
    talk.send("ABOR");
    talk.wait_until_idle();
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn static_power_follows_what_is_switched_on() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    let mut power =
        |channel: u8| -> f64 { talk.ask(&format!("CTP:SENS4:CHAN{channel}:POW?")).parse().unwrap() };
    assert!(power(1) < -70.0 && power(3) < -70.0);
    let mut other = Talk::to(&simulator.address);
    other.send("CTP:RLAS1:WAV 1545NM;:CTP:RLAS1:POW 5DBM;:CTP:RLAS1:POW:STAT ON");
    assert_eq!(other.ask("CTP:RLAS1:POW:STAT?"), "1");
    // The tap reads 0.6 dB below the laser.
    assert!((power(3) - 4.4).abs() < 0.1);
    let through = power(1);
    assert!(through > -10.0 && through < 0.0, "{through}");
    other.send("CTP:SENS4:CHAN1:UNIT:Y MW");
    let milliwatts: f64 = other.ask("CTP:SENS4:CHAN1:POW?").parse().unwrap();
    assert!((10.0 * milliwatts.log10() - through).abs() < 0.1);
}

#[test]
fn the_seed_repeats_the_noise_and_by_settings_does_so_whatever_came_before() {
    let bench = Bench::new();
    let fresh = ["--time-scale", "0.02", "--seed", "7"];
    let first = simulate(&bench, &fresh);
    let mut talk = Talk::to(&first.address);
    let (one, two) = (measure(&mut talk), measure(&mut talk));
    assert_ne!(one, two);
    let again = simulate(&bench, &fresh);
    assert_eq!(measure(&mut Talk::to(&again.address)), one);
    let settled = simulate(&bench, &[&fresh[..], &["--noise", "by-settings"]].concat());
    let mut talk = Talk::to(&settled.address);
    assert_eq!(measure(&mut talk), measure(&mut talk));
}

#[test]
fn one_connection_too_many_is_turned_away_and_the_place_is_free_again_afterwards() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--max-connections", "1"]);
    let mut first = Talk::to(&simulator.address);
    assert!(first.ask("*IDN?").starts_with("EXFO"));
    let refused = std::net::TcpStream::connect(&simulator.address).unwrap();
    assert_eq!(std::io::Read::read(&mut &refused, &mut [0; 8]).unwrap_or(0), 0);
    drop(first);
    let again = (0..200).any(|_| {
        let mut stream = std::net::TcpStream::connect(&simulator.address).unwrap();
        let asked = std::io::Write::write_all(&mut stream, b"*IDN?\r\n");
        asked.is_ok() && std::io::Read::read(&mut stream, &mut [0; 8]).is_ok_and(|count| count > 0)
    });
    assert!(again);
}

#[test]
fn garbage_of_any_length_is_answered_with_an_error_and_the_session_lives() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    talk.send(&"x".repeat(1_000_000));
    assert!(talk.ask("SYST:ERR?").starts_with("-102"));
    talk.send("\u{1}\u{2}\u{fffd};;;???");
    assert!(talk.ask("SYST:ERR?").starts_with("-1"));
    talk.send("*CLS");
    assert_eq!(talk.ask("*idn?").split(',').count(), 4);
}
