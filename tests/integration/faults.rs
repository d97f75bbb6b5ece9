//! Faults of the embedded instrument, as a client meets them on the wire and a recipe in a run.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{Bench, Running, Talk, journal, manifest, simulate, text, until};

/// An instrument with faults and a scan of 2001 points, 8004 bytes, that is over in no time.
fn faulty(bench: &Bench, faults: &[&str]) -> Running {
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    let arguments: Vec<&str> =
        ["--time-scale", "0.01", "--log", "commands.log"].into_iter().chain(faults).collect();
    simulate(bench, &arguments)
}

const RAW: &str = "TRAC:SENS4:CHAN1:TYPE11:DATA? BIN,DB";
const BLOCK: usize = 2001 * 4;
const HEAD: &[u8] = b"#48004";

fn sweep(talk: &mut Talk) {
    talk.send("INIT:WAV:STAR 1548NM;STOP 1550NM;SAMP 1PM");
    talk.send("INIT");
    talk.wait_until_idle();
}

fn log(bench: &Bench) -> String {
    std::fs::read_to_string(bench.folder.path().join("commands.log")).unwrap()
}

#[test]
fn drop_closes_the_connection_instead_of_an_answer_or_half_way_through_a_trace() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["drop@idn:2", "drop@INIT:TLS1:SPE", "drop@trace"]);
    let mut talk = Talk::to(&simulator.address);
    assert!(talk.ask("*IDN?").starts_with("EXFO"));
    talk.send("*IDN?");
    assert!(talk.rest().is_empty());
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:TLS1:SPE 20");
    assert!(talk.rest().is_empty());
    let mut talk = Talk::to(&simulator.address);
    assert_eq!(talk.ask("INIT:TLS1:SPE?"), "20", "it was carried out");
    sweep(&mut talk);
    talk.send(RAW);
    let part = talk.rest();
    assert_eq!((&part[..HEAD.len()], part.len()), (HEAD, HEAD.len() + BLOCK / 2));
    assert_eq!(Talk::to(&simulator.address).block(RAW).len(), BLOCK);
}

#[test]
fn stall_is_silence_on_one_connection_which_stays_open() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["stall@power"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("CTP:SENS4:CHAN1:POW?");
    talk.send("*IDN?");
    let mut other = Talk::to(&simulator.address);
    until("the connection is silent", || {
        assert!(other.ask("*IDN?").starts_with("EXFO"));
        log(&bench).contains("! stall@")
    });
    assert!(talk.is_silent_for(Duration::from_millis(300)));
    assert!(other.ask("CTP:SENS4:CHAN1:POW?").contains('E'));
}

#[test]
fn garble_makes_a_line_and_the_head_of_a_block_unreadable_or_its_length_wrong() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["garble@condition", "garble@trace:2", "garble@trace:3=-4"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("STAT:OPER:COND?");
    let line = talk.raw_line();
    assert_eq!(line, [b'0' ^ 0x80, b'\r', b'\n']);
    assert_eq!(talk.ask("STAT:OPER:COND?"), "0");
    sweep(&mut talk);
    let whole = talk.block(RAW);
    talk.send(RAW);
    talk.send("*IDN?");
    assert_eq!(talk.raw_line()[0], b'#' ^ 0x80);
    let mut talk = Talk::to(&simulator.address);
    let short = talk.block(RAW);
    assert_eq!(short, whole[..BLOCK - 4]);
}

#[test]
fn truncate_ends_a_reply_early_and_the_connection_with_it() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["truncate@idn", "truncate@trace"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("*IDN?");
    let part = talk.rest();
    assert!(part.starts_with(b"EXFO,CTP10,") && !part.contains(&b'\n'), "{}", text(&part));
    let mut talk = Talk::to(&simulator.address);
    sweep(&mut talk);
    talk.send(RAW);
    assert_eq!(talk.rest().len(), HEAD.len() + BLOCK - 1);
}

