//! Checks the known parts of an operation whose other parts are expressions.

use super::Reader;
use crate::decode;
use crate::recipe::document::Key;
use crate::recipe::template::Template;
use crate::step::{self, StepOptions};

impl Reader<'_> {
    /// Checks an operation with expressions in some of its fields. Each known part is checked alone, as if it were
    /// the only field. Fields that are missing then are not reported; mistakes in the part are.
    pub(super) fn check_parts(&mut self, name: &str, fields: &Template) {
        for (key, part) in fields.entries().into_iter().flatten() {
            self.check_part(name, &mut vec![Way::Key(key.clone())], part);
        }
    }

    fn check_part(&mut self, name: &str, way: &mut Vec<Way>, part: &Template) {
        if !part.is_plain() {
            if let Some(entries) = part.entries() {
                for (key, inner) in entries {
                    way.push(Way::Key(key.clone()));
                    self.check_part(name, way, inner);
                    way.pop();
                }
                return;
            }
            if let Some(items) = part.items() {
                for inner in items {
                    way.push(Way::Only);
                    self.check_part(name, way, inner);
                    way.pop();
                }
                return;
            }
        }
        // Only the key of an expression can be checked, so any value replaces the expression.
        let value = if part.is_plain() { part.written.value() } else { serde_json::Value::Bool(true) };
        let value = way.iter().rev().fold(value, |inner, step| step.around(inner));
        let is_option = matches!(&way[0], Way::Key(key) if StepOptions::NAMES.contains(&key.name.as_str()));
        let read = if is_option {
            decode::from_value::<StepOptions>(&value).map(drop)
        } else {
            step::read(name, &value, self.detectors).map(drop)
        };
        let Err(error) = read else { return };
        let path: Vec<&str> = way.iter().map(Way::segment).collect();
        let shared = error.path.iter().zip(&path).take_while(|(a, b)| a == b).count();
        let at_own_key = error.at_key && error.path.len() == path.len();
        if shared < path.len() || !(part.is_plain() || at_own_key) {
            return;
        }
        let at = match way.last() {
            Some(Way::Key(key)) if at_own_key => key.at,
            _ => part.written.locate(&error.path[path.len()..], error.at_key),
        };
        self.report_read(at, error);
    }
}

/// One element of the path to a part of an operation's fields.
enum Way {
    Key(Key),
    /// An item of a list; the list then has no other item.
    Only,
}

impl Way {
    fn segment(&self) -> &str {
        match self {
            Self::Key(key) => &key.name,
            Self::Only => "0",
        }
    }

    fn around(&self, inner: serde_json::Value) -> serde_json::Value {
        match self {
            Self::Key(key) => serde_json::Value::Object([(key.name.clone(), inner)].into_iter().collect()),
            Self::Only => serde_json::Value::Array(vec![inner]),
        }
    }
}
