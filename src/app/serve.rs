//! `ctp10 serve`, and the HTTP server of `ctp10 run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use super::choose::choose;
use super::open::{Connect, OpenSession};
use super::setup;
use super::signals::{OnTerminate, Signals};
use crate::batch::WorkerCommand;
use crate::cli::{LogFormat, OutputArgs, ServeArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::session::Session;
use crate::sidecar::{BatchQueue, Options, Sidecar, SidecarError, Tokens, WrongToken};
use crate::terminal::output::{errln, outln};

/// The default address of the HTTP server.
pub(super) const LISTEN: &str = "127.0.0.1:8002";

pub(super) async fn serve(args: ServeArgs, config: &Config) -> Result<(), Failure> {
    let choice = choose(&args.instrument, None, config)?;
    let mut setup = setup(args.out, &args.real, config)?;
    setup.uploads = super::uploads::start(&setup.out, config)?;
    let open = OpenSession::open(choice, "serve".to_owned(), Connect::Later, setup, config).await?;
    let session = &open.session;
    let mut options = options(
        config,
        &TokenFiles { full: args.token_file.as_deref(), read_only: args.read_token_file.as_deref() },
    )?;
    options.allow_origin.extend(args.allow_origin);
    if let Some(base) = args.base_path {
        options.base = base.parse().map_err(|why| wrong_use("--base-path", why))?;
    }
    for proxy in args.trusted_proxy {
        options.trusted_proxies.push(proxy.parse().map_err(|why| wrong_use("--trusted-proxy", why))?);
    }
    options.simulator = open.simulator();
    let queue = super::batch::service::open(open.target(), &session.setup().out);
    options.batch = queue.clone().map(|queue| BatchQueue { queue, open: true });
    let listen = args.listen.or_else(|| config.listen.clone()).unwrap_or_else(|| LISTEN.to_owned());
    let sidecar = Sidecar::start(&listen, Arc::clone(session), options).await;
    let sidecar = sidecar.map_err(|error| wrong(&error))?;
    let (commands, command) = watch::channel(WorkerCommand::Continue);
    let fleet =
        super::fleet::start(&args.fleet, config, session, queue.as_ref(), sidecar.url().to_string()).await?;
    let worker = queue.map(|queue| super::batch::service::work(session, queue, open.simulator(), command));
    let mut signals = Signals::handle(session, OnTerminate::Finish, commands);
    outln!("listening on {}", sidecar.url());
    if open.simulator().is_some() {
        errln!("SIMULATED INSTRUMENT: no light, no device; all values are computed");
    }
    signals.first().await;
    fleet.as_ref().inspect(|fleet| fleet.drain());
    session.run_ended().await;
    if let Some(worker) = worker {
        // The result of the last item is stored before the program ends.
        let _ = worker.await;
    }
    if let Some(fleet) = fleet {
        fleet.finish().await;
    }
    sidecar.stop().await;
    drop(signals);
    super::notifications::wait(&session.setup().outbox, false).await;
    Ok(())
}

/// The HTTP server of a run, unless it is disabled. A port that is already used does not prevent the run.
pub(super) async fn beside_run(
    session: &Arc<Session>,
    wanted: Option<&str>,
    config: &Config,
    output: &OutputArgs,
    batch: Option<BatchQueue>,
) -> Result<Option<Sidecar>, Failure> {
    let listen = wanted.or(config.listen.as_deref()).unwrap_or(LISTEN);
    if listen == "off" {
        return Ok(None);
    }
    let options = Options { batch, ..options(config, &TokenFiles::default())? };
    match Sidecar::start(listen, Arc::clone(session), options).await {
        Ok(sidecar) => {
            match (output.log_format, output.quiet) {
                (LogFormat::Json, _) => errln!("{}", json!({ "event": "dashboard", "url": sidecar.url() })),
                (LogFormat::Text, false) => errln!("dashboard at {}", sidecar.url()),
                (LogFormat::Text, true) => {}
            }
            Ok(Some(sidecar))
        }
        Err(error @ SidecarError::Listen(..)) => {
            tracing::warn!("no dashboard and no HTTP API for this run: {}", chain(&error));
            Ok(None)
        }
        Err(error) => Err(wrong(&error)),
    }
}

fn wrong(error: &SidecarError) -> Failure {
    let failure = Failure::new(ExitCode::Usage, chain(error));
    match error {
        SidecarError::Listen(..) => failure.hint("with `--listen 127.0.0.1:0` the system chooses a port"),
        SidecarError::NoToken(_) => failure.hint(
            "write one into a file (`(umask 077; openssl rand -hex 24 > token)`) and use `--token-file token`, or set `CTP10_TOKEN`",
        ),
        SidecarError::Token(WrongToken::Alone) => {
            failure.hint("write a token into another file and use `--token-file`, or set `CTP10_TOKEN`")
        }
        SidecarError::Token(WrongToken::Weak { .. } | WrongToken::Same) => {
            failure.hint("`openssl rand -hex 24` creates a suitable one")
        }
        SidecarError::Base { .. } => failure.hint("choose another name: `--base-path /bench-a`"),
    }
}

/// Warns about a readable token file, because anyone with the token can control the lasers.
fn warn_of_readers(path: &Path) {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let file = path.display();
            tracing::warn!(
                "other users of this computer can read the token file `{file}` (mode {mode:04o}): use `chmod 0600 {file}`"
            );
        }
    }
}

fn wrong_use(option: &str, why: String) -> Failure {
    Failure::new(ExitCode::Usage, format!("`{option}`: {why}"))
}

/// The files with tokens of the command line.
#[derive(Debug, Default)]
struct TokenFiles<'a> {
    full: Option<&'a Path>,
    read_only: Option<&'a Path>,
}

/// The token from a file, if there is one, or from the environment.
pub(super) fn token(file: Option<&Path>, environment: Option<&String>) -> Result<Option<String>, Failure> {
    let Some(path) = file else { return Ok(environment.cloned()) };
    warn_of_readers(path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(ExitCode::Usage, format!("cannot read the token file `{}`: {error}", path.display()))
    })?;
    Ok(Some(text.trim().to_owned()))
}

fn options(config: &Config, files: &TokenFiles) -> Result<Options, Failure> {
    let full = files.full.or(config.token_file.as_deref());
    let read_only = files.read_only.or(config.read_token_file.as_deref());
    let tokens = Tokens {
        full: token(full, config.token.as_ref())?,
        read_only: token(read_only, config.read_token.as_ref())?,
    };
    let recipes =
        config.recipes.clone().unwrap_or_else(|| ["recipes", "scripts"].map(PathBuf::from).to_vec());
    Ok(Options {
        defaults: config.defaults,
        recipes,
        allow_origin: config.allow_origin.clone(),
        tokens,
        base: config.base_path.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        allow_scpi: config.allow_scpi,
        simulator: None,
        instruments: config.instrument.iter().filter_map(|named| named.value.parse().ok()).collect(),
        batch: None,
    })
}
