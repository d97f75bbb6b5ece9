//! The composition root: the only module that depends on all others. Each command of the command line is a function
//! here.

mod analyze;
mod batch;
mod check;
mod choose;
mod completions;
mod devices;
mod direct;
mod export;
mod fleet;
mod init;
mod logging;
mod near;
mod notifications;
mod open;
mod plot;
mod rehearse;
mod results;
mod resume;
mod run;
mod runs;
mod serve;
mod signals;
mod simulate;
mod start;
mod store;
mod target;
mod uploads;
mod watch;
mod watchdog;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::cli::{Cli, Command, LogFormat, WithRealArgs};
use crate::config::{Config, REHEARSAL_VARIABLE};
use crate::equipment::{Live, SimulatedBy};
use crate::error::{ExitCode, Failure, chain};
use crate::forecast::allowed::Allowed;
use crate::notify::Outbox;
use crate::remote::Uploads;
use crate::run::Times;
use crate::session::Setup;
use crate::shown;
use crate::terminal::LogWriter;
use crate::terminal::output::{out, outln};
use near::BringNear as _;

pub use start::main;

/// Runs a command line. The error is the failure that ends the program, with its exit code.
async fn perform(cli: Cli) -> Result<(), Failure> {
    let log = LogWriter::default();
    logging::start(&cli.output, &log);
    let config = || Config::load().map_err(|error| Failure::new(ExitCode::Usage, chain(&error)));
    let config_with = |store: Option<String>| {
        config()?.with_store(store).map_err(|error| Failure::new(ExitCode::Usage, chain(&error)))
    };
    let json = cli.output.log_format == LogFormat::Json;
    match cli.command {
        Command::Run(args) => run::run(args, &config()?, &cli.output, &log).await,
        Command::Init { file } => init::init(file),
        Command::Resume(args) => resume::resume(args, &config()?, &cli.output, &log).await,
        Command::Check(args) => check::check(&args, &config()?, json).await,
        Command::Plan(args) => check::plan(&args, &config()?, json).await,
        Command::Batch(args) => batch::batch(args, &config()?, &cli.output, &log).await,
        Command::Rehearse(args) => rehearse::rehearse(args, &config()?).await,
        Command::Fleet(args) => {
            let config = config_with(args.store())?;
            fleet::fleet(args, &config, json).await
        }
        Command::Serve(mut args) => {
            let config = config_with(args.store.take())?;
            serve::serve(args, &config).await
        }
        Command::Watch(args) => watch::watch(args, &config()?).await,
        Command::Simulate(args) => simulate::simulate(*args).await,
        Command::Status(args) => direct::status(&args, &config()?).await,
        Command::Off(args) => direct::off(&args, &config()?).await,
        Command::Guard => watchdog::watchdog().await,
        Command::Figures(mut args) => {
            let config = config()?;
            let _near = args.bring_near(&config).await?;
            results::figures::figures(&args, &config)
        }
        Command::Judge(mut args) => {
            let config = config()?;
            let _near = args.bring_near(&config).await?;
            results::judge::judge(&args, &config)
        }
        Command::Compare(mut args) => {
            let config = config()?;
            let _near = args.bring_near(&config).await?;
            results::compare::compare(&args, &config)
        }
        Command::Analyze(mut args) => {
            let config = config()?;
            let _near = args.bring_near(&config).await?;
            analyze::analyze(&args, &config)
        }
        Command::Devices(args) => devices::devices(&args),
        Command::Export(mut args) => {
            let config = config()?;
            let _near = args.bring_near(&config).await?;
            export::export(&args, &config)
        }
        Command::Plot(mut args) => {
            let config = config()?;
            let _near = args.bring_near(&config).await?;
            plot::plot(&args, &config)
        }
        Command::Runs(mut args) => {
            let config = config()?;
            let near = args.bring_near(&config).await?;
            runs::runs(*args, &config, &near)
        }
        Command::Store(args) => store::store(args, &config()?, json).await,
        Command::Schema(args) => {
            if args.markdown {
                out!("{}", crate::schema::reference());
            } else {
                let schema = if args.batch { crate::batch::schema() } else { crate::schema::recipe() };
                print_json(&schema)?;
            }
            Ok(())
        }
        Command::Completions { shell } => completions::print_script(shell),
        Command::Manual { folder } => completions::write_manual(&folder),
    }
}

/// The folder for run folders: as given, as configured, or the default.
fn run_folders(given: Option<PathBuf>, config: &Config) -> PathBuf {
    given.or_else(|| config.out.clone()).unwrap_or_else(|| PathBuf::from("runs"))
}

/// The configuration of the session for a run or for the service.
fn setup(out: Option<PathBuf>, real: &WithRealArgs, config: &Config) -> Result<Setup, Failure> {
    Ok(Setup {
        out: run_folders(out, config),
        // Only the commands that run recipes start them.
        uploads: Uploads::default(),
        connections: config.connections,
        outbox: match config.notify {
            true => Outbox::new(config.allow_http.clone().unwrap_or_default()),
            false => Outbox::silent(),
        },
        allowed: allowed(config),
        times: Times {
            dark_after: config.dark_after,
            guard_after: config.guard_after,
            disk_full_wait: config.disk_full_wait,
            answer_wait: config.answer_wait,
        },
        live: live(config),
        with_real: with_real(real, config)?,
    })
}

/// The real instruments that the command line names. A name that is not configured is probably a typing error.
fn with_real(real: &WithRealArgs, config: &Config) -> Result<BTreeSet<String>, Failure> {
    if let Some(name) = real.with_real.iter().find(|name| config.instruments.get(name).is_none()) {
        let known: Vec<String> = config.instruments.names().map(|known| format!("`{known}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message =
            format!("--with-real names an instrument that is not configured: `{name}` (configured: {known})");
        return Err(Failure::new(ExitCode::Usage, message)
            .hint(format!("describe the instrument in ctp10.toml: `[instruments.{name}]`")));
    }
    Ok(real.with_real.iter().cloned().collect())
}

/// The connections to the named instruments. A rehearsal reaches only those that it simulates.
fn live(config: &Config) -> Live {
    let Ok(rehearsed) = std::env::var(REHEARSAL_VARIABLE) else {
        return Live::new(&config.instruments, config.deadlines);
    };
    let mut live = Live::default();
    for (name, address) in rehearsed.split(',').filter_map(|pair| pair.split_once('=')) {
        if let Ok(address) = address.parse() {
            let settings = choose::simulated_settings(name, address, config);
            live.simulate(name, settings, SimulatedBy::AnotherProcess, config.deadlines);
        }
    }
    live
}

/// The limits and hosts for recipes. A run needs a list of allowed hosts.
fn allowed(config: &Config) -> Allowed {
    Allowed {
        hosts: Some(config.allow_http.clone().unwrap_or_default()),
        instruments: Some(config.instruments.clone()),
        ..config.allowed()
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(ExitCode::Failed, error))?;
    outln!("{}", shown::json(&text));
    Ok(())
}
