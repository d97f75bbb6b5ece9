//! Another instrument on the bench: a probe station with a REST API, as small as it can be.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, Running, simulate, until};

/// What the station was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// Method and path: `POST /move`.
    pub(crate) what: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as JSON; null when there is none.
    pub(crate) json: Value,
}

/// What it does about it.
pub(crate) enum Answer {
    Json(u16, Value),
    Text(u16, String),
    /// The bytes of the whole reply. The connection stays open until the other end closes it.
    Raw(String),
    /// The other answer, after this time.
    Late(Duration, Box<Answer>),
    /// Another place to ask.
    Elsewhere(u16, String),
    /// Nothing: the connection ends.
    HangUp,
    /// Nothing, for as long as the other end waits.
    Silence,
}

/// A station that listens until the test ends.
pub(crate) struct Station {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Requests as they come, and the ends of connections that were left without an answer.
    happened: Receiver<String>,
}

impl Station {
    /// Starts one; `answer` gets each request with its number, counted from 1.
    pub(crate) fn start(answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (tell, happened) = mpsc::channel();
        let (record, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (record, answer, tell) = (Arc::clone(&record), Arc::clone(&answer), tell.clone());
                std::thread::spawn(move || serve(stream, &record, &*answer, &tell));
            }
        });
        Self { address, asked, happened }
    }

    /// A stage that answers at once that it has begun, is under way for two polls, and then there.
    pub(crate) fn with_a_stage() -> Self {
        let polls = Mutex::new(BTreeMap::<String, u32>::new());
        Self::start(move |number, asked| match asked.what.split_once("/tasks/") {
            Some((_, task)) => {
                let mut polls = polls.lock().unwrap();
                let count = polls.entry(task.to_owned()).or_default();
                *count += 1;
                Answer::Json(200, json!({ "state": if *count > 2 { "done" } else { "running" } }))
            }
            None => Answer::Json(202, json!({ "task_id": format!("t{number}") })),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// What it was asked so far, as method and path.
    pub(crate) fn said(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.what).collect()
    }

    /// Waits for the next thing that happens: a request, or `closed` for one that was left alone.
    pub(crate) fn next(&self) -> String {
        self.happened.recv_timeout(Duration::from_secs(60)).expect("nothing happens at the station")
    }
}

fn serve(
    stream: TcpStream,
    record: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(usize, &Asked) -> Answer + ?Sized),
    tell: &Sender<String>,
) {
    let mut stream = BufReader::new(stream);
    let Some(asked) = read(&mut stream) else { return };
    let number = {
        let mut record = record.lock().unwrap();
        record.push(asked.clone());
        record.len()
    };
    // Whoever does not listen does not want to know.
    let _ = tell.send(asked.what.clone());
    let mut given = answer(number, &asked);
    while let Answer::Late(time, later) = given {
        std::thread::sleep(time);
        given = *later;
    }
    let (status, header, body) = match given {
        Answer::Json(status, value) => {
            (status, "Content-Type: application/json".to_owned(), value.to_string())
        }
        Answer::Text(status, text) => (status, "Content-Type: text/plain".to_owned(), text),
        Answer::Elsewhere(status, place) => (status, format!("Location: {place}"), String::new()),
        Answer::Raw(reply) => {
            let _ = stream.get_mut().write_all(reply.as_bytes());
            let _ = stream.read(&mut [0]);
            return;
        }
        Answer::Late(..) | Answer::HangUp => return,
        Answer::Silence => {
            // A reset is an end too.
            let _ = stream.read(&mut [0]);
            let _ = tell.send("closed".to_owned());
            return;
        }
    };
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 {status} So\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // A client that has heard enough hangs up.
    let _ = stream.get_mut().write_all(reply.as_bytes());
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let what = line.rsplit_once(' ')?.0.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        match line.trim().split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Asked { what, headers, json: serde_json::from_slice(&body).unwrap_or_default() })
}

/// Holds a run where its recipe asks, until the test has done what it wants to do at that place.
pub(crate) struct Gate {
    station: Station,
    open: Arc<AtomicBool>,
}

impl Gate {
    /// A gate that lets the first `passes` requests through and holds the others. The bench allows requests to it.
    pub(crate) fn new(bench: &Bench, passes: usize) -> Self {
        let (open, asked) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
        let is_open = Arc::clone(&open);
        let station = Station::start(move |_, _| {
            if asked.fetch_add(1, Ordering::SeqCst) >= passes {
                until("the gate is open", || is_open.load(Ordering::SeqCst));
            }
            Answer::Json(200, Value::Null)
        });
        let file = bench.folder.path().join("ctp10.toml");
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        let allowed = format!("allow_http = [\"{}\", ", station.address);
        let after = match before.contains("allow_http = [") {
            true => before.replace("allow_http = [", &allowed),
            false => format!("{allowed}]\n{before}"),
        };
        std::fs::write(file, after).unwrap();
        Self { station, open }
    }

    /// The step that waits at the gate.
    pub(crate) fn step(&self) -> String {
        format!("http: {{ url: \"{}\", timeout_s: 120 }}", self.station.url("/gate"))
    }

    /// Waits until a run is at the gate. Requests that were let through count too.
    pub(crate) fn wait_for(&self, requests: usize) {
        until("a run is at the gate", || self.station.asked().len() >= requests);
    }

    /// Lets the run go, and every later one.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// A bench that allows requests to the station, and an instrument beside it.
pub(crate) fn bench_with(station: &Station) -> (Bench, Running) {
    let bench = Bench::new();
    bench.write("ctp10.toml", &format!("allow_http = [\"{}\"]\n", station.address));
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    (bench, simulator)
}
