//! A YAML text as a tree with the position of each value. The reader refuses parts of YAML that recipes do not need:
//! tags, keys that are not texts, and duplicate keys. It also refuses numbers that are not finite or that a double
//! cannot store exactly, and trees that are too large after the expansion of their aliases.

mod explain;
mod numbers;
mod reader;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::lines::YamlLines;
use crate::source::{Diagnostic, Position, SourceFile};
use explain::{BRACKETS, hint, plain_words, position_in, too_deep};
pub(super) use reader::Most;
use reader::{Reader, Wrong};

/// The largest recipe, after its aliases are expanded.
const RECIPE: Most = Most { what: "recipe", values: 100_000, text_bytes: 8 << 20 };

/// A value with its position; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: Kind,
    /// The text of a number, as written.
    pub(super) number: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Null, true or false, a number or a text.
    Scalar(Value),
    List(Arc<[Node]>),
    Map(Arc<[(Key, Node)]>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) at: Position,
}

impl Node {
    pub(super) fn new(at: Position, kind: Kind) -> Self {
        Self { at, kind, number: None }
    }

    /// The value without positions.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.name.clone(), node.value())).collect::<Map<_, _>>(),
            ),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.kind == Kind::Scalar(Value::Null)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The position of the value at the end of `path`, or of its key. A missing value has the position of its parent.
    pub(super) fn locate(&self, path: &[String], at_key: bool) -> Position {
        let Some((first, rest)) = path.split_first() else { return self.at };
        match &self.kind {
            Kind::Map(entries) => match entries.iter().find(|(key, _)| key.name == *first) {
                Some((key, _)) if rest.is_empty() && at_key => key.at,
                Some((_, node)) => node.locate(rest, at_key),
                None => self.at,
            },
            Kind::List(items) => match first.parse().ok().and_then(|index: usize| items.get(index)) {
                Some(item) => item.locate(rest, at_key),
                None => self.at,
            },
            Kind::Scalar(_) => self.at,
        }
    }

    /// The value at the end of `path`.
    pub(super) fn get(&self, path: &[String]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let inner = match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(key, _)| key.name == *first).map(|(_, node)| node),
            Kind::List(items) => first.parse().ok().and_then(|index: usize| items.get(index)),
            Kind::Scalar(_) => None,
        };
        inner?.get(rest)
    }

    /// The kind of the value, for messages.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::Scalar(Value::Null) => "nothing".to_owned(),
            Kind::Scalar(Value::String(text)) => format!("the text `{text}`"),
            Kind::Scalar(value) => format!("`{value}`"),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }
}

/// Reads the text of a recipe.
///
/// # Errors
/// A text that is not YAML, or YAML that recipes do not allow, with its position.
pub(super) fn parse(source: &Arc<SourceFile>) -> Result<Node, Vec<Diagnostic>> {
    parse_at_most(source, RECIPE)
}

/// Reads a text whose content is limited.
///
/// # Errors
/// A text that is not YAML, or YAML that recipes do not allow, with its position. Also a text that is too large.
pub(super) fn parse_at_most(source: &Arc<SourceFile>, most: Most) -> Result<Node, Vec<Diagnostic>> {
    let code = source.code();
    if let Some(at) = too_deep(code) {
        let message = format!("brackets are nested too deeply (at most {BRACKETS})");
        return Err(vec![Diagnostic::error(message).at(source, at)]);
    }
    let places = YamlLines::of(code);
    let reader = Reader::new(code, most);
    let read = reader.read(serde_yaml::Deserializer::from_str(code));
    let wrong = reader.wrong.take().into_iter();
    let mut found: Vec<Diagnostic> = wrong
        .map(|Wrong { at, message, hint }| Diagnostic {
            hint,
            ..Diagnostic::error(message).at(source, places.place(at))
        })
        .collect();
    match read {
        Ok(node) if found.is_empty() => return Ok(placed(node, &places)),
        Ok(_) => {}
        Err(error) => {
            // This error ends the reading; the findings before it are still valid.
            let place = error.location().map(|at| Position { line: at.line(), column: at.column() });
            let place = place.or_else(|| position_in(&error.to_string()));
            let place = places.place(place.unwrap_or(Position { line: 1, column: 1 }));
            let message = plain_words(&error.to_string());
            let diagnostic = Diagnostic::error(message).at(source, place);
            let hint = hint(code, place, &diagnostic.message);
            found.push(match hint {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            });
        }
    }
    Err(found)
}

