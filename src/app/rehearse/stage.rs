//! One rehearsal: a simulator that fails, the program in its own process, and a check of the results.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::task::spawn_blocking;

use super::outcome::{RehearsalOutcome, of_batch, of_recipe};
use super::subject::Subject;
use crate::config::REHEARSAL_VARIABLE;
use crate::error::{ExitCode, Failure, chain};
use crate::rehearsal::{
    InspectedRun, InstrumentState, ProgramEnd, RunSize, Scenario, inspect_runs, safety_violations,
};
use crate::run::events::{Record, RunEvent};
use crate::simulator::{Listen, Simulator, SimulatorOptions};

/// Longest waiting time for the watchdog to turn off the lasers of a killed run.
const GUARD_LIMIT: Duration = Duration::from_secs(60);
/// Pause between two checks of the lasers.
const LOOK: Duration = Duration::from_millis(20);

/// The surroundings of a rehearsal.
pub(super) struct Stage {
    pub(super) file: PathBuf,
    pub(super) set: Vec<(String, String)>,
    pub(super) subject: Subject,
    pub(super) scratch: PathBuf,
    pub(super) limit: Duration,
}

/// The result of a rehearsal.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rehearsal {
    pub(super) number: usize,
    /// Number of commands that the simulator received.
    pub(super) commands: u64,
    /// The faults.
    #[serde(rename = "trouble")]
    pub(super) scenario: String,
    /// The result with these faults.
    pub(super) ended: String,
    /// The number of complete traces.
    pub(super) traces: usize,
    /// Lasers that were on then, according to the simulator.
    pub(super) lasers_on: Vec<u8>,
    /// The result after resuming without a further fault; none if nothing was left.
    pub(super) resumed: Option<String>,
    /// Whether the fault or the kill did not occur, so that the rehearsal shows nothing.
    pub(super) missed: bool,
    /// The violations of the safety rules.
    pub(super) violations: Vec<String>,
    /// Its run folders.
    pub(super) folder: PathBuf,
    pub(super) seconds: f64,
}

/// How the program ended.
struct Performed {
    ending: ProgramEnd,
    size: RunSize,
    last_words: String,
}

impl Stage {
    /// Runs a rehearsal with these faults; returns also the final result and the numbers of commands and events. The
    /// result is compared with `whole`, the result without faults.
    pub(super) async fn rehearse(
        &self,
        number: usize,
        scenario: &Scenario,
        whole: Option<&RehearsalOutcome>,
    ) -> Result<(Rehearsal, RehearsalOutcome, RunSize), Failure> {
        let began = Instant::now();
        let folder = self.scratch.join(format!("{number:02}"));
        let options = SimulatorOptions { faults: scenario.faults.clone(), ..self.subject.options.clone() };
        let simulator = Simulator::start(&Listen::default(), options).await;
        let simulator = simulator.map_err(|error| Failure::new(ExitCode::Usage, chain(&error)))?;
        let address = simulator.address().to_string();

        let words = self.words(&address, &folder);
        let bench = simulator.instruments().into_iter().map(|(name, address)| format!("{name}={address}"));
        let bench = bench.collect::<Vec<_>>().join(",");
        let performed = self.perform(&words, &bench, scenario.kill_after).await?;
        let missed = scenario.was_missed(simulator.faults_occurred(), performed.ending);
        let instrument = state_after(&simulator, performed.ending).await;
        let mut found = self.inspect_runs(&folder).await?;
        let mut violations =
            safety_violations(&found, performed.ending, &instrument, self.subject.may_stay_on);
        let mut result = self.result(&folder, &found, &performed);
        let mut rehearsal = Rehearsal {
            number,
            commands: simulator.commands(),
            scenario: scenario.to_string(),
            ended: result.told.clone(),
            traces: found.iter().map(|run| run.traces.len()).sum(),
            lasers_on: instrument.lasers_on,
            resumed: None,
            missed,
            violations: Vec::new(),
            folder: folder.clone(),
            seconds: 0.0,
        };
        let size = RunSize { commands: simulator.commands(), ..performed.size };
        if !result.is_done && whole.is_some() {
            simulator.heal().await;
            let again = self.perform(&self.words_again(&address, &folder, &found), &bench, None).await?;
            let instrument = state_after(&simulator, again.ending).await;
            found = self.inspect_runs(&folder).await?;
            let wrong = safety_violations(&found, again.ending, &instrument, self.subject.may_stay_on);
            violations.extend(wrong.into_iter().map(|wrong| format!("after resuming: {wrong}")));
            result = self.result(&folder, &found, &again);
            let nothing_left = again.last_words.contains("nothing is left to do");
            rehearsal.resumed =
                Some(if nothing_left { "nothing was left to do".to_owned() } else { result.told.clone() });
            if !result.is_done && !result.waits && !nothing_left {
                violations.push(format!("it did not finish after it was resumed: {}", again.last_words));
            }
        }
        if let Some(whole) = whole.filter(|whole| result.is_done && whole.parts != result.parts) {
            violations.push(format!(
                "its traces differ from those without a fault: {:?} instead of {:?}",
                result.parts, whole.parts
            ));
        }
        Ok((Rehearsal { violations, seconds: began.elapsed().as_secs_f64(), ..rehearsal }, result, size))
    }

