//! Questions.

use super::super::bench::{Bench, Place};
use super::super::errors::Rejection;
use super::super::headers::{Call, Header};
use super::super::value::{write_nm, write_number};
use super::{Reply, traces};

/// The version of SCPI that the grammar follows.
const SCPI_VERSION: &str = "1999.0";

pub(super) fn ask(bench: &mut Bench, call: &Call<'_>, waited: bool) -> Result<Reply, Rejection> {
    if call.header.is_trace() {
        return traces::data(bench, call, waited).map(|transfer| Reply::Trace(Box::new(transfer)));
    }
    call.none()?;
    text(bench, call, waited).map(Reply::Text)
}

fn text(bench: &mut Bench, call: &Call<'_>, waited: bool) -> Result<String, Rejection> {
    let number = call.suffix(0);
    Ok(match call.header {
        Header::Identity => {
            format!("EXFO,CTP10,SIMULATED-{},{}", bench.options.seed, env!("CARGO_PKG_VERSION"))
        }
        Header::Complete => "1".to_owned(),
        Header::EventStatus => bench.status.take_events().to_string(),
        Header::EventEnable => bench.status.event_enable.to_string(),
        Header::ServiceEnable => bench.status.service_enable.to_string(),
        Header::StatusByte => bench.status.byte(bench.errors.len() > 0).to_string(),
        // Passed, none, and nothing.
        Header::SelfTest
        | Header::InstalledOptions
        | Header::QuestionableCondition
        | Header::QuestionableEvent => "0".to_owned(),
        Header::Error => bench.errors.next(),
        Header::AllErrors => bench.errors.all(),
        Header::ErrorCount => bench.errors.len().to_string(),
        Header::Version => SCPI_VERSION.to_owned(),
        Header::Condition => bench.condition().to_string(),
        Header::OperationEvent => bench.status.take_operation_events().to_string(),
        Header::OperationEnable => bench.status.operation_enable.to_string(),
        Header::QuestionableEnable => bench.status.questionable_enable.to_string(),
        Header::ScanMode => if bench.continuous { "CONT" } else { "SING" }.to_owned(),
        Header::ScanStart => write_nm(bench.start_nm),
        Header::ScanStop => write_nm(bench.stop_nm),
        Header::Sampling => write_number(bench.step_pm * 1e-12),
        Header::Stabilization => format!("{},{}", flag(bench.keep_on), bench.settle_s),
        Header::TlsLaser => bench.tls(number)?.laser.to_string(),
        Header::TlsStart => write_nm(bench.tls(number)?.start_nm),
        Header::TlsStop => write_nm(bench.tls(number)?.stop_nm),
        Header::TlsSpeed => bench.tls(number)?.speed_nm_s.to_string(),
        Header::TlsPower => write_number(bench.tls(number)?.dbm),
        Header::TlsTrigger => bench.tls(number)?.trigger.to_string(),
        Header::AllTlsPower => write_number(bench.tls(1)?.dbm),
        Header::AnalogOutput => write_place(bench.kept.analog_outputs.get(&number).copied()),
        Header::FeedbackSense => bench.kept.feedback_sense.to_string(),
        Header::FeedbackLaser => bench.kept.feedback_laser.to_string(),
        Header::Logging => flag(bench.kept.logging),
        Header::LaserIdentity => bench.laser(number)?.model.identity.to_owned(),
        Header::LaserType => bench.laser(number)?.kind.to_string(),
        Header::LaserPower => write_number(bench.laser(number)?.dbm),
        Header::LaserState => flag(bench.laser(number)?.on),
        Header::LaserWavelength => write_nm(bench.laser(number)?.nm),
        Header::Power => power(bench, call.place()?)?,
        Header::SpectralUnit => flag(bench.detector(call.place()?)?.frequency),
        Header::PowerUnit => flag(bench.detector(call.place()?)?.milliwatts),
        Header::DetectorWavelength => write_nm(bench.detector(call.place()?)?.nm),
        Header::DetectorTrigger => bench.detector(call.place()?)?.trigger.to_string(),
        Header::ReferenceResult => reference_result(bench, call.place()?)?,
        Header::TraceLength => traces::source(bench, call, waited)?.live().points.to_string(),
        Header::TraceSampling => write_number(traces::source(bench, call, waited)?.live().step_pm * 1e-12),
        Header::TraceStart => write_nm(traces::source(bench, call, waited)?.live().start_nm),
        Header::TraceX
        | Header::TraceY
        | Header::TraceSave
        | Header::Clear
        | Header::Reset
        | Header::Wait
        | Header::Preset
        | Header::Initiate
        | Header::Abort
        | Header::ClearTraces
        | Header::ReferenceStart => return Err(Rejection::UndefinedHeader),
    })
}

fn flag(on: bool) -> String {
    u8::from(on).to_string()
}

/// A detector as `m,c`; `0,0` is none.
pub(super) fn write_place(place: Option<Place>) -> String {
    let (module, channel) = place.unwrap_or_default();
    format!("{module},{channel}")
}

fn power(bench: &mut Bench, place: Place) -> Result<String, Rejection> {
    let milliwatts = bench.detector(place)?.milliwatts;
    let power = bench.power_mw(place)?;
    Ok(write_number(if milliwatts { power } else { 10.0 * power.log10() }))
}

fn reference_result(bench: &mut Bench, place: Place) -> Result<String, Rejection> {
    bench.detector(place)?;
    let reference = bench.references.get(&place);
    Ok(reference
        .map_or_else(|| "0".to_owned(), |reference| reference.taken.format("1,0,%Y%m%d,%H%M%S").to_string()))
}
