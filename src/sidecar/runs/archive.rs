//! All files of a run in one download.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::RunOfRequest;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::Path;
use crate::sidecar::reply::{Archive, Reply};
use crate::sidecar::state::App;
use crate::sidecar::wire::runs::RunPath;
use crate::store::write_archive;

/// Returns a zip archive of the finished files of a run.
pub(in crate::sidecar) async fn download(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
) -> Result<Reply<Archive>, Problem> {
    let RunOfRequest { id, folder, .. } = app.named(&id).await?;
    // The identifier belongs to a run, so it has letters and digits only.
    let name = format!("attachment; filename={id}.zip");
    let body = app.downloads.turn().await?.body(move |out| write_archive(&folder, out));
    let about = [(CONTENT_TYPE, "application/zip"), (CONTENT_DISPOSITION, name.as_str())];
    Ok(Reply::new((about, body)))
}
