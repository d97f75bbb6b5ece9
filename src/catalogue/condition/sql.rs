//! A condition as SQL. Every part of the SQL is a constant of this file or the name of a column of the table; names
//! and values that a user wrote are bound parameters.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::columns::{COLUMNS, Column, Content, find};
use super::{Comparison, Condition, Literal, Name, Node, Operator, Wrong};
use crate::catalogue::rows::Time;
use crate::catalogue::select::SelectError;
use crate::catalogue::values::known_names;
use crate::catalogue::when::moment;
use crate::decode;

/// SQL with the values of its parameters, in order.
#[derive(Debug, Default)]
pub(in crate::catalogue) struct Compiled {
    pub(in crate::catalogue) sql: String,
    pub(in crate::catalogue) bound: Vec<Value>,
}

impl Compiled {
    /// Adds SQL with one parameter.
    pub(in crate::catalogue) fn push(&mut self, sql: &str, bound: impl Into<Value>) {
        self.sql.push_str(sql);
        self.bound.push(bound.into());
    }
}

/// Why a condition cannot be compiled.
enum Failed {
    Wrong(Wrong),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Wrong> for Failed {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl Condition {
    /// Adds this condition to SQL. The catalogue knows which parameters and columns its runs have.
    pub(in crate::catalogue) fn compile(
        &self,
        connection: &Connection,
        into: &mut Compiled,
    ) -> Result<(), SelectError> {
        node(&self.root, connection, into).map_err(|failed| match failed {
            Failed::Wrong(wrong) => SelectError::Condition(wrong.within(&self.source)),
            Failed::Database(error) => SelectError::Sql(error),
        })
    }
}

fn node(node_: &Node, connection: &Connection, into: &mut Compiled) -> Result<(), Failed> {
    let (parts, joint) = match node_ {
        Node::Comparison(comparison) => return compare(comparison, connection, into),
        Node::Not(inner) => {
            into.sql.push_str("NOT ");
            return node(inner, connection, into);
        }
        Node::All(parts) => (parts, " AND "),
        Node::Any(parts) => (parts, " OR "),
    };
    into.sql.push('(');
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            into.sql.push_str(joint);
        }
        node(part, connection, into)?;
    }
    into.sql.push(')');
    Ok(())
}

fn compare(comparison: &Comparison, connection: &Connection, into: &mut Compiled) -> Result<(), Failed> {
    let name = &comparison.name;
    match find(&name.name) {
        Some(column) if name.origin.is_none() => of_run(column, comparison, into).map_err(Failed::Wrong),
        _ => of_values(comparison, connection, into),
    }
}

/// A column that every run has. Without a value, a comparison is false, and its `not` is true.
fn of_run(column: Column, comparison: &Comparison, into: &mut Compiled) -> Result<(), Wrong> {
    let value = value_of(column, comparison)?;
    let sign = operator(comparison.operator);
    into.push(&format!("COALESCE(runs.{} {sign}, 0)", column.name), value);
    Ok(())
}

/// The value of a comparison, converted to what the column contains.
fn value_of(column: Column, comparison: &Comparison) -> Result<Value, Wrong> {
    let Comparison { operator, value, value_at, .. } = comparison;
    let name = column.name;
    let wrong = |message: String, hint: String| Err(Wrong::new(*value_at, message).hint(hint));
    match (column.content, value) {
        (Content::Text, Literal::Text(text)) => Ok(text.clone().into()),
        (Content::Text, Literal::Number(_) | Literal::Flag(_)) => wrong(
            format!("`{name}` is a text, and {} is given", kind(value)),
            "a text is in single quotes".to_owned(),
        ),
        (Content::Word(words), Literal::Text(text)) => {
            if *operator != Operator::Like && !words.contains(&text.as_str()) {
                return wrong(format!("`{name}` is never `{text}`"), allowed(words));
            }
            Ok(text.clone().into())
        }
        (Content::Word(words), Literal::Number(_) | Literal::Flag(_)) => {
            wrong(format!("`{name}` is a text, and {} is given", kind(value)), allowed(words))
        }
        (Content::Number, Literal::Number(number)) if *operator != Operator::Like => Ok((*number).into()),
        (Content::Number, Literal::Text(_) | Literal::Flag(_) | Literal::Number(_)) => {
            let given =
                if *operator == Operator::Like { "`like`, which compares texts," } else { kind(value) };
            wrong(format!("`{name}` is a number, and {given} is given"), format!("for example: {name} > 10"))
        }
        (Content::Flag, Literal::Flag(flag)) if matches!(operator, Operator::Equal | Operator::NotEqual) => {
            Ok(i64::from(*flag).into())
        }
        (Content::Flag, _) => {
            wrong(format!("`{name}` is true or false"), format!("for example: {name} = true"))
        }
        (Content::Moment, Literal::Text(text)) => match operator {
            Operator::Like => Ok(text.clone().into()),
            Operator::Equal | Operator::NotEqual => wrong(
                format!("`{name}` is a moment, which is never exactly the same"),
                "use <, <=, > or >=".to_owned(),
            ),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                let at = moment(text, chrono::Utc::now()).map_err(|why| Wrong::new(*value_at, why))?;
                Ok(Time(at).text().into())
            }
        },
        (Content::Moment, Literal::Number(_) | Literal::Flag(_)) => wrong(
            format!("`{name}` is a moment, and {} is given", kind(value)),
            format!("for example: {name} >= '2026-11-28' or {name} >= '2d'"),
        ),
    }
}

