//! Checks, plans and begins runs.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::live_status;
use crate::budget::Budget;
use crate::declarations::Given;
use crate::forecast::{Circumstances, plan};
use crate::instrument::Target;
use crate::operation::Surroundings;
use crate::recipe::Recipe;
use crate::run::{RunRequest, other_than_named};
use crate::session::NotStarted;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::RecipeBody;
use crate::sidecar::reply::{Created, Reply};
use crate::sidecar::state::{App, AppState};
use crate::sidecar::wire::runs::{BegunReply, CheckReply, RunBody};
use crate::source::{Diagnostic, Severity, has_errors};

/// A loaded recipe with its path, or its errors.
type Loaded = Result<(Recipe, String), Vec<Diagnostic>>;

impl AppState {
    /// Loads what a request means.
    async fn load(&self, body: &RunBody, budget: &Budget) -> Result<Loaded, Problem> {
        let given = |(name, value): (&String, &Value)| (name.clone(), Given::from_json(value));
        let set: Vec<(String, Given)> = body.parameters.iter().flatten().map(given).collect();
        match (&body.path, &body.recipe) {
            (Some(path), None) => {
                let (file, shown) = (self.recipe_file(path)?, path.clone());
                Ok(budget
                    .run_on_thread(move || Recipe::load(&file, &set).map(|recipe| (recipe, shown)))
                    .await?)
            }
            (None, Some(text)) => {
                let name = match body.format.as_deref() {
                    None | Some("yaml") => "recipe.yaml",
                    Some("rhai") => "recipe.rhai",
                    Some(other) => {
                        return Err(Problem::bad_request(&format!(
                            "format `{other}` is unknown (yaml, rhai)"
                        )));
                    }
                };
                let text = text.clone();
                // A text has no folder: it can include nothing from this machine.
                let load = move || {
                    Recipe::from_text(name, &text, None, &set).map(|recipe| (recipe, name.to_owned()))
                };
                Ok(budget.run_on_thread(load).await?)
            }
            _ => Err(Problem::bad_request("give either `path` or `recipe`")),
        }
    }

    /// The instrument that the client expects. Another one than that of the server is refused.
    fn expected_instrument(&self, body: &RunBody) -> Result<Option<Target>, Problem> {
        let Some(text) = &body.instrument else { return Ok(None) };
        let named = Target::in_recipe(text)
            .map_err(|error| Problem::wrong_field("instrument", &error.to_string(), text))?;
        let simulated = self.session.identity().is_some_and(|identity| identity.simulated());
        match other_than_named(&named, &self.session.endpoint().target, simulated) {
            Some(other) => Err(Problem::conflict(other)),
            None => Ok(Some(named)),
        }
    }

    async fn request(&self, body: RunBody) -> Result<Result<RunRequest, Vec<Diagnostic>>, Problem> {
        let only_on = self.expected_instrument(&body)?;
        let budget = Budget::for_request(1).await?;
        let (recipe, path) = match self.load(&body, &budget).await? {
            Ok(loaded) => loaded,
            Err(findings) => return Ok(Err(findings)),
        };
        let unattended = body.unattended.unwrap_or(false);
        let attended = match (unattended, body.attend == Some(true) || self.session.is_attended()) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            // An operator may open a dashboard later.
            (false, false) => None,
        };
        let simulated = self.session.identity().is_some_and(|identity| identity.simulated());
        let circumstances = Circumstances { simulated, attended };
        let allowed = &self.session.setup().allowed;
        let mut request = RunRequest::new(recipe, path, circumstances, allowed, &budget).await;
        request.metadata = body.metadata.unwrap_or_default();
        request.unattended = unattended;
        request.only_on = only_on;
        request.simulator.clone_from(&self.options.simulator);
        Ok(Ok(request))
    }
}

/// Checks a recipe; returns errors and warnings.
pub(in crate::sidecar) async fn check(
    State(app): State<App>,
    RecipeBody(body): RecipeBody<RunBody>,
) -> Result<Json<CheckReply>, Problem> {
    let findings = match app.request(body).await? {
        Ok(request) => {
            // Without a connection, the instrument may be a simulator.
            let simulated = app.session.identity().is_none_or(|identity| identity.simulated());
            let other = request.other_instrument(&app.session.endpoint().target, simulated);
            request.findings().into_iter().chain(other).collect()
        }
        Err(findings) => findings,
    };
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    Ok(Json(CheckReply {
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        findings: findings.iter().map(Diagnostic::json).collect(),
    }))
}

/// Every operation of a recipe in order, with time, points and bytes.
pub(in crate::sidecar) async fn plan(
    State(app): State<App>,
    RecipeBody(body): RecipeBody<RunBody>,
) -> Result<Json<Value>, Problem> {
    let refuse = |findings: Vec<Diagnostic>| Problem::from(NotStarted::Recipe(findings));
    let request = app.request(body).await?.map_err(refuse)?;
    let findings = request.findings();
    if has_errors(&findings) {
        return Err(refuse(findings));
    }
    Ok(Json(plan::json(&request.walked.steps, Surroundings::new(request.recipe.detectors()))))
}

/// Begins a run.
pub(in crate::sidecar) async fn begin(
    State(app): State<App>,
    RecipeBody(body): RecipeBody<RunBody>,
) -> Result<Reply<Created<BegunReply>>, Problem> {
    let cut = app.session.cut();
    // The client counts as present until it has opened its stream of events.
    let operator = (body.attend == Some(true)).then(|| app.session.operator());
    let request = app.request(body).await?.map_err(|findings| Problem::from(NotStarted::Recipe(findings)))?;
    let entry = app.session.begin(request, Vec::new(), &cut).await?;
    drop(operator);
    tracing::info!(run = entry.run.id(), "run started");
    let findings = entry.findings.iter().map(Diagnostic::json).collect();
    let reply = BegunReply { status: live_status(&entry.run), findings };
    Ok(Reply::created(reply, Some(format!("/runs/{}", entry.run.id()))))
}
