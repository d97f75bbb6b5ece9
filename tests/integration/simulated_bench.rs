//! The simulated source-meter, switch and thermostat over plain sockets, without the driver.

use crate::support::{Bench, Running, Talk, simulate, until};

/// All four instruments, with the given further options.
fn start(bench: &Bench, further: &[&str]) -> Running {
    let free = "127.0.0.1:0";
    simulate(bench, &[&["--smu", free, "--switch", free, "--thermostat", free], further].concat())
}

fn number(reply: &str) -> f64 {
    reply.parse().unwrap_or_else(|_| panic!("`{reply}` is no number"))
}

/// The wavelength of the deepest point between 1544 and 1556 nm, nm.
fn dip_nm(talk: &mut Talk) -> f64 {
    talk.send("INIT:WAV:STAR 1544NM;STOP 1556NM;SAMP 1PM;:INIT");
    talk.wait_until_idle();
    let block = talk.block("TRAC:SENS4:CHAN1:TYPE11:DATA? BIN,DB");
    let levels = block.chunks_exact(4).map(|bytes| f32::from_be_bytes(bytes.try_into().unwrap()));
    let (deepest, _) = levels.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    1544.0 + f64::from(u32::try_from(deepest).unwrap()) * 1e-3
}

#[test]
fn the_heater_shifts_the_resonance_by_a_tenth_of_a_nanometre_for_each_milliwatt() {
    let bench = Bench::new();
    let simulator = start(&bench, &["--time-scale", "0.02"]);
    let mut ctp10 = Talk::to(&simulator.address);
    let mut smu = Talk::to(simulator.instrument("smu"));
    assert!(smu.ask("*IDN?").contains("SIMULATED"));
    let cold = dip_nm(&mut ctp10);
    assert_eq!(smu.told(":SOUR:FUNC CURR;:SENS:VOLT:PROT 8;:SOUR:CURR 4MA;:OUTP ON"), "0,No error");
    let reading = smu.ask(":READ?");
    let (volts, amperes) = reading.split_once(',').unwrap();
    let milliwatts = number(volts) * number(amperes) * 1e3;
    assert!((7.0..10.0).contains(&milliwatts), "{reading}");
    assert_eq!(smu.ask(":MEAS:VOLT?"), volts);
    assert!(number(&smu.ask(":MEAS:RES?")) > 500.0, "a hot heater has a higher resistance");
    let shift_pm = (dip_nm(&mut ctp10) - cold) * 1e3;
    assert!((shift_pm - 100.0 * milliwatts).abs() < 10.0, "{shift_pm} pm for {milliwatts} mW");
    smu.send(":OUTP OFF");
    assert_eq!(smu.ask(":OUTP?"), "0");
    assert!((dip_nm(&mut ctp10) - cold).abs() < 0.01);
    assert_eq!(smu.told(":MEAS:VOLT?"), "803,Not permitted with output off; :MEAS:VOLT?");
}

#[test]
fn a_limit_holds_and_too_much_power_burns_the_heater() {
    let bench = Bench::new();
    let simulator = start(&bench, &[]);
    let mut smu = Talk::to(simulator.instrument("smu"));
    // At power-on the limit of the current is so low that nothing can happen.
    assert_eq!(smu.told(":SOUR:VOLT 20;:OUTP ON"), "0,No error");
    assert_eq!((number(&smu.ask(":MEAS:CURR?")), smu.ask(":SENS:CURR:PROT:TRIP?").as_str()), (105e-6, "1"));
    smu.send(":SENS:CURR:PROT 1");
    assert_eq!(number(&smu.ask(":MEAS:CURR?")), 0.0, "the heater has burnt");
    smu.send("*RST;:SOUR:VOLT 1;:SENS:CURR:PROT 0.1;:OUTP ON");
    assert_eq!(number(&smu.ask(":MEAS:CURR?")), 0.0);
}

