//! Starts and ends the process of the watchdog.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Config, Heartbeat};
use crate::equipment::{Live, SimulatedBy};
use crate::instrument::Ctp10;
use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::step::Fault;
use crate::store::{RunFolder, take_down_fence};
use crate::threads;

/// A watchdog must report that it is ready within this time.
const START_LIMIT: Duration = Duration::from_secs(10);
/// After the goodbye, a watchdog must end within this time, or it is killed.
const END_LIMIT: Duration = Duration::from_secs(5);
/// The pause between two checks whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The watchdog of this run. If it is dropped without a goodbye, the watchdog acts.
#[derive(Debug)]
pub(in crate::run) struct Watchdog {
    child: Child,
    heartbeat: Heartbeat,
}

/// What a watchdog guards.
pub(in crate::run) struct Guarded<'a> {
    /// The CTP10.
    pub(in crate::run) instrument: &'a Ctp10,
    /// The identity that it must have.
    pub(in crate::run) identity: &'a str,
    /// The CTP10 ends with this process.
    pub(in crate::run) is_embedded: bool,
    /// The named instruments.
    pub(in crate::run) live: &'a Live,
}

impl Watchdog {
    /// Starts the watchdog of a run and waits until it is ready. If it cannot be started, the run continues with a
    /// warning. `silence` is the longest time without a heartbeat; `None`: no watchdog.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub(in crate::run) async fn of(
        silence: Option<Duration>,
        site: Guarded<'_>,
        folder: &RunFolder,
        log: &RunLog,
    ) -> Result<Option<Self>, Fault> {
        let Some(silence) = silence else { return Ok(None) };
        let config = Config {
            runner: std::process::id(),
            folder: std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().to_owned()),
            address: site.instrument.address().clone(),
            identity: site.identity.to_owned(),
            lasers_end_with_run: site.is_embedded,
            // What this process simulates ends with it.
            named: site
                .live
                .iter()
                .filter(|(_, live)| live.simulated != Some(SimulatedBy::ThisProcess))
                .map(|(name, live)| (name.to_owned(), live.device.settings()))
                .collect(),
            silence_s: silence.as_secs_f64(),
        };
        let started = threads::begin("watchdog", move || start(config)).await;
        match started.map_err(io::Error::other).flatten() {
            Ok(watchdog) => Ok(Some(watchdog)),
            Err(error) => {
                let message =
                    format!("no watchdog ({error}): nothing turns the lasers off if this process is killed");
                log.emit(RunEvent::Warning { message })?;
                Ok(None)
            }
        }
    }

    /// Sends the heartbeats of the engine.
    pub(in crate::run) fn heartbeat(&self) -> Heartbeat {
        self.heartbeat.clone()
    }

    /// Says goodbye and waits for the end of the watchdog.
    pub(in crate::run) async fn dismiss(mut self) {
        self.heartbeat.hang_up();
        let give_up = Instant::now() + END_LIMIT;
        while Instant::now() < give_up {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        tracing::warn!("the watchdog of this run did not end in time");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(config: Config) -> io::Result<Watchdog> {
    if !cfg!(unix) {
        return Err(io::Error::other("not supported on this system"));
    }
    // A fence of an earlier process of this run does not concern this process.
    take_down_fence(&config.folder).map_err(io::Error::other)?;
    let mut command = Command::new(this_program()?);
    command.arg("guard").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // The watchdog must not keep any other folder in use.
    let mut child = command.current_dir("/").spawn()?;
    let gone = || io::Error::other("its process ended immediately");
    let (pipe, heard) = child.stdin.take().zip(child.stdout.take()).ok_or_else(gone)?;
    let (said, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(heard).read_line(&mut line);
        // The start may have timed out.
        let _ = said.send(read.map(|_| line));
    });
    let silence = Duration::from_secs_f64(config.silence_s);
    let heartbeat = Heartbeat::new(Some(pipe), config.folder.clone(), silence);
    let began = heartbeat.begin(config).and_then(|()| {
        let line = hear
            .recv_timeout(START_LIMIT)
            .map_err(|_| io::Error::other("its process does not respond"))??;
        if line.trim() == "ready" { Ok(()) } else { Err(gone()) }
    });
    if let Err(error) = began {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    heartbeat.watch_fence();
    Ok(Watchdog { child, heartbeat })
}

/// The program that is running, even where its file has been replaced by another version since.
fn this_program() -> io::Result<PathBuf> {
    let file = std::env::current_exe()?;
    let same = Path::new("/proc/self/exe");
    Ok(if !file.exists() && same.exists() { same.to_owned() } else { file })
}
