//! What the instrument says: reply lines, and blocks of values.

use ctp10::grammar::{Line, matches};
use ctp10::instrument::Address;
use ctp10::instrument::frame::Buffer;
use ctp10::instrument::scpi::Query;
use ctp10::measurement::{Detector, TraceKind};

use super::{fuzz, fuzz_text};

#[test]
fn a_damaged_reply_line_is_understood_or_refused() {
    let detector = Detector { module: 4, channel: 1 };
    fuzz_text("reply", |line| {
        if let Some(identity) = Query::identity().read(line) {
            assert!(!identity.to_string().is_empty());
        }
        let _ = Query::laser_identity(1).read(line);
        let _ = Query::condition().read(line);
        let _ = Query::next_error().read(line);
        let _ = Query::stabilization().read(line);
        let _ = Query::reference(detector).read(line);
        let _ = Query::power_unit(detector).read(line);
        let _ = Query::spectral_unit(detector).read(line);
        let _ = Query::laser_output(1).read(line);
        let _ = Query::tls_laser(1).read(line);
        let _ = Query::power(detector).read(line);
        let _ = Query::trace_points((detector, TraceKind::Tf).into()).read(line);
        let _ = Query::trace_step_pm((detector, TraceKind::Tf).into()).read(line);
    });
}

#[test]
fn a_damaged_block_is_taken_apart_or_refused_however_it_arrives() {
    fuzz("block", |bytes| {
        for piece in [1, 7, bytes.len().max(1)] {
            let mut buffer = Buffer::default();
            let mut given = 0;
            // A line, a block with its values, a line, and so on, until nothing comes any more or it is refused.
            'arriving: for more in bytes.chunks(piece) {
                buffer.push(more);
                loop {
                    match buffer.block_header() {
                        Ok(Some(length)) => {
                            let taken = buffer.values(length, 4).len();
                            assert!(taken as u64 <= length && taken.is_multiple_of(4));
                            given += taken;
                        }
                        Ok(None) => break,
                        Err(_) => match buffer.line() {
                            Ok(Some(line)) => given += line.len().min(1),
                            Ok(None) => break,
                            Err(_) => break 'arriving,
                        },
                    }
                }
            }
            assert!(given <= bytes.len());
        }
    });
}

#[test]
fn a_damaged_line_of_scpi_is_understood_or_refused() {
    fuzz_text("scpi", |line| {
        let Ok(line) = Line::parse(line) else { return };
        for unit in &line.units {
            let _ =
                (matches("INITiate#:TLS#:POWer", unit.header()), unit.alone(unit.header()), line.has_reply());
            for data in unit.data().flatten() {
                let _ = (data.dbm(), data.nanometres(), data.switch(), data.whole());
            }
        }
    });
}

#[test]
fn a_damaged_address_is_understood_or_refused() {
    fuzz_text("address", |text| drop(text.parse::<Address>()));
}