    /// The arguments of the first start.
    fn words(&self, address: &str, out: &Path) -> Vec<String> {
        let file = self.file.display().to_string();
        let mut words = if self.subject.is_batch {
            vec!["batch".to_owned(), file, "--now".to_owned()]
        } else {
            vec!["run".to_owned(), file, "--unattended".to_owned()]
        };
        for (name, value) in &self.set {
            words.extend(["--set".to_owned(), format!("{name}={value}")]);
        }
        words.extend(common(address, out));
        words
    }

    /// The arguments of the start that completes it.
    fn words_again(&self, address: &str, out: &Path, found: &[InspectedRun]) -> Vec<String> {
        let mut words = match found.last() {
            Some(run) if !self.subject.is_batch => {
                let folder = run.folder.display().to_string();
                let words = ["resume", &folder, "--unattended", "--unfinished", "again"].map(str::to_owned);
                [words.to_vec(), common(address, out)].concat()
            }
            _ => self.words(address, out),
        };
        if self.subject.is_batch {
            words.push("--release".to_owned());
        }
        words
    }

    /// Starts the program in its own process, as a user does.
    async fn perform(
        &self,
        words: &[String],
        bench: &str,
        kill_after: Option<u64>,
    ) -> Result<Performed, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(ExitCode::Failed, format!("cannot start itself: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        // A rehearsal sends no notifications.
        command
            .env("CTP10_NOTIFY", "off")
            .env(REHEARSAL_VARIABLE, if bench.is_empty() { "1" } else { bench });
        if !self.subject.with_http {
            // A measured value may lead to steps that the forecast did not contain.
            command.env("CTP10_ALLOW_HTTP", "none");
        }
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let mut size = RunSize::default();
        let mut last_words = String::new();
        let mut killed = false;
        let listened = async {
            let Some(stderr) = child.stderr.take() else { return };
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str::<Record>(&line) {
                    Ok(record) => count(&mut size, &record),
                    Err(_) => {
                        if let Some(message) = message(&line) {
                            last_words = message;
                        }
                    }
                }
                if kill_after == Some(size.events) && !killed {
                    killed = true;
                    let _ = child.start_kill();
                }
            }
        };
        let in_time = tokio::time::timeout(self.limit, listened).await.is_ok();
        if !in_time {
            let _ = child.start_kill();
        }
        let status = child.wait().await.map_err(failed)?;
        let ending = match (in_time, killed, status.code()) {
            (false, ..) => ProgramEnd::TooLong,
            (true, _, Some(code)) => ProgramEnd::Exit(code),
            (true, true, None) => ProgramEnd::Killed,
            // This process did not send the signal.
            (true, false, None) => ProgramEnd::Exit(-1),
        };
        Ok(Performed { ending, size, last_words })
    }

    async fn inspect_runs(&self, folder: &Path) -> Result<Vec<InspectedRun>, Failure> {
        let folder = folder.to_owned();
        let looked = spawn_blocking(move || inspect_runs(&folder)).await;
        let looked = looked.map_err(|panic| Failure::new(ExitCode::Failed, panic))?;
        looked.map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))
    }

    fn result(&self, folder: &Path, found: &[InspectedRun], performed: &Performed) -> RehearsalOutcome {
        match self.subject.is_batch {
            true => of_batch(folder, found, performed.ending, &performed.last_words),
            false => of_recipe(found, &performed.last_words),
        }
    }
}

fn common(address: &str, out: &Path) -> Vec<String> {
    let out = out.display().to_string();
    let words = ["--instrument", address, "--out", &out, "--sidecar", "off", "--log-format", "json"];
    words.map(str::to_owned).to_vec()
}

/// The message of a line on stderr that is no event: a finding, or plain text. Entries of the log have none.
fn message(line: &str) -> Option<String> {
    match serde_json::from_str::<Value>(line) {
        Ok(entry) => Some(entry.get("message")?.as_str()?.to_owned()),
        Err(_) => Some(line.to_owned()).filter(|line| !line.trim().is_empty()),
    }
}

fn count(size: &mut RunSize, record: &Record) {
    size.events += 1;
    match &record.event {
        RunEvent::StepStarted { step, .. } if step.operation.traits().is_sweep() => {
            size.sweeps += 1;
        }
        RunEvent::TraceStored { .. } => size.traces += 1,
        _ => {}
    }
}

/// The state of the simulator, after the watchdog had time to act.
async fn state_after(simulator: &Simulator, ending: ProgramEnd) -> InstrumentState {
    let give_up = Instant::now() + GUARD_LIMIT;
    loop {
        let state = InstrumentState {
            lasers_on: simulator.lasers_on(),
            smu_output: simulator.smu_output_is_on(),
            scans: !simulator.is_idle(),
        };
        if state.is_off() || matches!(ending, ProgramEnd::Exit(_)) || Instant::now() >= give_up {
            return state;
        }
        tokio::time::sleep(LOOK).await;
    }
}
