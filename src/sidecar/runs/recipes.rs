//! The recipes that clients may run by path: those in the configured recipe folders.

use std::path::{Path as FilePath, PathBuf};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::decode;
use crate::files;
use crate::recipe::Recipe;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::Query;
use crate::sidecar::state::{App, AppState};
use crate::sidecar::wire::runs::{RecipePathQuery, RecipeReply, RecipeTextReply, RecipesReply};

/// The largest recipe, bytes.
const LARGEST: u64 = 1 << 20;
/// Highest number of listed recipes.
const MOST: usize = 500;

impl AppState {
    /// The response about a recipe that cannot be run by its path, with the folders that are searched.
    fn unknown_recipe(&self, path: &str) -> Problem {
        let folders = listed(&self.options.recipes);
        let known = self.options.recipes.iter().flat_map(|folder| files_in(folder));
        let known = known.map(|file| file.display().to_string()).filter(|file| self.may_run(file));
        let known: Vec<String> = known.collect();
        let near = decode::nearest(path, known.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!(
            "there is no recipe `{path}` in the recipe folders of the service ({folders}): `recipes` in ctp10.toml lists them, \
             and `GET /recipes` lists the recipes{near}"
        );
        Problem::new(StatusCode::NOT_FOUND, message)
    }

    /// The file of a path in the recipe folders.
    pub(in crate::sidecar) fn recipe_file(&self, path: &str) -> Result<PathBuf, Problem> {
        if self.may_run(path) { Ok(path.into()) } else { Err(self.unknown_recipe(path)) }
    }

    /// Whether a path is a recipe in the recipe folders. Symbolic links are resolved first, so that none leads out of the
    /// folders.
    fn may_run(&self, path: &str) -> bool {
        let Ok(file) = FilePath::new(path).canonicalize() else { return false };
        let known = |folder: &PathBuf| folder.canonicalize().is_ok_and(|folder| file.starts_with(folder));
        let is_recipe = file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "rhai");
        is_recipe && self.options.recipes.iter().any(known)
    }
}

/// The names of the folders for a message.
fn listed(folders: &[PathBuf]) -> String {
    match folders {
        [] => "none".to_owned(),
        folders => {
            let names: Vec<String> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
            names.join(", ")
        }
    }
}

/// Lists the recipes in the recipe folders.
pub(in crate::sidecar) async fn list(State(app): State<App>) -> Result<Json<RecipesReply>, Problem> {
    let recipes = spawn_blocking(move || {
        let folders = &app.options.recipes;
        let all = folders.iter().flat_map(|folder| files_in(folder));
        // Links that lead out of the folders are not listed.
        let mut files: Vec<PathBuf> = all.filter(|file| app.may_run(&file.display().to_string())).collect();
        files.sort();
        files.truncate(MOST);
        files.iter().map(|file| describe(file)).collect()
    });
    let recipes = recipes.await.map_err(|panic| Problem::bad_gateway(panic.to_string()))?;
    Ok(Json(RecipesReply { recipes }))
}

fn files_in(folder: &FilePath) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_recipe =
        |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "rhai");
    entries.map(|entry| entry.path()).filter(is_recipe).collect()
}

fn describe(file: &FilePath) -> RecipeReply {
    let path = file.display().to_string();
    match Recipe::load(file, &[]) {
        Ok(recipe) => {
            let header = recipe.header();
            RecipeReply {
                path,
                name: Some(header.name.clone()),
                description: header.description.clone(),
                parameters: json!(header.parameters),
                error: None,
            }
        }
        Err(findings) => RecipeReply {
            path,
            name: None,
            description: None,
            parameters: json!({}),
            error: findings.first().map(|finding| finding.message.clone()),
        },
    }
}

/// Returns the text of a recipe.
pub(in crate::sidecar) async fn text(
    State(app): State<App>,
    Query(query): Query<RecipePathQuery>,
) -> Result<Json<RecipeTextReply>, Problem> {
    let file = app.recipe_file(&query.path)?;
    let read = spawn_blocking(move || files::read(&file, LARGEST)).await;
    let read = read.map_err(|panic| Problem::bad_gateway(panic.to_string()))?;
    let text = read.ok().and_then(|text| String::from_utf8(text).ok());
    let text = text.ok_or_else(|| Problem::not_found(&format!("recipe `{}`", query.path)))?;
    Ok(Json(RecipeTextReply { path: query.path, text }))
}
