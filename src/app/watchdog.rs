//! `ctp10 guard`: the watchdog process. It receives the heartbeat of the run on stdin, and connects to the instrument
//! only if it must act.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::equipment::{Device, MadeSafe};
use crate::error::{ExitCode, Failure, chain};
use crate::instrument::scpi::Query;
use crate::instrument::{Address, Ctp10, Deadlines, Error};
use crate::run::watchdog::{Config, GRACE, Message};
use crate::session::{Claim, Holder};
use crate::store::{WatchdogCause, WatchdogRecord, put_up_fence};
use crate::terminal::output::outln;

/// The name of a watchdog in the claim on the instrument.
pub(super) const GUARD: &str = "guard";

/// Longest waiting time for the end of a killed run process, because its connection ends with it.
const DEATH_LIMIT: Duration = Duration::from_secs(10);
/// A run process that has closed its pipe is ending. After this time it counts as hanging.
const LEAVING: Duration = Duration::from_secs(2);
/// Longest time of attempts to reach the instrument: an old session may block a new one, and a network may recover.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// The same for a simulator: its lasers end with it, and another one may soon listen at its address.
const PATIENCE_SIMULATED: Duration = Duration::from_secs(20);
/// After this time another process that holds the instrument counts as its new owner.
const CLAIM_LIMIT: Duration = Duration::from_secs(5);
/// Pause between two attempts: the first one, and the longest one.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Pause between two checks whether the run process has ended.
const LOOK: Duration = Duration::from_millis(5);

pub(super) async fn watchdog() -> Result<(), Failure> {
    let refuse = |reason: &str| {
        Failure::new(ExitCode::Usage, reason).hint("`run` and `serve` start the watchdog automatically")
    };
    leave_the_terminal()
        .map_err(|error| refuse(&format!("the watchdog cannot create its own session: {error}")))?;
    let mut messages = listen();
    let Some(Message::Begin(config)) = messages.recv().await else {
        return Err(refuse("the watchdog needs a run"));
    };
    // Now, because a file with a secret may be gone later. Nothing is sent yet.
    let devices = config.named.iter().map(|(name, settings)| {
        // The lines of `setup` are for measurements: only `safe` is sent.
        (name.clone(), Device::at(settings.without_setup(), Deadlines::default()))
    });
    let devices: Devices = devices.collect();
    outln!("ready");
    let Some((cause, used)) = watch(&config, &mut messages).await else { return Ok(()) };
    act(&config, &devices, cause, used).await;
    Ok(())
}

/// Ctrl-C, a closed terminal and a kill of the run's process group do not end the watchdog. It ends when the run ends
/// normally, or after its work.
#[cfg(unix)]
fn leave_the_terminal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()] {
        // With a listener, the signal no longer ends the process.
        drop(signal(kind)?);
    }
    rustix::process::setsid()?;
    Ok(())
}

#[cfg(not(unix))]
fn leave_the_terminal() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The messages of the run, read on a separate thread. The thread may block in a read without delaying the end.
fn listen() -> mpsc::UnboundedReceiver<Message> {
    let (received, messages) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        for message in lines.map_while(|line| serde_json::from_str(&line).ok()) {
            if received.send(message).is_err() {
                return;
            }
        }
    });
    messages
}

/// The named instruments of the run.
type Devices = BTreeMap<String, Device>;

/// What the run has used so far.
#[derive(Default)]
struct Used {
    lasers: BTreeSet<u8>,
    named: BTreeSet<String>,
}

impl Used {
    fn is_empty(&self) -> bool {
        self.lasers.is_empty() && self.named.is_empty()
    }
}

/// Returns if the watchdog must act: the reason, and what the run has used. A run that has used nothing needs no action.
async fn watch(
    config: &Config,
    messages: &mut mpsc::UnboundedReceiver<Message>,
) -> Option<(WatchdogCause, Used)> {
    let mut used = Used::default();
    let mut allowed = Duration::from_secs_f64(config.silence_s);
    loop {
        let message = match timeout(allowed, messages.recv()).await {
            Ok(message) => message,
            // Both processes may have been asleep: messages that have arrived in the meantime come first.
            Err(_) => match timeout(GRACE, messages.recv()).await {
                Ok(message) => message,
                Err(_) if used.is_empty() => continue,
                Err(_) => return Some((WatchdogCause::Silent, used)),
            },
        };
        match message {
            Some(Message::Beat { lasers, named, next_s }) => {
                used = Used { lasers, named };
                if config.lasers_end_with_run {
                    used.lasers.clear();
                }
                allowed = Duration::try_from_secs_f64(next_s).unwrap_or(allowed);
            }
            Some(Message::Begin(_)) => {}
            Some(Message::Goodbye) => return None,
            None => return (!used.is_empty()).then_some((WatchdogCause::Gone, used)),
        }
    }
}

async fn act(config: &Config, devices: &Devices, cause: WatchdogCause, used: Used) {
    let began = Instant::now();
    // The fence comes first, so that a run process that still exists does not continue. The folder may not exist any more.
    let fence = put_up_fence(&config.folder, config.runner);
    let killed = end_runner(config.runner, cause).await;
    let is_dark = used.lasers.is_empty();
    let mut work = Work { pending: used.lasers, off: BTreeSet::new(), aborted: is_dark };
    let lasers = async { if is_dark { Ok(()) } else { work.turn_off(config).await } };
    let (lasers, named) = tokio::join!(lasers, make_safe(config, devices, used.named));
    let trouble: Vec<String> = lasers.err().into_iter().chain(named.trouble).collect();
    let trouble = Some(trouble.join("; ")).filter(|trouble| !trouble.is_empty());
    let record = WatchdogRecord {
        time: Utc::now(),
        cause,
        runner: config.runner,
        killed,
        aborted: work.aborted,
        off: work.off.into_iter().collect(),
        unknown: work.pending.into_iter().collect(),
        instruments_safe: named.safe,
        instruments_unknown: named.unknown,
        took_s: began.elapsed().as_secs_f64(),
        trouble: trouble.or_else(|| fence.err().map(|error| chain(&error))),
    };
    // If the folder cannot be written, the failure cannot be reported anywhere.
    let _ = record.append(&config.folder);
}

