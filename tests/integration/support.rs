//! What the tests share: the binary without the user's environment, a simulator of its own, a talk with it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in, and the binary run inside it with nothing of the user's own settings.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctp10"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CTP10_")) {
            command.env_remove(name);
        }
        command.env("XDG_CONFIG_HOME", self.folder.path().join("no-config"));
        // Claims of other tests, on ports that are used again, are none of this one's business.
        command.env_remove("XDG_RUNTIME_DIR").env("XDG_STATE_HOME", self.folder.path().join("state"));
        // Runs of tests that go on side by side do not want the same port.
        command.env("CTP10_LISTEN", "off");
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = child.id().to_string();
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(PROGRAM_LIMIT) else {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
            panic!("{arguments:?} does not end");
        };
        output.unwrap()
    }

    /// The run folder named by the last line on stdout.
    pub(crate) fn run_folder(&self, output: &Output) -> PathBuf {
        self.folder.path().join(text(&output.stdout).lines().last().unwrap())
    }

    /// The folders of all runs that have a manifest, in no order.
    pub(crate) fn run_folders(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("runs")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("run.json").exists()).collect()
    }

    /// The folder of the only run.
    pub(crate) fn only_run(&self) -> PathBuf {
        let folders = self.run_folders();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.into_iter().next().unwrap()
    }
}

/// No test depends on the speed of the machine: this only ends a test that would never end.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// The same for one call of the program, which may measure many items.
const PROGRAM_LIMIT: Duration = Duration::from_secs(1200);
/// The pause between two looks of [`until`].
const LOOK: Duration = Duration::from_millis(2);

/// Waits until `probe` returns something, and returns that.
pub(crate) fn until_some<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(LOOK);
    }
}

/// Waits until `holds` returns true.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    until_some(what, || holds().then_some(()));
}

/// What a program has said on stdout and stderr.
pub(crate) fn said_by(output: &Output) -> String {
    text(&output.stdout) + text(&output.stderr).as_str()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The recipes and scripts of a folder; not the tables that they read.
pub(crate) fn shipped(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "yaml" || kind == "rhai")).collect();
    files.sort();
    files
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap()
}

pub(crate) fn journal(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn events(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["event"].as_str().unwrap()).collect()
}

/// A process that is killed when the test ends, however it ends.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// The simulated instruments beside the CTP10.
    instruments: BTreeMap<String, String>,
}

impl Running {
    pub(crate) fn new(child: Child, address: String) -> Self {
        Self { child, address, instruments: BTreeMap::new() }
    }

    /// The address of a simulated instrument beside the CTP10.
    pub(crate) fn instrument(&self, name: &str) -> &str {
        &self.instruments[name]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `ctp10 simulate` on a port of its own.
pub(crate) fn simulate(bench: &Bench, arguments: &[&str]) -> Running {
    simulate_at(bench, "127.0.0.1:0", arguments)
}

pub(crate) fn simulate_at(bench: &Bench, listen: &str, arguments: &[&str]) -> Running {
    let mut command = bench.command(&[&["simulate", "--listen", listen], arguments].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.next().unwrap().strip_prefix("listening on ").unwrap().to_owned();
    let others = ["--smu", "--switch", "--thermostat"];
    let told = lines.take(arguments.iter().filter(|argument| others.contains(argument)).count());
    let instruments = told.map(|line| {
        let (name, address) = line.split_once(" is listening on ").unwrap();
        (name.to_owned(), address.to_owned())
    });
    let instruments = instruments.collect();
    Running { child, address, instruments }
}

/// A run in the background, with its events as they come.
pub(crate) struct Watched {
    pub(crate) child: Child,
    events: Receiver<Value>,
}

pub(crate) fn watch(bench: &Bench, arguments: &[&str]) -> Watched {
    watch_program(bench, &[&["run"], arguments].concat())
}

/// A program in the background, with what it tells as it happens.
pub(crate) fn watch_program(bench: &Bench, arguments: &[&str]) -> Watched {
    watch_command(bench.command(&[&["--log-format", "json"], arguments].concat()))
}

pub(crate) fn watch_command(mut command: Command) -> Watched {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (sender, events) = channel();
    std::thread::spawn(move || {
        for event in lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()) {
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    Watched { child, events }
}

impl Watched {
    /// Waits for an event that fits, as long as other events come.
    pub(crate) fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PROGRAM_LIMIT;
        loop {
            match self.events.recv_timeout(LIMIT.min(end.saturating_duration_since(Instant::now()))) {
                Ok(event) if fits(&event) => return event,
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the program ended before that event"),
                Err(RecvTimeoutError::Timeout) => self.give_up("waited in vain for an event"),
            }
        }
    }

    fn give_up(&mut self, why: &str) -> ! {
        let _ = self.child.kill();
        panic!("{why}");
    }

    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Sends a signal again and again until the program ends. Signals that arrive together count as one.
    pub(crate) fn signal_until_it_ends(&mut self, name: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.child.try_wait().unwrap().is_none() {
            self.signal(name);
            let _ = self.events.recv_timeout(Duration::from_millis(200));
            if Instant::now() >= deadline {
                self.give_up("the program does not end");
            }
        }
    }

    /// Waits for its end; gives the exit code and what it said on stdout.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + LIMIT;
        while let Err(RecvTimeoutError::Timeout) | Ok(_) =
            self.events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if Instant::now() >= deadline {
                self.give_up("the program does not end");
            }
        }
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        (self.child.wait().unwrap().code(), stdout)
    }
}

/// A client of the instrument that is not ours: a socket and text.
pub(crate) struct Talk {
    stream: BufReader<TcpStream>,
}

impl Talk {
    pub(crate) fn to(address: &str) -> Self {
        Self::try_to(address).unwrap()
    }

    /// `None` if the instrument cannot be reached.
    pub(crate) fn try_to(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Some(Self { stream: BufReader::new(stream) })
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).unwrap();
    }

    pub(crate) fn ask(&mut self, text: &str) -> String {
        self.send(text);
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Sends a command, and gives the error that it left.
    pub(crate) fn told(&mut self, command: &str) -> String {
        self.send(command);
        self.ask("SYST:ERR?")
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends no more, as a client that disconnects. Gives what still comes until the other end is closed too.
    pub(crate) fn hang_up(mut self) -> Vec<u8> {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
        self.rest()
    }

    /// The answer of an instrument that may have turned this client away.
    pub(crate) fn try_ask(&mut self, text: &str) -> Option<String> {
        self.stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).ok()?;
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        Some(line).filter(|line| !line.is_empty())
    }

    /// A line as it comes, its end included.
    pub(crate) fn raw_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        line
    }

    /// The next bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Everything until the connection is closed.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Whether nothing comes for a while, with the connection left open.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.get_mut().set_read_timeout(Some(time)).unwrap();
        let error = self.stream.read(&mut [0; 8]).err().map(|error| error.kind());
        matches!(error, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// A definite-length block.
    pub(crate) fn block(&mut self, text: &str) -> Vec<u8> {
        self.send(text);
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        assert_eq!(head[0], b'#');
        let mut digits = vec![0; usize::from(head[1] - b'0')];
        self.stream.read_exact(&mut digits).unwrap();
        let mut data = vec![0; String::from_utf8(digits).unwrap().parse().unwrap()];
        self.stream.read_exact(&mut data).unwrap();
        data
    }

    pub(crate) fn wait_until_idle(&mut self) {
        until("the instrument is idle", || self.ask("STAT:OPER:COND?") == "0");
    }
}