#[test]
fn late_and_slow_replies_are_whole_and_right() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["late@idn=0.3", "late@sweep:2=0.3", "slow@trace=20000"]);
    let mut talk = Talk::to(&simulator.address);
    let began = Instant::now();
    assert!(talk.ask("*IDN?").starts_with("EXFO"));
    assert!(began.elapsed() >= Duration::from_millis(300));
    sweep(&mut talk);
    let began = Instant::now();
    let slow = talk.block(RAW);
    assert!(began.elapsed() >= Duration::from_millis(350));
    assert_eq!(slow, talk.block(RAW));
    // A command has no reply that could be late: whatever follows it is.
    let began = Instant::now();
    talk.send("INIT");
    assert_ne!(talk.ask("STAT:OPER:COND?"), "");
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn reboot_closes_all_connections_and_forgets_everything() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["reboot@laser:3=0.5"]);
    let mut talk = Talk::to(&simulator.address);
    let mut other = Talk::to(&simulator.address);
    talk.send("INIT:TLS1:SPE 20;:CTP:RLAS1:POW 7DBM;:CTP:RLAS1:POW:STAT ON;:NONSENSE");
    talk.send("REF:SENS4:CHAN1:INIT");
    talk.wait_until_idle();
    sweep(&mut talk);
    assert!(other.ask("REF:SENS4:CHAN1:RES?").starts_with("1,"));
    talk.send("INIT");
    let began = Instant::now();
    talk.send("CTP:RLAS1:WAV 1550NM");
    assert!(talk.rest().is_empty() && other.rest().is_empty());
    until("the instrument is back", || TcpStream::connect(&simulator.address).is_ok());
    assert!(began.elapsed() >= Duration::from_millis(500));
    let mut talk = Talk::to(&simulator.address);
    for (question, answer) in [
        ("SYST:ERR?", "0,No error"),
        ("STAT:OPER:COND?", "0"),
        ("INIT:TLS1:SPE?", "50"),
        ("CTP:RLAS1:POW:STAT?", "0"),
        ("REF:SENS4:CHAN1:RES?", "0"),
    ] {
        assert_eq!(talk.ask(question), answer, "{question}");
    }
    talk.send(RAW);
    assert!(talk.ask("SYST:ERR?").starts_with("-230"));
}

#[test]
fn a_refused_command_does_nothing_and_an_error_of_nobody_comes_besides() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["refuse@sweep", "refuse@idn", "error-queue@condition:2"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT");
    assert_eq!(talk.ask("STAT:OPER:COND?"), "0");
    assert_eq!(talk.ask("SYST:ERR?"), "-200,Execution error; INIT");
    talk.send("*IDN?");
    assert_eq!(talk.ask("SYST:ERR?"), "-200,Execution error; *IDN?");
    assert_eq!(talk.ask("STAT:OPER:COND?"), "0");
    assert_eq!(talk.ask("SYST:ERR?"), "-310,System error");
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn a_scan_that_hangs_ends_when_it_is_aborted() {
    let bench = Bench::new();
    let simulator = faulty(&bench, &["hang@sweep:2"]);
    let mut talk = Talk::to(&simulator.address);
    sweep(&mut talk);
    talk.send("INIT");
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        assert_eq!(talk.ask("STAT:OPER:COND?"), "4");
    }
    talk.send("ABOR");
    talk.wait_until_idle();
    sweep(&mut talk);
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn the_log_tells_each_fault_after_its_command_in_words_that_repeat_it() {
    let bench = Bench::new();
    bench.write("night.txt", "# a bad night\nlate@power:2=0.001\n");
    let simulator = faulty(&bench, &["@night.txt"]);
    let mut talk = Talk::to(&simulator.address);
    let answers = talk.ask("CTP:SENS4:CHAN1:POW?;POW?;POW?");
    assert_eq!(answers.split(';').count(), 3, "{answers}");
    let log = log(&bench);
    let lines: Vec<&str> = log.lines().filter_map(|line| line.splitn(3, ' ').nth(2)).collect();
    assert_eq!(lines, ["CTP:SENS4:CHAN1:POW?;POW?;POW?", "! late@2=0.001"]);
}

#[test]
fn a_recipe_is_tried_with_a_fault_of_its_own() {
    let bench = Bench::new();
    bench.write(
        "faulty.yaml",
        "
name: faulty
instrument: sim
simulator: { time_scale: 0.01, faults: [refuse@sweep] }
steps:
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - sweep: { retry: { times: 1, backoff_s: 0 } }
  - fetch_trace: { detector: 4/1, trace: raw }
",
    );
    let output = bench.run(&["run", "faulty.yaml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = bench.run_folder(&output);
    let records = journal(&folder);
    let failed = records.iter().find(|record| record["event"] == "step_failed").unwrap();
    assert!(failed["fault"]["message"].as_str().unwrap().contains("-200 Execution error"), "{failed}");
    assert!(manifest(&folder).to_string().contains("refuse@sweep:1"));
}
