//! A run that was cut off: what holds of it, what is left of it, and the request to perform the rest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::budget::Budget;
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

/// The largest copy of a recipe that is read, bytes.
const LARGEST_RECIPE: u64 = 1 << 20;

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum NotTakenUp {
    /// Nothing is left to do.
    #[error("run {0} is done: nothing is left to do")]
    Done(String),
    /// Another process is at it.
    #[error("run {0} is under way: its process is alive")]
    UnderWay(String),
    /// Its folder does not have what it takes.
    #[error("{0}")]
    Copy(String),
    /// Its journal has no beginning, and files are there that nobody can tell anything of.
    #[error(
        "the journal of run {run} does not say that it has begun, and {} finished files are there (`{}` is the first): \
         nothing says what they are",
        files.len(), files.first().map_or("", String::as_str)
    )]
    Unknown {
        /// The run.
        run: String,
        /// The files, relative to the run folder.
        files: Vec<String>,
    },
    /// Its copy of the recipe is wrong.
    #[error("the run's copy of its recipe has errors: {}", first(.0))]
    Recipe(Vec<Diagnostic>),
    /// Its folder cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The recipe goes another way than it went, or would only end as it did.
    #[error("the run cannot be taken up: {0}")]
    Transcript(Fault),
    /// A step is neither done nor not done.
    #[error(
        "`{}` ({}) was begun and nothing says whether it was done: it is not repeated without being told to",
        .0.step.operation, .0.step.place
    )]
    Undecided(Box<Performed>),
    /// The program's own fault.
    #[error("the past cannot be replayed: {0}")]
    Broken(String),
}

impl NotTakenUp {
    /// The whole story in one line.
    #[must_use]
    pub fn told(&self) -> String {
        chain(self)
    }
}

fn first(findings: &[Diagnostic]) -> String {
    findings.first().map(|finding| finding.message.clone()).unwrap_or_default()
}

/// A run that was cut off, with the recipe that it began with.
#[derive(Debug, Clone)]
pub struct Interrupted {
    run: FoundRun,
    recipe: Recipe,
    circumstances: Circumstances,
}

impl Interrupted {
    /// Reads what a run began with, from its folder alone. Blocks.
    ///
    /// # Errors
    /// When it is done or under way, or its copy of the recipe is not there or not as it was.
    pub fn read(run: FoundRun, attended: Option<bool>) -> Result<Self, NotTakenUp> {
        let id = || run.manifest.run.clone();
        match run.manifest.status {
            RunState::Interrupted | RunState::Failed | RunState::Aborted => {}
            RunState::Done => return Err(NotTakenUp::Done(id())),
            RunState::Running => return Err(NotTakenUp::UnderWay(id())),
        }
        let recipe = recipe(&run)?;
        let simulated = run.manifest.instrument.simulated;
        Ok(Self { run, recipe, circumstances: Circumstances { simulated, attended } })
    }

    /// The run's manifest as it was left.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.run.manifest
    }

    /// How far its past holds, and what is left to do. Touches neither instrument nor folder.
    ///
    /// # Errors
    /// When the journal cannot be read, or the recipe goes another way than it went.
    pub async fn foresee(&self) -> Result<Outlook, NotTakenUp> {
        self.look(None).await
    }

    /// Claims its folder, and gives the request to resume it. The folder is mended when the run begins.
    ///
    /// # Errors
    /// When the folder cannot be claimed, or a step is undecided that `decided` says nothing of.
    pub async fn take_up(self, decided: Option<RunEvent>, bench: &Allowed) -> Result<RunRequest, NotTakenUp> {
        let run = self.run.clone();
        let folder = blocking(move || Ok(RunFolder::reopen(&run)?)).await?;
        let Outlook { foreseen, damage, leftovers } = self.look(decided.clone()).await?;
        if let Some(step) = foreseen.undecided {
            return Err(NotTakenUp::Undecided(Box::new(step)));
        }
        let started = foreseen.past.started;
        let (folder, status) = blocking(move || {
            let status = status(folder.path(), started)?;
            Ok((folder, status))
        })
        .await?;
        let path = self.run.manifest.recipe.path.clone();
        let mut request =
            RunRequest::new(self.recipe, path, self.circumstances, bench, &Budget::default()).await;
        // What the recipe as a whole would need was looked at when it began: much of it is done.
        request.walked.findings.clear();
        request.instrument_named = true;
        let (mut past, repairs, manifest) = (foreseen.past, foreseen.repairs, self.run.manifest);
        for (segment, _) in &damage.segments {
            past.withdraw_power(&segment.file);
        }
        request.resumed = Some(Resumption { manifest, past, decided, leftovers, damage, repairs });
        request.folder = Some(folder);
        request.status = status;
        Ok(request)
    }

    /// What is found in the folder and foreseen, once something was decided. A script may compute for a while: that is
    /// done beside the event loop.
    async fn look(&self, decided: Option<RunEvent>) -> Result<Outlook, NotTakenUp> {
        let run = self.run.clone();
        // The files of a long run take their time, which is none of its recipe's.
        let (past, damage, leftovers) = blocking(move || found(&run, decided.as_ref())).await?;
        let (recipe, folder, circumstances) =
            (self.recipe.clone(), self.run.folder.clone(), self.circumstances);
        let foresee = move || {
            let foreseen = plan::plan(&recipe, &past, &damage, &folder, circumstances);
            Ok(Outlook { foreseen: foreseen.map_err(NotTakenUp::Transcript)?, damage, leftovers })
        };
        let foreseen = Budget::for_a_past().run_on_thread(foresee).await;
        foreseen.unwrap_or_else(|gone| Err(NotTakenUp::Broken(gone.to_string())))
    }
}

