//! `ctp10 serve`, and the sidecar beside `ctp10 run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use super::choose::choose;
use super::setup;
use super::simulate::{StopSignal, stop_signal};
use crate::batch::WorkerCommand;
use crate::cli::ServeArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::sidecar::{BatchQueue, Metrics, Options, Sidecar, SidecarError};
use crate::station::Station;
use crate::terminal::output::{errln, outln};

/// Where a sidecar listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8002";

pub(super) async fn serve(args: ServeArgs, config: &Config) -> Result<(), Failure> {
    let chosen = choose(&args.instrument, None, config)?.open(config).await?;
    let (claim, holder) = chosen.claim("serve".to_owned()).await?;
    let station = Station::new(chosen.instrument.clone(), chosen.name.clone(), setup(args.out, config));
    let _occupied = station.occupy(claim, holder);
    let mut options = options(config, args.token_file.as_deref())?;
    options.allow_origin.extend(args.allow_origin);
    options.simulator = chosen.options.as_ref().map(|options| json!(options));
    let queue = super::batch::service::open(&chosen.name, &station.setup().out);
    options.batch = queue.clone().map(|queue| BatchQueue { queue, open: true });
    let simulator = options.simulator.clone();
    let listen = args.listen.or_else(|| config.listen.clone()).unwrap_or_else(|| LISTEN.to_owned());
    let sidecar = Sidecar::start(&listen, Arc::clone(&station), options, metrics()?).await;
    let sidecar = sidecar.map_err(|error| wrong(&error))?;
    sidecar.sign();
    let _reconnector = station.keep_connected();
    let (commands, command) = watch::channel(WorkerCommand::Continue);
    let worker = queue.map(|queue| super::batch::service::work(&station, queue, simulator, command));
    outln!("listening on {}", sidecar.url());
    if chosen.options.is_some() {
        errln!("SIMULATED INSTRUMENT: no light, no device; every number is computed");
    }
    wait_for_end(&station, &commands).await;
    if let Some(worker) = worker {
        // What became of its item is kept before the program ends.
        let _ = worker.await;
    }
    sidecar.stop().await;
    super::told::wait(&station.setup().outbox, false).await;
    Ok(())
}

/// SIGTERM waits for the run under way, and takes no new one: a service that is restarted does not interrupt a sweep
/// unasked. Ctrl-C, and any second signal, stops the run in good order.
async fn wait_for_end(station: &Station, commands: &watch::Sender<WorkerCommand>) {
    let first = stop_signal().await;
    station.drain();
    let stop = || commands.send_replace(WorkerCommand::Stop(format!("stopped by {first}")));
    drop(if first == StopSignal::Terminate {
        commands.send_replace(WorkerCommand::FinishRun)
    } else {
        stop()
    });
    let Some(run) = station.current_run() else { return };
    if first == StopSignal::Terminate {
        errln!("waiting for run {} to end; a second signal stops it in good order", run.id());
        tokio::select! {
            () = run.ended() => return,
            _ = stop_signal() => {}
        }
    }
    drop(stop());
    run.control().stop(format!("stopped by {first}"));
    tokio::select! {
        () = run.ended() => {}
        _ = stop_signal() => {
            errln!("left at once: the guard turns the lasers off, and so does `ctp10 off`");
            std::process::exit(ExitCode::Stopped as i32);
        }
    }
}

/// The sidecar of a run, unless it is not wanted. A port that is taken does not keep the run from beginning.
pub(super) async fn beside_run(
    station: &Arc<Station>,
    wanted: Option<&str>,
    config: &Config,
    quiet: bool,
    batch: Option<BatchQueue>,
) -> Result<Option<Sidecar>, Failure> {
    let listen = wanted.or(config.listen.as_deref()).unwrap_or(LISTEN);
    if listen == "off" {
        return Ok(None);
    }
    let options = Options { batch, ..options(config, None)? };
    match Sidecar::start(listen, Arc::clone(station), options, metrics()?).await {
        Ok(sidecar) => {
            if !quiet {
                errln!("dashboard at {}", sidecar.url());
            }
            Ok(Some(sidecar))
        }
        Err(error @ SidecarError::Listen(..)) => {
            tracing::warn!("no sidecar for this run: {}", chain(&error));
            Ok(None)
        }
        Err(error) => Err(wrong(&error)),
    }
}

fn wrong(error: &SidecarError) -> Failure {
    let failure = Failure::new(ExitCode::Usage, chain(error));
    match error {
        SidecarError::Listen(..) => failure.hint("`--listen 127.0.0.1:0` lets the system choose a port"),
        SidecarError::NoToken(_) => failure.hint(
            "write one into a file (`(umask 077; openssl rand -hex 24 > token)`) and say `--token-file token`, or set `CTP10_TOKEN`",
        ),
        SidecarError::BadToken => failure.hint("`openssl rand -hex 24` makes a good one"),
    }
}

fn metrics() -> Result<Metrics, Failure> {
    Metrics::collect().map_err(|error| Failure::new(ExitCode::Failed, error))
}

/// Whoever can read the token can drive the lasers.
fn warn_of_readers(path: &Path) {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let file = path.display();
            tracing::warn!(
                "others on this computer can read the token file `{file}` (mode {mode:04o}): `chmod 0600 {file}`"
            );
        }
    }
}

fn options(config: &Config, token_file: Option<&Path>) -> Result<Options, Failure> {
    let token = match token_file.or(config.token_file.as_deref()) {
        Some(path) => {
            warn_of_readers(path);
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    ExitCode::Usage,
                    format!("cannot read the token file `{}`: {error}", path.display()),
                )
            })?;
            Some(text.trim().to_owned())
        }
        None => config.token.clone(),
    };
    let recipes =
        config.recipes.clone().unwrap_or_else(|| ["recipes", "scripts"].map(PathBuf::from).to_vec());
    Ok(Options {
        defaults: config.defaults,
        recipes,
        allow_origin: config.allow_origin.clone(),
        token,
        allow_scpi: config.allow_scpi,
        simulator: None,
        instruments: config.instrument.iter().filter_map(|named| named.value.parse().ok()).collect(),
        batch: None,
    })
}
