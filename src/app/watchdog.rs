//! `ctp10 guard`: the process that outlives a run. It hears the run's signs of life on stdin, and holds no connection
//! to the instrument until it has to act.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::error::{ExitCode, Failure, chain};
use crate::instrument::scpi::Query;
use crate::instrument::{Address, Ctp10, Deadlines};
use crate::run::watchdog::{Config, GRACE, Message};
use crate::station::{Claim, Holder};
use crate::store::{WatchdogCause, WatchdogRecord, put_up_fence};
use crate::terminal::output::outln;

/// What a guard says that it is, where it holds the instrument.
pub(super) const GUARD: &str = "guard";

/// A runner that was killed is given this long to be gone; its connection goes with it.
const DEATH_LIMIT: Duration = Duration::from_secs(10);
/// A runner that hung up is on its way out: it is given this long before it is taken for one that hangs.
const LEAVING: Duration = Duration::from_secs(2);
/// The instrument is looked for this long: an old session may block a new one, and a network may come back.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// A simulated one that is gone has taken its lasers with it, and another may soon listen in its place.
const PATIENCE_SIMULATED: Duration = Duration::from_secs(20);
/// Another process may hold the instrument for this long before it counts as the new owner.
const CLAIM_LIMIT: Duration = Duration::from_secs(5);
/// Pause between two attempts: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Pause between two looks whether the runner is gone.
const LOOK: Duration = Duration::from_millis(5);

pub(super) async fn watchdog() -> Result<(), Failure> {
    let refuse =
        |reason: &str| Failure::new(ExitCode::Usage, reason).hint("`run` and `serve` start it themselves");
    leave_the_terminal().map_err(|error| refuse(&format!("cannot stand aside: {error}")))?;
    let mut messages = listen();
    let Some(Message::Begin(config)) = messages.recv().await else {
        return Err(refuse("a guard needs a run"));
    };
    outln!("ready");
    let Some((cause, lasers)) = watch(&config, &mut messages).await else { return Ok(()) };
    act(&config, cause, &lasers).await;
    Ok(())
}

/// Ctrl-C, a terminal that closes and whoever ends the runner's group do not take the guard along: it ends when the
/// runner says goodbye, or when its work is done.
#[cfg(unix)]
fn leave_the_terminal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()] {
        // Once somebody has listened, the signal ends the process no more.
        drop(signal(kind)?);
    }
    rustix::process::setsid()?;
    Ok(())
}

#[cfg(not(unix))]
fn leave_the_terminal() -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The runner's words, from a thread of its own: it may block in a read for ever without holding up the end.
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

/// Returns when there is something to do: why, and for which lasers. A run that has set none has nothing to turn off.
async fn watch(
    config: &Config,
    messages: &mut mpsc::UnboundedReceiver<Message>,
) -> Option<(WatchdogCause, BTreeSet<u8>)> {
    let mut lasers = BTreeSet::new();
    let mut allowed = Duration::from_secs_f64(config.silence_s);
    loop {
        let message = match timeout(allowed, messages.recv()).await {
            Ok(message) => message,
            // This process may have been asleep together with the other: what was said meanwhile comes first.
            Err(_) => match timeout(GRACE, messages.recv()).await {
                Ok(message) => message,
                Err(_) if lasers.is_empty() => continue,
                Err(_) => return Some((WatchdogCause::Silent, lasers)),
            },
        };
        match message {
            Some(Message::Beat { lasers: so_far, next_s }) => {
                lasers = so_far;
                allowed = Duration::try_from_secs_f64(next_s).unwrap_or(allowed);
            }
            Some(Message::Begin(_)) => {}
            Some(Message::Goodbye) => return None,
            None => return (!lasers.is_empty()).then_some((WatchdogCause::Gone, lasers)),
        }
    }
}

async fn act(config: &Config, cause: WatchdogCause, lasers: &BTreeSet<u8>) {
    let began = Instant::now();
    // First the fence, then the rest: whatever still runs over there must not go on. The folder may be gone.
    let fence = put_up_fence(&config.folder, config.runner);
    let killed = end_runner(config.runner, cause).await;
    let mut work = Work { pending: lasers.clone(), off: BTreeSet::new(), aborted: false };
    let trouble = work.turn_off(config).await.err();
    let record = WatchdogRecord {
        time: Utc::now(),
        cause,
        runner: config.runner,
        killed,
        aborted: work.aborted,
        off: work.off.into_iter().collect(),
        unknown: work.pending.into_iter().collect(),
        took_s: began.elapsed().as_secs_f64(),
        trouble: trouble.or_else(|| fence.err().map(|error| chain(&error))),
    };
    // Nobody is there to be told when the folder cannot be written.
    let _ = record.append(&config.folder);
}

/// Makes sure that the runner is gone, and its connection with it; says whether it had to be ended. While this process
/// has it as its parent, its number cannot have become another's.
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

/// How far the work on the instrument is.
struct Work {
    pending: BTreeSet<u8>,
    off: BTreeSet<u8>,
    aborted: bool,
}

impl Work {
    /// Aborts and turns the lasers off, again and again until all are confirmed; says what kept it from that.
    async fn turn_off(&mut self, config: &Config) -> Result<(), String> {
        let _claim = claim(&config.address).await?;
        let deadlines = Deadlines { reconnect: Duration::from_secs(5), ..Deadlines::default() };
        let instrument =
            Ctp10::at(config.address.clone(), deadlines, crate::instrument::limits::Limits::default());
        let known = Query::identity().read(&config.identity);
        let simulated = known.is_some_and(|identity| identity.simulated());
        let give_up = Instant::now() + if simulated { PATIENCE_SIMULATED } else { PATIENCE };
        let mut pause = PAUSE.0;
        loop {
            let trouble = match instrument.reconnect(true).await {
                Ok(found) if found.to_string() != config.identity => {
                    // What is there now is not what this run has lit.
                    return Err(format!("another instrument answers: `{found}`"));
                }
                Ok(_) => self.attempt(&instrument).await,
                Err(error) => Err(chain(&error)),
            };
            match trouble {
                Ok(()) => return Ok(()),
                Err(trouble) if Instant::now() >= give_up => return Err(trouble),
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Aborts the scan and turns the lasers off, each even if the other fails.
    async fn attempt(&mut self, instrument: &Ctp10) -> Result<(), String> {
        let mut trouble = None;
        if !self.aborted {
            match instrument.stop_everything().await {
                Ok(()) => self.aborted = true,
                Err(error) => trouble = Some(format!("abort: {error}")),
            }
        }
        let done = instrument.lasers_off(self.pending.iter().copied()).await;
        self.off.extend(done.off);
        self.pending = done.unknown.into_iter().collect();
        done.trouble.or(trouble).map_or(Ok(()), Err)
    }
}

/// Nobody else is to begin a run in the middle of this. Where somebody has begun one already, the instrument is theirs.
async fn claim(address: &Address) -> Result<Claim, String> {
    let holder = Holder { pid: std::process::id(), what: GUARD.to_owned(), ..Holder::default() };
    let give_up = Instant::now() + CLAIM_LIMIT;
    loop {
        match Claim::take(address, &holder) {
            Ok(claim) => return Ok(claim),
            Err(other) if Instant::now() >= give_up => {
                return Err(format!("the instrument is in use by {other}"));
            }
            // The runner's own claim goes with its process.
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
