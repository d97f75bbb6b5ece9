//! An interrupted run: its valid steps, its remaining steps, and the request to perform the rest.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::budget::Budget;
use crate::declarations::Given;
use crate::error::chain;
use crate::files;
use crate::forecast::Circumstances;
use crate::forecast::allowed::Allowed;
use crate::recipe::{Recipe, SuspendWhen};
use crate::run::RunRequest;
use crate::run::events::{Record, RunEvent};
use crate::run::resume::damage::Damage;
use crate::run::resume::plan::{self, Foreseen};
use crate::run::resume::start::Resumption;
use crate::run::resume::transcript::{Performed, Transcript};
use crate::run::state::status::RunStatus;
use crate::source::{Diagnostic, SourceFile};
use crate::step::Fault;
use crate::store::runs::FoundRun;
use crate::store::{
    Fate, Finding, JOURNAL_FILE, Leftover, Manifest, RunFolder, RunState, StoreError, finished_files,
    hex_sha256, leftovers, read_run_journal, source_damage,
};
use crate::threads;

/// The largest copy of a recipe that is read, in bytes.
const LARGEST_RECIPE: u64 = 1 << 20;

/// Why a run cannot be resumed.
#[derive(Debug, thiserror::Error)]
pub enum NotResumed {
    /// Nothing is left to do.
    #[error("run {0} is done: nothing is left to do")]
    Done(String),
    /// Another process performs it.
    #[error("run {0} is active: its process is alive")]
    UnderWay(String),
    /// The copy of the recipe in its folder is missing or changed.
    #[error("{0}")]
    Copy(String),
    /// The journal has no beginning, but there are finished files. Nothing describes them.
    #[error(
        "the journal of run {run} has no start, but its folder contains {} finished files, first `{}`: \
         nothing describes them",
        files.len(), files.first().map_or("", String::as_str)
    )]
    Unknown {
        /// The run.
        run: String,
        /// The files, relative to the run folder.
        files: Vec<String>,
    },
    /// The copy of the recipe has errors.
    #[error("the run's copy of its recipe has errors: {}", first(.0))]
    Recipe(Vec<Diagnostic>),
    /// The run folder cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The recipe no longer matches its journal, or would end in the same way again.
    #[error("the run cannot be resumed: {0}")]
    Transcript(Fault),
    /// It is not known whether a step finished.
    #[error(
        "`{}` ({}) was interrupted, and ctp10 cannot know whether it finished",
        .0.step.operation, .0.step.place
    )]
    Undecided(Box<Performed>),
    /// An error of this program.
    #[error("the journal cannot be replayed: {0}")]
    Broken(String),
}

impl NotResumed {
    /// The error and its causes in one line.
    #[must_use]
    pub fn message(&self) -> String {
        chain(self)
    }
}

fn first(findings: &[Diagnostic]) -> String {
    findings.first().map(|finding| finding.message.clone()).unwrap_or_default()
}

/// An interrupted run, with the recipe that it began with.
#[derive(Debug, Clone)]
pub struct Interrupted {
    run: FoundRun,
    recipe: Recipe,
    circumstances: Circumstances,
}

impl Interrupted {
    /// Reads an interrupted run from its folder. Blocks.
    ///
    /// # Errors
    /// If the run is done or active, or if its copy of the recipe is missing or changed.
    pub fn read(run: FoundRun, attended: Option<bool>) -> Result<Self, NotResumed> {
        let id = || run.manifest.run.clone();
        match run.manifest.status {
            RunState::Interrupted | RunState::Failed | RunState::Aborted => {}
            RunState::Done => return Err(NotResumed::Done(id())),
            RunState::Running => return Err(NotResumed::UnderWay(id())),
        }
        let recipe = recipe(&run)?;
        let simulated = run.manifest.instrument.simulated;
        Ok(Self { run, recipe, circumstances: Circumstances { simulated, attended } })
    }

