//! `ctp10 simulate`

use crate::cli::SimulateArgs;
use crate::error::{ExitCode, Failure, chain};
use crate::simulator::{Simulator, SimulatorError, SimulatorOptions};

pub(super) async fn simulate(args: SimulateArgs) -> Result<(), Failure> {
    let listen = args.listen.clone();
    let simulator = Simulator::start(listen.as_str(), options(args)?).await.map_err(|error| {
        let told = chain(&error);
        match error {
            SimulatorError::Listen(_) => Failure::new(ExitCode::Usage, format!("`{listen}`: {told}"))
                .hint("`--listen 127.0.0.1:0` lets the system choose a port"),
            SimulatorError::Option(_) | SimulatorError::Log(_) => Failure::new(ExitCode::Usage, told),
        }
    })?;
    println!("listening on {}", simulator.address());
    eprintln!("SIMULATED INSTRUMENT: no light, no device; stop it with Ctrl-C");
    stop_signal().await;
    Ok(())
}

/// The options as given, over the defaults.
fn options(args: SimulateArgs) -> Result<SimulatorOptions, Failure> {
    let given = serde_json::json!({
        "dut": args.dut, "seed": args.seed, "noise": args.noise, "time_scale": args.time_scale,
        "latency_ms": args.latency_ms, "bandwidth": args.bandwidth, "max_connections": args.max_connections,
        "block_end": args.block_end, "points": args.points, "reference_path": args.reference_path, "log": args.log,
    });
    let given = match given {
        serde_json::Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    };
    crate::reading::read(&given).map_err(|error| {
        let option = error.path.join(".").replace('_', "-");
        Failure::new(ExitCode::Usage, format!("--{option}: {error}"))
    })
}

/// A signal that asks the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopSignal {
    /// From a person at the terminal.
    Interrupt,
    /// From whoever manages the process.
    Terminate,
}

impl std::fmt::Display for StopSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Waits for Ctrl-C or SIGTERM and says which it was.
pub(super) async fn stop_signal() -> StopSignal {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = terminate.recv() => StopSignal::Terminate,
                _ = tokio::signal::ctrl_c() => StopSignal::Interrupt,
            };
        }
    }
    // Without a handler the default action ends the process; there is nothing to wait for then.
    let _ = tokio::signal::ctrl_c().await;
    StopSignal::Interrupt
}