fn allowed(words: &[&str]) -> String {
    format!("allowed: '{}'", words.join("', '"))
}

fn kind(value: &Literal) -> &'static str {
    match value {
        Literal::Text(_) => "a text",
        Literal::Number(_) => "a number",
        Literal::Flag(_) => "true or false",
    }
}

/// The operator with its parameter.
fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "= ?",
        Operator::NotEqual => "!= ?",
        Operator::Less => "< ?",
        Operator::LessOrEqual => "<= ?",
        Operator::Greater => "> ?",
        Operator::GreaterOrEqual => ">= ?",
        Operator::Like => "LIKE ? ESCAPE '\\'",
    }
}

/// Parameters, metadata and columns of the traces. A run may have several values of a column. A comparison holds if
/// one of them fulfils it; `!=` holds if the run has the column, and none of the values is equal.
fn of_values(comparison: &Comparison, connection: &Connection, into: &mut Compiled) -> Result<(), Failed> {
    let Comparison { name, value, .. } = comparison;
    let (holds_texts, holds_numbers) = contents(name, connection)?;
    if !holds_texts && !holds_numbers {
        return Err(unknown(name, connection)?.into());
    }
    check_kind(comparison, holds_texts, holds_numbers)?;
    let has = |into: &mut Compiled| {
        into.push("runs.id IN (SELECT run FROM run_values WHERE name = ?", name.name.clone());
        if let Some(origin) = name.origin {
            into.push(" AND origin = ?", origin.word().to_owned());
        }
    };
    let asked = match comparison.operator {
        Operator::NotEqual => {
            into.sql.push('(');
            has(into);
            into.sql.push_str(") AND NOT ");
            Operator::Equal
        }
        other => other,
    };
    has(into);
    // SQLite orders numbers before texts, so each comparison stays among its own kind.
    let own_kind = if matches!(value, Literal::Number(_)) { "value < ''" } else { "value >= ''" };
    let bound: Value = match value {
        Literal::Text(text) => text.clone().into(),
        Literal::Number(number) => (*number).into(),
        Literal::Flag(flag) => flag.to_string().into(),
    };
    into.push(&format!(" AND {own_kind} AND value {}", operator(asked)), bound);
    into.sql.push(')');
    if comparison.operator == Operator::NotEqual {
        into.sql.push(')');
    }
    Ok(())
}

/// Whether any run has texts, and numbers, under this name.
fn contents(name: &Name, connection: &Connection) -> rusqlite::Result<(bool, bool)> {
    let asked = "SELECT EXISTS (SELECT 1 FROM run_values WHERE name = ?1 AND value >= '' AND (?2 IS NULL OR origin = ?2)),
                        EXISTS (SELECT 1 FROM run_values WHERE name = ?1 AND value < '' AND (?2 IS NULL OR origin = ?2))";
    let origin = name.origin.map(super::Origin::word);
    connection.query_row(asked, (&name.name, origin), |row| Ok((row.get(0)?, row.get(1)?)))
}

fn check_kind(comparison: &Comparison, holds_texts: bool, holds_numbers: bool) -> Result<(), Wrong> {
    let Comparison { name, operator, value, value_at } = comparison;
    let column = &name.name;
    let wrong = |message: String, hint: String| Err(Wrong::new(*value_at, message).hint(hint));
    if *operator == Operator::Like && !matches!(value, Literal::Text(_)) {
        return wrong("`like` compares texts".to_owned(), format!("for example: {column} like 'W1%'"));
    }
    match value {
        Literal::Number(number) if !holds_numbers => wrong(
            format!("`{column}` is a text in these runs, and a number is given"),
            format!("a text is in single quotes: '{number}'"),
        ),
        Literal::Text(text) if !holds_texts => {
            let hint = match text.trim().parse::<f64>() {
                Ok(number) => format!("a number has no quotes: {number}"),
                Err(_) => format!("for example: {column} > 1.5"),
            };
            wrong(format!("`{column}` is a number in these runs, and a text is given"), hint)
        }
        Literal::Flag(_) if !holds_texts => {
            wrong(format!("`{column}` is a number in these runs"), format!("for example: {column} > 1.5"))
        }
        Literal::Number(_) | Literal::Text(_) | Literal::Flag(_) => Ok(()),
    }
}

/// The message about a name that no run has, with the nearest known ones.
fn unknown(name: &Name, connection: &Connection) -> rusqlite::Result<Wrong> {
    let known = known_names(connection, name.origin)?;
    let of_runs = COLUMNS.iter().map(|column| column.name).filter(|_| name.origin.is_none());
    let mut names: Vec<&str> = of_runs.chain(known.iter().map(String::as_str)).collect();
    names.dedup();
    let place = name.origin.map(|origin| format!("{} ", origin.word())).unwrap_or_default();
    let hint = match decode::nearest(&name.name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let quoted: Vec<String> = names.iter().take(40).map(|name| format!("`{name}`")).collect();
            format!("known: {}", quoted.join(", "))
        }
    };
    Ok(Wrong::new(
        name.at,
        format!(
            "no run has a {}`{}`",
            if place.is_empty() { "column or parameter " } else { &place },
            name.name
        ),
    )
    .hint(hint))
}
