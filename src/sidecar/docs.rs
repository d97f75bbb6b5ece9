//! The OpenAPI document, generated from the routes and the wire types.

use aide::openapi::{
    ApiKeyLocation, Info, OpenApi, Parameter, ParameterSchemaOrContent, ReferenceOr, SecurityRequirement,
    SecurityScheme, Server, Tag,
};
use aide::transform::{TransformOpenApi, TransformOperation};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::access::Right;
use super::api::Routes;
use super::problem::Problem;
use super::routes;
use super::state::{App, Defaults};
use crate::threads;

const TITLE: &str = "ctp10";
/// The sections of the documentation, in order.
const SECTIONS: [(&str, &str); 11] = [
    ("Service", "Name, health and metrics of the service, and what this client may do."),
    ("Connection", "The connection to the instrument."),
    ("Detectors", "Powers, settings, references and traces of the detectors."),
    ("Sweeps", "Start and end of sweeps, and their settings."),
    ("Sources", "The tunable sources of a sweep."),
    ("Lasers", "The lasers behind the sources."),
    ("Instrument", "State of the instrument, live power, and the emergency stop."),
    ("Recipes", "The recipes of the service, and what a recipe would do."),
    ("Runs", "The list of runs, and control of the active run."),
    ("Results", "Files, traces, figures and reports of a run."),
    ("Queue", "The queue of a batch."),
];
/// The ways to show who a client is.
const TOKEN: &str = "token";
const READ_ONLY_TOKEN: &str = "readOnlyToken";
const SESSION: &str = "session";

/// An empty requirement means that no token is needed.
fn no_token() -> SecurityRequirement {
    SecurityRequirement::default()
}

/// The parts of the document that do not come from the routes.
pub(super) fn document() -> OpenApi {
    let info = Info {
        title: TITLE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: Some(
            "Instrument access, runs and live power of a CTP10. Live power is a WebSocket at `/ws/power`, and server-sent events at `/power`."
                .to_owned(),
        ),
        ..Info::default()
    };
    let tag = |(name, description): (&str, &str)| Tag {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        ..Tag::default()
    };
    OpenApi { info, tags: SECTIONS.map(tag).to_vec(), ..OpenApi::default() }
}

/// Adds the tokens. The name of the cookie is completed for each server.
pub(super) fn finish(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let bearer = |description: &str| SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some(description.to_owned()),
        extensions: Default::default(),
    };
    // Any request can be refused, also before its handler sees it.
    api.default_response::<Problem>()
        .security_scheme(TOKEN, bearer("Allows everything. Required if the server listens beyond loopback."))
        .security_scheme(
            READ_ONLY_TOKEN,
            bearer("Allows to look at runs, reports, the queue and live power."),
        )
}

/// Says which tokens allow an operation. `None` means that it needs none.
pub(super) fn allow(mut operation: TransformOperation<'_>, right: Option<Right>) -> TransformOperation<'_> {
    let Some(right) = right else {
        operation.inner_mut().security.push(no_token());
        return operation;
    };
    let operation = operation.security_requirement(TOKEN);
    let operation = match right {
        Right::ReadOnly => operation.security_requirement(READ_ONLY_TOKEN),
        Right::Full => operation,
    };
    operation.security_requirement(SESSION)
}

/// What differs between servers.
fn complete(document: &mut OpenApi, app: &App) {
    let base = app.options.base.as_str();
    if !base.is_empty() {
        document.servers = vec![Server { url: base.to_owned(), ..Server::default() }];
    }
    let session = SecurityScheme::ApiKey {
        location: ApiKeyLocation::Cookie,
        name: app.access.cookie_name().to_owned(),
        description: Some("The session that `/login` begins with one of the tokens.".to_owned()),
        extensions: Default::default(),
    };
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert(SESSION.to_owned(), ReferenceOr::Item(session));
    let paths = document.paths.iter_mut().flat_map(|paths| paths.paths.values_mut());
    for item in paths {
        let ReferenceOr::Item(item) = item else { continue };
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            if !app.access.needs_token() && !operation.security.contains(&no_token()) {
                operation.security.insert(0, no_token());
            }
            for parameter in &mut operation.parameters {
                complete_default(parameter, app.options.defaults);
            }
        }
    }
}

/// Adds the default of a parameter that the configuration of the server decides about.
fn complete_default(parameter: &mut ReferenceOr<Parameter>, defaults: Defaults) {
    let ReferenceOr::Item(Parameter::Query { parameter_data, .. }) = parameter else { return };
    let default = match parameter_data.name.as_str() {
        "module" => defaults.module,
        "channel" => defaults.channel,
        "trace_type" => defaults.trace_type,
        _ => return,
    };
    if let ParameterSchemaOrContent::Schema(schema) = &mut parameter_data.format {
        schema.json_schema.insert("default".to_owned(), default.into());
    }
}

/// Makes the document. The thread ends with it, so that all of its memory becomes free.
pub(super) async fn openapi(State(app): State<App>) -> Result<Json<OpenApi>, Problem> {
    let made = threads::begin("openapi", move || {
        let mut document = routes::api(Routes::described()).document();
        complete(&mut document, &app);
        document
    });
    made.await.map(Json).map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}
