//! Estimates of the time, points and bytes of an operation. Each constant has its origin.

use crate::operation::{FetchTrace, Lasts, Operation};

/// Bytes of a Parquet file for each point. The values of a noisy ring with 1 pm between points need 2.5 bytes
/// (measured with 940,001 points); the grid needs almost nothing.
const BYTES_PER_POINT: f64 = 2.55;
/// Bytes of a Parquet file without its points.
const BYTES_PER_FILE: f64 = 6_000.0;
/// Rate at which a real unit sends a trace, bytes per second: 3.8 MB in 5 s, the fastest reported value.
const TRANSFER_BYTES_S: f64 = 750_000.0;
/// Bytes of a point in a transfer: float32 for its value, float64 for its wavelength.
const WIRE_BYTES: (f64, f64) = (4.0, 8.0);
/// Time for the analysis after a scan, and for the polls until its end is visible, s.
pub(super) const SCAN_OVERHEAD_S: f64 = 0.5;
/// Time for one exchange with the instrument, s.
const EXCHANGE_S: f64 = 0.01;
/// Time for one request to another instrument, s.
const REQUEST_S: f64 = 0.1;
/// Assumed time until a poll is ready, s, such as the move of a stage to the next die.
const TASK_S: f64 = 2.0;
/// Time until a laser is on, s.
const LASER_ON_S: f64 = 2.0;

/// The cost of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// Time, s.
    pub seconds: f64,
    /// Points stored.
    pub points: u64,
    /// Bytes stored.
    pub bytes: u64,
}

/// The scan that an operation performs or reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    /// The time for sweeping and settling, s.
    pub(super) seconds: f64,
    /// The points of each trace.
    pub(super) points: u64,
}

/// The cost of an operation with the settings that it leaves.
pub(super) fn of(operation: &Operation, scan: Scan) -> Estimate {
    let traits = operation.traits();
    let seconds = match traits.lasts {
        Lasts::Exchanges(count) => f64::from(count) * EXCHANGE_S,
        Lasts::LaserOn => LASER_ON_S,
        Lasts::Transfer(fields) => return fetch(fields, scan.points),
        Lasts::Readings { count, seconds } => (count * EXCHANGE_S).max(seconds),
        Lasts::Reply => {
            let poll = traits.request.and_then(|http| http.poll.as_ref());
            REQUEST_S + poll.map_or(0.0, |poll| TASK_S.min(poll.timeout_s.get()))
        }
        Lasts::Pause(seconds) | Lasts::AtLeast(seconds) => seconds,
        Lasts::Scans(count) => f64::from(count) * (scan.seconds + SCAN_OVERHEAD_S),
        // The time until a time of day, and until a person answers, is unknown.
        Lasts::Until(_) | Lasts::Answer => 0.0,
    };
    Estimate { seconds, ..Estimate::default() }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and far below 2^63")]
fn fetch(fields: &FetchTrace, points: u64) -> Estimate {
    let files = (fields.detectors.len() * fields.traces.len()) as u64;
    let per_point = if fields.transfer_x { WIRE_BYTES.0 + WIRE_BYTES.1 } else { WIRE_BYTES.0 };
    let transfer = points as f64 * per_point / TRANSFER_BYTES_S;
    Estimate {
        seconds: files as f64 * (transfer + 10.0 * EXCHANGE_S),
        points: files * points,
        bytes: files * (points as f64 * BYTES_PER_POINT + BYTES_PER_FILE) as u64,
    }
}