    /// The recipe that the run began with.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The manifest as the interrupted run left it.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.run.manifest
    }

    /// The valid steps of the run and its remaining steps. Changes neither the instrument nor the folder.
    ///
    /// # Errors
    /// If the journal cannot be read, or the recipe no longer matches it.
    pub async fn foresee(&self) -> Result<Outlook, NotResumed> {
        self.look(None).await
    }

    /// Claims the run folder and returns the request to resume the run. The folder is repaired when the run begins.
    ///
    /// # Errors
    /// If the folder cannot be claimed, or if it is not known whether a step finished and `decided` does not tell.
    pub async fn resume(self, decided: Option<RunEvent>, bench: &Allowed) -> Result<RunRequest, NotResumed> {
        let run = self.run.clone();
        let folder = blocking(move || Ok(RunFolder::reopen(&run)?)).await?;
        let Outlook { foreseen, damage, leftovers } = self.look(decided.clone()).await?;
        if let Some(step) = foreseen.undecided {
            return Err(NotResumed::Undecided(Box::new(step)));
        }
        let started = foreseen.past.history.started;
        let (folder, status) = blocking(move || {
            let status = status(folder.path(), started)?;
            Ok((folder, status))
        })
        .await?;
        let path = self.run.manifest.recipe.path.clone();
        let mut request =
            RunRequest::new(self.recipe, path, self.circumstances, bench, &Budget::default()).await;
        // The recipe was checked as a whole when the run began. Much of it is done.
        request.walked.findings.clear();
        request.instrument_named = true;
        let (mut past, repairs, manifest) = (foreseen.past, foreseen.repairs, self.run.manifest);
        for (segment, _) in &damage.segments {
            past.withdraw_power(&segment.file);
        }
        request.resumed =
            Some(Resumption { manifest, transcript: past, decided, leftovers, damage, repairs });
        request.folder = Some(folder);
        request.status = status;
        Ok(request)
    }

    /// Reads the folder and predicts the remaining steps. A script may compute for a while, so this runs outside the
    /// event loop.
    async fn look(&self, decided: Option<RunEvent>) -> Result<Outlook, NotResumed> {
        let run = self.run.clone();
        // Reading the files of a long run takes time that does not count for the recipe.
        let (past, damage, leftovers) = blocking(move || found(&run, decided.as_ref())).await?;
        let (recipe, folder, circumstances) =
            (self.recipe.clone(), self.run.folder.clone(), self.circumstances);
        let foresee = move || {
            let foreseen = plan::plan(&recipe, &past, &damage, &folder, circumstances);
            Ok(Outlook { foreseen: foreseen.map_err(NotResumed::Transcript)?, damage, leftovers })
        };
        let foreseen = Budget::for_a_past().run_on_thread(foresee).await;
        foreseen.unwrap_or_else(|gone| Err(NotResumed::Broken(gone.to_string())))
    }
}

/// An interrupted run before it is resumed.
#[derive(Debug)]
pub struct Outlook {
    /// The valid steps and the remaining steps.
    pub foreseen: Foreseen,
    /// Files that differ from the journal.
    pub damage: Damage,
    /// Files that are not in the journal.
    pub leftovers: Vec<Leftover>,
}

/// Reads a run folder: the steps in the journal, the damaged files, and the files that are not in the journal.
fn found(
    run: &FoundRun,
    decided: Option<&RunEvent>,
) -> Result<(Transcript, Damage, Vec<Leftover>), NotResumed> {
    let folder = &run.folder;
    let mut past = plan::transcript(folder)?;
    if past.history.started {
        if let Some(decided) = decided {
            past.apply(decided);
        }
        let damage = Damage::look(folder, &past);
        let leftovers = leftovers(folder, &past.files(), &past.withdrawn)?;
        return Ok((past, damage, leftovers));
    }
    // The process ended before it wrote the beginning of the journal. Nothing was measured, so the run starts again.
    let files = finished_files(folder)?;
    if !files.is_empty() {
        return Err(NotResumed::Unknown { run: run.manifest.run.clone(), files });
    }
    let past = Transcript::default();
    let mut leftovers = leftovers(folder, &past.files(), &past.withdrawn)?;
    // A journal without a beginning is moved aside, so that no record is appended to it.
    if read_run_journal::<Record>(folder).is_ok_and(|mut records| records.next().is_some()) {
        leftovers.push(Leftover { file: JOURNAL_FILE.to_owned(), fate: Fate::Aside });
    }
    Ok((past, Damage::default(), leftovers))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotResumed> + Send + 'static,
) -> Result<T, NotResumed> {
    threads::begin("resume", work).await.unwrap_or_else(|panic| Err(NotResumed::Broken(panic.to_string())))
}

