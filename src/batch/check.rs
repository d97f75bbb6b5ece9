//! What is wrong, or probably wrong, with the items of a batch, and what they cost.

use std::path::Path;
use std::sync::Arc;

use super::expand::Task;
use crate::budget::Budget;
use crate::forecast::allowed::{self, Allowed};
use crate::forecast::{Circumstances, plan, taken_columns};
use crate::recipe::Recipe;
use crate::run::prepare;
use crate::source::{Diagnostic, Severity};

/// An item as it was looked at.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The recipe with its values; none where it is wrong.
    pub recipe: Option<Arc<Recipe>>,
    /// What was found.
    pub findings: Vec<Diagnostic>,
    /// Time foreseen, s.
    pub seconds: f64,
    /// Bytes foreseen.
    pub bytes: u64,
    /// The figures are those of its beginning, or may come out differently.
    pub uncertain: bool,
}

impl Checked {
    /// Whether it can be run.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Looks at one item as `ctp10 check` does. Its recipe is seen from `base`; `allowed` is what recipes may do at
/// the bench. All of it keeps to the budget.
pub async fn check(task: &Task, base: &Path, allowed: &Allowed, budget: &Budget) -> Checked {
    let (item, base) = (task.clone(), base.to_owned());
    let loaded = budget.run_on_thread(move || item.load(&base)).await;
    let loaded = loaded.unwrap_or_else(|gone| Err(vec![Diagnostic::error(gone.to_string())]));
    let recipe = match loaded {
        Ok(recipe) => Arc::new(recipe),
        Err(findings) => {
            return Checked { recipe: None, findings, seconds: 0.0, bytes: 0, uncertain: false };
        }
    };
    let simulated = recipe.header().is_simulated();
    // Whether a person comes by is known only where none is asked.
    let circumstances = Circumstances { simulated, attended: task.unattended.then_some(false) };
    let walked = prepare::walk(&recipe, circumstances, budget).await;
    let total = plan::total(&walked.steps);
    let mut findings: Vec<Diagnostic> =
        recipe.diagnostics().iter().chain(&walked.findings).cloned().collect();
    findings.extend(allowed::check(&recipe, &walked.all(), allowed));
    findings.extend(taken_columns(&task.column_values(&recipe), &recipe, &walked.steps));
    Checked {
        findings,
        seconds: total.seconds,
        bytes: total.bytes,
        uncertain: !walked.complete || total.may_differ || total.waits,
        recipe: Some(recipe),
    }
}
