//! One rehearsal: an instrument of its own that fails, the program as a process of its own, and a look at what they left.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::task::spawn_blocking;

use super::outcome::{RehearsalOutcome, of_batch, of_recipe};
use super::subject::Subject;
use crate::error::{ExitCode, Failure, chain};
use crate::operation::Operation;
use crate::rehearsal::{
    InspectedRun, InstrumentState, ProgramEnd, RunSize, Scenario, inspect_runs, safety_violations,
};
use crate::run::events::{Record, RunEvent};
use crate::simulator::{Simulator, SimulatorOptions};

/// A guard is given this long to turn off the lasers of a run that was killed.
const GUARD_LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks at the lasers.
const LOOK: Duration = Duration::from_millis(20);

/// Where rehearsals take place.
pub(super) struct Stage {
    pub(super) file: PathBuf,
    pub(super) set: Vec<(String, String)>,
    pub(super) subject: Subject,
    pub(super) scratch: PathBuf,
    pub(super) limit: Duration,
}

/// What a rehearsal showed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rehearsal {
    pub(super) number: usize,
    /// Commands that the instrument was sent until it ended.
    pub(super) commands: u64,
    /// What went wrong.
    #[serde(rename = "trouble")]
    pub(super) scenario: String,
    /// How it ended then.
    pub(super) ended: String,
    /// Traces that were whole then.
    pub(super) traces: usize,
    /// Lasers that were on then, by the instrument's own account.
    pub(super) lasers_on: Vec<u8>,
    /// How it ended when it was taken up again without further trouble; nothing when nothing was left.
    pub(super) resumed: Option<String>,
    /// What is not as it has to be.
    pub(super) violations: Vec<String>,
    /// Its run folders.
    pub(super) folder: PathBuf,
    pub(super) seconds: f64,
}

/// How the program came to its end.
struct Performed {
    ending: ProgramEnd,
    size: RunSize,
    last_words: String,
}

impl Stage {
    /// A rehearsal with this trouble; gives also what came of it in the end, and how much there was. Held against
    /// `whole`, what came of it without trouble.
    pub(super) async fn rehearse(
        &self,
        number: usize,
        scenario: &Scenario,
        whole: Option<&RehearsalOutcome>,
    ) -> Result<(Rehearsal, RehearsalOutcome, RunSize), Failure> {
        let began = Instant::now();
        let folder = self.scratch.join(format!("{number:02}"));
        let options = SimulatorOptions { faults: scenario.faults.clone(), ..self.subject.options.clone() };
        let simulator = Simulator::start((Ipv4Addr::LOCALHOST, 0), options).await;
        let simulator = simulator.map_err(|error| Failure::new(ExitCode::Usage, chain(&error)))?;
        let address = simulator.address().to_string();

        let words = self.words(&address, &folder);
        let performed = self.perform(&words, scenario.kill_after).await?;
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
            violations: Vec::new(),
            folder: folder.clone(),
            seconds: 0.0,
        };
        let size = RunSize { commands: simulator.commands(), ..performed.size };
        if !result.is_done && whole.is_some() {
            simulator.heal().await;
            let again = self.perform(&self.words_again(&address, &folder, &found), None).await?;
            let instrument = state_after(&simulator, again.ending).await;
            found = self.inspect_runs(&folder).await?;
            let wrong = safety_violations(&found, again.ending, &instrument, self.subject.may_stay_on);
            violations.extend(wrong.into_iter().map(|wrong| format!("taken up again: {wrong}")));
            result = self.result(&folder, &found, &again);
            let nothing_left = again.last_words.contains("nothing is left to do");
            rehearsal.resumed =
                Some(if nothing_left { "nothing was left to do".to_owned() } else { result.told.clone() });
            if !result.is_done && !result.waits && !nothing_left {
                violations.push(format!("taken up again, it did not come to its end: {}", again.last_words));
            }
        }
        if let Some(whole) = whole.filter(|whole| result.is_done && whole.parts != result.parts) {
            violations.push(format!(
                "it has other traces than without trouble: {:?} and not {:?}",
                result.parts, whole.parts
            ));
        }
        Ok((Rehearsal { violations, seconds: began.elapsed().as_secs_f64(), ..rehearsal }, result, size))
    }

    /// What the program is told the first time.
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

    /// What it is told to finish what is there.
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

    /// Has the program do it, in a process of its own, as a user has.
    async fn perform(&self, words: &[String], kill_after: Option<u64>) -> Result<Performed, Failure> {
        let failed =
            |error: std::io::Error| Failure::new(ExitCode::Failed, format!("cannot start itself: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        // Nobody is told of an end that is none.
        command.env("CTP10_NOTIFY", "off");
        if !self.subject.with_http {
            // A measured value may lead where the forecast did not go.
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
                    Err(_) if line.starts_with('{') => {}
                    Err(_) if line.trim().is_empty() => {}
                    Err(_) => last_words = line,
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
            // Whatever signal it was, it was none of ours.
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

fn count(size: &mut RunSize, record: &Record) {
    size.events += 1;
    match &record.event {
        RunEvent::StepStarted { step, .. } if matches!(step.operation, Operation::Sweep(_)) => {
            size.sweeps += 1;
        }
        RunEvent::TraceStored { .. } => size.traces += 1,
        _ => {}
    }
}

/// What the instrument says when everybody who may turn its lasers off has had the time.
async fn state_after(simulator: &Simulator, ending: ProgramEnd) -> InstrumentState {
    let give_up = Instant::now() + GUARD_LIMIT;
    loop {
        let lasers_on = simulator.lasers_on();
        if lasers_on.is_empty() || matches!(ending, ProgramEnd::Exit(_)) || Instant::now() >= give_up {
            return InstrumentState { lasers_on, scans: !simulator.is_idle() };
        }
        tokio::time::sleep(LOOK).await;
    }
}
