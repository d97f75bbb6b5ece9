//! `/scpi`: sends one raw line, if the configuration allows it.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::Line;
use crate::instrument::scpi::{Action, Query as Ask};
use crate::sidecar::problem::Problem;
use crate::sidecar::read::Body;
use crate::sidecar::state::App;

/// A question or a command.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(in crate::sidecar) struct ScpiBody {
    /// A question.
    query: Option<String>,
    /// A command.
    command: Option<String>,
}

/// The response to a raw line.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::sidecar) struct ScpiReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    success: bool,
}

/// Sends one raw line. The path exists only with `allow_scpi = true` in the configuration.
pub(in crate::sidecar) async fn send(
    State(app): State<App>,
    Body(body): Body<ScpiBody>,
) -> Result<Json<ScpiReply>, Problem> {
    if !app.options.allow_scpi {
        return Err(Problem::not_found("/scpi (`allow_scpi` in ctp10.toml)"));
    }
    let line = |text: &str| match text.contains(['\r', '\n']) {
        true => Err(Problem::bad_request("give one line")),
        false => Line::parse(text).map_err(|error| Problem::bad_request(&error.to_string())),
    };
    match (body.query, body.command) {
        // One query has one reply. A second unit could be a command, which would need the lease and the limits.
        (Some(query), None) if line(&query)?.units.len() == 1 && line(&query)?.is_query() => {
            let query = Ask::raw(&query).map_err(|error| Problem::bad_request(&error.to_string()))?;
            let reply = app.instrument().ask(&query).await?;
            Ok(Json(ScpiReply { reply: Some(reply), success: true }))
        }
        (None, Some(command)) if !line(&command)?.has_reply() => {
            app.change([Action::Raw(command)]).await?;
            Ok(Json(ScpiReply { reply: None, success: true }))
        }
        _ => Err(Problem::bad_request(
            "give either `query`, a single query on one line, or `command`, one line without a query",
        )),
    }
}