/// Reads the recipe from the copy in the run folder, with the parameters of the run.
fn recipe(run: &FoundRun) -> Result<Recipe, NotResumed> {
    let (folder, manifest) = (&run.folder, &run.manifest);
    let copy = manifest
        .recipe
        .files
        .first()
        .ok_or_else(|| NotResumed::Copy(format!("run {} has no copy of its recipe", manifest.run)))?;
    // A damaged copy must not be reported as a mistake in the recipe, so it is compared before it is read.
    if let Some(finding) = source_damage(folder, &manifest.recipe) {
        let file = match &finding {
            Finding::Changed { file } | Finding::Missing { file } | Finding::Unreadable { file, .. } => file,
            _ => copy,
        };
        let (path, what) = (folder.join(file), finding.what());
        let message = format!(
            "`{}` {what}: it is not the recipe that run {} started with",
            path.display(),
            manifest.run
        );
        return Err(NotResumed::Copy(message));
    }
    let path = folder.join(copy);
    let unreadable = |error: String| NotResumed::Copy(format!("cannot read `{}`: {error}", path.display()));
    let text =
        files::read_within(folder, copy, LARGEST_RECIPE).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|error| unreadable(error.to_string()))?;
    let found = hex_sha256(text.as_bytes());
    if found != manifest.recipe.sha256 {
        return Err(NotResumed::Copy(format!(
            "`{}` is not the recipe that run {} started with: its SHA-256 is {found}, but it was {}",
            path.display(),
            manifest.run,
            manifest.recipe.sha256
        )));
    }
    let value = |(name, value): (&String, &Value)| (name.clone(), Given::Value(value.clone()));
    let given: Vec<(String, Given)> = manifest.parameters.iter().map(value).collect();
    let recipe = Recipe::from_text(&manifest.recipe.path, &text, path.parent(), &given)
        .map_err(|findings| NotResumed::Recipe(of_copy(findings, folder, &manifest.recipe.path, copy)))?;
    let recipe = match &manifest.suspend_when {
        Some(given) => SuspendWhen::from_value(given).and_then(|given| recipe.suspended_by(&given)),
        None => Ok(recipe),
    }
    .map_err(NotResumed::Recipe)?;
    if recipe.parameters() != &manifest.parameters {
        return Err(NotResumed::Copy(format!(
            "the parameters of run {} were {} and are read back as {}",
            manifest.run,
            json!(manifest.parameters),
            json!(recipe.parameters())
        )));
    }
    Ok(recipe)
}

/// Changes findings so that they name the copy, and not the file of the user.
fn of_copy(findings: Vec<Diagnostic>, folder: &Path, recipe: &str, copy: &str) -> Vec<Diagnostic> {
    let named = |finding: Diagnostic| {
        let place = finding.place.map(|(source, position)| {
            let name =
                if source.name == recipe { copy.to_owned() } else { format!("recipe/{}", source.name) };
            let name = folder.join(name).display().to_string();
            (Arc::new(SourceFile { name, text: source.text.clone() }), position)
        });
        Diagnostic { place, ..finding }
    };
    findings.into_iter().map(named).collect()
}

/// The state of a run according to its journal.
fn status(folder: &Path, started: bool) -> Result<RunStatus, StoreError> {
    let mut status = RunStatus::default();
    if started {
        for record in read_run_journal::<Record>(folder)? {
            status.apply(&record?);
        }
    }
    status.folder = folder.display().to_string();
    Ok(status)
}
