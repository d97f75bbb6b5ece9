//! The recipe or batch of a rehearsal, checked before anything runs.

use std::path::Path;

use crate::app::batch::load::Batch;
use crate::budget::Budget;
use crate::cli::{InstrumentArgs, RehearseArgs};
use crate::config::{Config, REHEARSAL_SCALE};
use crate::declarations::Given;
use crate::error::{ExitCode, Failure};
use crate::forecast::Circumstances;
use crate::recipe::{PlainFile, Recipe};
use crate::run::RunRequest;
use crate::simulator::{Noise, SimulatorOptions};
use crate::source::{Diagnostic, Severity};

/// A recipe or batch, with the options of all its rehearsals.
pub(super) struct Subject {
    pub(super) is_batch: bool,
    /// Whether a recipe leaves lasers on after success.
    pub(super) may_stay_on: bool,
    pub(super) options: SimulatorOptions,
    /// Whether requests to other instruments are sent.
    pub(super) with_http: bool,
}

impl Subject {
    /// Checks the file, and refuses errors and requests to other instruments.
    pub(super) async fn load(args: &RehearseArgs, config: &Config) -> Result<Self, Failure> {
        let is_batch = is_batch(&args.file);
        let recipes = if is_batch {
            if !args.set.is_empty() {
                return Err(Failure::new(
                    ExitCode::Usage,
                    "`--set` is not allowed for a batch: its file contains the parameters",
                ));
            }
            let none = InstrumentArgs { instrument: Some("sim".to_owned()) };
            let batch = Batch::load(&args.file, &none, config).await?;
            if batch.tell(Severity::Error, false, false).0 > 0 {
                return Err(Failure::told(ExitCode::Usage));
            }
            let load = |task: &crate::batch::Task| task.load(&batch.folder);
            batch.tasks.iter().map(load).collect::<Result<Vec<_>, _>>().map_err(Failure::recipe)?
        } else {
            vec![Recipe::load(&args.file, &Given::texts(&args.set)).map_err(Failure::recipe)?]
        };
        let simulator = recipes.first().and_then(|recipe| recipe.header().simulator.clone());
        let may_stay_on = recipes.iter().any(|recipe| recipe.header().leave_lasers_on);
        for recipe in recipes {
            look_at(recipe, args.with_http, config).await?;
        }
        let options = super::super::choose::options(simulator)?;
        let options = SimulatorOptions {
            time_scale: options.time_scale.min(REHEARSAL_SCALE),
            // A measurement that is repeated after a fault is then identical.
            noise: Noise::BySettings,
            log: None,
            faults: Vec::new(),
            ..options
        };
        Ok(Self { is_batch, may_stay_on, options, with_http: args.with_http })
    }
}

/// A batch has `items`, a recipe never has. A file that cannot be read is reported as a recipe.
fn is_batch(file: &Path) -> bool {
    let is_script = file.extension().is_some_and(|extension| extension == "rhai");
    !is_script && PlainFile::load(file).is_ok_and(|plain| plain.names(&[]).iter().any(|name| name == "items"))
}

async fn look_at(recipe: Recipe, with_http: bool, config: &Config) -> Result<(), Failure> {
    let circumstances = Circumstances { simulated: true, attended: Some(false) };
    let order = RunRequest::new(
        recipe,
        String::new(),
        circumstances,
        &super::super::allowed(config),
        &Budget::default(),
    )
    .await;
    let all = order.walked.all();
    let http = all.iter().find(|planned| planned.step.operation.traits().request.is_some());
    if let Some(planned) = http.filter(|_| !with_http) {
        let message = format!(
            "`{}` ({}) would really be sent: other instruments are not simulated",
            planned.step.operation, planned.step.place
        );
        return Err(Failure::new(ExitCode::Usage, message)
            .hint("use `--with-http` if this request may be sent many times"));
    }
    let header = order.recipe.header();
    let real = order.named_instruments().into_iter().find(|name| !header.simulates(name));
    if let Some(name) = real {
        let message = format!("the recipe uses the instrument `{name}`, and a rehearsal reaches no real one");
        let hint = format!(
            "`simulator: {{ {name}: true }}` simulates a source-meter (smu), a switch or a thermostat"
        );
        return Err(Failure::new(ExitCode::Usage, message).hint(hint));
    }
    let findings = order.findings();
    let wrong: Vec<Diagnostic> =
        findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Failure::recipe(wrong)) }
}
