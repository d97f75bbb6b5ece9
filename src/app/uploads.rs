//! The uploads beside a run, and the wait for them at its end. The wait has a limit, and Ctrl-C ends it: an upload that is
//! left is resumed later.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::signals::stop_signal;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::remote::{Objects, RemoteError, UploadStatus, Uploads};
use crate::shown::counted;
use crate::terminal::output::errln;

/// A message is printed if the wait takes longer than this.
const NOTICEABLE: Duration = Duration::from_secs(1);
/// How long the program waits for a store that does not respond.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the uploads, if the configuration names a store.
pub(super) fn start(out: &Path, config: &Config) -> Result<Uploads, Failure> {
    let Some(settings) = config.store.settings() else { return Ok(Uploads::default()) };
    // A store that is away must not prevent a measurement.
    if let Err(error @ (RemoteError::NotBuilt | RemoteError::Settings { .. })) =
        Objects::open(&settings.address, settings.endpoint.as_deref())
    {
        return Err(Failure::new(ExitCode::Usage, format!("`store`: {}", chain(&error))));
    }
    Ok(Uploads::start(settings, out.to_owned()))
}

/// How the wait for the uploads ended.
enum Ended {
    Done,
    Refused(String),
    Away(String),
    Signal(String),
}

/// Waits until a run is uploaded, or all runs if none is named.
pub(super) async fn wait(uploads: &Uploads, run: Option<PathBuf>, quiet: bool) {
    let Some(status) = uploads.status() else { return };
    let store = status.borrow().store.clone();
    uploads.wake();
    let bar = bar(quiet);
    let ended = watch(uploads, run.as_deref(), &bar, quiet).await;
    bar.finish_and_clear();
    let later = "`ctp10 store sync` uploads later";
    match ended {
        Ended::Done => {
            if let Some(receipt) = run.and_then(|run| uploads.receipt(&run)).filter(|_| !quiet) {
                errln!("uploaded to {store}/{} ({})", receipt.place, HumanBytes(receipt.bytes));
            }
        }
        Ended::Refused(reason) => tracing::warn!("not uploaded to {store}: {reason}"),
        Ended::Away(trouble) => tracing::warn!("not uploaded to {store}: {trouble}; {later}"),
        Ended::Signal(signal) => tracing::warn!("not uploaded to {store}: {signal} came first; {later}"),
    }
    let left = status.borrow().waiting;
    if left > 0 && !quiet {
        errln!(
            "{} not uploaded yet; {later}",
            match left {
                1 => "1 run is".to_owned(),
                _ => format!("{left} runs are"),
            }
        );
    }
}

async fn watch(uploads: &Uploads, run: Option<&Path>, bar: &ProgressBar, quiet: bool) -> Ended {
    let Some(mut status) = uploads.status() else { return Ended::Done };
    let mut signal = pin!(stop_signal());
    let begun = Instant::now();
    let (mut away_since, mut announced) = (None, quiet);
    loop {
        let now = status.borrow_and_update().clone();
        show(bar, &now);
        match run {
            // With `keep_local = 0`, the local copy may already be deleted.
            Some(run) if uploads.receipt(run).is_some() || !run.exists() => return Ended::Done,
            Some(run) => {
                let folder = run.display().to_string();
                if let Some(refused) = now.refused.iter().find(|refused| refused.folder == folder) {
                    return Ended::Refused(refused.reason.clone());
                }
            }
            None if now.waiting == 0 && now.run.is_none() && now.looked => return Ended::Done,
            None => {}
        }
        match (&now.trouble, away_since) {
            (Some(_), None) => away_since = Some(Instant::now()),
            (Some(trouble), Some(since)) if Instant::now() >= since + PATIENCE => {
                return Ended::Away(trouble.clone());
            }
            (Some(_), Some(_)) => {}
            (None, _) => away_since = None,
        }
        if !announced && begun.elapsed() >= NOTICEABLE {
            announced = true;
            match &now.trouble {
                Some(trouble) => errln!(
                    "the upload waits (up to {} s; Ctrl-C leaves it for later): {trouble}",
                    PATIENCE.as_secs()
                ),
                None if bar.is_hidden() => errln!(
                    "uploading {} (Ctrl-C leaves the rest for later)",
                    counted(now.waiting.max(1), "run")
                ),
                None => {}
            }
        }
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return Ended::Done },
            signal = &mut signal => return Ended::Signal(signal.to_string()),
            () = tokio::time::sleep(NOTICEABLE) => {}
        }
    }
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("uploading {msg} {wide_bar} {bytes}/{total_bytes}  (Ctrl-C: later)");
    let bar = ProgressBar::new(0);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn show(bar: &ProgressBar, status: &UploadStatus) {
    bar.set_length(status.all_bytes);
    bar.set_position(status.bytes);
    bar.set_message(match (&status.run, &status.trouble) {
        (_, Some(trouble)) => trouble.clone(),
        (Some(run), None) => format!("run {run}"),
        (None, None) => String::new(),
    });
}
