//! Scripts in Rhai: as recipes, as steps of a YAML recipe, and as expressions in one.
//!
//! A script can call every operation as a function. It has no other access to the outside: no file, no network, no
//! process, no clock except the recorded time, no `import`. Its depth, its size, and its computing between two operations are
//! bounded.
//!
//! A script that is a recipe runs twice. When it is loaded, it runs up to its first operation (or `now()`) to collect
//! its declarations. When it is performed, it runs completely.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope};

use serde_json::Value;

use crate::budget::Budget;
use crate::declarations::{Given, Header};
use crate::decode;
use crate::measurement::Detector;
use crate::operation::Operation;
use crate::source::{Diagnostic, Position, SourceFile};
use crate::step::{Fault, Host, LoopPoint, Values};

mod align;
mod bounded_figure;
mod bounds;
mod braces;
pub(crate) mod clock;
mod condition;
mod context;
mod declarations;
mod engine;
mod errors;
mod expression;
mod host;
mod memory;
mod operations;
mod outcome;
mod trace;
mod types;
mod values;

#[cfg(test)]
mod tests;

use context::{Context, EndOfDeclarations, Phase, lock};
use errors::Ending;

pub(crate) use braces::{bare, closing_brace, skip};
pub(crate) use condition::{Condition, POLL_CONDITIONS, variables as condition_variables};
pub(crate) use errors::Mistake;
pub(crate) use expression::{Expression, is_free_word};
pub use outcome::{ResultFields, fields, view};
pub use values::print;

/// The position of a script's text.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The file with the script.
    source: Arc<SourceFile>,
    /// Where the text begins in the file. The indentation of the text applies to every line.
    start: Position,
    /// The path from the root of the recipe; empty for a script that is a recipe.
    path: String,
}

impl Origin {
    /// A script with its own file.
    pub(crate) fn file(source: &Arc<SourceFile>) -> Self {
        Self::within(source, Position { line: 1, column: 1 })
    }

    /// A script within a file, from `start` on.
    pub(crate) fn within(source: &Arc<SourceFile>, start: Position) -> Self {
        Self { source: Arc::clone(source), start, path: String::new() }
    }

    /// Converts a position in the text to a position in the file.
    fn shift(&self, at: Position) -> Position {
        Position {
            line: (at.line + self.start.line).saturating_sub(1),
            column: (at.column + self.start.column).saturating_sub(1),
        }
    }

    fn diagnostic(&self, mistake: Mistake) -> Diagnostic {
        let at = mistake.position.map_or(self.start, |at| self.shift(at));
        let diagnostic = Diagnostic::error(mistake.message).at(&self.source, at);
        Diagnostic { hint: mistake.hint, ..diagnostic }
    }

    fn fault(&self, ending: Ending) -> Fault {
        match ending {
            Ending::Fault(fault) => fault,
            Ending::Mistake(mistake) => {
                let position = Some(mistake.position.map_or(self.start, |at| self.shift(at)));
                errors::fault(Mistake { position, ..mistake }, &self.source.name)
            }
        }
    }
}

/// The declarations of a script that is a recipe.
#[derive(Debug)]
pub(crate) struct Declarations {
    pub(crate) header: Header,
    /// The values of its parameters.
    pub(crate) values: Values,
    /// The `suspend_when` condition and its position.
    pub(crate) suspend_when: Option<(Value, Position)>,
}

/// A compiled script.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    origin: Origin,
    ast: AST,
}

impl Script {
    /// Compiles a script that may use the constants `names`.
    ///
    /// # Errors
    /// A syntax error or an unknown variable, with its position.
    pub(crate) fn compile(text: &str, origin: Origin, names: &[&str]) -> Result<Self, Diagnostic> {
        let mut scope = Scope::new();
        for name in names {
            scope.push_constant(*name, ());
        }
        match engine::bounded().compile_with_scope(&scope, text) {
            Ok(ast) => Ok(Self { origin, ast }),
            Err(error) => Err(origin.diagnostic(errors::compile_error(&error, names))),
        }
    }

    /// Collects the declarations: runs the script without a host up to its first operation.
    ///
    /// # Errors
    /// Any error before the first operation; a script without `recipe(#{…})`; values for unknown parameters.
    pub(crate) fn declarations(
        &self,
        given: &BTreeMap<String, Given>,
    ) -> Result<Declarations, Vec<Diagnostic>> {
        let performance = Performance::new(self, Phase::Declaring, given.clone(), Vec::new());
        let declare = || performance.body(&mut Scope::new());
        let ran = Budget::here().spend(|| host::on_deep_stack(declare));
        let ended = ran.unwrap_or_else(|fault| Err(Ending::Fault(fault)));
        let ended = ended.map_err(|ending| match ending {
            Ending::Mistake(mistake) => vec![self.origin.diagnostic(mistake)],
            Ending::Fault(fault) => vec![Diagnostic { hint: fault.hint, ..Diagnostic::error(fault.message) }],
        });
        ended?;
        let mut declared = lock(&performance.context.declared);
        let Some(header) = declared.header.take() else {
            return Err(vec![
                Diagnostic::error("the script must call `recipe(#{ name: … })` before its first operation")
                    .at(&self.origin.source, self.origin.start)
                    .hint("recipe(#{ name: \"find-resonance\" });"),
            ]);
        };
        let known = || header.parameters.keys().map(String::as_str);
        let unknown = given.keys().filter(|name| !header.parameters.contains_key(*name));
        let unknown: Vec<Diagnostic> = unknown
            .map(|name| {
                Diagnostic::error(format!("the recipe has no parameter `{name}`"))
                    .hint(decode::suggestion(name, known().collect::<Vec<_>>()))
            })
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let (values, suspend_when) = (std::mem::take(&mut declared.values), declared.suspend_when.take());
        Ok(Declarations { header, values, suspend_when })
    }

