//! Errors of scripts and expressions, in the terms of recipes.

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType};

use super::bounds::{ARRAY_LENGTH, CALL_DEPTH, MAP_LENGTH, SWITCHED_OFF, TEXT_BYTES};
use crate::decode;
use crate::source::{Position, advice};
use crate::step::{Fault, FaultKind};

/// An error in a script, with its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Line and column in the text of the script.
    pub(crate) position: Option<Position>,
    /// Whether a value has a type that is never allowed there.
    pub(crate) wrong_type: bool,
}

/// Why a script or an expression ended early.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    /// The script is wrong.
    Mistake(Mistake),
    /// A step failed, or the run is being stopped.
    Fault(Fault),
}

impl Mistake {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, position: None, wrong_type: false }
    }

    pub(super) fn hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }
}

pub(super) fn position(at: rhai::Position) -> Option<Position> {
    Some(Position { line: at.line()?, column: at.position().unwrap_or(1) })
}

/// Explains an error of compilation. `names` are the known variables, for suggestions.
pub(super) fn compile_error(error: &ParseError, names: &[&str]) -> Mistake {
    Mistake { position: position(error.position()), ..parse_error(error.err_type(), names) }
}

fn parse_error(error: &ParseErrorType, names: &[&str]) -> Mistake {
    match error {
        ParseErrorType::VariableUndefined(name) => unknown_variable(name, names),
        ParseErrorType::Reserved(word) => reserved(word),
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) => reserved(word),
        ParseErrorType::BadInput(LexError::UnexpectedInput(word)) => {
            let pasted = word.chars().next().and_then(advice);
            Mistake::new(pasted.unwrap_or_else(|| first_lower(&error.to_string())))
        }
        ParseErrorType::UnknownOperator(operator) if operator == "?" => {
            Mistake::new("there is no operator `?`").hint(Some("write `if a { b } else { c }`"))
        }
        ParseErrorType::BadInput(LexError::MalformedChar(text)) => {
            Mistake::new(format!("`'{text}'` is not a text"))
                .hint(Some(format!("write \"{text}\" or `{text}`")))
        }
        ParseErrorType::UnexpectedEOF => Mistake::new("the text ends too early"),
        ParseErrorType::ExprTooDeep => Mistake::new("the expression is nested too deeply"),
        other => Mistake::new(first_lower(&other.to_string())),
    }
}

fn unknown_variable(name: &str, names: &[&str]) -> Mistake {
    Mistake::new(format!("unknown variable `{name}`"))
        .hint(decode::nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?")))
}

pub(super) fn reserved(word: &str) -> Mistake {
    match SWITCHED_OFF.iter().find(|(off, _)| *off == word) {
        Some((_, instead)) => {
            Mistake::new(format!("`{word}` is not available in a recipe")).hint(Some(*instead))
        }
        None => Mistake::new(format!("`{word}` is not allowed here")),
    }
}

/// Explains an error of evaluation. `names` are the known functions, for suggestions.
pub(super) fn evaluation_error(mut error: EvalAltResult, names: &[&str]) -> Ending {
    // The innermost error has the position; the outer errors only name the functions.
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
        error = *inner;
    }
    let at = position(error.take_position());
    let mistake = match error {
        EvalAltResult::ErrorTerminated(token, _) | EvalAltResult::ErrorRuntime(token, _)
            if token.is::<Fault>() =>
        {
            return Ending::Fault(token.cast::<Fault>());
        }
        EvalAltResult::ErrorRuntime(token, _) => match token.clone().try_cast::<Mistake>() {
            Some(mistake) => mistake,
            None => Mistake::new(token.to_string()),
        },
        EvalAltResult::ErrorParsing(parse, _) => parse_error(&parse, &[]),
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(&name, &[]),
        EvalAltResult::ErrorPropertyNotFound(name, _) => Mistake::new(format!("it contains no `{name}`")),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            Mistake { wrong_type: true, ..unknown_function(&signature, names) }
        }
        EvalAltResult::ErrorTooManyOperations(_) => Mistake::new("the expression takes too long"),
        EvalAltResult::ErrorStackOverflow(_) => {
            Mistake::new(format!("calls are nested too deeply (at most {CALL_DEPTH})"))
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => Mistake::new(format!(
            "too large: {}",
            first_lower(&what)
        ))
        .hint(Some(format!(
            "a text may have {TEXT_BYTES} bytes, an array {ARRAY_LENGTH} elements, a map {MAP_LENGTH} entries"
        ))),
        other => Mistake::new(first_lower(&other.to_string())),
    };
    Ending::Mistake(Mistake { position: at.or(mistake.position), ..mistake })
}

/// An unknown function, for example `swep (map)`: its name and the types of its arguments.
fn unknown_function(signature: &str, names: &[&str]) -> Mistake {
    let (name, given) = signature.split_once(" (").unwrap_or((signature, ")"));
    let given = given.trim_end_matches(')');
    let given = if given.is_empty() { "no arguments".to_owned() } else { format!("({given})") };
    if names.contains(&name) {
        return Mistake::new(format!("`{name}` does not accept {given}"));
    }
    Mistake::new(format!("there is no function `{name}` that accepts {given}"))
        .hint(decode::nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?")))
}

/// The fault for a mistake that occurs while a recipe runs.
pub(super) fn fault(mistake: Mistake, file: &str) -> Fault {
    let fault = Fault::new(FaultKind::Recipe, mistake.message);
    let fault = match mistake.position {
        Some(position) => fault.at(file, position),
        None => fault,
    };
    Fault { hint: mistake.hint, ..fault }
}

fn first_lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
