//! Runs the steps of a YAML recipe against a host, in order.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::mem::discriminant;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::program::{Action, Operate, Statement, keep_long_number};
use super::scope::STEPS;
use super::suspend::Suspender;
use super::template::{Template, Wrong};
use super::written::as_written;
use super::{Body, Recipe};
use crate::declarations::bind;
use crate::measurement::Detector;
use crate::operation::{OnFail, Operation};
use crate::script::{Condition, Mistake, Performance};
use crate::source::SourceFile;
use crate::step::align::Coupling;
use crate::step::{self, Fault, FaultKind, Host, LoopPoint, OnError, Place, Step, StepOptions, Values};

mod align;
mod fetches;
mod turns;
mod values;

/// Detectors by name.
type Detectors = BTreeMap<String, Detector>;

/// A running recipe: its variables and its surroundings.
pub(super) struct Walk<'a> {
    /// The names of detectors that its steps may use.
    detectors: &'a Detectors,
    /// The text that contains the steps.
    source: &'a SourceFile,
    host: &'a Arc<dyn Host>,
    variables: Values,
    /// The path to this recipe from the outermost one; if it is not empty, it ends with a dot.
    prefix: String,
    loops: Vec<LoopPoint>,
    tally: Rc<Tally>,
    /// The fetches by id: the last one, and those of the same loop before it.
    fetched: BTreeMap<String, Vec<(Place, Vec<u64>)>>,
    /// The alignments so far.
    coupling: Coupling,
    /// The steps of the last alignment.
    aligning: Option<&'a [Statement]>,
    /// The share of `set` and of the loops in the tally.
    held: usize,
}

/// The computing time and the memory that a recipe and its inner recipes have used.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Turns of loops since the last operation.
    turns: Cell<u64>,
    /// Bytes of all values.
    bytes: Cell<usize>,
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.tally.bytes.set(self.tally.bytes.get().saturating_sub(self.held));
    }
}

/// The remaining work of a recipe after its steps, with any result.
enum Last<'a> {
    Steps(Box<Walk<'a>>, &'a [Statement]),
    Script(Box<Performance>),
}

/// The `finally` steps of inner recipes that a stop prevented. They run with the outermost `finally`.
type Owed<'a> = Vec<Last<'a>>;

/// Performs a recipe and, always, its `finally`. Returns the first fault.
pub(super) fn perform(recipe: &Recipe, host: Arc<dyn Host>) -> Result<(), Fault> {
    match &recipe.suspension {
        Some(rule) => {
            let suspender = Arc::new(Suspender::new(Arc::clone(rule), recipe, host));
            let host: Arc<dyn Host> = suspender.clone();
            perform_on(recipe, &host, || suspender.judge_last())
        }
        None => perform_on(recipe, &host, || Ok(())),
    }
}

/// `then` runs after the steps, if they succeeded, and before `finally`.
fn perform_on(
    recipe: &Recipe,
    host: &Arc<dyn Host>,
    then: impl FnOnce() -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut owed = Owed::new();
    let tally = Rc::<Tally>::default();
    let parameters = recipe.parameters().clone();
    let (ended, last) = begin(recipe, parameters, (String::new(), Vec::new()), tally, host, &mut owed);
    let ended = ended.and_then(|()| then());
    host.begin_finally();
    // The innermost recipe first, as without the stop.
    let endings = owed.into_iter().chain([last]);
    endings.fold(ended, |first, mut last| first.and(last.perform(host, &mut Owed::new())))
}

fn begin<'a>(
    recipe: &'a Recipe,
    mut variables: Values,
    (prefix, loops): (String, Vec<LoopPoint>),
    tally: Rc<Tally>,
    host: &'a Arc<dyn Host>,
    owed: &mut Owed<'a>,
) -> (Result<(), Fault>, Last<'a>) {
    match &recipe.body {
        Body::Script(script) => {
            let performance = script.as_recipe(&variables, prefix.trim_end_matches('.'), loops);
            (performance.perform(host), Last::Script(Box::new(performance)))
        }
        Body::Yaml(program) => {
            variables.insert(STEPS.to_owned(), Value::Object(serde_json::Map::new()));
            let (detectors, source) = (&recipe.header().detectors, &recipe.sources()[0]);
            let mut walk = Walk {
                detectors,
                source,
                host,
                variables,
                prefix,
                loops,
                tally,
                fetched: BTreeMap::new(),
                coupling: Coupling::default(),
                aligning: None,
                held: 0,
            };
            let ended = walk.steps(&program.steps, owed);
            (host.settle().and(ended), Last::Steps(Box::new(walk), &program.finally))
        }
    }
}

