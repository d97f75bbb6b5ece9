//! A small S3 server that fails as it is told to: it keeps objects in memory and checks no signatures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// A reply that quotes the request, as those of Amazon do.
const REFUSED: &[u8] =
    b"<Error><Code>AccessDenied</Code><CanonicalRequest>hush-hush-hush</CanonicalRequest></Error>";

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server refuses with this status.
    Status(u16),
    /// The connection is cut when half of the body has arrived.
    CutUpload,
    /// The connection is cut after half of the reply.
    CutReply,
    /// One byte of the returned object is another one.
    OtherByte,
    /// The object is stored, but its confirmation is lost.
    LoseReply,
    /// No reply ever comes.
    Silence,
}

/// Requests that fail: the next `times` requests of a method whose key contains a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    pub(crate) method: &'static str,
    pub(crate) key: &'static str,
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) failing: Vec<Failing>,
    /// How often each key was created.
    pub(crate) created: BTreeMap<String, usize>,
    /// Requests so far, as `PUT key`.
    pub(crate) asked: Vec<String>,
}

pub(crate) struct Server {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { endpoint, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn fail(&self, method: &'static str, key: &'static str, times: usize, fault: Fault) {
        self.state().failing.push(Failing { method, key, times, fault });
    }
}

struct Request {
    method: String,
    /// The key without the bucket.
    key: String,
    query: BTreeMap<String, String>,
    create_only: bool,
    length: usize,
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = head(&mut reader) {
        let fault = {
            let mut state = state.lock().unwrap();
            state.asked.push(format!("{} {}", request.method, request.key));
            let fits = |failing: &&mut Failing| {
                failing.times > 0 && failing.method == request.method && request.key.contains(failing.key)
            };
            state.failing.iter_mut().find(fits).map(|failing| {
                failing.times -= 1;
                failing.fault
            })
        };
        if fault == Some(Fault::CutUpload) {
            let _ = reader.read_exact(&mut vec![0; request.length / 2]);
            return;
        }
        let mut body = vec![0; request.length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        if fault == Some(Fault::Silence) {
            // Until the client gives up.
            let _ = reader.read(&mut [0]);
            return;
        }
        let (status, reply) = match fault {
            Some(Fault::Status(403)) => (403, REFUSED.to_vec()),
            Some(Fault::Status(status)) => (status, b"<Error><Code>SlowDown</Code></Error>".to_vec()),
            _ => answer(&request, body, &mut state.lock().unwrap()),
        };
        if fault == Some(Fault::LoseReply) {
            return;
        }
        if send(stream, status, reply, fault).is_err() {
            return;
        }
    }
}

fn head(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let header = |name: &str| {
        let found =
            lines.iter().find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.trim().to_owned())
    };
    Some(Request {
        method,
        key: decode(key),
        query: query.map(|(name, value)| (name.to_owned(), decode(value))).collect(),
        create_only: header("if-none-match").as_deref() == Some("*"),
        length: header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0),
    })
}

fn answer(request: &Request, body: Vec<u8>, state: &mut State) -> (u16, Vec<u8>) {
    match request.method.as_str() {
        "PUT" if request.create_only && state.objects.contains_key(&request.key) => {
            (412, b"<Error><Code>PreconditionFailed</Code></Error>".to_vec())
        }
        "PUT" => {
            *state.created.entry(request.key.clone()).or_default() += 1;
            state.objects.insert(request.key.clone(), body);
            (200, Vec::new())
        }
        "GET" if request.query.contains_key("list-type") => (200, list(request, state).into_bytes()),
        "GET" | "HEAD" => match state.objects.get(&request.key) {
            Some(object) => (200, object.clone()),
            None => (404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        },
        _ => (405, Vec::new()),
    }
}

/// All objects below a prefix in one page, which the protocol allows.
fn list(request: &Request, state: &State) -> String {
    let prefix = request.query.get("prefix").map_or("", String::as_str);
    let delimiter = request.query.get("delimiter").filter(|delimiter| !delimiter.is_empty());
    let mut folders = std::collections::BTreeSet::new();
    let mut text = String::new();
    for (key, object) in state.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        if let Some((folder, _)) =
            delimiter.and_then(|delimiter| key[prefix.len()..].split_once(delimiter.as_str()))
        {
            folders.insert(format!("{prefix}{folder}/"));
            continue;
        }
        text += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-29T00:00:00.000Z</LastModified><ETag>\"1\"</ETag><Size>{}</Size></Contents>",
            object.len()
        );
    }
    for folder in folders {
        text += &format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
    }
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>{text}</ListBucketResult>"
    )
}

fn send(mut stream: &TcpStream, status: u16, mut body: Vec<u8>, fault: Option<Fault>) -> std::io::Result<()> {
    let length = body.len();
    if fault == Some(Fault::OtherByte) && !body.is_empty() {
        body[length / 2] ^= 1;
    }
    write!(
        stream,
        "HTTP/1.1 {status} Reply\r\ncontent-length: {length}\r\netag: \"1\"\r\nlast-modified: Sun, 29 Nov 2026 00:00:00 GMT\r\n\r\n"
    )?;
    if fault == Some(Fault::CutReply) {
        stream.write_all(&body[..length / 2])?;
        stream.shutdown(std::net::Shutdown::Both)?;
        return Err(std::io::ErrorKind::ConnectionAborted.into());
    }
    stream.write_all(&body)
}
