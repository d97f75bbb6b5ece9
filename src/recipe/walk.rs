//! Runs the steps of a YAML recipe against a host, in order.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::grid::TURNS;
use super::program::{Action, LoopSource, Operate, Statement, Turns, Until, keep_long_number};
use super::scope::STEPS;
use super::suspend::Suspender;
use super::template::{Template, Wrong};
use super::written::as_written;
use super::{Body, Recipe};
use crate::budget::{ALL_VALUES_BYTES, IDLE_TURNS, size};
use crate::declarations::bind;
use crate::measurement::Detector;
use crate::operation::{LimitSet, OnFail, Operation};
use crate::script::{Condition, Mistake, Performance, clock, view};
use crate::source::{Position, SourceFile};
use crate::step::align::{Coupling, OwnSteps};
use crate::step::{
    self, Fault, FaultKind, Host, LoopPoint, OnError, Outcome, Place, Step, StepOptions, Values,
};

/// Detectors by name.
type Detectors = BTreeMap<String, Detector>;

/// Largest number of characters of a wrong value in a message.
const SHOWN: usize = 200;

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

/// How a loop ends at a time of day that is not written in it.
const TIME_IN_A_VARIABLE: &str = "for a time of day in a variable, `set: { end_s: \"${next_time(end)}\" }` before the loop, and `until: \"${now() >= end_s}\"`";

/// The moment at which `until: "06:00"` ends a loop.
#[derive(Debug, Default)]
struct Ending {
    until_s: Option<f64>,
    /// The time after the turn before.
    last_s: f64,
}

impl Ending {
    fn begin(over: &LoopSource, host: &dyn Host) -> Result<Self, Fault> {
        let LoopSource::Until(Until::Time(text)) = over else { return Ok(Self::default()) };
        let last_s = host.now()?;
        let until_s = clock::next(last_s, text).map_err(|message| Fault::new(FaultKind::Recipe, message))?;
        Ok(Self { until_s: Some(until_s), last_s })
    }

