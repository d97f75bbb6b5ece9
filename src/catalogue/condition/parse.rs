//! Parses a condition: `or` binds weaker than `and`, and `and` weaker than `not`.

use super::words::{Word, words};
use super::{Comparison, DEEPEST, LONGEST, Literal, MOST_COMPARISONS, Name, Node, Operator, Wrong};
use crate::catalogue::values::Origin;

pub(super) fn condition(text: &str) -> Result<Node, Wrong> {
    let length = text.chars().count();
    if length > LONGEST {
        return Err(Wrong::new(
            0,
            format!("the condition has {length} characters, and {LONGEST} are allowed"),
        ));
    }
    let words = words(text)?;
    if words.is_empty() {
        return Err(
            Wrong::new(0, "the condition is empty").hint("for example: wafer = 'W12' and verdict = 'fail'")
        );
    }
    let mut parser = Parser { words, next: 0, end: length, comparisons: 0, depth: 0 };
    let root = parser.any()?;
    match parser.peek() {
        None => Ok(root),
        Some(Word::Close) => Err(Wrong::new(parser.at(), "`)` has no `(`")),
        Some(word) => {
            let shown = word.shown();
            Err(Wrong::new(parser.at(), format!("expected `and` or `or`, got {shown}")))
        }
    }
}

struct Parser {
    words: Vec<(usize, Word)>,
    next: usize,
    /// The position after the last character.
    end: usize,
    comparisons: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.next).map(|(_, word)| word)
    }

    fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take(&mut self) -> Option<Word> {
        let word = self.peek().cloned();
        self.next += 1;
        word
    }

    fn takes(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Name(name)) if name.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Node, Wrong> {
        let mut parts = vec![self.all()?];
        while self.takes("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Node::Any))
    }

    fn all(&mut self) -> Result<Node, Wrong> {
        let mut parts = vec![self.not()?];
        while self.takes("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Node::All))
    }

    fn not(&mut self) -> Result<Node, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Wrong::new(self.at(), format!("more than {DEEPEST} nested parentheses and `not`")));
        }
        let node = if self.takes("not") {
            Node::Not(Box::new(self.not()?))
        } else if self.peek() == Some(&Word::Open) {
            let open = self.at();
            self.next += 1;
            let inner = self.any()?;
            match self.peek() {
                Some(Word::Close) => self.next += 1,
                None => return Err(Wrong::new(open, "`(` is not closed")),
                Some(word) => {
                    let shown = word.shown();
                    return Err(Wrong::new(self.at(), format!("expected `and`, `or` or `)`, got {shown}")));
                }
            }
            inner
        } else {
            Node::Comparison(self.comparison()?)
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Comparison, Wrong> {
        let name = self.name()?;
        let operator_at = self.at();
        let operator = match self.take() {
            Some(Word::Operator(operator)) => operator,
            Some(Word::Name(word)) if word.eq_ignore_ascii_case("like") => Operator::Like,
            other => {
                let got = other.map_or_else(|| "the end".to_owned(), |word| word.shown());
                let column = &name.name;
                return Err(Wrong::new(
                    operator_at,
                    format!("expected an operator after `{column}`, got {got}"),
                )
                .hint("operators: =, !=, <, <=, >, >=, like"));
            }
        };
        let value_at = self.at();
        let value = self.value(operator)?;
        self.comparisons += 1;
        if self.comparisons > MOST_COMPARISONS {
            return Err(Wrong::new(name.at, format!("more than {MOST_COMPARISONS} comparisons")));
        }
        Ok(Comparison { name, operator, value, value_at })
    }

    fn name(&mut self) -> Result<Name, Wrong> {
        let at = self.at();
        let first = match self.take() {
            Some(Word::Name(name)) if !is_keyword(&name) => name,
            Some(Word::Quoted(name)) => return Ok(Name { origin: None, name, at }),
            Some(Word::Text(text)) => {
                return Err(Wrong::new(
                    at,
                    format!("expected the name of a column, got the text `'{text}'`"),
                )
                .hint(
                    "a comparison begins with a column: wafer = 'W12'; an unusual name is in double quotes",
                ));
            }
            other => {
                let got = other.map_or_else(|| "the end".to_owned(), |word| word.shown());
                return Err(Wrong::new(at, format!("expected the name of a column, got {got}"))
                    .hint("for example: wafer = 'W12' and verdict = 'fail'"));
            }
        };
        if self.peek() != Some(&Word::Dot) {
            return Ok(Name { origin: None, name: first, at });
        }
        self.next += 1;
        let Some(origin) = Origin::ALL.into_iter().find(|origin| origin.word() == first) else {
            return Err(Wrong::new(at, format!("`{first}.` is unknown"))
                .hint("allowed before a point: parameter, metadata, column"));
        };
        let name_at = self.at();
        match self.take() {
            Some(Word::Name(name) | Word::Quoted(name)) => {
                Ok(Name { origin: Some(origin), name, at: name_at })
            }
            _ => Err(Wrong::new(name_at, format!("expected a name after `{first}.`"))),
        }
    }

    fn value(&mut self, operator: Operator) -> Result<Literal, Wrong> {
        let at = self.at();
        match self.take() {
            Some(Word::Text(text)) => Ok(Literal::Text(text)),
            Some(Word::Number(number)) => Ok(Literal::Number(number)),
            Some(Word::Name(word)) if word.eq_ignore_ascii_case("true") => Ok(Literal::Flag(true)),
            Some(Word::Name(word)) if word.eq_ignore_ascii_case("false") => Ok(Literal::Flag(false)),
            Some(Word::Name(word) | Word::Quoted(word)) => {
                Err(Wrong::new(at, format!("expected a value after `{}`, got `{word}`", operator.sign()))
                    .hint(format!("a text is in single quotes: '{word}'")))
            }
            other => {
                let got = other.map_or_else(|| "the end".to_owned(), |word| word.shown());
                Err(Wrong::new(at, format!("expected a value after `{}`, got {got}", operator.sign()))
                    .hint("a value is a number, a text in single quotes, true or false"))
            }
        }
    }
}

fn is_keyword(name: &str) -> bool {
    ["and", "or", "not", "like"].iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
}

fn one_or(mut parts: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}
