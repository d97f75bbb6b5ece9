//! Reads the values of a YAML text with their positions.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::explain::position_in;
use super::numbers::WrittenNumbers;
use super::{Key, Kind, Node};
use crate::decimal::{self, Reading};
use crate::source::Position;

/// The largest content of a text, after its aliases are expanded.
#[derive(Debug, Clone, Copy)]
pub(in crate::recipe) struct Most {
    /// What the text is, for messages.
    pub(in crate::recipe) what: &'static str,
    pub(in crate::recipe) values: usize,
    pub(in crate::recipe) text_bytes: usize,
}

/// yaml_serde reports a position only in the text of an error. So a visitor reads each scalar, stores its value, and
/// returns an error. The reader takes the value and the position from it and continues, because the scalar has been
/// consumed. Lists and maps have the position of their first entry.
pub(super) struct Reader<'a> {
    numbers: WrittenNumbers<'a>,
    most: Most,
    /// The scalar, list or map that the last visitor has stored.
    kept: RefCell<Option<Kept>>,
    pub(super) wrong: RefCell<Vec<Wrong>>,
    values: Cell<usize>,
    text_bytes: Cell<usize>,
}

enum Kept {
    Scalar(Value),
    Refused(String),
}

pub(super) struct Wrong {
    pub(super) at: Position,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, most: Most) -> Self {
        Self {
            numbers: WrittenNumbers::new(text),
            most,
            kept: RefCell::default(),
            wrong: RefCell::default(),
            values: Cell::default(),
            text_bytes: Cell::default(),
        }
    }

    fn refuse(&self, at: Position, message: impl Into<String>, hint: Option<String>) {
        self.wrong.borrow_mut().push(Wrong { at, message: message.into(), hint });
    }

    /// A number must have exactly the written value.
    fn number(&self, at: Position, number: &Number) -> Option<Arc<str>> {
        let written = self.numbers.number_at(at);
        let printed = match decimal::read(&written) {
            Reading::Kept(value) if value.as_f64() == number.as_f64() => None,
            Reading::Changed(printed) => Some(printed),
            // In hexadecimal, octal or binary digits.
            Reading::Other if written.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-')) => {
                Some(number.to_string())
            }
            // After a tag or in quotes, only the value is known.
            Reading::Kept(_) | Reading::Other => {
                let written = number.to_string();
                if let Some(printed) = decimal::changed(number) {
                    let (message, hint) = decimal::changed_words(&written, &printed);
                    self.refuse(at, message, Some(hint));
                }
                return Some(written.into());
            }
        };
        let padded = !decimal::is_plain(written.trim_start_matches('+')) && !written.contains(['e', 'E']);
        match printed {
            Some(printed) => {
                let (message, hint) = decimal::changed_words(&written, &printed);
                self.refuse(at, message, Some(hint));
            }
            None if padded => {
                let message = format!("the number `{written}` has leading zeros; its value is `{number}`");
                let hint = format!("write `{number}`, or put it into quotes if it is a name: \"{written}\"");
                self.refuse(at, message, Some(hint));
            }
            None => {}
        }
        Some(written)
    }

    pub(super) fn read<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<Node, D::Error> {
        self.values.set(self.values.get() + 1);
        let Most { what, values, .. } = self.most;
        if self.values.get() > values {
            return Err(D::Error::custom(format!(
                "the {what} is too large: more than {values} values once its aliases are expanded"
            )));
        }
        match deserializer.deserialize_any(self) {
            Ok(node) => Ok(node),
            Err(error) => {
                let at = position_in(&error.to_string()).unwrap_or(Position { line: 1, column: 1 });
                let value = match self.kept.take() {
                    None => return Err(error),
                    Some(Kept::Scalar(value)) => value,
                    Some(Kept::Refused(message)) => {
                        let hint = message.ends_with("too large").then(|| {
                            format!("if it is a name, put it into quotes: \"{}\"", self.numbers.number_at(at))
                        });
                        self.refuse(at, message, hint);
                        Value::Null
                    }
                };
                let number = match &value {
                    Value::Number(number) => self.number(at, number),
                    _ => None,
                };
                Ok(Node { at, kind: Kind::Scalar(value), number })
            }
        }
    }

    fn keep<T, E: Error>(&self, kept: Kept) -> Result<T, E> {
        self.kept.replace(Some(kept));
        Err(E::custom(""))
    }
}

impl<'de> DeserializeSeed<'de> for &Reader<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.read(deserializer)
    }
}

impl<'de> Visitor<'de> for &Reader<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Node, E> {
        self.keep(Kept::Scalar(Value::Bool(flag)))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        self.keep(Kept::Scalar(number.into()))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => self.keep(Kept::Refused(format!("the number `{number}` is too large"))),
        }
    }
    fn visit_u128<E: Error>(self, number: u128) -> Result<Node, E> {
        self.keep(Kept::Refused(format!("the number `{number}` is too large")))
    }
    fn visit_i128<E: Error>(self, number: i128) -> Result<Node, E> {
        self.keep(Kept::Refused(format!("the number `{number}` is too large")))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        match Number::from_f64(number) {
            Some(number) => self.keep(Kept::Scalar(Value::Number(number))),
            None => self.keep(Kept::Refused("a number must be finite".to_owned())),
        }
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.text_bytes.set(self.text_bytes.get() + text.len());
        let Most { what, text_bytes, .. } = self.most;
        if self.text_bytes.get() > text_bytes {
            return Err(E::custom(format!(
                "the {what} is too large: more than {} MiB of text once its aliases are expanded",
                text_bytes >> 20
            )));
        }
        self.keep(Kept::Scalar(text.into()))
    }
    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.keep(Kept::Scalar(Value::Null))
    }
    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        let at = list.first().map_or(NOWHERE, |first| first.at);
        Ok(Node::new(at, Kind::List(list.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map: Vec<(Key, Node)> = Vec::new();
        let mut names = HashSet::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let mut node = entries.next_value_seed(self)?;
            let Some(name) = key.text() else {
                self.refuse(key.at, format!("a key must be a text, not {}", key.describe()), None);
                continue;
            };
            if node.at == NOWHERE {
                node.at = key.at;
            }
            if !names.insert(name.to_owned()) {
                self.refuse(key.at, format!("`{name}` is given twice"), None);
                continue;
            }
            map.push((Key { name: name.to_owned(), at: key.at }, node));
        }
        let at = map.first().map_or(NOWHERE, |(key, _)| key.at);
        Ok(Node::new(at, Kind::Map(map.into())))
    }
}

/// An empty list or map has no position until its key is known.
const NOWHERE: Position = Position { line: 0, column: 0 };