/// What is known of an interrupted run before it goes on.
#[derive(Debug)]
pub struct Outlook {
    /// What holds, and what is left.
    pub foreseen: Foreseen,
    /// Files that are not as the journal says.
    pub damage: Damage,
    /// Files that the journal does not know.
    pub leftovers: Vec<Leftover>,
}

/// What is in the folder of a run: its past as the journal has it, what is damaged, and what is left over.
fn found(
    run: &FoundRun,
    decided: Option<&RunEvent>,
) -> Result<(Transcript, Damage, Vec<Leftover>), NotTakenUp> {
    let folder = &run.folder;
    let mut past = plan::transcript(folder)?;
    if past.started {
        if let Some(decided) = decided {
            past.apply(decided);
        }
        let damage = Damage::look(folder, &past);
        let leftovers = leftovers(folder, &past.files(), &past.withdrawn)?;
        return Ok((past, damage, leftovers));
    }
    // Its process was gone before its journal had a beginning: nothing was measured then, and it begins anew.
    let files = finished_files(folder)?;
    if !files.is_empty() {
        return Err(NotTakenUp::Unknown { run: run.manifest.run.clone(), files });
    }
    let past = Transcript::default();
    let mut leftovers = leftovers(folder, &past.files(), &past.withdrawn)?;
    // Records without a beginning are kept where nobody goes on behind them.
    if read_run_journal::<Record>(folder).is_ok_and(|mut records| records.next().is_some()) {
        leftovers.push(Leftover { file: JOURNAL_FILE.to_owned(), fate: Fate::Aside });
    }
    Ok((past, Damage::default(), leftovers))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotTakenUp> + Send + 'static,
) -> Result<T, NotTakenUp> {
    threads::begin("resume", work).await.unwrap_or_else(|panic| Err(NotTakenUp::Broken(panic.to_string())))
}

/// The recipe as it was, from the run's own copy, with the parameters of the run.
fn recipe(run: &FoundRun) -> Result<Recipe, NotTakenUp> {
    let (folder, manifest) = (&run.folder, &run.manifest);
    let copy = manifest
        .recipe
        .files
        .first()
        .ok_or_else(|| NotTakenUp::Copy(format!("run {} has no copy of its recipe", manifest.run)))?;
    // Compared before it is read: what is wrong with it is then nobody's mistake in a recipe.
    if let Some(finding) = source_damage(folder, &manifest.recipe) {
        let file = match &finding {
            Finding::Changed { file } | Finding::Missing { file } | Finding::Unreadable { file, .. } => file,
            _ => copy,
        };
        let (path, what) = (folder.join(file), finding.what());
        let message =
            format!("`{}` {what}: it is not the recipe that run {} began with", path.display(), manifest.run);
        return Err(NotTakenUp::Copy(message));
    }
    let path = folder.join(copy);
    let unreadable = |error: String| NotTakenUp::Copy(format!("cannot read `{}`: {error}", path.display()));
    let text =
        files::read_within(folder, copy, LARGEST_RECIPE).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|error| unreadable(error.to_string()))?;
    let found = hex_sha256(text.as_bytes());
    if found != manifest.recipe.sha256 {
        return Err(NotTakenUp::Copy(format!(
            "`{}` is not the recipe that run {} began with: its SHA-256 is {found} and was {}",
            path.display(),
            manifest.run,
            manifest.recipe.sha256
        )));
    }
    let given = as_given(&manifest.parameters);
    let recipe = Recipe::from_text(&manifest.recipe.path, &text, path.parent(), &given)
        .map_err(|findings| NotTakenUp::Recipe(of_copy(findings, folder, &manifest.recipe.path, copy)))?;
    let recipe = match &manifest.suspend_when {
        Some(given) => SuspendWhen::from_value(given).and_then(|given| recipe.suspended_by(&given)),
        None => Ok(recipe),
    }
    .map_err(NotTakenUp::Recipe)?;
    if recipe.parameters() != &manifest.parameters {
        return Err(NotTakenUp::Copy(format!(
            "the parameters of run {} do not read back as they were: {} and {}",
            manifest.run,
            json!(manifest.parameters),
            json!(recipe.parameters())
        )));
    }
    Ok(recipe)
}

/// Findings about a copy name the copy, and not the user's own file.
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

/// Parameters as `--set` takes them.
fn as_given(parameters: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    parameters.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The state of a run as its journal has it.
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
