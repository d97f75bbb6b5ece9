//! The policy of turning lasers off, against an instrument that resists.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ctp10::equipment::Live;
use ctp10::forecast::allowed::Allowed;
use ctp10::instrument::limits::Limits;
use ctp10::instrument::scpi::{Action, Query};
use ctp10::instrument::{Address, Ctp10, Deadlines, LasersOff, Presence, Target};
use ctp10::notify::Outbox;
use ctp10::remote::Uploads;
use ctp10::run::Times;
use ctp10::session::{Connections, NotChanged, Session, Setup};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// An instrument with lasers that resist.
#[derive(Default)]
struct Unit {
    /// The lasers that are present and on.
    on: BTreeSet<u8>,
    /// The lasers that are present and off.
    off: BTreeSet<u8>,
    /// Lasers whose output stays on whatever is sent.
    stuck: BTreeSet<u8>,
    /// During a scan, no laser can be turned off.
    scanning: bool,
    errors: VecDeque<&'static str>,
    /// The question that has no reply.
    silent: &'static str,
    /// Gets each line.
    heard: Option<mpsc::UnboundedSender<String>>,
    /// A line that is worked on until this is sent.
    slow: Option<(String, oneshot::Receiver<()>)>,
}

impl Unit {
    fn lit(lasers: impl IntoIterator<Item = u8>) -> Self {
        Self { on: lasers.into_iter().collect(), ..Self::default() }
    }

    /// The reply to a line; `None` for a command, and for a question that is refused.
    fn reply(&mut self, line: &str) -> Option<String> {
        if let Some(heard) = &self.heard {
            let _ = heard.send(line.to_owned());
        }
        if line == self.silent {
            return None;
        }
        match line {
            "*IDN?" => return Some("EXFO,CTP10,12345,1.2.3".to_owned()),
            "SYST:ERR?" => return Some(self.errors.pop_front().unwrap_or("0,No error").to_owned()),
            "STAT:OPER:COND?" => return Some(if self.scanning { "4" } else { "0" }.to_owned()),
            "ABOR" => self.scanning = false,
            _ => return self.laser(line),
        }
        None
    }

    fn laser(&mut self, line: &str) -> Option<String> {
        let (number, rest) = line.strip_prefix("CTP:RLAS")?.split_once(':')?;
        let laser: u8 = number.parse().ok()?;
        if !self.on.contains(&laser) && !self.off.contains(&laser) {
            self.errors.push_back("-200,\"Execution error\"");
            return None;
        }
        match rest {
            "POW:STAT OFF" if self.scanning => self.errors.push_back("-221,\"Settings conflict\""),
            "POW:STAT OFF" if !self.stuck.contains(&laser) => {
                self.on.remove(&laser);
                self.off.insert(laser);
            }
            "POW:STAT ON" => {
                self.off.remove(&laser);
                self.on.insert(laser);
            }
            "POW:STAT?" => return Some(u8::from(self.on.contains(&laser)).to_string()),
            _ => {}
        }
        None
    }

    async fn serve(&mut self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while matches!(stream.read_line(&mut line).await, Ok(1..)) {
            let reply = self.reply(line.trim());
            if let Some((_, done)) = self.slow.take_if(|(slow, _)| slow == line.trim()) {
                let _ = done.await;
            }
            if let Some(reply) = reply {
                let _ = stream.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await;
            }
            line.clear();
        }
    }
}

/// A unit that serves one connection after another, and a handle that is not connected.
async fn start(mut unit: Unit) -> (Ctp10, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().into();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            unit.serve(stream).await;
        }
    });
    (Ctp10::at(address, Deadlines::default(), Limits::default()), serving)
}

/// Connects to a unit.
async fn connect(unit: Unit) -> (Ctp10, JoinHandle<()>) {
    let (instrument, serving) = start(unit).await;
    instrument.reconnect(true).await.unwrap();
    (instrument, serving)
}

async fn lasers_off(unit: Unit, lasers: &[u8]) -> LasersOff {
    let (instrument, serving) = connect(unit).await;
    let done = instrument.lasers_off(lasers.iter().copied()).await;
    serving.abort();
    done
}

