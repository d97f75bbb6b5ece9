//! Errors and warnings about the items of a batch, and their cost.

use std::path::Path;
use std::sync::Arc;

use super::task::Task;
use super::times::contradiction;
use crate::budget::Budget;
use crate::forecast::allowed::{self, Allowed};
use crate::forecast::{Circumstances, plan, taken_columns};
use crate::recipe::Recipe;
use crate::run::prepare;
use crate::source::{Diagnostic, has_errors};

/// A checked item.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The recipe with its values; none if it has errors.
    pub recipe: Option<Arc<Recipe>>,
    /// The findings.
    pub findings: Vec<Diagnostic>,
    /// Estimated time, s.
    pub seconds: f64,
    /// Estimated bytes.
    pub bytes: u64,
    /// Whether the estimates cover only a part, or depend on measured values.
    pub uncertain: bool,
}

impl Checked {
    /// Whether the item can run.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        has_errors(&self.findings)
    }
}

/// Checks one item like `ctp10 check`. The path of its recipe is relative to `base`; `allowed` contains the limits of
/// the bench. The check stays within the budget.
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
    // Without `unattended`, it is unknown whether a person will be present.
    let circumstances = Circumstances { simulated, attended: task.unattended.then_some(false) };
    let walked = prepare::walk(&recipe, circumstances, budget).await;
    let total = plan::total(&walked.steps);
    let mut findings: Vec<Diagnostic> =
        recipe.diagnostics().iter().chain(&walked.findings).cloned().collect();
    findings.extend(allowed::check(&recipe, &walked.all(), allowed));
    findings.extend(contradiction(task.not_before, task.deadline).map(Diagnostic::error));
    findings.extend(taken_columns(&task.column_values(&recipe), &recipe, &walked.steps));
    Checked {
        findings,
        seconds: total.seconds,
        bytes: total.bytes,
        uncertain: !walked.complete || total.may_differ || total.waits,
        recipe: Some(recipe),
    }
}
