//! One line of text for an instrument: the CTP10, or another one on the bench.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attend::Effect;
use crate::grammar::Line;

mod parse;
mod poll;

pub use parse::{Parse, Reading};
pub use poll::TextPoll;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScpiFields {
    /// The name of the instrument, as in `[instruments]` of ctp10.toml. Default: the CTP10.
    to: Option<String>,
    /// A command without a reply.
    command: Option<String>,
    /// A query. Its reply is the result of the step.
    query: Option<String>,
    /// How the reply is read: `text`, `number`, or `numbers` with commas between them. Default: `text`.
    parse: Option<Parse>,
    /// Sends the query again until its reply meets a condition.
    poll: Option<TextPoll>,
    /// Whether the step may be repeated automatically (`configure`, `measure`) or not (`ask`). Default: `measure` for
    /// a query, `configure` for a command with `to`, `ask` for a command to the CTP10.
    effect: Option<Effect>,
    /// The reply that `check` and `plan` assume, because they send no queries.
    assume: Option<Value>,
}

/// Sends one line of text as written. A line for the CTP10 is recorded in the manifest as raw SCPI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ScpiFields", into = "ScpiOut")]
#[schemars(with = "ScpiFields")]
pub struct Scpi {
    /// The name of the instrument; `None` for the CTP10.
    pub to: Option<String>,
    /// The line to send.
    pub text: String,
    /// Whether a reply is expected.
    pub is_query: bool,
    /// How the reply is read.
    pub parse: Parse,
    /// The condition on the reply.
    pub poll: Option<Box<TextPoll>>,
    /// The effect of repeating it.
    pub effect: Effect,
    /// The reply that the forecast assumes.
    pub assume: Option<Reading>,
}

#[derive(Serialize)]
struct ScpiOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Parse::is_default")]
    parse: Parse,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<Box<TextPoll>>,
    effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    assume: Option<Value>,
}

impl From<Scpi> for ScpiOut {
    fn from(scpi: Scpi) -> Self {
        let Scpi { to, text, is_query, parse, poll, effect, assume } = scpi;
        let (command, query) = if is_query { (None, Some(text)) } else { (Some(text), None) };
        Self { to, command, query, parse, poll, effect, assume: assume.map(|reading| reading.value()) }
    }
}

impl TryFrom<ScpiFields> for Scpi {
    type Error = String;

    fn try_from(given: ScpiFields) -> Result<Self, String> {
        let ScpiFields { to, command, query, parse, poll, effect, assume } = given;
        let (text, is_query) = match (command, query) {
            (Some(command), None) => (command, false),
            (None, Some(query)) => (query, true),
            _ => return Err("`scpi` takes exactly one of `command`, `query`".to_owned()),
        };
        one_line(&text)?;
        match (Line::parse(&text), &to) {
            (Ok(line), _) if !is_query && line.has_reply() => {
                return Err(format!("command `{text}` has a reply: write it as `query`"));
            }
            // A query is repeated after a lost connection, a command never is. So one line cannot be both.
            (Ok(line), None) if is_query && !line.is_query() => {
                return Err(format!("query `{text}` has a part that is not a query: write it as `command`"));
            }
            (Err(error), None) => return Err(error.to_string()),
            // Other instruments need not speak SCPI.
            (Ok(_) | Err(_), _) => {}
        }
        let of_query = [("parse", parse.is_some()), ("poll", poll.is_some()), ("assume", assume.is_some())];
        if let Some((name, _)) = of_query.iter().find(|(_, is_given)| *is_given && !is_query) {
            return Err(format!("`{name}` is for a query, and `{text}` is a command"));
        }
        let default = match (is_query, &to) {
            (true, _) => Effect::Measure,
            (false, Some(_)) => Effect::Configure,
            (false, None) => Effect::Ask,
        };
        let parse = parse.unwrap_or_default();
        let assume = assume.map(|value| parse.assumed(&value)).transpose()?;
        let poll = poll.map(Box::new);
        Ok(Self { to, text, is_query, parse, poll, effect: effect.unwrap_or(default), assume })
    }
}

/// Checks that a text can be sent as one line.
pub(super) fn one_line(text: &str) -> Result<(), String> {
    match text.trim().is_empty() || text.contains(['\r', '\n']) {
        true => Err("`scpi` takes one line of text".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_of_scpi_asks_or_commands_and_never_both() {
        let read = |fields| serde_json::from_value::<Scpi>(fields).map_err(|error| error.to_string());
        assert!(read(json!({ "query": "*IDN?;SYST:ERR?" })).is_ok());
        assert!(read(json!({ "command": "*CLS;INIT:TLS1:SPE 50" })).is_ok());
        assert!(read(json!({ "command": "NOTE \"what?;why?\"" })).is_ok());
        assert!(read(json!({ "command": "NOTE \"what" })).unwrap_err().contains("is not closed"));
        assert!(read(json!({ "query": "INIT;*OPC?" })).unwrap_err().contains("not a query"));
        assert!(read(json!({ "command": "INIT;*OPC?" })).unwrap_err().contains("has a reply"));
        assert!(read(json!({ "command": "*CLS", "query": "*IDN?" })).unwrap_err().contains("exactly one"));
    }

    #[test]
    fn a_line_for_another_instrument_configures_and_need_not_be_scpi() {
        let read = |fields| serde_json::from_value::<Scpi>(fields).map_err(|error| error.to_string());
        let effect = |fields| read(fields).unwrap().effect;
        assert_eq!(effect(json!({ "to": "smu", "command": ":SOUR:VOLT 1" })), Effect::Configure);
        assert_eq!(effect(json!({ "to": "smu", "query": ":MEAS:CURR?" })), Effect::Measure);
        assert_eq!(effect(json!({ "command": "NOTE 1" })), Effect::Ask);
        assert!(read(json!({ "to": "oven", "query": "$1,T" })).is_ok());
        assert!(read(json!({ "to": "smu", "command": ":MEAS:CURR?" })).unwrap_err().contains("has a reply"));
        assert!(
            read(json!({ "to": "smu", "command": "A", "parse": "number" }))
                .unwrap_err()
                .contains("is for a query")
        );
    }

    #[test]
    fn the_assumed_reply_has_the_form_of_the_real_one_and_is_written_as_it_was_read() {
        let read = |parse: &str, assume| {
            let fields = json!({ "to": "smu", "query": "A?", "parse": parse, "assume": assume });
            serde_json::from_value::<Scpi>(fields).map_err(|error| error.to_string())
        };
        for (parse, assume) in
            [("number", json!(0.002)), ("numbers", json!([1.0, 2.0])), ("text", json!("on"))]
        {
            let scpi = read(parse, assume.clone()).unwrap();
            let written = serde_json::to_value(&scpi).unwrap();
            assert_eq!(written["assume"], assume);
            assert_eq!(serde_json::from_value::<Scpi>(written).unwrap(), scpi);
        }
        assert!(read("number", json!("on")).unwrap_err().contains("must be a number"));
        assert!(read("numbers", json!(1)).unwrap_err().contains("must be a list of numbers"));
    }
}