#[test]
fn what_the_source_meter_cannot_do_is_refused_and_the_setting_stays() {
    let bench = Bench::new();
    let simulator = start(&bench, &[]);
    let mut smu = Talk::to(simulator.instrument("smu"));
    smu.send(":SOUR:VOLT 1.5");
    for (command, code) in [
        (":SOUR:VOLT 22", "-222"),
        (":SOUR:VOLT 1A", "-224"),
        (":SOUR:VOLT", "-109"),
        (":SOUR:VOLT 1,2", "-108"),
        (":SOUR:VOLTS 1", "-113"),
        (":SENS:CURR:PROT 2", "-222"),
        (":SOUR:FUNC WATT", "-224"),
        (":READ", "-113"),
        ("INIT", "-113"),
    ] {
        let error = smu.told(command);
        assert!(error.starts_with(code), "{command}: {error}");
    }
    assert_eq!(smu.ask(":source:voltage:level?"), "+1.500000E+00");
    smu.send(":SOUR:VOLT 1500 mV;:OUTP ON;:SOUR:FUNC CURR");
    assert_eq!(smu.ask(":OUTP?;:SOUR:FUNC?"), "0;CURR", "another source turns the output off");
}

#[test]
fn the_switch_decides_which_device_is_in_the_path() {
    let bench = Bench::new();
    let simulator = start(&bench, &["--time-scale", "0.02", "--switch-devices", "ring-tm,loopback"]);
    let mut ctp10 = Talk::to(&simulator.address);
    let mut switch = Talk::to(simulator.instrument("switch"));
    assert_eq!(switch.ask("ROUT:CLOS:STAT?"), "(@1)");
    ctp10.send("CTP:RLAS1:WAV 1552NM;POW 0DBM;POW:STAT ON");
    let mut power = || number(&ctp10.ask("CTP:SENS4:CHAN1:POW?"));
    assert_eq!(switch.told("ROUTe:CLOSe (@3)"), "0,No error");
    assert_eq!(switch.ask("ROUT:CLOS? (@3);CLOS? (@1)"), "1;0");
    // The loopback has 8 dB, and the way to it 2.9 dB.
    assert!((power() + 10.9).abs() < 0.1, "{}", power());
    switch.send("ROUT:OPEN (@3)");
    assert_eq!(switch.ask("ROUT:CLOS:STAT?"), "(@)");
    assert!(power() < -75.0, "dark");
    for (command, code) in [("ROUT:CLOS (@5)", "-222"), ("ROUT:CLOS (@1,2)", "-108"), ("ROUT:CLOS 2", "-224")]
    {
        let error = switch.told(command);
        assert!(error.starts_with(code), "{command}: {error}");
    }
    switch.send("*RST");
    assert_eq!(switch.ask("ROUT:CLOS:STAT?"), "(@1)");
}

#[test]
fn the_chip_follows_the_thermostat_with_its_time_constant() {
    let bench = Bench::new();
    // The time constant is 1.5 s: long enough that the first reading is on the way.
    let simulator = start(&bench, &["--time-scale", "0.3"]);
    let mut ctp10 = Talk::to(&simulator.address);
    let mut thermostat = Talk::to(simulator.instrument("thermostat"));
    let cold = dip_nm(&mut ctp10);
    assert_eq!(thermostat.ask("MEAS:TEMP?"), "25.000");
    let asked = std::time::Instant::now();
    let first = number(&thermostat.ask("SOUR:TEMP 35;:OUTP ON;:MEAS:TEMP?"));
    assert!(first < 35.0 || asked.elapsed().as_secs() > 5, "{first}");
    until("the temperature is reached", || thermostat.ask("MEAS:TEMP?") == "35.000");
    let shift_pm = (dip_nm(&mut ctp10) - cold) * 1e3;
    assert!((shift_pm - 750.0).abs() < 10.0, "{shift_pm}");
    assert!(thermostat.told("SOUR:TEMP 90").starts_with("-222"));
    assert_eq!(thermostat.ask("SOUR:TEMP?"), "35.000");
    thermostat.send("OUTP OFF");
    until("the chip is at room temperature", || thermostat.ask("MEAS:TEMP?") == "25.000");
}