/// Ensures that the run process and its connection have ended; returns whether it had to be killed. While it is the
/// parent of this process, its process number cannot belong to another process.
#[cfg(unix)]
async fn end_runner(runner: u32, cause: WatchdogCause) -> bool {
    use rustix::process::{Pid, Signal, kill_process};
    let gone = |limit: Duration| async move {
        let give_up = Instant::now() + limit;
        while std::os::unix::process::parent_id() == runner {
            if Instant::now() >= give_up {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    };
    let leaving = if cause == WatchdogCause::Gone { LEAVING } else { Duration::ZERO };
    if gone(leaving).await {
        return false;
    }
    let killed =
        i32::try_from(runner).ok().and_then(Pid::from_raw).map(|pid| kill_process(pid, Signal::KILL));
    gone(DEATH_LIMIT).await;
    killed.is_some_and(|killed| killed.is_ok())
}

#[cfg(not(unix))]
async fn end_runner(_: u32, _: WatchdogCause) -> bool {
    false
}

/// Makes the named instruments safe, each as often as needed until its time is up.
async fn make_safe(config: &Config, devices: &Devices, names: BTreeSet<String>) -> MadeSafe {
    let each = names.into_iter().map(|name| async move {
        let Some(device) = devices.get(&name) else {
            return (name, Err("the instrument is not configured".to_owned()));
        };
        let give_up = Instant::now() + if is_simulated(config) { PATIENCE_SIMULATED } else { PATIENCE };
        let mut pause = PAUSE.0;
        loop {
            match device.make_safe().await {
                Ok(()) => return (name, Ok(())),
                Err(error) if Instant::now() >= give_up => return (name, Err(chain(&error))),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    });
    let mut made = MadeSafe::default();
    for (name, done) in join_all(each).await {
        match done {
            Ok(()) => made.safe.push(name),
            Err(trouble) => {
                made.trouble.push(format!("{name}: {trouble}"));
                made.unknown.push(name);
            }
        }
    }
    made
}

fn is_simulated(config: &Config) -> bool {
    Query::identity().read(&config.identity).is_some_and(|identity| identity.simulated())
}

/// The progress of the work on the instrument.
struct Work {
    pending: BTreeSet<u8>,
    off: BTreeSet<u8>,
    aborted: bool,
}

impl Work {
    /// Aborts and turns the lasers off, repeatedly until all are confirmed; returns the last problem.
    async fn turn_off(&mut self, config: &Config) -> Result<(), String> {
        let _claim = claim(&config.address).await?;
        let deadlines = Deadlines { reconnect: Duration::from_secs(5), ..Deadlines::default() };
        let instrument =
            Ctp10::at(config.address.clone(), deadlines, crate::instrument::limits::Limits::default());
        let give_up = Instant::now() + if is_simulated(config) { PATIENCE_SIMULATED } else { PATIENCE };
        let mut pause = PAUSE.0;
        loop {
            let trouble = match instrument.reconnect(true).await {
                Ok(found) if found.to_string() != config.identity => {
                    // This is not the instrument whose lasers the run has turned on.
                    return Err(format!("another instrument replied: `{found}`"));
                }
                Ok(_) => self.attempt(&instrument).await,
                Err(error) => {
                    // An instrument that is silent may still listen.
                    if let Error::Unreachable { .. } = error {
                        let pending: Vec<u8> = self.pending.iter().copied().collect();
                        let _ = instrument.anew(config.address.clone()).send_off(&pending, true).await;
                    }
                    Err(chain(&error))
                }
            };
            match trouble {
                Ok(()) => return Ok(()),
                Err(trouble) if Instant::now() >= give_up => return Err(trouble),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Aborts the scan and turns the lasers off. If one fails, the other is still done.
    async fn attempt(&mut self, instrument: &Ctp10) -> Result<(), String> {
        let pending: Vec<u8> = self.pending.iter().copied().collect();
        let (aborted, done) = match self.aborted {
            true => (Ok(()), instrument.lasers_off(pending).await),
            false => instrument.abort_and_lasers_off(pending).await,
        };
        self.aborted = aborted.is_ok();
        self.off.extend(done.off);
        self.pending = done.unknown.into_iter().collect();
        let trouble = aborted.err().map(|error| format!("abort: {error}"));
        done.trouble.or(trouble).map_or(Ok(()), Err)
    }
}

/// No other program may start a run during this work. If one has already started a run, the instrument belongs to it.
async fn claim(address: &Address) -> Result<Claim, String> {
    let holder = Holder { pid: std::process::id(), what: GUARD.to_owned(), ..Holder::default() };
    let give_up = Instant::now() + CLAIM_LIMIT;
    loop {
        match Claim::take(address, &holder) {
            Ok(claim) => return Ok(claim),
            Err(other) if Instant::now() >= give_up => {
                return Err(format!("the instrument is in use by {other}"));
            }
            // The claim of the run ends with its process.
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