#[tokio::test]
async fn a_scan_that_keeps_the_lasers_on_is_aborted_and_they_go_off() {
    let unit = Unit { scanning: true, ..Unit::lit([1, 2]) };
    let done = lasers_off(unit, &[1, 2]).await;
    assert_eq!(done, LasersOff { off: vec![1, 2], ..LasersOff::default() });
}

/// The lines that a unit has heard up to the last of these.
async fn lines_up_to(heard: &mut mpsc::UnboundedReceiver<String>, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != last) {
        lines.push(heard.recv().await.unwrap());
    }
    lines
}

const OFF: [&str; 3] = ["CTP:RLAS1:POW:STAT OFF", "CTP:RLAS2:POW:STAT OFF", "CTP:RLAS3:POW:STAT OFF"];

#[tokio::test]
async fn no_question_that_may_be_silent_stands_before_the_lasers_go_off() {
    for silent in ["SYST:ERR?", "STAT:OPER:COND?", "CTP:RLAS1:POW:STAT?", "*IDN?"] {
        let (sender, mut heard) = mpsc::unbounded_channel();
        let unit = Unit { silent, heard: Some(sender), ..Unit::lit([1, 2, 3]) };
        // An instrument that does not reply to the query for its identity was never connected.
        let (instrument, serving) = if silent == "*IDN?" { start(unit).await } else { connect(unit).await };
        if silent != "*IDN?" {
            lines_up_to(&mut heard, "*IDN?").await;
        }
        let ending = tokio::spawn({
            let instrument = instrument.observer();
            async move { instrument.abort_and_lasers_off(1..=3).await }
        });
        let lines = lines_up_to(&mut heard, OFF[2]).await;
        assert_eq!(lines, [&["ABOR"][..], &OFF].concat(), "{silent}");
        ending.abort();
        let _ = ending.await;
        serving.abort();
    }
}

#[tokio::test]
async fn the_lasers_of_a_run_go_off_before_any_question() {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let (instrument, serving) = connect(Unit { heard: Some(sender), ..Unit::lit([1, 2, 3]) }).await;
    lines_up_to(&mut heard, "*IDN?").await;
    assert_eq!(instrument.lasers_off(1..=3).await.off, [1, 2, 3]);
    assert_eq!(lines_up_to(&mut heard, OFF[2]).await, OFF);
    serving.abort();
}

#[tokio::test]
async fn a_laser_is_turned_off_before_the_error_queue_of_an_observer_is_emptied() {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let unit = Unit { silent: "SYST:ERR?", heard: Some(sender), ..Unit::lit([1]) };
    let (instrument, serving) = connect(unit).await;
    instrument.observer().ask(&Query::laser_output(1)).await.unwrap();
    let turning =
        tokio::spawn(async move { instrument.act(&Action::SetLaserOutput { laser: 1, on: false }).await });
    let lines = lines_up_to(&mut heard, OFF[0]).await;
    assert_eq!(lines, ["*IDN?", "CTP:RLAS1:POW:STAT?", OFF[0]]);
    turning.abort();
    serving.abort();
}

#[tokio::test]
async fn a_laser_that_stays_on_is_unknown_and_the_others_go_off() {
    let unit = Unit { stuck: BTreeSet::from([2]), ..Unit::lit([1, 2, 3]) };
    let done = lasers_off(unit, &[1, 2, 3]).await;
    assert_eq!((done.off, done.unknown), (vec![1, 3], vec![2]));
    let trouble = done.trouble.unwrap();
    assert!(trouble.starts_with("laser 2: ") && trouble.contains("still on"), "{trouble}");
}

#[tokio::test]
async fn a_laser_that_is_absent_is_neither_off_nor_unknown_even_if_it_is_tried_first() {
    let done = lasers_off(Unit::lit([2]), &[1, 2]).await;
    assert_eq!(done, LasersOff { off: vec![2], ..LasersOff::default() });
}

#[tokio::test]
async fn without_a_connection_every_laser_is_unknown() {
    let (instrument, serving) = connect(Unit::lit([1, 2])).await;
    serving.abort();
    let _ = serving.await;
    let done = instrument.observer().lasers_off([1, 2]).await;
    assert_eq!((done.off, done.unknown), (vec![], vec![1, 2]));
    assert!(done.trouble.unwrap().contains("cannot reach"));
}

