//! The arguments of `ctp10 simulate`.

use std::path::PathBuf;

use clap::Args;

use super::numbers::finite;

/// The long help of `--fault`.
const FAULTS: &str = "\
Produce a fault: KIND@WHERE or KIND@WHERE=VALUE. May be given several times.

KIND:
  drop         the connection is closed instead of a reply, or half-way through a trace
  stall        no reply, now and later; the connection stays open
  garble       the reply is unreadable; =BYTES: a trace announces so many bytes too many
  truncate     the reply ends early, and the connection is closed
  late         the reply comes after =SECONDS (8)
  reboot       power-on state; all connections are closed, new ones are refused for =SECONDS (3)
  refuse       the command is not carried out; -200 is in the error queue
  error-queue  the error queue has an error (-310) that the command did not cause
  slow         the reply is sent at =BYTES per second (20000)
  hang         the scan that is started does not end before ABORt

WHERE:
  57           the 57th command, from any client; `every`: each command
  trace        the first command of a group: sweep, reference, abort, laser, trace,
               power, condition, idn, error, or a header, with `?` for a query
  trace:2      the second command of the group; `trace:every`: each one

smu:KIND@WHERE     a fault of the source-meter; likewise switch: and thermostat:. A command is
                   named by its header, as in smu:late@MEAS:CURR?=2
random@SEED        a random fault at one command in a hundred; a seed gives the same faults again
random@SEED=RATE   this share of the commands, 0 to 1
@FILE              a file with one fault per line; # starts a comment";

/// `ctp10 simulate`
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Address of the simulated CTP10. With port 0 the system chooses a port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5025")]
    pub listen: String,
    /// Also simulate a source-meter on this address. Its heater shifts the spectrum of the device.
    #[arg(long, value_name = "ADDR")]
    pub smu: Option<String>,
    /// Also simulate an optical switch on this address. It decides which device is in the path.
    #[arg(long, value_name = "ADDR")]
    pub switch: Option<String>,
    /// Also simulate a thermostat on this address. It shifts the spectrum of the device.
    #[arg(long, value_name = "ADDR")]
    pub thermostat: Option<String>,
    /// The devices at the outputs 2 to 4 of the switch. Default: ring-tm,mach-zehnder,loopback.
    #[arg(long, value_name = "NAME|FILE.csv,…", value_delimiter = ',', hide_short_help = true)]
    pub switch_devices: Option<Vec<String>>,
    /// The device under test: ring, ring-tm (the same ring in TM polarisation), mach-zehnder, bragg, filter, loopback,
    /// open (no light arrives), or a CSV file with `wavelength_nm,transmission_db`.
    #[arg(long, value_name = "NAME|FILE.csv")]
    pub dut: Option<String>,
    /// Seed of the noise. The same seed gives the same noise.
    #[arg(long)]
    pub seed: Option<u64>,
    /// `fresh`: each sweep has new noise. `by-settings`: the same settings give the same samples.
    #[arg(long, value_name = "fresh|by-settings", hide_short_help = true)]
    pub noise: Option<String>,
    /// Factor for all durations: with 0.1 sweeps are ten times shorter.
    #[arg(long, value_name = "X", value_parser = finite)]
    pub time_scale: Option<f64>,
    /// Delay before each reply, in ms.
    #[arg(long, value_name = "MS", value_parser = finite)]
    pub latency_ms: Option<f64>,
    /// Largest rate of sent data, in bytes per second.
    #[arg(long, value_name = "BYTES_PER_S", value_parser = finite, hide_short_help = true)]
    pub bandwidth: Option<f64>,
    /// Largest number of clients that are connected at the same time.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub max_connections: Option<usize>,
    /// Characters after a binary block.
    #[arg(long, value_name = "none|crlf", hide_short_help = true)]
    pub block_end: Option<String>,
    /// Number of points of every trace, independent of the settings.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub points: Option<u64>,
    /// Light path during a reference scan.
    #[arg(long, value_name = "patch-cord|device", hide_short_help = true)]
    pub reference_path: Option<String>,
    /// Whether lasers stay on after a scan if `INITiate:STABilization` has never been set.
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1), hide_short_help = true)]
    pub stabilization_output: Option<u8>,
    /// `resets`: a change of the laser resets the other settings of a TLS to their defaults. `keeps`: they stay.
    #[arg(long, value_name = "keeps|resets", hide_short_help = true)]
    pub identifier: Option<String>,
    /// If the TLSs do not cover a scan: `overlap` sweeps the common range, `refuse` refuses the scan.
    #[arg(long, value_name = "overlap|refuse", hide_short_help = true)]
    pub tls_range: Option<String>,
    /// Whether a power query during a scan is answered.
    #[arg(long, value_name = "answered|refused", hide_short_help = true)]
    pub power_in_scan: Option<String>,
    /// Power and wavelength of a laser after a scan: those set for static control (`as-set`) or the last ones of the
    /// scan (`actual`).
    #[arg(long, value_name = "as-set|actual", hide_short_help = true)]
    pub lasers_after_scan: Option<String>,
    /// Whether `SYSTem:ANLG:OUT<k>:SOURce m,c` has a reply.
    #[arg(long, value_name = "silent|answers", hide_short_help = true)]
    pub analog_output: Option<String>,
    /// Whether `CTP:SENSe:FBC <laser>` selects the laser whose light reaches the output in static control.
    #[arg(long, value_name = "ignored|selects", hide_short_help = true)]
    pub fbc: Option<String>,
    /// Models of the lasers, in the order of their numbers: T100S-HP, T200S-O-M, T500S, mSWS. Default:
    /// T100S-HP,T200S-O-M.
    #[arg(long, value_name = "MODEL,MODEL,…", value_delimiter = ',')]
    pub lasers: Option<Vec<String>>,
    /// Each laser of a scan after the first one emits this much less power than was set, in dB. Reference scans are not
    /// affected.
    #[arg(long, value_name = "DB", value_parser = finite, hide_short_help = true)]
    pub seam_db: Option<f64>,
    /// Number of sweeps of a reference scan: 1 (TF) or 4 (TF/PDL).
    #[arg(long, value_name = "1|4", hide_short_help = true)]
    pub reference_sweeps: Option<u8>,
    /// Trace types that the simulator has in addition to 1, 11, 12 and 13. Types 2 to 10 return the values of type 1,
    /// types 14 to 23 those of type 11.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', hide_short_help = true)]
    pub trace_types: Option<Vec<u8>>,
    /// Modules that measure photocurrent: they have no `POWer?` and no `WAVelength`.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', hide_short_help = true)]
    pub photocurrent: Option<Vec<u8>>,
    /// Simulate a Distributed CTP10: laser commands fail, and a scan first waits for the Controller.
    #[arg(long, hide_short_help = true)]
    pub distributed: bool,
    /// Start with a trace and a reference of every detector in memory.
    #[arg(long, hide_short_help = true)]
    pub preload: bool,
    /// Positions of the detector modules, 1 to 20. A module 4 is an IL RL OPM2, all others are plain. Default: 4,5.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    pub modules: Option<Vec<u8>>,
    /// Number of detectors of a plain module, 1 to 6. Default: 4.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub channels: Option<u8>,
    /// Produce a fault: `drop@trace:2`, `late@57=8`, `random@7`, `@FILE`. May be given several times.
    #[arg(long = "fault", value_name = "SPEC", long_help = FAULTS)]
    pub faults: Vec<String>,
    /// Write every received command and every fault to this file, with the time.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}
