//! `ctp10 fleet submit`

use std::path::Path;

use super::built::{connect, failure};
use crate::app::batch::load::Batch;
use crate::app::store::{not_used, tell_pause};
use crate::app::uploads::PATIENCE;
use crate::batch::{OnFailure, Task};
use crate::cli::{BrokerArgs, InstrumentArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::fleet::{Bundle, Results, Submission, SubmitError, Submitted, accepted_results};
use crate::remote::{Objects, patiently};
use crate::shown::counted;
use crate::source::{Diagnostic, Severity};
use crate::terminal::output::outln;

/// Checks a batch and puts it into the queue.
pub(super) async fn submit(
    file: &Path,
    broker: &BrokerArgs,
    (strict, copies): (bool, u8),
    config: &Config,
    json: bool,
) -> Result<(), Failure> {
    let mut batch = Batch::load(file, &InstrumentArgs { instrument: None }, config).await?;
    batch.findings.extend(ignored(&batch));
    let (errors, warnings) = batch.tell(Severity::Warning, false, json);
    if errors > 0 || (strict && warnings > 0) {
        return Err(Failure::told(ExitCode::Usage));
    }
    let submission = submission(file, &batch, usize::from(copies));
    let results = results(&submission.name, config).await?;
    let broker = connect(broker, config).await?;
    let submitted =
        crate::fleet::submit(&broker, &submission, &results).await.map_err(|error| match &error {
            SubmitError::Broker(error) => failure(error),
            SubmitError::OtherContent { .. } | SubmitError::OtherResults { .. } => {
                Failure::new(ExitCode::Usage, chain(&error))
                    .hint("give the changed batch another `name`: a name stands for one content for ever")
            }
            SubmitError::TooLarge { .. } => Failure::new(ExitCode::Usage, chain(&error)),
            SubmitError::Entry { .. } | SubmitError::Json(_) => Failure::new(ExitCode::Failed, chain(&error))
                .hint("submit the batch again: items that are in the queue stay as they are"),
        })?;
    outln!("{}", told(&submission.name, submitted));
    Ok(())
}

/// The result of a submission in one line.
fn told(name: &str, Submitted { new, stored, known }: Submitted) -> String {
    if (new, stored) == (0, 0) {
        return format!("batch {name} is in the queue already, with {}", counted(known, "item"));
    }
    let stored = (stored > 0).then(|| format!("{stored} done, because the store has their results"));
    let known = (known > 0).then(|| format!("{known} known before"));
    let parts = [Some(format!("{} queued", counted(new, "item"))), stored, known];
    format!("batch {name}: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The results of the batch in the store of the configuration. Without a store there are none.
async fn results(batch: &str, config: &Config) -> Result<Results, Failure> {
    let Some(settings) = config.store.settings() else { return Ok(Results::new()) };
    let objects = Objects::open(&settings.address, settings.endpoint.as_deref()).map_err(not_used)?;
    let read = patiently(PATIENCE, tell_pause, async || accepted_results(&objects, batch).await).await;
    read.map_err(|error| {
        not_used(error).hint(
            "the batch was not submitted, because items with results in the store would be measured again",
        )
    })
}

fn submission(file: &Path, batch: &Batch, copies: usize) -> Submission {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut bundle = Bundle::default();
    let items = batch.tasks.iter().zip(&batch.checked).map(|(task, checked)| {
        // The same batch has the same content in every working folder.
        let path = Path::new(&task.recipe);
        let recipe = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        if let Some(found) = &checked.recipe {
            bundle.add(&recipe, found);
        }
        (Task { recipe, ..task.clone() }, checked.seconds, checked.bytes)
    });
    Submission {
        name: batch.name.clone(),
        file: file.display().to_string(),
        items: items.collect(),
        not_before: batch.not_before,
        deadline: batch.deadline,
        bundle,
        copies,
    }
}

/// What the queue of many benches cannot do.
fn ignored(batch: &Batch) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut ignore = |what: &str, why: &str| {
        found.push(Diagnostic::warning(format!("the fleet ignores `{what}`: {why}")));
    };
    if batch.most_failures.is_some() {
        ignore(
            "max_consecutive_failures",
            "an item that fails on two benches is held, and the others continue",
        );
    }
    if batch.notify.is_some() {
        ignore("notify", "no bench knows when the batch has ended; `ctp10 fleet status` shows it");
    }
    if batch.tasks.iter().any(|task| task.on_failure == OnFailure::Stop) {
        ignore("on_failure: stop", "benches that measure other items of the batch continue");
    }
    found
}
