//! Starts the run of an item: reads the recipe again, and waits for an instrument that is unreachable or busy.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::patience;
use super::task::Task;
use super::work::{Worker, WorkerCommand};
use crate::budget::Budget;
use crate::catalogue::{BATCH, BATCH_ITEM, FLEET_BATCH, FLEET_ITEM, ItemRow};
use crate::forecast::Circumstances;
use crate::instrument::Presence;
use crate::run::RunRequest;
use crate::session::{BegunRun, Cut, NotStarted};
use crate::source::{Diagnostic, Severity};

/// Number of attempts to start a run while the connection fails. After that the item has failed.
const TRIES: u32 = 6;
/// Pause before the second attempt. It doubles four times.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest waiting time for an unreachable instrument.
const AWAY: Duration = Duration::from_secs(600);

/// The reason why a run was not started.
pub(super) enum NotBegun {
    /// The recipe has errors, so the run can never start.
    Never(String),
    /// A person has turned the lasers off or closed the connection.
    ByHand,
    /// The attempt has failed.
    Failed(String),
    /// The item waits for a person.
    Held(String),
    /// A person has already completed the run in this folder.
    DoneAlready(PathBuf),
    /// The item is tried again after a change.
    Later(String),
}

impl Worker {
    /// Starts the run; waits for an unreachable instrument.
    pub(super) async fn begin(
        &mut self,
        item: &ItemRow,
        task: &Task,
        cut: &mut Cut,
    ) -> Result<BegunRun, NotBegun> {
        let deadline = self.queue.window().deadline.into_iter().chain(item.deadline).min();
        let (began, mut tried) = (Instant::now(), 0);
        let mut last = String::new();
        while tried < TRIES {
            if !last.is_empty() {
                let pause = PAUSE * 2_u32.pow(tried.min(4));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = self.command.changed() => return Err(NotBegun::Later(last)),
                    () = cut.wanted() => return Err(NotBegun::ByHand),
                    () = patience::until(deadline) => return Err(NotBegun::Later(last)),
                }
            }
            let request = self.request(item, task).await?;
            let goes_on = request.resumed.is_some();
            let error = match self.session.begin(request, self.observer.begins(item, task), cut).await {
                Ok(entry) => return Ok(entry),
                Err(error @ NotStarted::OtherInstrument(_)) if goes_on => {
                    return Err(NotBegun::Held(error.message()));
                }
                Err(NotStarted::Recipe(findings)) => return Err(NotBegun::Never(wrong(&findings))),
                Err(error @ NotStarted::Held(_)) => return Err(NotBegun::Later(error.message())),
                Err(error @ (NotStarted::OtherInstrument(_) | NotStarted::Limits(_))) => {
                    return Err(NotBegun::Never(error.message()));
                }
                Err(error @ NotStarted::Store(_)) => return Err(NotBegun::Failed(error.message())),
                Err(error @ (NotStarted::Busy(_) | NotStarted::Instrument(_) | NotStarted::Named { .. })) => {
                    error
                }
            };
            last = error.message();
            let Some(patience_left) = AWAY.checked_sub(began.elapsed()) else { break };
            // A scan that another client has started ends without action.
            tried += u32::from(!matches!(error, NotStarted::Busy(_)));
            if *self.command.borrow() != WorkerCommand::Continue {
                return Err(NotBegun::Later(last));
            }
            tracing::warn!(item = item.number, reason = last, "its run cannot start yet");
            let mut presence = self.session.endpoint().instrument.presence();
            tokio::select! {
                _ = tokio::time::timeout(patience_left, presence.wait_for(|now| matches!(now, Presence::Here(_)))) => {}
                () = patience::until(deadline) => return Err(NotBegun::Later(last)),
                _ = self.command.changed() => return Err(NotBegun::Later(last)),
                () = cut.wanted() => return Err(NotBegun::ByHand),
            }
        }
        Err(NotBegun::Failed(last))
    }

    async fn request(&self, item: &ItemRow, task: &Task) -> Result<RunRequest, NotBegun> {
        let goes_on = match &item.unfinished {
            Some(folder) => self.go_on(folder, task).await?,
            None => None,
        };
        let mut request = match goes_on {
            Some(request) => request,
            None => self.anew(item.number, task).await?,
        };
        request.simulator.clone_from(&self.simulator);
        request.unattended = task.unattended;
        request.is_item = true;
        request.at_terminal = self.at_terminal && !task.unattended;
        Ok(request)
    }

    async fn anew(&self, number: u32, task: &Task) -> Result<RunRequest, NotBegun> {
        let (item, base) = (task.clone(), self.queue.folder().to_owned());
        let budget = Budget::default();
        let loaded = budget.run_on_thread(move || item.load(&base)).await;
        let recipe = match loaded {
            Ok(Ok(recipe)) => recipe,
            Ok(Err(findings)) => return Err(NotBegun::Never(wrong(&findings))),
            Err(gone) => return Err(NotBegun::Failed(gone.to_string())),
        };
        let simulated = self.session.identity().is_some_and(|identity| identity.simulated());
        let circumstances = Circumstances { simulated, attended: task.unattended.then_some(false) };
        let columns = task.column_values(&recipe);
        let allowed = &self.session.setup().allowed;
        let mut request = RunRequest::new(recipe, task.recipe.clone(), circumstances, allowed, &budget).await;
        request.columns = columns;
        request.metadata = task.metadata.clone();
        request.metadata.insert(BATCH.to_owned(), json!(self.queue.batch()));
        request.metadata.insert(BATCH_ITEM.to_owned(), json!(number));
        if let Some(fleet) = &task.fleet {
            request.metadata.insert(FLEET_BATCH.to_owned(), json!(fleet.batch));
            request.metadata.insert(FLEET_ITEM.to_owned(), json!(fleet.item));
        }
        request.fleet = task.fleet.clone();
        request.instrument_named = self.instrument_named;
        Ok(request)
    }
}

/// The errors of a recipe, in one line.
fn wrong(findings: &[Diagnostic]) -> String {
    let errors: Vec<&Diagnostic> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let Some(first) = errors.first() else { return "the recipe is wrong".to_owned() };
    let place =
        first.place.as_ref().map(|(source, at)| format!("{}:{}:{}: ", source.name, at.line, at.column));
    let more = if errors.len() > 1 { format!(" (and {} more)", errors.len() - 1) } else { String::new() };
    format!("{}{}{more}", place.unwrap_or_default(), first.message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::{Position, SourceFile};

    #[test]
    fn what_is_wrong_with_a_recipe_is_said_in_a_line_with_its_place() {
        let source = Arc::new(SourceFile { name: "a.yaml".to_owned(), text: "name: a".to_owned() });
        let first = Diagnostic::error("no `steps`").at(&source, Position { line: 1, column: 1 });
        let told = wrong(&[Diagnostic::warning("odd"), first, Diagnostic::error("worse")]);
        assert_eq!(told, "a.yaml:1:1: no `steps` (and 1 more)");
    }
}
