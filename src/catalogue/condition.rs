//! The conditions of `ctp10 runs --where` and `GET /runs?where=`: comparisons of columns with values, joined by `and`,
//! `or` and `not`. A condition becomes SQL only from fixed parts; everything that a user writes is a bound parameter.

mod columns;
mod parse;
mod sql;
#[cfg(test)]
mod tests;
mod words;

use std::str::FromStr;
use std::sync::Arc;

use super::values::Origin;
use crate::source::{Diagnostic, Position, SourceFile};

pub(super) use sql::Compiled;

/// Longest condition, characters. A condition may come from another computer.
const LONGEST: usize = 4_000;
/// Most comparisons in a condition.
const MOST_COMPARISONS: usize = 50;
/// Deepest nesting of parentheses and `not`.
const DEEPEST: usize = 50;

/// A condition on runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    source: Arc<SourceFile>,
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Comparison(Comparison),
}

/// A column, an operator and a value.
#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    name: Name,
    operator: Operator,
    value: Literal,
    /// Position of the value in the condition.
    value_at: usize,
}

/// The name of a column.
#[derive(Debug, Clone, PartialEq)]
struct Name {
    /// `parameter`, `metadata` or `column`, if it was given.
    origin: Option<Origin>,
    name: String,
    /// Position in the condition.
    at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

impl Operator {
    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Like => "like",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Text(String),
    Number(f64),
    Flag(bool),
}

impl Condition {
    /// Parses a condition. `name` says in messages where it was given.
    ///
    /// # Errors
    /// If the text is not a condition; the error has the position.
    pub fn parse(name: &str, text: &str) -> Result<Self, Box<Diagnostic>> {
        let source = Arc::new(SourceFile { name: name.to_owned(), text: text.to_owned() });
        match parse::condition(text) {
            Ok(root) => Ok(Self { source, root }),
            Err(wrong) => Err(wrong.within(&source)),
        }
    }
}

impl FromStr for Condition {
    type Err = Box<Diagnostic>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse("condition", text)
    }
}

/// What is wrong with a condition, and where: a column from 0.
#[derive(Debug, PartialEq)]
struct Wrong {
    at: usize,
    message: String,
    hint: Option<String>,
}

impl Wrong {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn within(self, source: &Arc<SourceFile>) -> Box<Diagnostic> {
        let before: String = source.text.chars().take(self.at).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let found = Diagnostic::error(self.message).at(source, Position { line, column });
        Box::new(match self.hint {
            Some(hint) => found.hint(hint),
            None => found,
        })
    }
}