    /// Whether the moment is still to come.
    fn is_ahead(&mut self, host: &dyn Host) -> Result<bool, Fault> {
        let now_s = host.now()?;
        // In a forecast, the time of a turn may be unknown. The forecast then makes one turn.
        let stands_still = host.forecast().is_some() && now_s <= self.last_s;
        self.last_s = now_s;
        Ok(!stands_still && self.until_s.is_some_and(|until_s| now_s < until_s))
    }
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
            (walk.steps(&program.steps, owed), Last::Steps(Box::new(walk), &program.finally))
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
                    first = first.and(ended);
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
                if self.flag("condition", condition)? {
                    self.steps(then, owed)
                } else {
                    self.steps(otherwise, owed)
                }
            }
            Action::Script { script, uses_steps } => {
                if *uses_steps {
                    self.report_use_of_measurement();
                }
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
                    self.fault(Wrong { at, message: error.message, hint: error.hint })
                })?;
                Condition::check(&read.0).map_err(|(name, Mistake { message, hint, .. })| {
                    let at = operate.fields.written.locate(&["poll".to_owned(), name.to_owned()], false);
                    self.fault(Wrong { at, message, hint })
                })?;
                read
            }
        };
        if read.1.on_error == OnError::NextTurn && self.loops.is_empty() {
            let message = "`on_error: next_turn` needs a loop around the step".to_owned();
            return Err(self.fault(Wrong { at: operate.fields.written.at, message, hint: None }));
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
        let outcome =
            self.host.perform(Step { operation, options: options.clone(), place: place.clone() })?;
        let outcome = options.unless_turn_ends(outcome)?;
        self.note(operate, place, &outcome);
        if stops { step::stop_unless_passed(&outcome) } else { Ok(()) }
    }

    /// Performs an alignment with its steps.
    fn align(
        &mut self,
        operate: &Operate,
        steps: Option<&'a [Statement]>,
        statement: &Statement,
        owed: &mut Owed<'a>,
    ) -> Result<(), Fault> {
        let (operation, options) = self.operation(operate)?;
        let Operation::Align(align) = operation else { return Ok(()) };
        let place = self.place(statement);
        self.coupling.may_align(&place).map_err(|message| {
            self.fault(Wrong { at: statement.at, message: message.to_owned(), hint: None })
        })?;
        self.aligning = steps;
        let outcome = self.with_coupling(steps, owed, |coupling, host, steps| {
            coupling.align(host, (align, options), place.clone(), steps)
        })?;
        self.note(operate, place, &outcome);
        Ok(())
    }

    fn align_again(&mut self, owed: &mut Owed<'a>) -> Result<(), Fault> {
        let steps = self.aligning;
        self.with_coupling(steps, owed, Coupling::align_again).map(drop)
    }

    /// Performs an alignment whose own steps are these.
    fn with_coupling(
        &mut self,
        steps: Option<&'a [Statement]>,
        owed: &mut Owed<'a>,
        perform: impl FnOnce(&mut Coupling, &dyn Host, Option<&mut OwnSteps<'_, Fault>>) -> Result<Outcome, Fault>,
    ) -> Result<Outcome, Fault> {
        let mut coupling = std::mem::replace(&mut self.coupling, Coupling::inside());
        let host = self.host;
        let ended = match steps {
            Some(steps) => {
                let mut own = |turn: LoopPoint| {
                    self.loops.push(turn);
                    let ended = self.steps(steps, owed);
                    self.loops.pop();
                    ended
                };
                perform(&mut coupling, &**host, Some(&mut own))
            }
            None => perform(&mut coupling, &**host, None),
        };
        self.coupling = coupling;
        ended
    }

    /// Notes the result of a step for later steps.
    fn note(&mut self, operate: &Operate, place: Place, outcome: &Outcome) {
        self.tally.turns.set(0);
        if let (Some(id), Some(Value::Object(steps))) = (&operate.id, self.variables.get_mut(STEPS)) {
            steps.insert(id.clone(), view(outcome));
            if let Outcome::Traces(traces) = outcome {
                self.note_fetch(id, place, traces.iter().map(|trace| trace.trace_index).collect());
            }
        }
    }

    /// The operation with the limits of its file, and with the numbers of the traces that it names by the id of their fetch. Traces of an earlier turn of
    /// a loop belong to another device, so they are not used.
    fn with_traces(&self, mut operation: Operation, limits: Option<&LimitSet>, place: &Place) -> Operation {
        if let Operation::Analyze(fields) = &mut operation {
            fields.judged_by = limits.cloned();
        }
        if let Operation::Analyze(fields) = &mut operation {
            if let Some(id) = &fields.trace {
                fields.traces = self.traces_of(id, place, fields.average);
            }
            if let Some(id) = &fields.minus {
                fields.minus_trace = self.traces_of(id, place, false).first().copied();
            }
        }
        operation
    }

    /// The traces of the last fetch with this id, or of all its turns.
    fn traces_of(&self, id: &str, place: &Place, all_turns: bool) -> Vec<u64> {
        let of_id = self.fetched.get(id).into_iter().flatten();
        let mut current: Vec<&Vec<u64>> =
            of_id.filter(|(fetch, _)| fetch.shares_turns_with(place)).map(|(_, traces)| traces).collect();
        if !all_turns {
            current = current.pop().into_iter().collect();
        }
        current.into_iter().flatten().copied().collect()
    }

    /// Fetches of another turn of an outer loop are forgotten.
    fn note_fetch(&mut self, id: &str, place: Place, traces: Vec<u64>) {
        let known = self.fetched.entry(id.to_owned()).or_default();
        let outer =
            Place { loops: place.loops[..place.loops.len().saturating_sub(1)].to_vec(), ..place.clone() };
        known.retain(|(fetch, _)| {
            fetch.loops.len() == place.loops.len() && fetch.shares_turns_with(&outer) && *fetch != place
        });
        if place.loops.is_empty() {
            known.clear();
        }
        known.push((place, traces));
    }

    fn repeat(
        &mut self,
        variable: &str,
        over: &'a LoopSource,
        steps: &'a [Statement],
        owed: &mut Owed<'a>,
        at: Position,
    ) -> Result<(), Fault> {
        self.heed(&over.templates());
        let templates = over.templates();
        let turns = self.at_time(&templates, || over.turns(&self.variables))?;
        let mut ending = Ending::begin(over, &**self.host)?;
        let count = match &turns {
            Turns::Values(values) => Some(values.len() as u64),
            Turns::Grid(grid) => Some(grid.count()),
            Turns::Times(times) => Some(*times),
            Turns::Open => None,
        };
        for index in 0.. {
            // A loop without an operation must also react to a stop, and must end.
            self.stop_if_wanted()?;
            self.count_turn(at)?;
            if count == Some(index) || !self.goes_on(over, index, &mut ending)? {
                break;
            }
            let value = match &turns {
                Turns::Values(values) => {
                    usize::try_from(index).ok().and_then(|at| values.get(at)).cloned().unwrap_or_default()
                }
                Turns::Grid(grid) => grid.point(index),
                Turns::Times(_) | Turns::Open => Value::Null,
            };
            if !variable.is_empty() {
                self.hold(variable, value.clone(), at)?;
            }
            self.loops.push(LoopPoint { name: variable.to_owned(), value, index, count });
            let ended = self.steps(steps, owed);
            self.loops.pop();
            self.let_go(variable);
            match ended {
                // A step has failed, and the recipe goes on with the next turn.
                Err(fault) if fault.kind == FaultKind::NextTurn => {}
                ended => ended?,
            }
        }
        Ok(())
    }

    fn stop_if_wanted(&self) -> Result<(), Fault> {
        match self.host.stopping() {
            true => Err(Fault::new(FaultKind::Stopped, "the run is being stopped")),
            false => Ok(()),
        }
    }

    fn count_turn(&self, at: Position) -> Result<(), Fault> {
        let turns = self.tally.turns.get() + 1;
        self.tally.turns.set(turns);
        if turns <= IDLE_TURNS {
            return Ok(());
        }
        let message = format!("loops have made {IDLE_TURNS} turns without an operation");
        Err(self.fault(Wrong { at, message, hint: None }))
    }

    /// Sets a variable, if the memory limit allows it.
    fn hold(&mut self, name: &str, value: Value, at: Position) -> Result<(), Fault> {
        self.let_go(name);
        let bytes = size(&value);
        let all = self.tally.bytes.get() + bytes;
        if all > ALL_VALUES_BYTES {
            let message = format!("the variables need more than {} MiB", ALL_VALUES_BYTES >> 20);
            return Err(self.fault(Wrong { at, message, hint: None }));
        }
        self.tally.bytes.set(all);
        self.held += bytes;
        self.variables.insert(name.to_owned(), value);
        Ok(())
    }

    fn let_go(&mut self, name: &str) {
        if let Some(value) = self.variables.remove(name) {
            // A parameter with the name of the loop variable was never counted.
            let bytes = size(&value).min(self.held);
            self.held -= bytes;
            self.tally.bytes.set(self.tally.bytes.get() - bytes);
        }
    }

    /// Whether another turn begins. `while` is checked before each turn, `until` after each turn; other loops have a known
    /// number of turns.
    fn goes_on(&self, over: &LoopSource, index: u64, ending: &mut Ending) -> Result<bool, Fault> {
        let (goes_on, at) = match over {
            LoopSource::While(condition) => (self.flag("while", condition)?, Some(condition.written.at)),
            LoopSource::Until(_) if index == 0 => (true, None),
            LoopSource::Until(Until::Condition(condition)) => {
                (!self.flag("until", condition)?, Some(condition.written.at))
            }
            LoopSource::Until(Until::Time(_)) => (ending.is_ahead(&**self.host)?, None),
            LoopSource::In(_) | LoopSource::Rows(_) | LoopSource::Grid(_) | LoopSource::Times(_) => {
                (true, None)
            }
        };
        match at.filter(|_| goes_on && index >= TURNS) {
            Some(at) => {
                let message = format!("the loop has not ended after {TURNS} turns");
                Err(self.fault(Wrong { at, message, hint: None }))
            }
            None => Ok(goes_on),
        }
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
                self.fault(Wrong { at: template.written.at, message: wrong.message, hint: wrong.hint })
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

    /// Evaluates a written value.
    fn value(&self, template: &Template) -> Result<Value, Fault> {
        self.heed(&[template]);
        self.at_time(&[template], || template.evaluate(&self.variables))
    }

    /// Evaluates expressions. If one of them asks for the time, the run records it, once for all of them.
    fn at_time<T>(
        &self,
        templates: &[&Template],
        evaluate: impl FnOnce() -> Result<T, Wrong>,
    ) -> Result<T, Fault> {
        let value = match templates.iter().any(|template| template.uses_clock()) {
            true => clock::at(self.host.now()?, evaluate),
            false => evaluate(),
        };
        value.map_err(|wrong| self.fault(wrong))
    }

    pub(super) fn flag(&self, what: &str, template: &Template) -> Result<bool, Fault> {
        match self.value(template)? {
            Value::Bool(flag) => Ok(flag),
            other => {
                let mut given = other.to_string();
                if given.chars().count() > SHOWN {
                    given = given.chars().take(SHOWN).chain(['…']).collect();
                }
                let message = format!("`{what}` must be true or false, not `{given}`");
                let hint = (what == "until").then(|| TIME_IN_A_VARIABLE.to_owned());
                Err(self.fault(Wrong { at: template.written.at, message, hint }))
            }
        }
    }

    /// Reports to a forecast if one of these expressions uses a measured value.
    fn heed(&self, templates: &[&Template]) {
        if templates.iter().any(|template| template.uses_steps()) {
            self.report_use_of_measurement();
        }
    }

    fn report_use_of_measurement(&self) {
        if let Some(forecast) = self.host.forecast() {
            forecast.uses_measurement();
        }
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
        Fault { hint: wrong.hint, ..fault }
    }
}

/// Numbers that a double cannot store exactly become texts in the columns of a trace. They come from replies and
/// tables of other instruments; in a recipe such a number is an error.
fn keep_long_numbers(fields: &mut Value) {
    if let Some(Value::Object(columns)) = fields.get_mut("columns") {
        columns.values_mut().for_each(keep_long_number);
    }
}
