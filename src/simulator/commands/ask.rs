//! Queries.

use super::super::call::Call;
use super::super::errors::Rejection;
use super::super::headers::Header;
use super::super::state::{Place, SimulatorState};
use super::super::value::{write_nm, write_number};
use super::{Reply, traces};

/// The SCPI version of the grammar.
const SCPI_VERSION: &str = "1999.0";

pub(super) fn ask(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<Reply, Rejection> {
    if call.header.is_trace() {
        return traces::data(state, call, waited).map(|transfer| Reply::Trace(Box::new(transfer)));
    }
    call.none()?;
    text(state, call, waited).map(Reply::Text)
}

fn text(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<String, Rejection> {
    let number = call.suffix(0);
    Ok(match call.header {
        Header::Identity => {
            format!("EXFO,CTP10,SIMULATED-{},{}", state.options.seed, env!("CARGO_PKG_VERSION"))
        }
        Header::Complete => "1".to_owned(),
        Header::EventStatus => state.status.take_events().to_string(),
        Header::EventEnable => state.status.event_enable.to_string(),
        Header::ServiceEnable => state.status.service_enable.to_string(),
        Header::StatusByte => state.status.byte(state.errors.len() > 0).to_string(),
        // Self-test passed, no errors, no condition.
        Header::SelfTest
        | Header::InstalledOptions
        | Header::QuestionableCondition
        | Header::QuestionableEvent => "0".to_owned(),
        Header::Error => state.errors.next(),
        Header::AllErrors => state.errors.all(),
        Header::ErrorCount => state.errors.len().to_string(),
        Header::Version => SCPI_VERSION.to_owned(),
        Header::Condition => state.condition().to_string(),
        Header::OperationEvent => state.status.take_operation_events().to_string(),
        Header::OperationEnable => state.status.operation_enable.to_string(),
        Header::QuestionableEnable => state.status.questionable_enable.to_string(),
        Header::ScanMode => if state.continuous { "CONT" } else { "SING" }.to_owned(),
        Header::ScanStart => write_nm(state.start_nm),
        Header::ScanStop => write_nm(state.stop_nm),
        Header::Sampling => write_number(state.step_pm * 1e-12),
        Header::Stabilization => format!("{},{}", flag(state.keep_on), state.settle_s),
        Header::TlsLaser => state.tls(number)?.laser.to_string(),
        Header::TlsStart => write_nm(state.tls(number)?.start_nm),
        Header::TlsStop => write_nm(state.tls(number)?.stop_nm),
        Header::TlsSpeed => state.tls(number)?.speed_nm_s.to_string(),
        Header::TlsPower => write_number(state.tls(number)?.dbm),
        Header::TlsTrigger => state.tls_trigger(number)?.to_string(),
        Header::AllTlsPower => write_number(state.tls(1)?.dbm),
        Header::CouplingLoss => state.chip.lock().coupling_loss_db().to_string(),
        Header::AnalogOutput => write_place(state.stored.analog_outputs.get(&number).copied()),
        Header::FeedbackSense => state.stored.feedback_sense.to_string(),
        Header::FeedbackLaser => state.stored.feedback_laser.to_string(),
        Header::Logging => flag(state.stored.logging),
        Header::LaserIdentity => state.laser(number)?.model.identity.to_owned(),
        Header::LaserType => state.laser(number)?.kind.to_string(),
        Header::LaserPower => write_number(state.laser(number)?.dbm),
        Header::LaserState => flag(state.laser(number)?.on),
        Header::LaserWavelength => write_nm(state.laser(number)?.nm),
        Header::Power => power(state, call.place()?)?,
        Header::SpectralUnit => flag(state.detector(call.place()?)?.frequency),
        Header::PowerUnit => flag(state.detector(call.place()?)?.linear),
        Header::DetectorWavelength => write_nm(calibration_nm(state, call.place()?)?),
        Header::DetectorTrigger => state.detector(call.place()?)?.trigger.to_string(),
        Header::ReferenceResult => reference_result(state, call.place()?)?,
        Header::TraceLength => traces::source(state, call, waited)?.live().points.to_string(),
        Header::TraceSampling => write_number(traces::source(state, call, waited)?.live().step_pm * 1e-12),
        Header::TraceStart => write_nm(traces::source(state, call, waited)?.live().start_nm),
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

/// A detector as `m,c`; `0,0` means none.
pub(super) fn write_place(place: Option<Place>) -> String {
    let (module, channel) = place.unwrap_or_default();
    format!("{module},{channel}")
}

fn power(state: &mut SimulatorState, place: Place) -> Result<String, Rejection> {
    let linear = state.detector(place)?.linear;
    let power = state.power_mw(place)?;
    Ok(write_number(if linear { power } else { 10.0 * power.log10() }))
}

fn calibration_nm(state: &mut SimulatorState, place: Place) -> Result<f64, Rejection> {
    let detector = state.detector(place)?;
    if detector.is_photocurrent { Err(Rejection::UndefinedHeader) } else { Ok(detector.nm) }
}

/// `1,0,20251128,092631`: valid, the kind (0: one sweep, 1: four sweeps), date and time.
fn reference_result(state: &mut SimulatorState, place: Place) -> Result<String, Rejection> {
    state.detector(place)?;
    let Some(reference) = state.references.get(&place) else { return Ok("0".to_owned()) };
    let kind = u8::from(reference.sweeps > 1);
    Ok(format!("1,{kind},{}", reference.taken.format("%Y%m%d,%H%M%S")))
}
