//! A proxy between the program and an instrument that spoils what the instrument says: replies come twice, late, altered,
//! cut, merged, byte by byte, or not at all.
//!
//! It takes one line at a time and knows whether a question has a reply: behind each question it asks the instrument who
//! it is, and keeps that answer to itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::until;

/// What becomes of a reply.
#[derive(Debug, Clone)]
pub(crate) enum Spoil {
    /// It comes twice.
    Double,
    /// It comes, and once more in front of the reply to the next question.
    DoubleBeforeNext,
    /// It does not come.
    Drop,
    /// It comes when this is set.
    Hold(Arc<AtomicBool>),
    /// It comes after this time.
    Delay(Duration),
    /// This comes instead, with a line end.
    Say(&'static str),
    /// The bytes of a reply, whatever they become.
    Alter(fn(Vec<u8>) -> Vec<u8>),
    /// Only so many bytes come.
    Truncate(usize),
    /// It comes without its line end, and the next reply right behind it.
    Merge,
    /// So many bytes come at a time, with a pause behind them.
    Trickle(usize, Duration),
    /// This line comes again and again, for ever.
    Repeat(&'static str),
    /// The connection is closed instead.
    Close,
    /// The command does not reach the instrument.
    Lose,
    /// Nothing: a rule in front of a wider one.
    Keep,
}

/// Which reply, and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The command contains this.
    pub(crate) command: &'static str,
    /// Which of them, from 1; 0 for all.
    pub(crate) which: usize,
    pub(crate) spoil: Spoil,
}

pub(crate) fn rule(command: &'static str, which: usize, spoil: Spoil) -> Rule {
    Rule { command, which, spoil }
}

/// The proxy; it lasts as long as the test.
pub(crate) struct Proxy {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    rules: Mutex<Vec<Rule>>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
    commands: Mutex<Vec<String>>,
    latency: Duration,
}

impl Proxy {
    /// Every line takes this time to the instrument, one after another, and every reply comes at once.
    pub(crate) fn to(instrument: &str, rules: &[Rule], latency: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared { rules: Mutex::new(rules.to_vec()), latency, ..Shared::default() });
        let (instrument, ours) = (instrument.to_owned(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (instrument, shared) = (instrument.clone(), Arc::clone(&ours));
                // A client or an instrument that has gone ends its session, and nothing else.
                std::thread::spawn(move || drop(serve(client, &instrument, &shared)));
            }
        });
        Self { address, shared }
    }

    /// The lines that came, without their ends.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.shared.commands.lock().unwrap().clone()
    }

    /// How many lines are this.
    pub(crate) fn count(&self, command: &str) -> usize {
        self.commands().iter().filter(|line| *line == command).count()
    }
}

impl Shared {
    /// What becomes of this command. Every rule counts for itself.
    fn spoil(&self, line: &str) -> Option<Spoil> {
        self.commands.lock().unwrap().push(line.to_owned());
        let rules = self.rules.lock().unwrap();
        let mut counts = self.counts.lock().unwrap();
        let texts: std::collections::BTreeSet<&'static str> =
            rules.iter().map(|rule| rule.command).filter(|text| line.contains(text)).collect();
        for text in &texts {
            *counts.entry(text).or_default() += 1;
        }
        let fits =
            |rule: &&Rule| texts.contains(rule.command) && [0, counts[rule.command]].contains(&rule.which);
        rules.iter().find(fits).map(|rule| rule.spoil.clone())
    }
}

fn serve(client: TcpStream, instrument: &str, shared: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut instrument = BufReader::new(TcpStream::connect(instrument)?);
    instrument.get_ref().set_nodelay(true)?;
    let mut lines = BufReader::new(client.try_clone()?);
    let mut client = client;
    let mut before_next = Vec::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        std::thread::sleep(shared.latency);
        let text = line.trim().to_owned();
        let spoil = shared.spoil(&text);
        if matches!(spoil, Some(Spoil::Lose)) {
            continue;
        }
        instrument.get_mut().write_all(format!("{text}\r\n").as_bytes())?;
        let reply = if text.contains('?') { reply(&mut instrument, &text)? } else { Vec::new() };
        if reply.is_empty() {
            continue;
        }
        client.write_all(&std::mem::take(&mut before_next))?;
        match spoil {
            None | Some(Spoil::Keep) => client.write_all(&reply)?,
            Some(Spoil::Double) => client.write_all(&[&reply[..], &reply].concat())?,
            Some(Spoil::DoubleBeforeNext) => {
                client.write_all(&reply)?;
                before_next = reply;
            }
            Some(Spoil::Drop | Spoil::Lose) => {}
            Some(Spoil::Hold(released)) => {
                until("the reply is released", || released.load(Ordering::SeqCst));
                client.write_all(&reply)?;
            }
            Some(Spoil::Delay(time)) => {
                std::thread::sleep(time);
                client.write_all(&reply)?;
            }
            Some(Spoil::Say(text)) => client.write_all(format!("{text}\r\n").as_bytes())?,
            Some(Spoil::Alter(alter)) => client.write_all(&alter(reply))?,
            Some(Spoil::Truncate(length)) => client.write_all(&reply[..length.min(reply.len())])?,
            Some(Spoil::Merge) => client.write_all(reply.trim_ascii_end())?,
            Some(Spoil::Trickle(size, pause)) => {
                for piece in reply.chunks(size) {
                    client.write_all(piece)?;
                    std::thread::sleep(pause);
                }
            }
            Some(Spoil::Repeat(text)) => loop {
                client.write_all(format!("{text}\r\n").as_bytes())?;
                std::thread::sleep(Duration::from_millis(1));
            },
            Some(Spoil::Close) => return Ok(()),
        }
    }
}

/// The reply to a question, a line or a block; empty when it has none.
fn reply(instrument: &mut BufReader<TcpStream>, question: &str) -> std::io::Result<Vec<u8>> {
    if question == "*IDN?" {
        return one(instrument);
    }
    instrument.get_mut().write_all(b"*IDN?\r\n")?;
    let first = one(instrument)?;
    if first.starts_with(b"EXFO,CTP10,") {
        return Ok(Vec::new());
    }
    one(instrument)?;
    Ok(first)
}

fn one(instrument: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    if instrument.fill_buf()?.first() != Some(&b'#') {
        let mut line = Vec::new();
        instrument.read_until(b'\n', &mut line)?;
        return if line.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) };
    }
    let mut block = vec![0; 2];
    instrument.read_exact(&mut block)?;
    let mut digits = vec![0; usize::from(block[1] - b'0')];
    instrument.read_exact(&mut digits)?;
    let mut data = vec![0; String::from_utf8_lossy(&digits).parse().unwrap()];
    instrument.read_exact(&mut data)?;
    block.extend(digits);
    block.extend(data);
    Ok(block)
}
