//! Loads a batch and checks its items: from its file, or from the catalogue.

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use crate::app::check::Count;
use crate::app::choose::options;
use chrono::Local;

use crate::batch::{
    BatchFile, Checked, Expanded, Moment, Policy, Task, check, contradiction, expand, read_file, skipped,
    window,
};
use crate::budget::Budget;
use crate::catalogue::{BatchRow, Catalogue, CatalogueError, ItemRow, ItemState};
use crate::cli::InstrumentArgs;
use crate::config::Config;
use crate::declarations::{Header, Notify};
use crate::error::{ExitCode, Failure, chain};
use crate::forecast::hosts::check_notify;
use crate::instrument::Target;
use crate::shown;
use crate::source::{Diagnostic, Severity};
use crate::terminal::output::{coloured, errln, outln};

/// A batch and its items from the catalogue in a folder of runs. Blocks.
pub(super) fn look_up(name: &str, out: &Path) -> Result<(BatchRow, Vec<ItemRow>), Failure> {
    let refuse = |message: String| Failure::new(ExitCode::Usage, message);
    if !Catalogue::exists(out) {
        return Err(refuse(format!("`{}` contains no catalogue", out.display()))
            .hint("give the folder of the runs: `--out DIR`"));
    }
    let failed = |error: CatalogueError| Failure::new(ExitCode::Failed, chain(&error));
    let catalogue = Catalogue::open(out).map_err(failed)?;
    if let Some(row) = catalogue.batch(name).map_err(failed)? {
        return Ok((row, catalogue.items(name).map_err(failed)?));
    }
    let names = catalogue.batch_names().map_err(failed)?;
    let names = names.iter().map(String::as_str).collect::<Vec<_>>();
    Err(refuse(format!("`{}` contains no batch `{name}`", out.display()))
        .hint(crate::decode::suggestion(name, names)))
}

/// A batch, and the findings.
pub(in crate::app) struct Batch {
    pub(in crate::app) name: String,
    /// Its file, as given.
    pub(super) file: Option<String>,
    /// Paths of recipes are relative to this folder; empty for the working folder.
    pub(in crate::app) folder: PathBuf,
    /// The file's own `out`.
    own_out: Option<PathBuf>,
    pub(super) defaults: Policy,
    pub(in crate::app) not_before: Option<Moment>,
    pub(in crate::app) deadline: Option<Moment>,
    pub(in crate::app) most_failures: Option<NonZeroU32>,
    pub(in crate::app) notify: Option<Notify>,
    pub(in crate::app) tasks: Vec<Task>,
    /// The result of the check of each task.
    pub(in crate::app) checked: Vec<Checked>,
    /// Findings about the batch itself.
    pub(in crate::app) findings: Vec<Diagnostic>,
    /// Whether the items come from the catalogue, and the tasks are only the remaining ones.
    pub(super) numbers: Option<Vec<u32>>,
}

