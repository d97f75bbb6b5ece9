//! What is rehearsed: a recipe or a batch, looked at before anything runs.

use std::path::Path;

use crate::app::batch::load::Batch;
use crate::budget::Budget;
use crate::cli::{InstrumentArgs, RehearseArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure};
use crate::forecast::Circumstances;
use crate::operation::Operation;
use crate::recipe::{PlainFile, Recipe};
use crate::run::RunRequest;
use crate::simulator::{Noise, SimulatorOptions};
use crate::source::{Diagnostic, Severity};

/// Sweeps take a fiftieth of their time, at the most.
const TIME_SCALE: f64 = 0.02;

/// A recipe or batch, and what holds for all its rehearsals.
pub(super) struct Subject {
    pub(super) is_batch: bool,
    /// The recipe, or one of them, leaves lasers on when it succeeds.
    pub(super) may_stay_on: bool,
    pub(super) options: SimulatorOptions,
    /// Other instruments may be asked.
    pub(super) with_http: bool,
}

impl Subject {
    /// Looks at the file, and refuses what is wrong with it and what would reach beyond this computer.
    pub(super) async fn load(args: &RehearseArgs, config: &Config) -> Result<Self, Failure> {
        let is_batch = is_batch(&args.file);
        let recipes = if is_batch {
            if !args.set.is_empty() {
                return Err(Failure::new(
                    ExitCode::Usage,
                    "a batch has its parameters in its file: no `--set`",
                ));
            }
            let none = InstrumentArgs { instrument: Some("sim".to_owned()) };
            let batch = Batch::load(&args.file, &none, config).await?;
            if batch.tell(Severity::Error, false).0 > 0 {
                return Err(Failure::told(ExitCode::Usage));
            }
            let load = |task: &crate::batch::Task| task.load(&batch.folder);
            batch.tasks.iter().map(load).collect::<Result<Vec<_>, _>>().map_err(Failure::recipe)?
        } else {
            vec![Recipe::load(&args.file, &args.set).map_err(Failure::recipe)?]
        };
        let simulator = recipes.first().and_then(|recipe| recipe.header().simulator.clone());
        let may_stay_on = recipes.iter().any(|recipe| recipe.header().leave_lasers_on);
        for recipe in recipes {
            look_at(recipe, args.with_http, config).await?;
        }
        let options = super::super::choose::options(simulator)?;
        let options = SimulatorOptions {
            time_scale: options.time_scale.min(TIME_SCALE),
            // What is measured again after a fault is then the same as without it.
            noise: Noise::BySettings,
            log: None,
            faults: Vec::new(),
            ..options
        };
        Ok(Self { is_batch, may_stay_on, options, with_http: args.with_http })
    }
}

/// A batch has `items`, and a recipe never does. What cannot be read is told of as a recipe.
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
    let http = all.iter().find(|planned| matches!(planned.step.operation, Operation::Http(_)));
    if let Some(planned) = http.filter(|_| !with_http) {
        let message = format!(
            "`{}` ({}) would be carried out: other instruments are not simulated",
            planned.step.operation, planned.step.place
        );
        return Err(Failure::new(ExitCode::Usage, message)
            .hint("say `--with-http` where whatever answers there may be moved again and again"));
    }
    let findings = order.findings();
    let wrong: Vec<Diagnostic> =
        findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Failure::recipe(wrong)) }
}
