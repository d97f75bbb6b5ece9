//! `ctp10 store`: the backlog of the uploads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::json;

use super::run_folders;
use super::runs::failed;
use super::signals::stop_signal;
use super::uploads::PATIENCE;
use crate::cli::{StoreArgs, StoreCommand};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::remote::{Backlog, Objects, RemoteError, StoreSettings, patiently, upload};
use crate::shown::counted;
use crate::store::runs;
use crate::terminal::output::{errln, outln};

pub(super) async fn store(args: StoreArgs, config: &Config, json: bool) -> Result<(), Failure> {
    let settings = config.store.settings().ok_or_else(|| {
        Failure::new(ExitCode::Usage, "no store is given")
            .hint("write `store = \"s3://bucket/prefix\"` into ctp10.toml, or set `CTP10_STORE`")
    })?;
    match args.what {
        StoreCommand::Status { out, json: as_json } => {
            status(&run_folders(out, config), &settings, as_json || json)
        }
        StoreCommand::Sync { runs, out } => sync(&runs, &run_folders(out, config), &settings).await,
    }
}

fn status(out: &Path, settings: &StoreSettings, as_json: bool) -> Result<(), Failure> {
    let backlog = Backlog::read(out, &settings.address).map_err(failed)?;
    let bytes = backlog.bytes();
    if as_json {
        return super::print_json(
            &json!({ "store": settings.address, "backlog": backlog, "waiting_bytes": bytes }),
        );
    }
    outln!("{}", settings.address);
    outln!("  uploaded     {}", counted(backlog.stored, "run"));
    outln!("  waiting      {}, {}", counted(backlog.waiting.len(), "run"), HumanBytes(bytes));
    for run in &backlog.waiting {
        outln!("    {}", run.folder.display());
    }
    if !backlog.interrupted.is_empty() {
        outln!(
            "  interrupted  {} (`ctp10 resume` continues a run; `ctp10 store sync RUN` uploads it as it is)",
            counted(backlog.interrupted.len(), "run")
        );
        for run in &backlog.interrupted {
            outln!("    {}", run.folder.display());
        }
    }
    for refused in &backlog.refused {
        errln!("{}: {}", refused.folder.display(), refused.reason);
    }
    Ok(())
}

/// Uploads runs one after another. A store that does not respond is tried again for half a minute.
async fn sync(names: &[String], out: &Path, settings: &StoreSettings) -> Result<(), Failure> {
    let objects = Objects::open(&settings.address, settings.endpoint.as_deref()).map_err(not_used)?;
    let folders: Vec<PathBuf> = match names {
        [] => {
            let backlog = Backlog::read(out, &settings.address).map_err(failed)?;
            for refused in &backlog.refused {
                errln!("{}: {}", refused.folder.display(), refused.reason);
            }
            backlog.waiting.into_iter().map(|run| run.folder).collect()
        }
        named => {
            let found = named.iter().map(|name| runs::find(out, name).map(|run| run.folder));
            found.collect::<Result<_, _>>().map_err(failed)?
        }
    };
    let (mut refused, all) = (0, folders.len());
    for folder in folders {
        tokio::select! {
            uploaded = persist(&objects, &folder) => match uploaded {
                Ok(()) => {}
                Err(error) if !error.concerns_one_run() => return Err(not_used(error)),
                Err(error) => {
                    refused += 1;
                    errln!("{}: {}", folder.display(), chain(&error));
                }
            },
            signal = stop_signal() => {
                errln!("stopped by {signal}: the next upload continues here");
                return Err(Failure::told(ExitCode::Stopped));
            }
        }
    }
    if refused > 0 {
        return Err(Failure::new(
            ExitCode::Failed,
            format!("{refused} of {} were not uploaded", counted(all, "run")),
        ));
    }
    if all == 0 {
        outln!(
            "nothing to upload: every run that has ended below `{}` is in {}",
            out.display(),
            settings.address
        );
    }
    Ok(())
}

/// Uploads a run, and tries again while this may help.
async fn persist(objects: &Objects, folder: &Path) -> Result<(), RemoteError> {
    let uploaded = patiently(PATIENCE, tell_pause, async || upload(objects, folder, |_| {}).await);
    let receipt = uploaded.await?;
    outln!(
        "{}/{}  {}, {}",
        receipt.store,
        receipt.place,
        counted(receipt.files, "file"),
        HumanBytes(receipt.bytes)
    );
    Ok(())
}

/// Says that the store is asked again after a pause.
pub(super) fn tell_pause(error: &RemoteError, pause: Duration) {
    errln!("{}; next attempt in {} s (Ctrl-C stops)", chain(error), pause.as_secs());
}

/// The failure of a command that needs a store.
pub(super) fn not_used(error: RemoteError) -> Failure {
    let code = match &error {
        RemoteError::NotBuilt | RemoteError::Settings { .. } | RemoteError::WhichRun(_) => ExitCode::Usage,
        RemoteError::Local(local) if local.is_about_a_name() => ExitCode::Usage,
        _ => ExitCode::Failed,
    };
    let failure = Failure::new(code, chain(&error));
    match error {
        RemoteError::Denied(_) => failure.hint(
            "docs/store.md lists the variables with the keys, for example `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`",
        ),
        _ => failure,
    }
}
