//! What somebody wants to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::budget::Budget;
use crate::forecast::allowed::{self, Allowed};
use crate::forecast::{Circumstances, Walk, taken_columns};
use crate::operation::Constant;
use crate::recipe::Recipe;
use crate::run::prepare;
use crate::run::status::RunStatus;
use crate::run::takeup::Resumption;
use crate::source::Diagnostic;
use crate::store::RunFolder;

/// A recipe to be run, and how.
#[derive(Debug)]
pub struct Order {
    /// The recipe with its parameters.
    pub recipe: Arc<Recipe>,
    /// Its path as it was given.
    pub path: String,
    /// Added to the recipe's metadata.
    pub metadata: BTreeMap<String, Value>,
    /// Columns for every trace file, beside the recipe's own.
    pub columns: BTreeMap<String, Constant>,
    /// Options of the embedded instrument, where this process started one.
    pub simulator: Option<Value>,
    /// Whoever wants it has named the instrument for this very run.
    pub instrument_named: bool,
    /// Nobody is to be asked.
    pub unattended: bool,
    /// Somebody is at the terminal.
    pub at_terminal: bool,
    /// The recipe as it was walked beforehand.
    pub walked: Walk,
    /// The run that is taken up again; `None` for a new one.
    pub resumed: Option<Resumed>,
}

/// An interrupted run, its folder claimed.
#[derive(Debug)]
pub struct Resumed {
    /// Its folder.
    pub folder: RunFolder,
    /// How far its past holds.
    pub resumption: Resumption,
    /// Its state as it was left.
    pub status: RunStatus,
}

impl Order {
    /// Why the recipe must not run on this instrument: it names another one. Nothing is simulated, and nothing is
    /// measured, by accident.
    pub(super) fn other_instrument(&self, name: &str, simulated: bool) -> Option<Diagnostic> {
        let wanted = self.recipe.header().instrument.as_deref().filter(|_| !self.instrument_named)?;
        let meant = if wanted == "sim" { simulated } else { same_address(wanted, name) };
        (!meant).then(|| {
            let message = format!("the recipe says `instrument: {wanted}`, and this is {name}");
            Diagnostic::error(message).hint(format!("name the instrument for this run: `{name}`"))
        })
    }

    /// An order for a recipe at a bench: walks it, so that what is wrong with it
    /// is known before any instrument is touched.
    pub async fn new(
        recipe: Recipe,
        path: String,
        circumstances: Circumstances,
        bench: &Allowed,
        budget: &Budget,
    ) -> Self {
        let recipe = Arc::new(recipe);
        let mut walked = prepare::walk(&recipe, circumstances, budget).await;
        walked.findings.extend(allowed::check(&recipe, &walked.all(), bench));
        Self {
            recipe,
            path,
            metadata: BTreeMap::new(),
            columns: BTreeMap::new(),
            simulator: None,
            instrument_named: false,
            unattended: false,
            at_terminal: false,
            walked,
            resumed: None,
        }
    }

    /// What was found in the recipe.
    #[must_use]
    pub fn findings(&self) -> Vec<Diagnostic> {
        let taken = taken_columns(&self.columns, &self.recipe, &self.walked.steps);
        self.recipe.diagnostics().iter().chain(&self.walked.findings).cloned().chain(taken).collect()
    }
}

fn same_address(one: &str, other: &str) -> bool {
    let parse = |text: &str| text.parse::<crate::instrument::Address>().ok();
    match (parse(one), parse(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}
