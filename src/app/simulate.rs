//! `ctp10 simulate`

use super::signals::stop_signal;
use crate::cli::SimulateArgs;
use crate::error::{ExitCode, Failure, chain};
use crate::simulator::{BadFault, FaultSpec, Listen, Simulator, SimulatorError, SimulatorOptions};
use crate::terminal::output::{errln, outln};

pub(super) async fn simulate(args: SimulateArgs) -> Result<(), Failure> {
    let free = Listen::default();
    let listen = Listen {
        ctp10: args.listen.clone(),
        smu: args.smu.clone().unwrap_or(free.smu),
        switch: args.switch.clone().unwrap_or(free.switch),
        thermostat: args.thermostat.clone().unwrap_or(free.thermostat),
    };
    let simulator = Simulator::start(&listen, options(args)?).await.map_err(|error| {
        let told = chain(&error);
        match error {
            SimulatorError::Listen { .. } => Failure::new(ExitCode::Usage, told)
                .hint("with port 0, as in `--listen 127.0.0.1:0`, the system chooses a port"),
            SimulatorError::Option(_) | SimulatorError::Log(_) => Failure::new(ExitCode::Usage, told),
        }
    })?;
    outln!("listening on {}", simulator.address());
    for (name, address) in simulator.instruments() {
        outln!("{name} is listening on {address}");
    }
    errln!("SIMULATED INSTRUMENT: no light, no device; stop it with Ctrl-C");
    stop_signal().await;
    Ok(())
}

/// The given options; defaults for the others.
fn options(args: SimulateArgs) -> Result<SimulatorOptions, Failure> {
    let given = serde_json::json!({
        "dut": args.dut, "switch_devices": args.switch_devices, "smu": args.smu.is_some(),
        "switch": args.switch.is_some(), "thermostat": args.thermostat.is_some(), "seed": args.seed, "noise": args.noise, "time_scale": args.time_scale,
        "latency_ms": args.latency_ms, "bandwidth": args.bandwidth, "max_connections": args.max_connections,
        "block_end": args.block_end, "points": args.points, "reference_path": args.reference_path, "log": args.log,
        "stabilization_output": args.stabilization_output, "identifier": args.identifier, "tls_range": args.tls_range,
        "power_in_scan": args.power_in_scan, "lasers_after_scan": args.lasers_after_scan,
        "analog_output": args.analog_output, "distributed": args.distributed, "preload": args.preload,
        "fbc": args.fbc, "lasers": args.lasers, "seam_db": args.seam_db, "reference_sweeps": args.reference_sweeps,
        "trace_types": args.trace_types, "photocurrent": args.photocurrent,
        "modules": args.modules, "channels": args.channels, "faults": faults(&args.faults)?,
    });
    let given = match given {
        serde_json::Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    };
    crate::decode::from_value(&given).map_err(|error| {
        let option = error.path.join(".").replace('_', "-");
        Failure::new(ExitCode::Usage, format!("--{option}: {error}"))
    })
}

/// The given faults; a file name is replaced by the faults in the file.
pub(super) fn faults(given: &[String]) -> Result<Vec<FaultSpec>, Failure> {
    let refuse = |place: &str, error: BadFault| Failure::new(ExitCode::Usage, format!("{place}{error}"));
    let mut all = Vec::new();
    for text in given {
        let Some(file) = text.strip_prefix('@') else {
            all.push(text.parse().map_err(|error| refuse("", error))?);
            continue;
        };
        let lines = std::fs::read_to_string(file).map_err(|error| {
            Failure::new(ExitCode::Usage, format!("--fault: cannot read `{file}`: {error}"))
        })?;
        for (number, line) in (1..).zip(crate::source::without_mark(&lines).lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                all.push(line.parse().map_err(|error| refuse(&format!("{file}:{number}: "), error))?);
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_help_describes_every_kind_of_fault_and_every_word_for_a_command() {
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("simulate").unwrap().render_long_help().to_string();
        let help = &help[help.find("--fault").unwrap()..help.find("--log ").unwrap()];
        for word in FaultSpec::kinds().chain(FaultSpec::commands()) {
            assert!(help.contains(word), "no `{word}` in {help}");
        }
    }

    #[test]
    fn faults_of_a_file_stand_one_a_line_and_a_wrong_one_is_found_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("night.txt");
        std::fs::write(&file, "# a bad night\n\ndrop@trace:2   # in the middle\n  late@power=6\r\n").unwrap();
        let given = ["hang@sweep".to_owned(), format!("@{}", file.display())];
        let texts: Vec<String> = faults(&given).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["hang@sweep:1", "drop@trace:2", "late@power:1=6"]);
        std::fs::write(&file, "drop@3\ndorp@4\n").unwrap();
        let told = faults(&given).unwrap_err().findings[0].render(false);
        assert!(
            told.contains("night.txt:2: fault `dorp@4`: unknown kind `dorp`; did you mean `drop`?"),
            "{told}"
        );
    }
}
