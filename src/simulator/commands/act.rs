//! Commands and settings.

use super::super::call::Call;
use super::super::errors::Rejection;
use super::super::hardware::IL_RL_OPM2;
use super::super::headers::Header;
use super::super::options::AnalogOutput;
use super::super::state::{RANGE_NM, SimulatorState};
use super::super::value::{boolean, integer, number, power_dbm, wavelength_nm};
use super::ask::write_place;
use super::{Reply, traces};

/// Analog outputs of the mainframe.
const ANALOG_OUTPUTS: u32 = 8;
/// The highest module number, and the highest laser number.
const MODULES: u8 = 20;
const LASERS: u8 = 10;
/// Trigger inputs: 0 for software, 1 to 8 for an input.
const TRIGGERS: u8 = 8;

/// Executes a command. Settings are refused during a scan.
pub(super) fn act(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<Reply, Rejection> {
    if call.header.is_setting() && state.is_scanning() {
        return Err(Rejection::SettingsConflict);
    }
    let number_in_header = call.suffix(0);
    match call.header {
        Header::Clear => {
            call.none()?;
            state.errors.clear();
            state.status.clear();
        }
        Header::Reset => {
            call.none()?;
            state.reset();
        }
        Header::Complete => {
            call.none()?;
            let busy = state.busy_with().is_some();
            state.status.want_completion(busy);
        }
        Header::Wait => call.none()?,
        Header::EventEnable => state.status.event_enable = integer(call.one()?, 0..=u8::MAX)?,
        Header::ServiceEnable => state.status.service_enable = integer(call.one()?, 0..=u8::MAX)?,
        Header::OperationEnable => state.status.operation_enable = integer(call.one()?, 0..=u16::MAX)?,
        Header::QuestionableEnable => state.status.questionable_enable = integer(call.one()?, 0..=u16::MAX)?,
        Header::Preset => {
            call.none()?;
            state.status.preset();
        }
        Header::ClearTraces => {
            call.none()?;
            (state.live, state.quick_reference) = (None, None);
        }
        Header::Initiate => {
            call.none()?;
            state.start_scan(None)?;
        }
        Header::Abort => {
            call.none()?;
            state.continuous = false;
            state.abort();
        }
        Header::ReferenceStart => {
            call.none()?;
            let place = call.place()?;
            state.detector(place)?;
            state.start_scan(Some(place))?;
        }
        Header::TraceSave => drop(traces::source(state, call, waited)?),
        Header::AnalogOutput => return route_analog_output(state, call),
        Header::CouplingLoss => {
            let loss_db: f64 = number(call.one()?)?;
            state.chip.lock().set_coupling_loss(within(loss_db, (0.0, 100.0))?);
        }
        Header::ScanMode => {
            state.continuous = yes_or_no(call.one()?, &["SING", "SINGLE"], &["CONT", "CONTINUOUS"])?;
        }
        Header::ScanStart => {
            state.start_nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
            // If start and stop would cross, the other end is moved.
            state.stop_nm = state.stop_nm.max((state.start_nm + 1.0).min(RANGE_NM.1));
        }
        Header::ScanStop => {
            state.stop_nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
            state.start_nm = state.start_nm.min((state.stop_nm - 1.0).max(RANGE_NM.0));
        }
        Header::Sampling => state.step_pm = sampling_pm(wavelength_nm(call.one()?)? * 1e3)?,
        Header::Stabilization => stabilization(state, call.arguments)?,
        Header::TlsLaser => state.set_tls_laser(number_in_header, integer(call.one()?, 0..=LASERS)?)?,
        Header::TlsStart => {
            let nm = tls_wavelength_nm(state, call)?;
            let source = state.tls(number_in_header)?;
            (source.start_nm, source.stop_nm) = (nm, source.stop_nm.max(nm));
        }
        Header::TlsStop => {
            let nm = tls_wavelength_nm(state, call)?;
            let source = state.tls(number_in_header)?;
            (source.start_nm, source.stop_nm) = (source.start_nm.min(nm), nm);
        }
        Header::TlsSpeed => {
            let speed = number(call.one()?)?;
            if !state.model_of(number_in_header)?.speeds_nm_s.contain(speed) {
                return Err(Rejection::OutOfRange);
            }
            state.tls(number_in_header)?.speed_nm_s = speed;
        }
        Header::TlsPower => {
            let dbm = within(power_dbm(call.one()?)?, state.model_of(number_in_header)?.power_dbm)?;
            state.tls(number_in_header)?.dbm = dbm;
        }
        Header::AllTlsPower => {
            let dbm = within(power_dbm(call.one()?)?, state.model_of(1)?.power_dbm)?;
            state.tls.iter_mut().for_each(|source| source.dbm = dbm);
        }
        Header::TlsTrigger => {
            let trigger = integer(call.one()?, 0..=TRIGGERS)?;
            *state.tls_trigger(number_in_header)? = trigger;
        }
        Header::FeedbackSense => state.stored.feedback_sense = integer(call.one()?, 0..=MODULES)?,
        Header::FeedbackLaser => {
            let laser = integer(call.one()?, 0..=LASERS)?;
            if laser > 0 {
                state.laser(u32::from(laser))?;
            }
            state.stored.feedback_laser = laser;
        }
        Header::Logging => state.stored.logging = boolean(call.one()?)?,
        Header::LaserType => state.laser(number_in_header)?.kind = integer(call.one()?, 0..=LASERS)?,
        Header::LaserPower => {
            let dbm = power_dbm(call.one()?)?;
            let laser = state.laser(number_in_header)?;
            laser.dbm = within(dbm, laser.model.power_dbm)?;
        }
        Header::LaserWavelength => {
            let nm = wavelength_nm(call.one()?)?;
            let laser = state.laser(number_in_header)?;
            laser.nm = within(nm, laser.model.band_nm)?;
        }
        Header::LaserState => state.laser(number_in_header)?.on = boolean(call.one()?)?,
        Header::SpectralUnit => {
            let frequency = yes_or_no(call.one()?, &["WAV", "WAVELENGTH", "0"], &["FREQ", "FREQUENCY", "1"])?;
            state.detector(call.place()?)?.frequency = frequency;
        }
        Header::PowerUnit => {
            let detector = state.detector(call.place()?)?;
            let (logarithmic, linear) = if detector.is_photocurrent { ("DBMA", "MA") } else { ("DBM", "MW") };
            detector.linear = yes_or_no(call.one()?, &[logarithmic, "0"], &[linear, "1"])?;
        }
        Header::DetectorTrigger => {
            state.detector(call.place()?)?.trigger = integer(call.one()?, 0..=TRIGGERS)?;
        }
        Header::DetectorWavelength => calibrate(state, call)?,
        Header::Identity
        | Header::EventStatus
        | Header::StatusByte
        | Header::SelfTest
        | Header::InstalledOptions
        | Header::Error
        | Header::AllErrors
        | Header::ErrorCount
        | Header::Version
        | Header::Condition
        | Header::OperationEvent
        | Header::QuestionableCondition
        | Header::QuestionableEvent
        | Header::LaserIdentity
        | Header::Power
        | Header::ReferenceResult
        | Header::TraceLength
        | Header::TraceSampling
        | Header::TraceStart
        | Header::TraceX
        | Header::TraceY => return Err(Rejection::UndefinedHeader),
    }
    Ok(Reply::Nothing)
}

/// Converts a keyword: true if it is in `yes`, false if it is in `no`.
fn yes_or_no(argument: &str, no: &[&str], yes: &[&str]) -> Result<bool, Rejection> {
    if yes.contains(&argument) {
        Ok(true)
    } else if no.contains(&argument) {
        Ok(false)
    } else {
        Err(Rejection::IllegalParameter)
    }
}

fn tls_wavelength_nm(state: &mut SimulatorState, call: &Call<'_>) -> Result<f64, Rejection> {
    within(wavelength_nm(call.one()?)?, state.model_of(call.suffix(0))?.band_nm)
}

/// Sets the calibration wavelength. The connectors of an IL RL OPM2 share it; other detectors have their own.
fn calibrate(state: &mut SimulatorState, call: &Call<'_>) -> Result<(), Rejection> {
    let place = call.place()?;
    let nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
    let detector = state.detector(place)?;
    if detector.is_photocurrent {
        return Err(Rejection::UndefinedHeader);
    }
    detector.nm = nm;
    if place.0 == IL_RL_OPM2 {
        let connectors = state.detectors.iter_mut().filter(|(other, _)| other.0 == place.0);
        connectors.for_each(|(_, connector)| connector.nm = nm);
    }
    Ok(())
}

/// `4,1`: the detector whose power an analog output follows.
fn route_analog_output(state: &mut SimulatorState, call: &Call<'_>) -> Result<Reply, Rejection> {
    let [module, channel] = call.arguments else {
        let missing = call.arguments.len() < 2;
        return Err(if missing { Rejection::MissingParameter } else { Rejection::ParameterNotAllowed });
    };
    if !(1..=ANALOG_OUTPUTS).contains(&call.suffix(0)) {
        return Err(Rejection::HardwareMissing);
    }
    let place = (integer(module, 1..=MODULES)?, integer(channel, 1..=6)?);
    state.detector(place)?;
    state.stored.analog_outputs.insert(call.suffix(0), place);
    Ok(match state.options.analog_output {
        AnalogOutput::Silent => Reply::Nothing,
        AnalogOutput::Answers => Reply::Text(write_place(Some(place))),
    })
}

fn within(value: f64, (low, high): (f64, f64)) -> Result<f64, Rejection> {
    // The tolerance of a ten-thousandth allows for rounding between units: 10 mW is 10 dBm.
    let known = (low - 1e-4..=high + 1e-4).contains(&value);
    if known { Ok(value.clamp(low, high)) } else { Err(Rejection::OutOfRange) }
}

/// Allowed are 1 to 250 pm in whole pm, and the fine steps.
fn sampling_pm(pm: f64) -> Result<f64, Rejection> {
    let rounded = (pm * 1e3).round() / 1e3;
    let whole = rounded.fract() == 0.0 && (1.0..=250.0).contains(&rounded);
    let fine = [0.5, 0.2, 0.1, 0.05, 0.02].contains(&rounded);
    if whole || fine { Ok(rounded) } else { Err(Rejection::OutOfRange) }
}

/// `1,12.3`: the output stays on after the scan, and the settling time in s. `ON` or `OFF` alone sets the output
/// only.
fn stabilization(state: &mut SimulatorState, arguments: &[String]) -> Result<(), Rejection> {
    let (output, seconds) = match arguments {
        [] => return Err(Rejection::MissingParameter),
        [output] => (boolean(output)?, state.settle_s),
        [output, seconds] => (boolean(output)?, within(number(seconds)?, (0.0, 60.0))?),
        _ => return Err(Rejection::ParameterNotAllowed),
    };
    (state.keep_on, state.settle_s) = (output, seconds);
    Ok(())
}
