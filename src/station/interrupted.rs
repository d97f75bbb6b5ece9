//! A run that was cut off: what holds of it, what is left of it, and the order that has the rest done.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::order::{Order, Resumed};
use crate::budget::Budget;
use crate::error::chain;
use crate::forecast::Circumstances;
use crate::http::AllowedHosts;
use crate::recipe::{Recipe, SuspendWhen};
use crate::run::event::{Record, RunEvent};
use crate::run::foresee::{self, Foreseen};
use crate::run::past::{Past, Performed};
use crate::run::status::RunStatus;
use crate::run::takeup::{self, Resumption};
use crate::source::Diagnostic;
use crate::step::Fault;
use crate::store::runs::FoundRun;
use crate::store::{Manifest, RunFolder, RunState, StoreError, read_run_journal};

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
    /// Its copy of the recipe is wrong.
    #[error("the run's copy of its recipe has errors: {}", first(.0))]
    Recipe(Vec<Diagnostic>),
    /// Its folder cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The recipe goes another way than it went, or would only end as it did.
    #[error("the run cannot be taken up: {0}")]
    Past(Fault),
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
    pub async fn foresee(&self) -> Result<Foreseen, NotTakenUp> {
        self.foresee_after(None).await.map(|(foreseen, _)| foreseen)
    }

    /// Claims its folder, removes what the journal does not know, and gives the order that goes on.
    ///
    /// # Errors
    /// When the folder cannot be claimed or mended, or a step is undecided that `decided` says nothing of.
    pub async fn take_up(
        self,
        decided: Option<RunEvent>,
        allow_http: &AllowedHosts,
    ) -> Result<Order, NotTakenUp> {
        let run = self.run.clone();
        let (folder, mended) = blocking(move || Ok(RunFolder::reopen(&run)?)).await?;
        if mended.torn_bytes > 0 {
            tracing::warn!("the journal's last line was torn: {} bytes are gone", mended.torn_bytes);
        }
        let (foreseen, whole) = self.foresee_after(decided.clone()).await?;
        if let Some(step) = foreseen.undecided {
            return Err(NotTakenUp::Undecided(Box::new(step)));
        }
        let (folder, removed, status) = blocking(move || {
            let removed = folder.remove_unknown(&takeup::known_files(&whole))?;
            let status = status(folder.path(), whole.started)?;
            Ok((folder, removed, status))
        })
        .await?;
        let path = self.run.manifest.recipe.path.clone();
        let mut order =
            Order::new(self.recipe, path, self.circumstances, allow_http, &Budget::default()).await;
        // What the recipe as a whole would need was looked at when it began: much of it is done.
        order.walked.findings.clear();
        order.instrument_named = true;
        let resumption = Resumption { manifest: self.run.manifest, past: foreseen.past, decided, removed };
        order.resumed = Some(Resumed { folder, resumption, status });
        Ok(order)
    }

    /// What is foreseen once something was decided, and the whole past with it. A script may compute for a while:
    /// that is done beside the event loop.
    async fn foresee_after(&self, decided: Option<RunEvent>) -> Result<(Foreseen, Past), NotTakenUp> {
        let (recipe, folder, circumstances) =
            (self.recipe.clone(), self.run.folder.clone(), self.circumstances);
        let foresee = move || {
            let mut past = foresee::past(&folder)?;
            if let Some(decided) = &decided {
                past.apply(decided);
            }
            let foreseen =
                foresee::foresee(&recipe, &past, &folder, circumstances).map_err(NotTakenUp::Past)?;
            Ok((foreseen, past))
        };
        let foreseen = Budget::for_a_past().beside(foresee).await;
        foreseen.unwrap_or_else(|gone| Err(NotTakenUp::Broken(gone.to_string())))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotTakenUp> + Send + 'static,
) -> Result<T, NotTakenUp> {
    spawn_blocking(work).await.unwrap_or_else(|panic| Err(NotTakenUp::Broken(panic.to_string())))
}

/// The recipe as it was, from the run's own copy, with the parameters of the run.
fn recipe(run: &FoundRun) -> Result<Recipe, NotTakenUp> {
    let manifest = &run.manifest;
    let copy = takeup::recipe_copy(&run.folder, manifest)
        .ok_or_else(|| NotTakenUp::Copy(format!("run {} has no copy of its recipe", manifest.run)))?;
    let text = std::fs::read_to_string(&copy)
        .map_err(|error| NotTakenUp::Copy(format!("cannot read `{}`: {error}", copy.display())))?;
    let recipe =
        Recipe::from_text(&manifest.recipe.path, &text, copy.parent(), &as_given(&manifest.parameters))
            .map_err(NotTakenUp::Recipe)?;
    let recipe = match &manifest.suspend_when {
        Some(given) => SuspendWhen::from_value(given).and_then(|given| recipe.suspended_by(&given)),
        None => Ok(recipe),
    }
    .map_err(NotTakenUp::Recipe)?;
    if recipe.sha256() != manifest.recipe.sha256 {
        return Err(NotTakenUp::Copy(format!(
            "`{}` is not the recipe that run {} began with: its SHA-256 is {} and was {}",
            copy.display(),
            manifest.run,
            recipe.sha256(),
            manifest.recipe.sha256
        )));
    }
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
