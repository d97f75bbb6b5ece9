//! An instrument on the bench that speaks lines of text, as small as it can be, and as wrong as a test needs it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The identity of a source-meter.
pub(crate) const IDENTITY: &str = "KEITHLEY INSTRUMENTS,MODEL 2450,04096331,1.7.0b";

/// What the instrument does about a line.
pub(crate) enum Answer {
    Reply(String),
    /// The same reply twice.
    Twice(String),
    /// After this time.
    Late(Duration, String),
    /// Nothing, for as long as the other end waits.
    Silence,
    /// The connection ends.
    HangUp,
}

impl Answer {
    pub(crate) fn reply(text: impl ToString) -> Option<Self> {
        Some(Self::Reply(text.to_string()))
    }
}

/// What the instrument knows of itself.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The lines in the order in which they came.
    pub(crate) heard: Vec<String>,
    pub(crate) volts: f64,
    pub(crate) is_on: bool,
    pub(crate) errors: VecDeque<String>,
}

/// An instrument that listens until the test ends.
pub(crate) struct FakeInstrument {
    pub(crate) address: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl FakeInstrument {
    /// A source-meter. `odd` comes first: it may answer a line in another way, `None` leaves the line to the source-meter. A
    /// command has an empty reply.
    pub(crate) fn start(odd: impl Fn(&mut State, &str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", odd)
    }

    pub(crate) fn listen(
        at: &str,
        odd: impl Fn(&mut State, &str) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, odd) = (Arc::clone(&state), Arc::new(odd));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, odd) = (Arc::clone(&shared), Arc::clone(&odd));
                std::thread::spawn(move || serve(stream, &state, &*odd));
            }
        });
        Self { address, state }
    }

    /// A source-meter that does all as it should.
    pub(crate) fn well() -> Self {
        Self::start(|_, _| None)
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.state.lock().unwrap().heard.clone()
    }

    /// The lines that set something, as the instrument has heard them.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.heard().into_iter().filter(|line| !line.contains('?')).collect()
    }

    pub(crate) fn is_safe(&self) -> bool {
        let state = self.state.lock().unwrap();
        !state.is_on && state.volts == 0.0
    }

    /// `[instruments.NAME]` for this instrument, with more keys.
    pub(crate) fn config(&self, name: &str, more: &str) -> String {
        let address = &self.address;
        format!(
            "[instruments.{name}]\naddress = \"{address}\"\nidentity = \"KEITHLEY INSTRUMENTS\"\nerrors = \"SYST:ERR?\"\n\
             setup = [\":SENS:CURR:PROT 0.02\"]\nsafe = [\":OUTP OFF\", \":SOUR:VOLT 0\"]\n\
             allow = [\":SOUR:VOLT*\", \":OUTP*\", \":MEAS:*\"]\nlimits = {{ \":SOUR:VOLT\" = [0, 5] }}\n{more}\n"
        )
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, odd: &dyn Fn(&mut State, &str) -> Option<Answer>) {
    let Ok(mut write) = stream.try_clone() else { return };
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer = {
            let mut state = state.lock().unwrap();
            state.heard.push(line.clone());
            odd(&mut state, &line).or_else(|| ordinary(&mut state, &line))
        };
        let sent = match answer {
            None => Ok(()),
            Some(Answer::Reply(text)) if text.is_empty() => Ok(()),
            Some(Answer::Reply(text)) => writeln!(write, "{text}"),
            Some(Answer::Twice(text)) => write.write_all(format!("{text}\n{text}\n").as_bytes()),
            Some(Answer::Late(time, text)) => {
                std::thread::sleep(time);
                writeln!(write, "{text}")
            }
            Some(Answer::Silence) => Ok(()),
            Some(Answer::HangUp) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// What a source-meter with a load of 1 kΩ does.
pub(crate) fn ordinary(state: &mut State, line: &str) -> Option<Answer> {
    let (header, argument) = line.split_once(' ').unwrap_or((line, ""));
    match header {
        "*IDN?" => Answer::reply(IDENTITY),
        ":MEAS:CURR?" => Answer::reply(if state.is_on { state.volts / 1000.0 } else { 0.0 }),
        ":MEAS:VOLT?" => Answer::reply(if state.is_on { state.volts } else { 0.0 }),
        "SYST:ERR?" => Answer::reply(state.errors.pop_front().unwrap_or_else(|| "0,\"No error\"".to_owned())),
        ":SOUR:VOLT" => {
            state.volts = argument.parse().unwrap();
            None
        }
        ":OUTP" => {
            state.is_on = argument == "ON";
            None
        }
        ":SENS:CURR:PROT" | "*RST" => None,
        _ => {
            state.errors.push_back(format!("-113,\"Undefined header; {line}\""));
            None
        }
    }
}
