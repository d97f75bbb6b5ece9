//! Queries for the data of traces, and the recording behind each trace.

use super::super::call::Call;
use super::super::errors::Rejection;
use super::super::hardware::{BACK_REFLECTION, IL_RL_OPM2, MILLIAMPERES_PER_MILLIWATT};
use super::super::headers::Header;
use super::super::state::{Place, SimulatorState};
use super::super::transfer::{Axis, Source, Transfer, ratio};

/// Trace types.
const TRANSMISSION_FUNCTION: u32 = 1;
const RAW_LIVE: u32 = 11;
const RAW_REFERENCE: u32 = 12;
const RAW_QUICK_REFERENCE: u32 = 13;
const HIGHEST_TYPE: u32 = 23;

/// The detector and the trace type of a header. A header without `CHANnel` means the back reflection of an IL RL OPM2, and
/// channel 1 of another module.
fn place_and_type(call: &Call<'_>) -> Result<(Place, u32), Rejection> {
    let [module, kind] = call.suffixes[..] else { return Ok((call.place()?, call.suffix(2))) };
    let module = u8::try_from(module.unwrap_or(1)).map_err(|_| Rejection::HardwareMissing)?;
    let channel = if module == IL_RL_OPM2 { BACK_REFLECTION } else { 1 };
    Ok(((module, channel), kind.unwrap_or(1)))
}

/// The recording behind a trace. Trace types that the options do not name are empty.
pub(super) fn source(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<Source, Rejection> {
    let (place, kind) = place_and_type(call)?;
    state.detector(place)?;
    // In continuous mode, the last complete scan can be read.
    if state.is_scanning() && !waited && !state.continuous {
        return Err(Rejection::SettingsConflict);
    }
    let live = || state.live.clone().ok_or(Rejection::StaleData);
    let reference =
        || state.references.get(&place).map(|known| known.recorded.clone()).ok_or(Rejection::StaleData);
    let is_extra = u8::try_from(kind).is_ok_and(|kind| state.options.trace_types.contains(&kind));
    match kind {
        2..=10 if is_extra => ratio(live()?, reference()?),
        14..=HIGHEST_TYPE if is_extra => live().map(Source::Single),
        TRANSMISSION_FUNCTION => ratio(live()?, reference()?),
        RAW_LIVE => live().map(Source::Single),
        RAW_REFERENCE => reference().map(Source::Single),
        RAW_QUICK_REFERENCE if place.0 == IL_RL_OPM2 => {
            state.quick_reference.clone().map(Source::Single).ok_or(Rejection::StaleData)
        }
        2..=10 | RAW_QUICK_REFERENCE | 14..=HIGHEST_TYPE => Err(Rejection::StaleData),
        _ => Err(Rejection::OutOfRange),
    }
}

/// The data of a trace in the requested format.
pub(super) fn data(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<Transfer, Rejection> {
    let source = source(state, call, waited)?;
    let is_x = call.header == Header::TraceX;
    let (format, unit) = match call.arguments {
        [format, unit] => (format.as_str(), unit.as_str()),
        // One client queries `DATA:X:IMMediate?` without a format and expects text.
        [] if call.immediate => ("ASCII", if is_x { "M" } else { "DB" }),
        [] | [_] => return Err(Rejection::MissingParameter),
        _ => return Err(Rejection::ParameterNotAllowed),
    };
    let binary = match format {
        "BIN" | "BINARY" | "1" => true,
        "ASCII" | "ASC" | "0" => false,
        _ => return Err(Rejection::IllegalParameter),
    };
    let axis = match (is_x, unit) {
        (true, "M") => Axis::Metres,
        (true, "HZ") => Axis::Hertz,
        (false, "DB") => Axis::Decibels,
        (false, "Y") => Axis::Linear,
        _ => return Err(Rejection::IllegalParameter),
    };
    let (place, _) = place_and_type(call)?;
    let detector = state.detector(place)?;
    let (port, is_photocurrent) = (detector.port, detector.is_photocurrent);
    Ok(Transfer {
        source,
        port,
        per_milliwatt: if is_photocurrent { MILLIAMPERES_PER_MILLIWATT } else { 1.0 },
        detector_key: u64::from(place.0) << 8 | u64::from(place.1),
        axis,
        binary,
    })
}