/// The tree with positions as in all other texts of the program.
fn placed(node: Node, places: &YamlLines) -> Node {
    if places.agree() {
        return node;
    }
    let kind = match &node.kind {
        Kind::Scalar(value) => Kind::Scalar(value.clone()),
        Kind::List(items) => Kind::List(items.iter().map(|item| placed(item.clone(), places)).collect()),
        Kind::Map(entries) => Kind::Map(
            entries
                .iter()
                .map(|(key, inner)| {
                    let key = Key { at: places.place(key.at), ..key.clone() };
                    (key, placed(inner.clone(), places))
                })
                .collect(),
        ),
    };
    Node { at: places.place(node.at), kind, ..node }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn source(text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: "r.yaml".into(), text: text.into() })
    }

    fn tree(text: &str) -> Node {
        parse(&source(text)).unwrap_or_else(|found| panic!("{}", found[0]))
    }

    fn refused(text: &str) -> String {
        let found = parse(&source(text)).expect_err(text);
        found.iter().map(|d| format!("{d}\n\n")).collect()
    }

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn keys_and_values_have_places_in_block_and_flow_style() {
        let text = "# first\nname: ring\nsteps:\n  - sweep:\n      start_nm: 1520\n  - { wait: { seconds: \"5\" }, x: [1, [2]] }\nlast: &a { b: é, c: [] }\nagain: *a\n";
        let tree = tree(text);
        for (at, key, line, column) in [
            ("name", true, 2, 1),
            ("name", false, 2, 7),
            ("steps.0", false, 4, 5),
            ("steps.0.sweep.start_nm", true, 5, 7),
            ("steps.0.sweep.start_nm", false, 5, 17),
            ("steps.1.wait.seconds", true, 6, 15),
            ("steps.1.wait.seconds", false, 6, 24),
            ("steps.1.x.1.0", false, 6, 39),
            ("last.b", false, 7, 15),
            ("last.c", false, 7, 18),
            ("again.b", false, 7, 15),
        ] {
            assert_eq!(tree.locate(&path(at), key), Position { line, column }, "{at} {key}");
        }
        let expected = serde_json::json!({
            "name": "ring",
            "steps": [{ "sweep": { "start_nm": 1520 } }, { "wait": { "seconds": "5" }, "x": [1, [2]] }],
            "last": { "b": "é", "c": [] },
            "again": { "b": "é", "c": [] },
        });
        assert_eq!(tree.value(), expected);
    }

    #[test]
    fn what_is_no_recipe_is_refused_with_its_place() {
        let mut shown = String::new();
        for text in [
            "steps:\n  - configure_tls: { tls: 1, power_dbm: ${power} }\n",
            "steps:\n  - log: ${if a { \"b: \" } else { 1 }: 2}\n",
            "name: a\nname: b\n1: c\n",
            "name: !tag a\n",
            "name: !!float a\n",
            "a: .nan\nb: -.inf\nc: 99999999999999999999\nd: 18446744073709551615\n",
            "a:\n\t- b\n",
            "a: [1, 2\nb: 3\n",
            "a: *b\n",
            "a: 1\n---\nb: 2\n",
            "a: \"open\n",
            "a: @b\n",
        ] {
            shown += &format!("--- {text:?}\n{}", refused(text));
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_text_made_to_exhaust_the_reader_ends_soon() {
        let laughs = (1..30).fold("a0: &a0 [1, 1]\n".to_owned(), |text, n| {
            format!("{text}a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)
        });
        let wide = format!("a: &a [{}]\nb: [{}]\n", "1, ".repeat(10_000), "*a, ".repeat(10_000));
        let million = 1 << 20;
        for (text, words) in [
            (laughs, "expanded aliases are too large"),
            (wide, "too large"),
            ("[".repeat(million), "are nested too deeply"),
            ("{a: ".repeat(million / 4), "are nested too deeply"),
            (format!("{}{}", "[".repeat(200), "1,".repeat(million / 2 - 200)), ""),
            ("- ".repeat(million / 2), ""),
            ("? ".repeat(million / 2), ""),
            ("&a ".repeat(million / 3), ""),
            ("[1,".repeat(million / 3), "are nested too deeply"),
            ("a: ".repeat(million / 3), ""),
            (format!("[{}]", "1,".repeat(million / 2)), "too large"),
            ((0..million / 14).map(|n| format!("k{n}: {n}\n")).collect(), "too large"),
            ("x".repeat(million), ""),
            (format!("a: |\n{}", " \n".repeat(million / 2)), ""),
        ] {
            let begin = Instant::now();
            let start: String = text.chars().take(20).collect();
            if let Err(found) = parse(&source(&text)) {
                assert!(found[0].message.contains(words), "{start}: {}", found[0].message);
            } else {
                assert!(words.is_empty(), "{start}");
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "{start}: {:?}", begin.elapsed());
        }
    }
}
