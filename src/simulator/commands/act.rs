//! What is done, and what is set.

use super::super::bench::{Bench, RANGE_NM};
use super::super::errors::Rejection;
use super::super::hardware::IL_RL_OPM2;
use super::super::headers::{Call, Header};
use super::super::options::AnalogOutput;
use super::super::value::{boolean, integer, number, power_dbm, wavelength_nm};
use super::ask::write_place;
use super::{Reply, traces};

/// Analog outputs of the mainframe.
const ANALOG_OUTPUTS: u32 = 8;
/// The highest numbers of a module and of a laser.
const MODULES: u8 = 20;
const LASERS: u8 = 10;
/// What a trigger can be: 0 by software, 1 to 8 an input.
const TRIGGERS: u8 = 8;

/// Carries out what is told. Settings are refused while a scan runs.
pub(super) fn act(bench: &mut Bench, call: &Call<'_>, waited: bool) -> Result<Reply, Rejection> {
    if call.header.is_setting() && bench.is_scanning() {
        return Err(Rejection::SettingsConflict);
    }
    let number_in_header = call.suffix(0);
    match call.header {
        Header::Clear => {
            call.none()?;
            bench.errors.clear();
            bench.status.clear();
        }
        Header::Reset => {
            call.none()?;
            bench.reset();
        }
        Header::Complete => {
            call.none()?;
            let busy = bench.busy_with().is_some();
            bench.status.want_completion(busy);
        }
        Header::Wait => call.none()?,
        Header::EventEnable => bench.status.event_enable = integer(call.one()?, 0..=u8::MAX)?,
        Header::ServiceEnable => bench.status.service_enable = integer(call.one()?, 0..=u8::MAX)?,
        Header::OperationEnable => bench.status.operation_enable = integer(call.one()?, 0..=u16::MAX)?,
        Header::QuestionableEnable => bench.status.questionable_enable = integer(call.one()?, 0..=u16::MAX)?,
        Header::Preset => {
            call.none()?;
            bench.status.preset();
        }
        Header::ClearTraces => {
            call.none()?;
            (bench.live, bench.quick_reference) = (None, None);
        }
        Header::Initiate => {
            call.none()?;
            bench.start_scan(None)?;
        }
        Header::Abort => {
            call.none()?;
            bench.continuous = false;
            bench.abort();
        }
        Header::ReferenceStart => {
            call.none()?;
            let place = call.place()?;
            bench.detector(place)?;
            bench.start_scan(Some(place))?;
        }
        Header::TraceSave => drop(traces::source(bench, call, waited)?),
        Header::AnalogOutput => return route_analog_output(bench, call),
        Header::ScanMode => {
            bench.continuous = word(call.one()?, &["SING", "SINGLE"], &["CONT", "CONTINUOUS"])?;
        }
        Header::ScanStart => {
            bench.start_nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
            // A range that would turn round is pushed along.
            bench.stop_nm = bench.stop_nm.max((bench.start_nm + 1.0).min(RANGE_NM.1));
        }
        Header::ScanStop => {
            bench.stop_nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
            bench.start_nm = bench.start_nm.min((bench.stop_nm - 1.0).max(RANGE_NM.0));
        }
        Header::Sampling => bench.step_pm = sampling_pm(wavelength_nm(call.one()?)? * 1e3)?,
        Header::Stabilization => stabilization(bench, call.arguments)?,
        Header::TlsLaser => bench.set_tls_laser(number_in_header, integer(call.one()?, 0..=LASERS)?)?,
        Header::TlsStart => {
            let nm = tls_wavelength_nm(bench, call)?;
            let source = bench.tls(number_in_header)?;
            (source.start_nm, source.stop_nm) = (nm, source.stop_nm.max(nm));
        }
        Header::TlsStop => {
            let nm = tls_wavelength_nm(bench, call)?;
            let source = bench.tls(number_in_header)?;
            (source.start_nm, source.stop_nm) = (source.start_nm.min(nm), nm);
        }
        Header::TlsSpeed => {
            let speed = number(call.one()?)?;
            let allowed = bench.model_of(number_in_header)?.speeds_nm_s;
            let speed = *allowed.iter().find(|known| **known == speed).ok_or(Rejection::OutOfRange)?;
            bench.tls(number_in_header)?.speed_nm_s = speed;
        }
        Header::TlsPower => {
            let dbm = within(power_dbm(call.one()?)?, bench.model_of(number_in_header)?.power_dbm)?;
            bench.tls(number_in_header)?.dbm = dbm;
        }
        Header::AllTlsPower => {
            let dbm = within(power_dbm(call.one()?)?, bench.model_of(1)?.power_dbm)?;
            bench.tls.iter_mut().for_each(|source| source.dbm = dbm);
        }
        Header::TlsTrigger => bench.tls(number_in_header)?.trigger = integer(call.one()?, 0..=TRIGGERS)?,
        Header::FeedbackSense => bench.kept.feedback_sense = integer(call.one()?, 0..=MODULES)?,
        Header::FeedbackLaser => {
            let laser = integer(call.one()?, 0..=LASERS)?;
            if laser > 0 {
                bench.laser(u32::from(laser))?;
            }
            bench.kept.feedback_laser = laser;
        }
        Header::Logging => bench.kept.logging = boolean(call.one()?)?,
        Header::LaserType => bench.laser(number_in_header)?.kind = integer(call.one()?, 0..=LASERS)?,
        Header::LaserPower => {
            let dbm = power_dbm(call.one()?)?;
            let laser = bench.laser(number_in_header)?;
            laser.dbm = within(dbm, laser.model.power_dbm)?;
        }
        Header::LaserWavelength => {
            let nm = wavelength_nm(call.one()?)?;
            let laser = bench.laser(number_in_header)?;
            laser.nm = within(nm, laser.model.band_nm)?;
        }
        Header::LaserState => bench.laser(number_in_header)?.on = boolean(call.one()?)?,
        Header::SpectralUnit => {
            let frequency = word(call.one()?, &["WAV", "WAVELENGTH", "0"], &["FREQ", "FREQUENCY", "1"])?;
            bench.detector(call.place()?)?.frequency = frequency;
        }
        Header::PowerUnit => {
            let milliwatts = word(call.one()?, &["DBM", "0"], &["MW", "1"])?;
            bench.detector(call.place()?)?.milliwatts = milliwatts;
        }
        Header::DetectorTrigger => {
            bench.detector(call.place()?)?.trigger = integer(call.one()?, 0..=TRIGGERS)?;
        }
        Header::DetectorWavelength => calibrate(bench, call)?,
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

/// Whether a word is one of the second list, and not of the first.
fn word(argument: &str, no: &[&str], yes: &[&str]) -> Result<bool, Rejection> {
    if yes.contains(&argument) {
        Ok(true)
    } else if no.contains(&argument) {
        Ok(false)
    } else {
        Err(Rejection::IllegalParameter)
    }
}

fn tls_wavelength_nm(bench: &mut Bench, call: &Call<'_>) -> Result<f64, Rejection> {
    within(wavelength_nm(call.one()?)?, bench.model_of(call.suffix(0))?.band_nm)
}

/// The calibration wavelength. The connectors of an IL RL OPM2 share it; other detectors have their own.
fn calibrate(bench: &mut Bench, call: &Call<'_>) -> Result<(), Rejection> {
    let place = call.place()?;
    let nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
    bench.detector(place)?.nm = nm;
    if place.0 == IL_RL_OPM2 {
        let connectors = bench.detectors.iter_mut().filter(|(other, _)| other.0 == place.0);
        connectors.for_each(|(_, connector)| connector.nm = nm);
    }
    Ok(())
}

/// `4,1`: the detector whose power an analog output follows.
fn route_analog_output(bench: &mut Bench, call: &Call<'_>) -> Result<Reply, Rejection> {
    let [module, channel] = call.arguments else {
        let missing = call.arguments.len() < 2;
        return Err(if missing { Rejection::MissingParameter } else { Rejection::ParameterNotAllowed });
    };
    if !(1..=ANALOG_OUTPUTS).contains(&call.suffix(0)) {
        return Err(Rejection::HardwareMissing);
    }
    let place = (integer(module, 1..=MODULES)?, integer(channel, 1..=6)?);
    bench.detector(place)?;
    bench.kept.analog_outputs.insert(call.suffix(0), place);
    Ok(match bench.options.analog_output {
        AnalogOutput::Silent => Reply::Nothing,
        AnalogOutput::Answers => Reply::Text(write_place(Some(place))),
    })
}

fn within(value: f64, (low, high): (f64, f64)) -> Result<f64, Rejection> {
    // A ten-thousandth of a unit absorbs what a change of units costs: 10 mW is 10 dBm.
    let known = (low - 1e-4..=high + 1e-4).contains(&value);
    if known { Ok(value.clamp(low, high)) } else { Err(Rejection::OutOfRange) }
}

/// 1 to 250 pm in whole pm, or one of the fine steps.
fn sampling_pm(pm: f64) -> Result<f64, Rejection> {
    let rounded = (pm * 1e3).round() / 1e3;
    let whole = rounded.fract() == 0.0 && (1.0..=250.0).contains(&rounded);
    let fine = [0.5, 0.2, 0.1, 0.05, 0.02].contains(&rounded);
    if whole || fine { Ok(rounded) } else { Err(Rejection::OutOfRange) }
}

/// `1,12.3`: the output stays on after the scan, and the settling time; `ON` or `OFF` alone sets the first.
fn stabilization(bench: &mut Bench, arguments: &[String]) -> Result<(), Rejection> {
    let (output, seconds) = match arguments {
        [] => return Err(Rejection::MissingParameter),
        [output] => (boolean(output)?, bench.settle_s),
        [output, seconds] => (boolean(output)?, within(number(seconds)?, (0.0, 60.0))?),
        _ => return Err(Rejection::ParameterNotAllowed),
    };
    (bench.keep_on, bench.settle_s) = (output, seconds);
    Ok(())
}
