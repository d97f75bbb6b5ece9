//! `/connection`: the state of the connection, the condition register, the error queue.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::instrument::{Address, Presence};
use crate::sidecar::problem::Problem;
use crate::sidecar::read::Body;
use crate::sidecar::state::{App, AppState};
use crate::sidecar::wire::instrument::{Condition, ConditionBits, Connection, Done};
use crate::sidecar::wire::setup::ConnectBody;

/// Time limit for making a connection. A client may set a shorter one.
const CONNECT_LIMIT: Duration = Duration::from_secs(9);

impl AppState {
    fn connection(&self) -> Connection {
        let instrument = &self.session.endpoint().instrument;
        let identity = match &*instrument.presence().borrow() {
            Presence::Here(identity) => Some(identity.to_string()),
            Presence::Unknown | Presence::Away { .. } | Presence::Closed => None,
        };
        Connection {
            connected: identity.is_some(),
            instrument_id: identity,
            address: instrument.address().visa(),
        }
    }
}

/// Returns whether an instrument is connected. Sends no query.
pub(in crate::sidecar) async fn status(State(app): State<App>) -> Json<Connection> {
    Json(app.connection())
}

/// Connects to the instrument if it is not connected.
pub(in crate::sidecar) async fn connect(
    State(app): State<App>,
    Body(body): Body<ConnectBody>,
) -> Result<Json<Connection>, Problem> {
    let read = |text: &String| {
        text.parse::<Address>().map_err(|error| Problem::wrong_field("address", &error.to_string(), text))
    };
    let address = body.address.as_ref().map(read).transpose()?;
    if let (Some(allowed), Some(address)) = (&app.instruments, &address)
        && !allowed.contains(address)
    {
        let message = format!(
            "{address} is not the instrument in the configuration (`instrument` in ctp10.toml): clients on other computers cannot choose another one"
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, message));
    }
    let given = body.timeout_ms.map(|limit| Duration::from_millis(limit.into()));
    let limit = given.map_or(CONNECT_LIMIT, |given| given.min(CONNECT_LIMIT));
    match tokio::time::timeout(limit, app.session.connect(address)).await {
        Ok(answer) => drop(answer?),
        Err(_) => {
            let reason = format!("It does not reply within {} s.", limit.as_secs_f64());
            return Err(Problem::not_connected(&reason));
        }
    }
    // What is known may be about another instrument.
    app.forget_answers().await;
    Ok(Json(app.connection()))
}

/// Closes the connection. It stays closed until a client connects again.
pub(in crate::sidecar) async fn disconnect(State(app): State<App>) -> Result<Json<Done>, Problem> {
    app.session.disconnect().await?;
    Ok(Json(Done { success: true, message: "Disconnected successfully".to_owned() }))
}

/// Returns the operation condition register.
pub(in crate::sidecar) async fn condition(State(app): State<App>) -> Result<Json<Condition>, Problem> {
    let register = app.condition().await?;
    Ok(Json(Condition {
        register_value: register.0,
        is_idle: register.is_idle(),
        bits: ConditionBits {
            zeroing: register.has(0),
            calibrating: register.has(1),
            scanning: register.has(2),
            analyzing: register.has(3),
            aborting: register.has(4),
            armed: register.has(5),
            referencing: register.has(6),
            quick_referencing: register.has(7),
        },
    }))
}

/// Reads the error queue of the instrument. During a run, only the run reads the queue. This returns the errors that
/// the run has read.
pub(in crate::sidecar) async fn check_errors(State(app): State<App>) -> Result<Json<Done>, Problem> {
    let errors: Vec<String> = match app.session.current_run() {
        Some(run) => run.take_errors(),
        None => app.instrument().drain_errors().await?.iter().map(ToString::to_string).collect(),
    };
    if errors.is_empty() {
        return Ok(Json(Done { success: true, message: "No errors found".to_owned() }));
    }
    Err(Problem::bad_gateway(errors.join("; ")))
}