impl Batch {
    /// From its file.
    pub(in crate::app) async fn load(
        path: &Path,
        instrument: &InstrumentArgs,
        config: &Config,
    ) -> Result<Self, Failure> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let (file, plain) = read_file(path).map_err(Failure::recipe)?;
        let Expanded { tasks, findings } = expand(&file, &plain, folder).map_err(Failure::recipe)?;
        let BatchFile { name, out, defaults, not_before, deadline, max_consecutive_failures, notify, .. } =
            file;
        let mut batch = Self {
            name,
            file: Some(path.display().to_string()),
            folder: PathBuf::new(),
            own_out: out.map(|out| folder.join(out)),
            defaults,
            not_before,
            deadline,
            most_failures: max_consecutive_failures,
            notify,
            tasks,
            checked: Vec::new(),
            findings,
            numbers: None,
        };
        batch.check(instrument, config).await;
        Ok(batch)
    }

    /// Ignores the times of all items.
    pub(super) fn forget_times(&mut self) {
        (self.not_before, self.deadline) = (None, None);
        for task in &mut self.tasks {
            (task.not_before, task.deadline) = (None, None);
        }
    }

    /// Loads the remaining items from the catalogue in a folder of runs.
    pub(super) async fn known(
        name: &str,
        out: &Path,
        instrument: &InstrumentArgs,
        config: &Config,
    ) -> Result<Self, Failure> {
        let refuse = |message: String| Failure::new(ExitCode::Usage, message);
        let (place, wanted) = (out.to_owned(), name.to_owned());
        let asked = tokio::task::spawn_blocking(move || look_up(&wanted, &place));
        let (row, items) = asked.await.map_err(|panic| Failure::new(ExitCode::Failed, panic))??;
        if items.iter().any(|item| item.recovered) && row.file.is_none() {
            return Err(refuse(format!("the catalogue contains only the runs of batch `{name}`"))
                .hint("start the batch with its file: items that are done stay done"));
        }
        let left: Vec<_> =
            items.iter().filter(|item| !matches!(item.state, ItemState::Done | ItemState::Removed)).collect();
        let setting = |name: &str| row.settings.get(name).cloned().unwrap_or_default();
        let here = std::env::current_dir().is_ok_and(|here| here.display().to_string() == row.folder);
        let mut batch = Self {
            name: name.to_owned(),
            file: row.file.clone(),
            folder: if here { PathBuf::new() } else { row.folder.clone().into() },
            own_out: None,
            defaults: serde_json::from_value(setting("defaults")).unwrap_or_default(),
            not_before: serde_json::from_value(setting("not_before")).unwrap_or_default(),
            deadline: serde_json::from_value(setting("deadline")).unwrap_or_default(),
            most_failures: serde_json::from_value(setting("max_consecutive_failures")).unwrap_or_default(),
            notify: serde_json::from_value(setting("notify")).unwrap_or_default(),
            tasks: left
                .iter()
                .map(|item| serde_json::from_value(item.payload.clone()).unwrap_or_default())
                .collect(),
            checked: Vec::new(),
            findings: Vec::new(),
            numbers: Some(left.iter().map(|item| item.number).collect()),
        };
        batch.check(instrument, config).await;
        Ok(batch)
    }

    async fn check(&mut self, instrument: &InstrumentArgs, config: &Config) {
        for task in &self.tasks {
            self.checked.push(check(task, &self.folder, &config.allowed(), &Budget::default()).await);
        }
        self.agree(instrument, config);
        self.tell_times();
        self.findings
            .extend(self.notify.as_ref().and_then(|notify| check_notify(notify, config.allow_http.as_ref())));
    }

    /// Times at which nothing can be measured, and times of day that the clocks skip in the coming night.
    fn tell_times(&mut self) {
        let now = Local::now();
        let warnings = |told: Vec<String>| told.into_iter().map(Diagnostic::warning);
        self.findings.extend(warnings(skipped(&now, None, self.not_before, self.deadline)));
        let origin = window(&now, None, self.not_before, self.deadline).not_before;
        self.findings.extend(contradiction(self.not_before, self.deadline).map(Diagnostic::error));
        for (task, checked) in self.tasks.iter().zip(&mut self.checked) {
            // Both the times of the item and those of the batch apply.
            let mixed = [(task.not_before, self.deadline), (self.not_before, task.deadline)];
            let wrong = mixed.into_iter().find_map(|(begin, end)| contradiction(begin, end));
            checked.findings.extend(wrong.map(Diagnostic::error));
            checked.findings.extend(warnings(skipped(&now, origin, task.not_before, task.deadline)));
        }
    }

    /// Checks that all items use the same instrument.
    fn agree(&mut self, args: &InstrumentArgs, config: &Config) {
        let configured = config.instrument.as_ref().map(|setting| setting.value.clone());
        let target = |wanted: &Option<String>| wanted.as_ref().and_then(|text| text.parse::<Target>().ok());
        let mut first: Option<(u32, Option<String>, Option<serde_json::Value>)> = None;
        for (number, checked) in (1..).zip(&mut self.checked) {
            let Some(recipe) = &checked.recipe else { continue };
            let header = recipe.header();
            let wanted =
                args.instrument.clone().or_else(|| header.instrument.clone()).or_else(|| configured.clone());
            let simulator = header.simulator.clone();
            if let Err(wrong) = options(simulator.clone()) {
                checked.findings.extend(wrong.findings);
            }
            let Some((of, other, other_simulator)) = &first else {
                first = Some((number, wanted, simulator));
                continue;
            };
            let name = |wanted: &Option<String>| wanted.clone().unwrap_or_else(|| "none".to_owned());
            if target(&wanted) != target(other) {
                let message = format!(
                    "its instrument is {}, but that of item {of} is {}: a batch uses only one",
                    name(&wanted),
                    name(other)
                );
                let hint = "give the instrument for the whole batch: `--instrument ADDR`";
                checked.findings.push(Diagnostic::error(message).hint(hint));
            } else if target(&wanted) == Some(Target::Embedded) && simulator != *other_simulator {
                let message = format!(
                    "its `simulator` differs from that of item {of}, which applies to the whole batch"
                );
                checked.findings.push(Diagnostic::warning(message));
            }
        }
    }

    /// The header with the instrument: that of the first item, because all agree.
    pub(super) fn header(&self) -> Option<&Header> {
        self.checked.iter().find_map(|checked| checked.recipe.as_ref()).map(|recipe| recipe.header())
    }

    /// The number of each task.
    pub(super) fn number(&self, index: usize) -> u32 {
        match &self.numbers {
            Some(numbers) => numbers[index],
            None => u32::try_from(index + 1).unwrap_or(u32::MAX),
        }
    }

    /// The folder for run folders.
    pub(super) fn out(&self, given: Option<PathBuf>, config: &Config) -> PathBuf {
        crate::app::run_folders(given.or_else(|| self.own_out.clone()), config)
    }

    /// Prints the findings with the numbers of the items, as JSON if that is wanted; returns the numbers of errors and warnings.
    pub(in crate::app) fn tell(&self, least: Severity, verdicts: bool, json: bool) -> (usize, usize) {
        let colour = std::io::stderr().is_terminal();
        let tell = |finding: &Diagnostic, item: Option<u32>| {
            if !json {
                coloured!("{}\n", finding.render(colour));
                return;
            }
            let mut told = finding.json();
            if let (Some(item), Some(fields)) = (item, told.as_object_mut()) {
                fields.insert("item".to_owned(), item.into());
            }
            errln!("{}", shown::json(&told.to_string()));
        };
        // Findings about the batch itself; notes only in a check.
        let least_of_batch = if verdicts { Severity::Note } else { least };
        for finding in self.findings.iter().filter(|finding| finding.severity >= least_of_batch) {
            tell(finding, None);
        }
        let count = |findings: &[Diagnostic], severity| {
            findings.iter().filter(|finding| finding.severity == severity).count()
        };
        let mut errors = count(&self.findings, Severity::Error);
        let mut warnings = count(&self.findings, Severity::Warning);
        for (index, (task, checked)) in self.tasks.iter().zip(&self.checked).enumerate() {
            let (number, about) = (self.number(index), task.describe());
            let spoken: Vec<&Diagnostic> =
                checked.findings.iter().filter(|finding| finding.severity >= least).collect();
            if !spoken.is_empty() && !json {
                errln!("item {number} ({about})");
            }
            for finding in spoken {
                tell(finding, Some(number));
            }
            if verdicts {
                outln!("item {number} ({about}): {}", Count::of(&checked.findings).verdict());
            }
            errors += count(&checked.findings, Severity::Error);
            warnings += count(&checked.findings, Severity::Warning);
        }
        (errors, warnings)
    }
}
