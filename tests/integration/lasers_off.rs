//! The policy of turning lasers off, against an instrument that resists.

use std::collections::{BTreeSet, VecDeque};

use ctp10::instrument::limits::Limits;
use ctp10::instrument::{Ctp10, Deadlines, LasersOff};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
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
}

impl Unit {
    fn lit(lasers: impl IntoIterator<Item = u8>) -> Self {
        Self { on: lasers.into_iter().collect(), ..Self::default() }
    }

    /// The reply to a line; `None` for a command, and for a question that is refused.
    fn reply(&mut self, line: &str) -> Option<String> {
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
            "POW:STAT?" => return Some(u8::from(self.on.contains(&laser)).to_string()),
            _ => {}
        }
        None
    }

    async fn serve(&mut self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while matches!(stream.read_line(&mut line).await, Ok(1..)) {
            if let Some(reply) = self.reply(line.trim()) {
                let _ = stream.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await;
            }
            line.clear();
        }
    }
}

/// Connects to a unit, which serves one connection after another.
async fn connect(mut unit: Unit) -> (Ctp10, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().into();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            unit.serve(stream).await;
        }
    });
    (Ctp10::connect(address, Deadlines::default(), Limits::default()).await.unwrap(), serving)
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