impl<'a> Last<'a> {
    /// Runs every step, even if an earlier one fails: a laser that cannot be reached must not keep the next laser on.
    fn perform(&mut self, host: &Arc<dyn Host>, owed: &mut Owed<'a>) -> Result<(), Fault> {
        match self {
            Self::Script(performance) => performance.perform_finally(host),
            Self::Steps(walk, finally) => {
                let mut first = Ok(());
                for statement in *finally {
                    let ended = walk.statement(statement, owed);
                    first = first.and(host.settle().and(ended));
                }
                first
            }
        }
    }
}

impl<'a> Walk<'a> {
    /// A walk through steps of `suspend_when`, which may use the recipe's `parameters` and `detectors`. The steps get the
    /// loop turns of the recipe's current step.
    pub(super) fn of_suspension(
        (parameters, detectors): (&Values, &'a Detectors),
        source: &'a SourceFile,
        host: &'a Arc<dyn Host>,
        loops: Vec<LoopPoint>,
    ) -> Self {
        let mut variables = parameters.clone();
        variables.insert(STEPS.to_owned(), Value::Object(serde_json::Map::new()));
        let (prefix, tally) = (String::new(), Rc::default());
        let (fetched, coupling) = (BTreeMap::new(), Coupling::default());
        let aligning = None;
        Self {
            detectors,
            source,
            host,
            variables,
            prefix,
            loops,
            tally,
            fetched,
            coupling,
            aligning,
            held: 0,
        }
    }

    /// Performs the steps of a probe.
    pub(super) fn probe(&mut self, steps: &'a [Statement]) -> Result<(), Fault> {
        // If a stop skips the `finally` of an inner recipe here, it stays undone: the run turns the lasers off anyway.
        self.steps(steps, &mut Owed::new())
    }

    fn steps(&mut self, steps: &'a [Statement], owed: &mut Owed<'a>) -> Result<(), Fault> {
        steps.iter().try_for_each(|statement| self.statement(statement, owed))
    }

    fn statement(&mut self, statement: &'a Statement, owed: &mut Owed<'a>) -> Result<(), Fault> {
        self.stop_if_wanted()?;
        match &statement.action {
            Action::Operate(operate) => self.operate(operate, statement, owed),
            Action::Align { operate, steps } => self.align(operate, steps.as_deref(), statement, owed),
            Action::Set(names) => {
                for (key, template) in names {
                    let value = self.value(template)?;
                    self.hold(&key.name, value, template.written.at)?;
                }
                Ok(())
            }
            Action::Repeat { variable, over, steps } => {
                self.repeat(variable, over, steps, owed, statement.at)
            }
            Action::If { condition, then, otherwise } => {
                let holds = self.flag("condition", condition)?;
                let (taken, other) = if holds { (then, otherwise) } else { (otherwise, then) };
                if condition.uses_steps() || condition.uses_clock() {
                    self.forecast_branch(other);
                }
                self.steps(taken, owed)
            }
            Action::Script { script, uses_steps } => {
                if *uses_steps {
                    self.report_use_of_measurement();
                }
                self.host.settle()?;
                let path = format!("{}{}.script", self.prefix, statement.path);
                script.perform_as_step(&self.variables, self.detectors, &path, self.loops.clone(), self.host)
            }
            Action::RunRecipe { recipe, set } => self.run_recipe(recipe, set, statement, owed),
        }
    }

    /// The operation and the options of a step, with the values of its expressions.
    fn operation(&self, operate: &Operate) -> Result<(Operation, StepOptions), Fault> {
        let read = match &operate.ready {
            Some(ready) => ready.clone(),
            None => {
                let mut fields = self.value(&operate.fields)?;
                keep_long_numbers(&mut fields);
                let fields = as_written(&operate.name, &fields, &operate.fields.written);
                let read = step::read(&operate.name, &fields, self.detectors);
                let read = read.map_err(|error| {
                    let at = operate.fields.written.locate(&error.path, error.at_key);
                    let part = Some(operate.fields.part(&error.path)).filter(|_| error.wrong_type);
                    let wrong = Wrong::new(at, error.message.clone()).hint(error.hint.clone());
                    self.fault(wrong.of_type(part, error.part_of(&fields)))
                })?;
                Condition::check(&read.0).map_err(|(name, Mistake { message, hint, .. })| {
                    let at = operate.fields.written.locate(&["poll".to_owned(), name.to_owned()], false);
                    self.fault(Wrong::new(at, message).hint(hint))
                })?;
                read
            }
        };
        if read.1.on_error == OnError::NextTurn && self.loops.is_empty() {
            let message = "`on_error: next_turn` needs a loop around the step".to_owned();
            return Err(self.fault(Wrong::new(operate.fields.written.at, message)));
        }
        Ok(read)
    }

    fn operate(
        &mut self,
        operate: &Operate,
        statement: &'a Statement,
        owed: &mut Owed<'a>,
    ) -> Result<(), Fault> {
        let (operation, options) = self.operation(operate)?;
        let place = self.place(statement);
        let mut operation = self.with_traces(operation, operate.limits.as_deref(), &place);
        if let Operation::FetchTrace(fetch) = &mut operation {
            self.coupling.add_columns(fetch, &place);
        }
        while self.coupling.is_doubtful(&**self.host, &operation, &place) {
            self.align_again(owed)?;
        }
        let stops = operation.traits().analysis.is_some_and(|fields| fields.on_fail == OnFail::Stop);
        let step = Step { operation, options: options.clone(), place: place.clone() };
        let decides = options.id.is_some() || options.on_error == OnError::NextTurn;
        self.tally.turns.set(0);
        if !decides && step.is_quick_reading() {
            return self.host.perform_later(step);
        }
        let outcome = options.unless_turn_ends(self.host.perform(step)?)?;
        self.note(operate, place, &outcome);
        if stops { step::stop_unless_passed(&outcome) } else { Ok(()) }
    }

    fn run_recipe(
        &mut self,
        recipe: &'a Recipe,
        set: &'a [(super::document::Key, Template)],
        statement: &Statement,
        owed: &mut Owed<'a>,
    ) -> Result<(), Fault> {
        let mut values = recipe.parameters().clone();
        for (key, template) in set {
            let value = self.value(template)?;
            let one = [(key.name.clone(), value)].into();
            let bound = bind(&recipe.header().parameters, &one).map_err(|mut wrong| {
                let wrong = wrong.swap_remove(0);
                let default = recipe.header().parameters.get(&key.name).map(|known| &known.default);
                let is_other =
                    default.is_some_and(|default| discriminant(default) != discriminant(&one[&key.name]));
                let of_type = Some(template).filter(|_| is_other);
                let given = Wrong::new(template.written.at, wrong.message).hint(wrong.hint);
                self.fault(given.of_type(of_type, &one[&key.name]))
            })?;
            values.extend(bound.into_iter().filter(|(name, _)| *name == key.name));
        }
        let prefix = format!("{}{}.run_recipe.", self.prefix, statement.path);
        let (around, tally) = ((prefix, self.loops.clone()), Rc::clone(&self.tally));
        let (ended, mut last) = begin(recipe, values, around, tally, self.host, owed);
        let cleaned = if self.host.stopping() { Ok(()) } else { last.perform(self.host, owed) };
        // A stop came before or during these steps: they run (again) when stops are ignored.
        if self.host.stopping() {
            owed.push(last);
        }
        ended.and(cleaned)
    }

    fn place(&self, statement: &Statement) -> Place {
        Place {
            file: self.source.name.clone(),
            position: Some(statement.at),
            path: format!("{}{}", self.prefix, statement.path),
            loops: self.loops.clone(),
        }
    }

    fn fault(&self, wrong: Wrong) -> Fault {
        let fault = Fault::new(FaultKind::Recipe, wrong.message).at(&self.source.name, wrong.at);
        Fault { hint: wrong.hint, wrong_type: wrong.wrong_type, ..fault }
    }
}

/// Numbers that a double cannot store exactly become texts in the columns of a trace. They come from replies and
/// tables of other instruments; in a recipe such a number is an error.
fn keep_long_numbers(fields: &mut Value) {
    if let Some(Value::Object(columns)) = fields.get_mut("columns") {
        columns.values_mut().for_each(keep_long_number);
    }
}

#[cfg(test)]
mod tests;
