//! Starting the guard and ending it.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Charge, Pulse};
use crate::instrument::Ctp10;
use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::step::Fault;
use crate::store::{RunFolder, take_down_fence};
use crate::threads;

/// A guard says that it is there within this time.
const START_LIMIT: Duration = Duration::from_secs(10);
/// A guard that was said goodbye to ends within this time, or is ended.
const END_LIMIT: Duration = Duration::from_secs(5);
/// Pause between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The guard of this run. Dropped without a goodbye, it is left to do its work.
#[derive(Debug)]
pub(in crate::run) struct Guard {
    child: Child,
    pulse: Pulse,
}

impl Guard {
    /// Starts the guard of a run, if there is to be one, and waits until it is there. Without it the run goes on, with
    /// a warning.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(in crate::run) async fn of(
        silence: Option<Duration>,
        instrument: &Ctp10,
        identity: &str,
        folder: &RunFolder,
        log: &RunLog,
    ) -> Result<Option<Self>, Fault> {
        let Some(silence) = silence else { return Ok(None) };
        let charge = Charge {
            runner: std::process::id(),
            folder: std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().to_owned()),
            address: instrument.address().clone(),
            identity: identity.to_owned(),
            silence_s: silence.as_secs_f64(),
        };
        let started = threads::begin("watchdog", move || start(charge)).await;
        match started.map_err(io::Error::other).flatten() {
            Ok(guard) => Ok(Some(guard)),
            Err(error) => {
                let message =
                    format!("no guard ({error}): nothing turns the lasers off if this process is killed");
                log.emit(RunEvent::Warning { message })?;
                Ok(None)
            }
        }
    }

    /// Where the engine's signs of life go.
    pub(in crate::run) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Says goodbye and waits until the guard has ended.
    pub(in crate::run) async fn dismiss(mut self) {
        self.pulse.hang_up();
        let give_up = Instant::now() + END_LIMIT;
        while Instant::now() < give_up {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        tracing::warn!("the guard of this run did not end by itself");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(charge: Charge) -> io::Result<Guard> {
    if !cfg!(unix) {
        return Err(io::Error::other("not on this system"));
    }
    // A fence from an earlier life of this run was not put up against this process.
    take_down_fence(&charge.folder).map_err(io::Error::other)?;
    let mut command = Command::new(this_program()?);
    command.arg("guard").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // It holds on to no folder but the run's.
    let mut child = command.current_dir("/").spawn()?;
    let gone = || io::Error::other("it ended at once");
    let (pipe, heard) = child.stdin.take().zip(child.stdout.take()).ok_or_else(gone)?;
    let (said, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(heard).read_line(&mut line);
        // Whoever waited may have given up.
        let _ = said.send(read.map(|_| line));
    });
    let silence = Duration::from_secs_f64(charge.silence_s);
    let pulse = Pulse::new(Some(pipe), charge.folder.clone(), silence);
    let began = pulse.begin(charge).and_then(|()| {
        let line = hear.recv_timeout(START_LIMIT).map_err(|_| io::Error::other("it does not answer"))??;
        if line.trim() == "ready" { Ok(()) } else { Err(gone()) }
    });
    if let Err(error) = began {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    Ok(Guard { child, pulse })
}

/// The program that is running, even where its file has been replaced by another version since.
fn this_program() -> io::Result<PathBuf> {
    let file = std::env::current_exe()?;
    let same = Path::new("/proc/self/exe");
    Ok(if !file.exists() && same.exists() { same.to_owned() } else { file })
}