/// A session without hosts, limits and named instruments.
fn setup() -> Setup {
    Setup {
        out: std::env::temp_dir(),
        connections: Connections::One,
        outbox: Outbox::silent(),
        uploads: Uploads::default(),
        allowed: Allowed::default(),
        times: Times {
            dark_after: Duration::from_secs(1),
            guard_after: None,
            disk_full_wait: Duration::ZERO,
            answer_wait: None,
        },
        live: Live::default(),
        with_real: BTreeSet::new(),
    }
}

#[tokio::test]
async fn an_emergency_stop_between_two_commands_of_a_change_keeps_back_the_second() {
    let power = Action::SetLaserPower { laser: 2, dbm: 1.0 };
    let on = Action::SetLaserOutput { laser: 2, on: true };
    let (sender, mut heard) = mpsc::unbounded_channel();
    let (finish, done) = oneshot::channel();
    let slow = Some((power.to_string(), done));
    let unit = Unit { off: BTreeSet::from([2]), heard: Some(sender), slow, ..Unit::default() };
    let (instrument, serving) = connect(unit).await;
    let session = Session::new(instrument.clone(), Target::Remote(instrument.address().clone()), setup());
    let changing = tokio::spawn({
        let (session, actions) = (Arc::clone(&session), [power.clone(), on.clone()]);
        async move { session.change(actions).await }
    });
    lines_up_to(&mut heard, &power.to_string()).await;
    let mut cut = session.cut();
    let stopping = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.off("test").await }
    });
    cut.wanted().await;
    finish.send(()).unwrap();
    let refused = changing.await.unwrap().unwrap_err();
    assert!(matches!(&refused, NotChanged::Cut { command } if *command == on.to_string()), "{refused}");
    let stopped = stopping.await.unwrap();
    assert!(stopped.unknown.is_empty(), "{stopped:?}");
    assert!(!instrument.ask(&Query::laser_output(2)).await.unwrap());
    session.change([on.clone()]).await.unwrap();
    assert!(instrument.ask(&Query::laser_output(2)).await.unwrap());
    serving.abort();
}

#[tokio::test]
async fn an_emergency_stop_makes_its_own_connection_if_the_one_of_the_session_was_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    let (leave, left) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        tokio::select! {
            () = async { Unit::lit([1, 2]).serve(first).await } => {}
            _ = left => {}
        }
        let mut unit = Unit::lit([1, 2]);
        while let Ok((stream, _)) = listener.accept().await {
            unit.serve(stream).await;
        }
    });
    let instrument = Ctp10::connect(address.clone(), Deadlines::default(), Limits::default()).await.unwrap();
    let session = Session::new(instrument.clone(), Target::Remote(address), setup());
    drop(leave);
    while matches!(*instrument.presence().borrow(), Presence::Here(_)) {
        instrument.notice_loss();
        tokio::task::yield_now().await;
    }
    let stopped = session.off("test").await;
    serving.abort();
    assert_eq!((stopped.aborted, stopped.off, stopped.unknown), (true, vec![1, 2], vec![]));
}

#[tokio::test]
async fn an_instrument_that_cannot_be_reached_ends_the_round() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().into();
    let (leave, left) = oneshot::channel::<()>();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let serving = tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        tokio::select! {
            () = async { Unit::lit(1..=10).serve(first).await } => {}
            _ = left => {}
        }
        // Each later connection is closed at once.
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let deadlines = Deadlines { reconnect: Duration::from_millis(100), ..Deadlines::default() };
    let instrument = Ctp10::connect(address, deadlines, Limits::default()).await.unwrap();
    drop(leave);
    let done = instrument.lasers_off(1..=10).await;
    serving.abort();
    assert_eq!((done.off, done.unknown), (vec![], Vec::from_iter(1..=10)));
    // Both rounds and the abort between them connect at most twice for each laser that they try. Without the rule,
    // there would be one try or more for each of ten lasers, in each round.
    let tries = tries.load(Ordering::SeqCst);
    assert!((2..10).contains(&tries), "{tries} tries");
}