    /// Prepares a script that is a recipe, with `values` for its parameters.
    pub(crate) fn as_recipe(&self, values: &Values, path: &str, loops: Vec<LoopPoint>) -> Performance {
        let given = values.iter().map(|(name, value)| (name.clone(), Given::Value(value.clone())));
        Performance::new(&self.at(path), Phase::Opening, given.collect(), loops)
    }

    /// The same script with another path.
    fn at(&self, path: &str) -> Self {
        let origin = Origin { path: path.to_owned(), ..self.origin.clone() };
        Self { origin, ast: self.ast.clone() }
    }

    /// Performs a script that is a step of a YAML recipe, with `constants` as variables.
    ///
    /// # Errors
    /// The fault that ended the script.
    pub(crate) fn perform_as_step(
        &self,
        constants: &Values,
        detectors: &BTreeMap<String, Detector>,
        path: &str,
        loops: Vec<LoopPoint>,
        host: &Arc<dyn Host>,
    ) -> Result<(), Fault> {
        let performance = Performance::new(&self.at(path), Phase::Step, BTreeMap::new(), loops);
        lock(&performance.context.detectors).clone_from(detectors);
        let mut scope = Scope::new();
        for (name, value) in constants {
            scope.push_constant_dynamic(name.as_str(), values::to_dynamic(value));
        }
        performance.run(host, || performance.body(&mut scope))
    }
}

/// One performance of a script: its body, then its `finally` functions.
pub(crate) struct Performance {
    engine: Engine,
    ast: AST,
    context: Arc<Context>,
}

impl Performance {
    fn new(script: &Script, phase: Phase, given: BTreeMap<String, Given>, loops: Vec<LoopPoint>) -> Self {
        let context = Arc::new(Context::new(script.origin.clone(), phase, loops));
        lock(&context.declared).given = given;
        let mut engine = engine::bounded();
        context.limit_computing(&mut engine);
        memory::limit(&mut engine);
        if phase == Phase::Declaring {
            // Output is printed only once, when the script is performed.
            engine.on_print(|_| {}).on_debug(|_, _, _| {});
        }
        operations::register(&mut engine, &context);
        declarations::register(&mut engine, &context);
        trace::register(&mut engine);
        Self { engine, ast: script.ast.clone(), context }
    }

    /// Performs the body.
    ///
    /// # Errors
    /// The fault that ended the body.
    pub(crate) fn perform(&self, host: &Arc<dyn Host>) -> Result<(), Fault> {
        self.run(host, || self.body(&mut Scope::new()))
    }

    /// Calls all functions declared with `finally`, in order.
    ///
    /// # Errors
    /// The first fault.
    pub(crate) fn perform_finally(&self, host: &Arc<dyn Host>) -> Result<(), Fault> {
        *lock(&self.context.phase) = Phase::Performing;
        let closures = lock(&self.context.declared).finally.clone();
        let mut first = Ok(());
        for closure in closures {
            self.context.reset_computed();
            let ended = self
                .run(host, || self.explained(closure.call::<Dynamic>(&self.engine, &self.ast, ()).map(drop)));
            first = first.and(ended);
        }
        first
    }

    fn run(
        &self,
        host: &Arc<dyn Host>,
        part: impl FnOnce() -> Result<(), Ending> + Send,
    ) -> Result<(), Fault> {
        self.context.host.run(host, part)?.map_err(|ending| self.context.origin.fault(ending))
    }

    fn body(&self, scope: &mut Scope) -> Result<(), Ending> {
        self.explained(self.engine.run_ast_with_scope(scope, &self.ast))
    }

    fn explained(&self, ended: Result<(), Box<EvalAltResult>>) -> Result<(), Ending> {
        match ended {
            Ok(()) => Ok(()),
            Err(error) if ends_declarations(&error) => Ok(()),
            Err(error) => {
                let names: Vec<&str> = Operation::NAMES.iter().copied().chain(operations::OTHERS).collect();
                Err(errors::evaluation_error(*error, &names))
            }
        }
    }
}

fn ends_declarations(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorTerminated(token, _) => token.is::<EndOfDeclarations>(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => ends_declarations(inner),
        _ => false,
    }
}
