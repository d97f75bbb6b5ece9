//! A YAML text as a tree with the position of each value. The reader refuses parts of YAML that recipes do not need:
//! tags, keys that are not texts, and duplicate keys. It also refuses numbers that are not finite or that a double
//! cannot store exactly, and trees that are too large after the expansion of their aliases.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::lines::YamlLines;
use crate::decimal::{self, Reading};
use crate::source::{Diagnostic, Position, SourceFile};

/// Largest number of values in one recipe, after its aliases are expanded.
const VALUES: usize = 100_000;
/// Largest number of bytes of text in one recipe, after its aliases are expanded.
const TEXT_BYTES: usize = 8 << 20;

/// Largest number of nested brackets. The YAML parser has no limit, and its time grows with the square of this number.
const BRACKETS: usize = 200;

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

/// Reads a text.
///
/// # Errors
/// A text that is not YAML, or YAML that recipes do not allow, with its position.
pub(super) fn parse(source: &Arc<SourceFile>) -> Result<Node, Vec<Diagnostic>> {
    let code = source.code();
    if let Some(at) = too_deep(code) {
        let message = format!("brackets are nested too deeply (at most {BRACKETS})");
        return Err(vec![Diagnostic::error(message).at(source, at)]);
    }
    let places = YamlLines::of(code);
    let reader = Reader::new(code);
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

/// yaml_serde reports a position only in the text of an error. So a visitor reads each scalar, stores its value, and
/// returns an error. The reader takes the value and the position from it and continues, because the scalar has been
/// consumed. Lists and maps have the position of their first entry.
struct Reader<'a> {
    lines: Lines<'a>,
    /// The scalar, list or map that the last visitor has stored.
    kept: RefCell<Option<Kept>>,
    wrong: RefCell<Vec<Wrong>>,
    values: Cell<usize>,
    text_bytes: Cell<usize>,
}

enum Kept {
    Scalar(Value),
    Refused(String),
}

struct Wrong {
    at: Position,
    message: String,
    hint: Option<String>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            lines: Lines::new(text),
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
        let written = self.lines.number_at(at);
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

    fn read<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<Node, D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > VALUES {
            return Err(D::Error::custom(format!(
                "the recipe is too large: more than {VALUES} values once its aliases are expanded"
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
                            format!("if it is a name, put it into quotes: \"{}\"", self.lines.number_at(at))
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
        if self.text_bytes.get() > TEXT_BYTES {
            return Err(E::custom(format!(
                "the recipe is too large: more than {} MiB of text once its aliases are expanded",
                TEXT_BYTES >> 20
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

/// The lines of a text as YAML counts them, and the numbers that were found in it.
struct Lines<'a> {
    lines: Vec<&'a str>,
    /// Line, column and byte of the last number. Numbers arrive in the order of the text, except those of aliases.
    last: Cell<(usize, usize, usize)>,
    known: RefCell<HashMap<Position, Arc<str>>>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let unix = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines = unix.flat_map(|line| line.split(['\r', '\u{85}', '\u{2028}', '\u{2029}'])).collect();
        Self { lines, last: Cell::new((0, 1, 0)), known: RefCell::default() }
    }

    /// The number at a position, after its anchor and its tag, which may be in separate lines.
    fn number_at(&self, at: Position) -> Arc<str> {
        let find = || {
            let mut further = self.lines.iter().skip(at.line);
            let mut rest = self.from(at);
            loop {
                rest = rest.trim_start();
                if rest.is_empty() || rest.starts_with('#') {
                    let Some(next) = further.next() else { break };
                    rest = next;
                } else if rest.starts_with(['&', '!']) {
                    rest = &rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..];
                } else {
                    break;
                }
            }
            rest = rest.trim_start_matches(['"', '\'']);
            let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
            rest[..rest.find(ends).unwrap_or(rest.len())].into()
        };
        Arc::clone(self.known.borrow_mut().entry(at).or_insert_with(find))
    }

    /// The rest of a line after a position.
    fn from(&self, at: Position) -> &'a str {
        let line = self.lines.get(at.line.wrapping_sub(1)).copied().unwrap_or_default();
        let last = self.last.get();
        let (column, byte) = if (last.0, last.1) <= (at.line, at.column) && last.0 == at.line {
            (last.1, last.2)
        } else {
            (1, 0)
        };
        let further = at.column.saturating_sub(column);
        let rest = &line[byte..];
        let byte = rest.char_indices().nth(further).map_or(line.len(), |(index, _)| byte + index);
        self.last.set((at.line, at.column, byte));
        &line[byte..]
    }
}

/// The position that an error text of yaml_serde ends with: `… at line 3 column 5`.
fn position_in(message: &str) -> Option<Position> {
    let (_, place) = message.rsplit_once("at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let digits = column.find(|c: char| !c.is_ascii_digit()).unwrap_or(column.len());
    Some(Position { line: line.parse().ok()?, column: column[..digits].parse().ok()? })
}

/// An error text of yaml_serde without its positions.
fn plain_words(message: &str) -> String {
    let first = message.split(" at line ").next().unwrap_or(message);
    match first {
        "repetition limit exceeded" => "the expanded aliases are too large".to_owned(),
        "recursion limit exceeded" => "lists and maps are nested too deeply (at most 128)".to_owned(),
        "deserializing from YAML containing more than one document is not supported" => {
            "a recipe must be one YAML document, but a second one begins here (`---`)".to_owned()
        }
        "EOF while parsing a value" => "the recipe is empty".to_owned(),
        other => match other.rsplit_once(": invalid type: enum, ") {
            Some(_) => "a tag (`!…`) has no meaning in a recipe".to_owned(),
            None => other.trim_start_matches("invalid type: enum, expected ").to_owned(),
        },
    }
}

/// The position at which too many brackets are open. Brackets in texts are counted too, because a text of a recipe
/// usually closes the brackets that it opens.
fn too_deep(text: &str) -> Option<Position> {
    let mut open = 0_usize;
    for (line, content) in (1..).zip(text.lines()) {
        for (column, letter) in (1..).zip(content.chars()) {
            match letter {
                '[' | '{' => open += 1,
                ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > BRACKETS {
                return Some(Position { line, column });
            }
        }
    }
    None
}

/// A hint for the line in which the YAML parser stopped.
fn hint(text: &str, place: Position, message: &str) -> Option<&'static str> {
    // The parser may report the start of the next line.
    let near = text.lines().skip(place.line.saturating_sub(2)).take(2);
    let (mut expression, mut tab) = (false, false);
    for line in near {
        expression |= unquoted_expression(line);
        tab |= line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    }
    if expression {
        Some("an expression inside `{ … }` or `[ … ]`, or one with `: ` in it, needs quotes: \"${…}\"")
    } else if tab {
        Some("U+0009 tab; indent with spaces: YAML does not allow tabs")
    } else if message.starts_with("mapping values") {
        Some("a text with `: ` in it needs quotes")
    } else {
        None
    }
}

/// Whether a line contains `${` outside of quotes.
fn unquoted_expression(line: &str) -> bool {
    let mut quote = None;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), close) if open == close => quote = None,
            (None, '$') if line[at..].starts_with("${") => return true,
            _ => {}
        }
    }
    false
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
