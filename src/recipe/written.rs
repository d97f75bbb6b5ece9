//! Checks of written values before a recipe runs: the number of turns of a loop, the names of its turns, and names of
//! files.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Kind, Node};
use super::program::{LoopSource, Turns};
use super::reader::Reader;
use super::template::Template;
use crate::measurement::{check_name, check_part_of_name};
use crate::operation::Operation;
use crate::script::print;
use crate::source::Diagnostic;

impl Reader<'_> {
    /// Counts the turns of a loop, if no expression decides them.
    pub(super) fn count_turns(&mut self, over: &LoopSource) {
        if !over.templates().iter().all(|template| template.is_plain()) {
            return;
        }
        match (over.turns(&BTreeMap::new()), over) {
            (Err(wrong), _) => self.report(wrong.at, wrong.message),
            (Ok(Turns::Grid(grid)), LoopSource::Grid(parts)) if !grid.reaches_end() => {
                let to = &parts.1.written;
                let last = grid.point(grid.count() - 1);
                let message =
                    format!("the loop does not reach `to` {}: the last value is {last}", to.value());
                self.found.push(Diagnostic::note(message).at(self.source, to.at));
            }
            (Ok(_), LoopSource::In(list)) => self.names_of_turns(&list.written),
            (Ok(_), _) => {}
        }
    }

    /// Finds values of a list that are written differently and printed in the same way, and numbers that are not
    /// printed as written.
    fn names_of_turns(&mut self, list: &Node) {
        let Kind::List(items) = &list.kind else { return };
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for item in items.iter() {
            let value = item.value();
            let Ok(name) = print(&value) else { continue };
            let written = item.number.as_deref().map_or_else(|| value.to_string(), str::to_owned);
            if item.number.is_some() && written.contains(['e', 'E']) && written != name {
                let message = format!("`{written}` is read as the number {name}");
                let finding = Diagnostic::note(message).at(self.source, item.at);
                self.found.push(finding.hint("if it is a name, put it into quotes"));
            }
            match known.get(&name) {
                Some(first) if *first != written => {
                    let message = format!(
                        "{first} and {written} are printed in the same way: two turns would have one name"
                    );
                    let hint = "remove one, or put both into quotes if they are names";
                    self.found.push(Diagnostic::warning(message).at(self.source, item.at).hint(hint));
                }
                Some(_) => {}
                None => drop(known.insert(name, written)),
            }
        }
    }

    /// Checks the written part of a name; the characters that expressions add are replaced later.
    pub(super) fn written_name(&mut self, operation: &str, fields: &Template) {
        let Some(name) = fields.field_of(operation, "name") else { return };
        let check = if name.is_plain() { check_name } else { check_part_of_name };
        if let Some(message) = name.written_parts().into_iter().find_map(|part| check(part).err()) {
            self.report(name.written.at, message);
        }
    }
}

/// The fields of an operation; fields for texts get a number as it was written.
pub(super) fn as_written<'v>(operation: &str, fields: &'v Value, node: &Node) -> Cow<'v, Value> {
    let number = |path: &[String]| node.get(path)?.number.as_deref().map(str::to_owned);
    Operation::with_texts(operation, fields, &number)
}
