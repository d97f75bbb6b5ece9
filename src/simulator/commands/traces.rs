//! Queries for the data of traces, and the recording behind each trace.

use super::super::call::Call;
use super::super::errors::Rejection;
use super::super::hardware::IL_RL_OPM2;
use super::super::headers::Header;
use super::super::state::SimulatorState;
use super::super::transfer::{Axis, Source, Transfer, ratio};

/// Trace types.
const TRANSMISSION_FUNCTION: u32 = 1;
const RAW_LIVE: u32 = 11;
const RAW_REFERENCE: u32 = 12;
const RAW_QUICK_REFERENCE: u32 = 13;
const HIGHEST_TYPE: u32 = 23;

/// The recording behind a trace. Other trace types are always empty on this instrument.
pub(super) fn source(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<Source, Rejection> {
    let place = call.place()?;
    state.detector(place)?;
    // In continuous mode, the last complete scan can be read.
    if state.is_scanning() && !waited && !state.continuous {
        return Err(Rejection::SettingsConflict);
    }
    let live = || state.live.clone().ok_or(Rejection::StaleData);
    let reference =
        || state.references.get(&place).map(|known| known.recorded.clone()).ok_or(Rejection::StaleData);
    match call.suffix(2) {
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
    let place = call.place()?;
    Ok(Transfer {
        source,
        port: state.detector(place)?.port,
        detector_key: u64::from(place.0) << 8 | u64::from(place.1),
        axis,
        binary,
    })
}
