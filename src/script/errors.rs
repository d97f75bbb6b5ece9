//! Errors of scripts and expressions, in the terms of recipes.

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType};

use super::bounds::{ARRAY_LENGTH, CALL_DEPTH, MAP_LENGTH, SWITCHED_OFF, TEXT_BYTES};
use super::types;
use crate::decode;
use crate::shown::counted;
use crate::source::{Position, advice};
use crate::step::{Fault, FaultKind};

/// How Rhai's names of functions without a name begin.
const ANONYMOUS: &str = "anon$";

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
        ParseErrorType::MismatchedType(expected, given) => {
            Mistake::new(format!("this must be {}, not {}", types::parsed(expected), types::parsed(given)))
        }
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
        EvalAltResult::ErrorMismatchDataType(expected, given, _)
        | EvalAltResult::ErrorMismatchOutputType(expected, given, _) => {
            Mistake::new(format!("this must be {}, not {}", types::one(&expected), types::one(&given)))
        }
        EvalAltResult::ErrorDotExpr(message, _) => {
            Mistake::new(types::no_property(&message).unwrap_or_else(|| first_lower(&message)))
        }
        EvalAltResult::ErrorIndexingType(given, _) => {
            let of = given.split_once(" [").map_or(given.as_str(), |(of, _)| of);
            Mistake::new(format!("{} has no elements", types::one(of)))
        }
        EvalAltResult::ErrorFor(_) => Mistake::new("`for` needs a list or a range"),
        EvalAltResult::ErrorArrayBounds(length, index, _) => outside("list", length, "element", index),
        EvalAltResult::ErrorStringBounds(length, index, _) => outside("text", length, "character", index),
        EvalAltResult::ErrorTooManyOperations(_) => Mistake::new("the expression takes too long"),
        EvalAltResult::ErrorStackOverflow(_) => {
            Mistake::new(format!("calls are nested too deeply (at most {CALL_DEPTH})"))
        }
        EvalAltResult::ErrorDataTooLarge(..) => Mistake::new("a value is too large").hint(Some(format!(
            "a text may have {TEXT_BYTES} bytes, a list {ARRAY_LENGTH} elements, a map {MAP_LENGTH} entries"
        ))),
        other => Mistake::new(first_lower(&other.to_string())),
    };
    Ending::Mistake(Mistake { position: at.or(mistake.position), ..mistake })
}

/// A list or a text without an element at an index.
fn outside(what: &str, length: usize, part: &str, index: i64) -> Mistake {
    Mistake::new(format!("there is no index {index} in a {what} of {}", counted(length, part)))
}

/// An unknown function, for example `swep (map)`: its name and the types of its arguments.
fn unknown_function(signature: &str, names: &[&str]) -> Mistake {
    // Rhai also reports in this way that a list cannot be sorted. Such a text has no arguments.
    let Some((name, given)) = signature.split_once(" (") else {
        return Mistake::new(
            "the elements of this list have no order: only texts, or only numbers, have one",
        );
    };
    let given = types::all(given.strip_suffix(')').unwrap_or(given));
    if name.starts_with(ANONYMOUS) {
        return Mistake::new(format!("this function does not accept {given}"));
    }
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
