//! The names of a matrix and a list of devices: which are parameters, which are metadata, and their values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::file::ItemEntry;
use super::given::{EntryFinding, Given, Origin, Rows};
use crate::catalogue::{BATCH, BATCH_ITEM};
use crate::decimal;
use crate::declarations::{self, Parameter, bind};
use crate::decode::ReadError;
use crate::source::Severity;
use crate::table::Written;

/// The parameters of a recipe, by name; `None` if the recipe has errors.
pub(super) type Parameters = Option<BTreeMap<String, Parameter>>;

/// The matrix of an entry: each name with its values.
pub(super) type Matrix = Vec<(String, Vec<Given>)>;

/// The matrix with the names in `order`; `number` returns the written form of a number of the entry.
pub(super) fn matrix(
    entry: &ItemEntry,
    order: &[String],
    number: &dyn Fn(&[String]) -> Option<String>,
) -> Matrix {
    let named = order.iter().filter(|name| entry.matrix.contains_key(*name));
    let names = named.chain(entry.matrix.keys().filter(|name| !order.contains(name)));
    let given = |name: &String| {
        let values = entry.matrix[name].iter().enumerate().filter_map(|(index, value)| {
            let way = vec!["matrix".to_owned(), name.clone(), index.to_string()];
            let written = Written::new(value, number(&way))?;
            Some(Given { written, origin: Origin::Entry(way) })
        });
        (name.clone(), values.collect())
    };
    names.map(given).collect()
}

/// The value of a parameter; its declared type decides.
pub(super) fn parameter_value(
    name: &str,
    parameter: &Parameter,
    given: &Given,
) -> Result<Value, EntryFinding> {
    let wrong = |error: ReadError| {
        let finding = given.origin.refuse(error.message);
        EntryFinding { error: ReadError { hint: error.hint, ..finding.error }, ..finding }
    };
    let text = given.written.text();
    if text.is_empty() && !parameter.default.is_string() {
        return Err(given.origin.refuse(format!("the value for parameter `{name}` is empty")));
    }
    let value = declarations::Given::Text(text).value_for(name, parameter).map_err(wrong)?;
    let declared = [(name.to_owned(), parameter.clone())].into();
    let bound = bind(&declared, &[(name.to_owned(), value)].into());
    let mut bound = bound.map_err(|mut errors| wrong(errors.swap_remove(0)))?;
    Ok(bound.remove(name).unwrap_or_default())
}

/// Names that a batch must not vary.
pub(super) fn refused_names(entry: &ItemEntry, devices: &Rows) -> Vec<EntryFinding> {
    let check = |(name, origin): &(String, Origin)| {
        if [BATCH, BATCH_ITEM].contains(&name.as_str()) {
            return Some(origin.say(
                Severity::Error,
                true,
                format!("metadata `{name}` is reserved: the batch sets it"),
            ));
        }
        let elsewhere = entry.set.contains_key(name)
            || entry.metadata.contains_key(name)
            || entry.matrix.contains_key(name);
        let message = || format!("`{name}` is given for each device and also in the entry");
        elsewhere.then(|| origin.say(Severity::Error, true, message()))
    };
    devices.names.iter().filter_map(check).collect()
}

/// Notes about the names: which are parameters, and which are similar to the name of a parameter.
pub(super) fn names(entry: &ItemEntry, devices: &Rows, parameters: &Parameters) -> Vec<EntryFinding> {
    let Some(parameters) = parameters else { return Vec::new() };
    let in_matrix = entry.matrix.keys().map(|name| (name.clone(), Origin::entry(&["matrix", name])));
    let varied: Vec<(String, Origin)> = in_matrix.chain(devices.names.iter().cloned()).collect();
    if varied.is_empty() {
        return Vec::new();
    }
    let is_given =
        |name: &str| entry.set.contains_key(name) || varied.iter().any(|(varied, _)| varied == name);
    let free: Vec<&str> = parameters.keys().map(String::as_str).filter(|name| !is_given(name)).collect();
    let mut found = Vec::new();
    let (set, kept): (Vec<_>, Vec<_>) = varied.iter().partition(|(name, _)| parameters.contains_key(name));
    for (name, origin) in &kept {
        if let Some(near) = near(name, &free) {
            let message = format!("`{name}` is not a parameter of the recipe: it becomes metadata");
            let finding = origin.say(Severity::Warning, true, message);
            found.push(finding.hint(format!("did you mean `{near}`?")));
        }
    }
    let list = |names: &[&(String, Origin)]| {
        let names: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let whole = Origin::entry(&[if entry.matrix.is_empty() { "devices" } else { "matrix" }]);
    let message = format!("parameters: {}; metadata: {}", list(&set), list(&kept));
    found.push(whole.say(Severity::Note, true, message));
    found
}

/// The parameter with the most similar name.
fn near<'a>(name: &str, parameters: &[&'a str]) -> Option<&'a str> {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let name = letters(name);
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&name, &letters(known));
    let likely = parameters.iter().map(|known| (alike(known), *known)).filter(|(alike, _)| *alike >= 0.75);
    likely.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// Values of a parameter that are written differently and are the same number, which would be measured twice.
pub(super) fn same_numbers(matrix: &Matrix, parameters: &Parameters) -> Vec<EntryFinding> {
    let is_number = |name: &String| {
        let known = parameters.as_ref().and_then(|parameters| parameters.get(name));
        known.is_some_and(|parameter| parameter.default.is_number())
    };
    let mut found = Vec::new();
    for (_, values) in matrix.iter().filter(|(name, _)| is_number(name)) {
        for (index, value) in values.iter().enumerate() {
            let text = value.written.text();
            let same = |other: &&Given| {
                let other = other.written.text();
                other != text && decimal::same(&other, &text)
            };
            if let Some(first) = values[..index].iter().find(same) {
                let message = format!(
                    "`{text}` is the same number as `{}`: it would be measured twice",
                    first.written.text()
                );
                found.push(value.origin.say(Severity::Warning, false, message));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_a_parameter_when_few_letters_differ() {
        let parameters = ["power_dbm", "span_nm", "die"];
        for (name, near_one) in [
            ("power_dbn", Some("power_dbm")),
            ("Power_dBm", Some("power_dbm")),
            ("power dbm", Some("power_dbm")),
            ("powerdbm", Some("power_dbm")),
            ("dies", Some("die")),
            ("DIE", Some("die")),
            ("wafer", None),
            ("lot", None),
            ("span", None),
        ] {
            assert_eq!(near(name, &parameters), near_one, "{name}");
        }
    }
}