#[test]
fn a_command_that_a_disconnect_has_cut_does_nothing() {
    /// The longest line, bytes.
    const LONGEST: usize = 64 * 1024;
    let bench = Bench::new();
    let simulator = start(&bench, &[]);
    let address_of = |name: &str| match name {
        "ctp10" => simulator.address.as_str(),
        other => simulator.instrument(other),
    };
    let padded = |length: usize| {
        let command = "CTP:RLAS1:POW:STAT ON";
        [command, &" ".repeat(length - command.len())].concat()
    };
    for (instrument, cut, query) in [
        // Of `10DBM`, a valid power is left.
        ("ctp10", "INIT:TLS1:POW 1", "INIT:TLS1:POW?"),
        ("ctp10", "CTP:RLAS1:POW:STAT ON", "CTP:RLAS1:POW:STAT?"),
        ("ctp10", "CTP:RLAS1:POW:STAT ON\r", "CTP:RLAS1:POW:STAT?"),
        ("ctp10", "CTP:RLAS1:POW:STAT ON;*IDN?", "CTP:RLAS1:POW:STAT?"),
        ("ctp10", "\r\nCTP:RLAS1:POW:STAT ON", "CTP:RLAS1:POW:STAT?"),
        ("ctp10", padded(LONGEST - 1).as_str(), "CTP:RLAS1:POW:STAT?"),
        ("ctp10", padded(LONGEST).as_str(), "CTP:RLAS1:POW:STAT?"),
        ("ctp10", (padded(LONGEST) + "CTP:RLAS1:POW:STAT ON").as_str(), "CTP:RLAS1:POW:STAT?"),
        ("smu", ":SOUR:VOLT 1", ":SOUR:VOLT?"),
        ("smu", ":OUTP ON", ":OUTP?"),
        ("switch", "ROUT:CLOS (@3)", "ROUT:CLOS:STAT?"),
        ("thermostat", "SOUR:TEMP 30", "SOUR:TEMP?"),
        ("thermostat", "OUTP ON", "OUTP?"),
    ] {
        let about = format!("{instrument}: {}", &cut[..cut.len().min(40)]);
        let mut other = Talk::to(address_of(instrument));
        let before = other.ask(query);
        let mut client = Talk::to(address_of(instrument));
        client.send_bytes(cut.as_bytes());
        assert_eq!(client.hang_up(), b"", "{about}");
        assert_eq!(other.ask(query), before, "{about}");
        // The same command with its end is carried out.
        if cut.len() < 40 {
            client = Talk::to(address_of(instrument));
            client.send(cut.trim());
            client.hang_up();
            assert_ne!(other.ask(query), before, "{about}");
            assert_eq!(other.ask("*RST;*OPC?"), "1", "{about}");
        }
    }
}

#[test]
fn each_instrument_has_faults_of_its_own() {
    let bench = Bench::new();
    let log = bench.folder.path().join("log.txt");
    let faults =
        ["smu:garble@MEAS:VOLT?", "smu:drop@MEAS:CURR?", "switch:refuse@ROUT:CLOS", "thermostat:reboot@4=0"];
    let mut options: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    options.extend(["--log", log.to_str().unwrap()]);
    let simulator = start(&bench, &options);
    let mut smu = Talk::to(simulator.instrument("smu"));
    smu.send(":OUTP ON;:MEAS:VOLT?");
    assert!(smu.raw_line().iter().filter(|byte| **byte >= 0x80).count() > 5, "unreadable");
    assert_eq!(smu.try_ask(":MEAS:CURR?"), None, "the connection is closed");
    assert_eq!(Talk::to(simulator.instrument("smu")).ask(":OUTP?"), "1", "the instrument goes on");
    let mut switch = Talk::to(simulator.instrument("switch"));
    assert!(switch.told("ROUT:CLOS (@2)").starts_with("-200"));
    assert_eq!(switch.ask("ROUT:CLOS:STAT?"), "(@1)");
    let mut thermostat = Talk::to(simulator.instrument("thermostat"));
    assert_eq!(thermostat.ask("SOUR:TEMP 40;:OUTP ON;:OUTP?"), "1");
    assert_eq!(thermostat.try_ask("*OPC?"), None);
    until("the thermostat is at its state at power-on", || {
        Talk::try_to(simulator.instrument("thermostat")).and_then(|mut talk| talk.try_ask("OUTP?")).as_deref()
            == Some("0\n")
    });
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(" [smu] ! smu:drop@3\n") && log.contains(" [switch] ROUT:CLOS (@2)\n"), "{log}");
}

#[test]
fn a_fault_of_an_instrument_that_is_not_simulated_is_refused() {
    let bench = Bench::new();
    for (fault, said) in [
        ("smu:drop@3", "fault `smu:drop@3`: there is no smu without the option `smu`"),
        ("smu:drop@INIT", "no command of the source-meter has the header `INIT`"),
        ("smu:hang@OUTP", "`OUTP` starts no scan"),
    ] {
        let output = bench.run(&["simulate", "--listen", "127.0.0.1:0", "--fault", fault]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(said), "{told}");
    }
}
