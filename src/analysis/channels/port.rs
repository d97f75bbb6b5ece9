//! One port of a multiplexer: its trace in its own window and in the windows of the other channels.

use super::grid::Channel;
use crate::analysis::Bound;
use crate::analysis::figure::Figure;
use crate::analysis::floor::Floor;
use crate::analysis::registry as define;
use crate::analysis::registry::Definition;
use crate::analysis::trace::Trace;
use crate::analysis::units::{db_from_power, ghz_from_nm, power_from_db};
use crate::analysis::width::{Origin, bandwidth, width_of_peak};
use crate::shown::{number, quantity};

/// The levels of the shape factor, dB.
const SHAPE_DB: (f64, f64) = (1.0, 10.0);

/// Lowest and highest transmission in a window, both ends interpolated.
#[derive(Debug, Clone, Copy)]
struct InWindow {
    lowest_db: f64,
    lowest_nm: f64,
    highest_db: f64,
    highest_nm: f64,
    /// The highest raw sample of the window.
    highest_index: usize,
    /// Whether the device may be lower than the lowest transmission, because a sample is at the floor.
    is_lowest_at_floor: bool,
    /// The same for the highest transmission.
    is_highest_at_floor: bool,
}

fn in_window(trace: &Trace<'_>, channel: &Channel, floor: Floor) -> Result<InWindow, String> {
    let Channel { from_nm, to_nm, name, .. } = channel;
    if *from_nm < trace.first_nm() - 1e-6 || *to_nm > trace.last_nm() + 1e-6 {
        return Err(format!(
            "the window of channel {name}, {} to {}, is not within the trace, {} to {} nm",
            number(*from_nm, None, "nm"),
            quantity(*to_nm, None, "nm"),
            trace.first_nm(),
            trace.last_nm()
        ));
    }
    // The places become wavelengths at the end: a long trace has many samples, and few of them are extrema.
    let mut found: Option<(f64, usize, f64, usize)> = None;
    let mut unusable = 0;
    for index in trace.indices(*from_nm, *to_nm) {
        let level = trace.db(index);
        if !level.is_finite() {
            unusable += 1;
            continue;
        }
        let (lowest, lowest_index, highest, highest_index) =
            found.get_or_insert((level, index, level, index));
        if level < *lowest {
            (*lowest, *lowest_index) = (level, index);
        }
        if level > *highest {
            (*highest, *highest_index) = (level, index);
        }
    }
    if unusable > 0 {
        return Err(format!("{unusable} samples in the window of channel {name} have no finite value"));
    }
    let Some((lowest_db, lowest_index, highest_db, highest_index)) = found else {
        return Err(format!(
            "no sample is within the window of channel {name}, {} to {}",
            number(*from_nm, None, "nm"),
            quantity(*to_nm, None, "nm")
        ));
    };
    let (lowest_nm, highest_nm) = (trace.nm(lowest_index), trace.nm(highest_index));
    let is_highest_at_floor = floor.holds(trace, highest_index);
    let has_marks = trace.part(trace.indices(*from_nm, *to_nm)).has_marks();
    let mut seen = InWindow {
        lowest_db,
        lowest_nm,
        highest_db,
        highest_nm,
        highest_index,
        is_lowest_at_floor: false,
        is_highest_at_floor,
    };
    for nm in [*from_nm, *to_nm] {
        if let Some(level) = trace.at_nm(nm) {
            if level < seen.lowest_db {
                (seen.lowest_db, seen.lowest_nm) = (level, nm);
            }
            if level > seen.highest_db {
                (seen.highest_db, seen.highest_nm) = (level, nm);
                seen.is_highest_at_floor = trace.is_at_floor_at(nm, Floor::default()) || floor.touches(level);
            }
        }
    }
    seen.is_lowest_at_floor = has_marks || floor.touches(seen.lowest_db);
    Ok(seen)
}

/// The channel that a port belongs to: the one in whose window its lowest transmission is highest.
#[must_use]
pub fn nearest_channel(trace: &Trace<'_>, channels: &[Channel]) -> Option<usize> {
    let lowest =
        |channel: &Channel| in_window(trace, channel, Floor::default()).ok().map(|seen| seen.lowest_db);
    let places = channels.iter().enumerate().filter_map(|(place, channel)| Some((place, lowest(channel)?)));
    places.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(place, _)| place)
}

/// The feature that the figures of a channel belong to.
pub(super) fn of_channel(channel: &Channel) -> String {
    format!("channel {}", channel.name)
}

/// The figures of the port of channel `own`, a place in `channels`. Bandwidths are at `levels_db` below the peak.
#[must_use]
pub fn port(
    trace: &Trace<'_>,
    channels: &[Channel],
    own: usize,
    levels_db: &[f64],
    floor: Floor,
) -> Vec<Figure> {
    let Some(channel) = channels.get(own) else { return Vec::new() };
    let mut figures = match in_window(trace, channel, floor) {
        Ok(seen) => {
            let mut figures = loss(trace, channel, &seen, floor);
            figures.extend(shape(trace, channel, &seen, levels_db, floor));
            figures.extend(isolation(trace, channels, own, &seen, floor));
            figures
        }
        Err(reason) => {
            let mut definitions = vec![
                &define::INSERTION_LOSS_CENTER,
                &define::INSERTION_LOSS_MIN,
                &define::INSERTION_LOSS_MAX,
                &define::RIPPLE,
                &define::OFFSET,
                &define::OFFSET_GHZ,
                &define::SHAPE_FACTOR,
            ];
            if channels.len() > 1 {
                definitions.extend([&define::ISOLATION_ADJACENT, &define::CROSSTALK_CUMULATIVE]);
            }
            let mut figures: Vec<Figure> = definitions
                .into_iter()
                .map(|definition| Figure::missing(definition, reason.clone()))
                .collect();
            figures.extend(levels_db.iter().flat_map(|level_db| {
                [&define::BANDWIDTH, &define::DEFINED_BANDWIDTH]
                    .map(|definition| Figure::missing_at(definition, Some(*level_db), reason.clone()))
            }));
            figures
        }
    };
    for figure in &mut figures {
        figure.of = Some(of_channel(channel));
        figure.nm = Some(channel.center_nm);
        figure
            .window
            .get_or_insert(crate::analysis::WindowNm { from_nm: channel.from_nm, to_nm: channel.to_nm });
    }
    figures
}

fn loss(trace: &Trace<'_>, channel: &Channel, seen: &InWindow, floor: Floor) -> Vec<Figure> {
    let center = trace.at_nm(channel.center_nm).ok_or("a sample beside the centre has no finite value");
    let at_least = |is_at_floor: bool| is_at_floor.then_some(Bound::AtLeast);
    let at_floor = at_least(seen.is_lowest_at_floor);
    let is_center_at_floor =
        |level: f64| floor.touches(level) || trace.is_at_floor_at(channel.center_nm, Floor::default());
    vec![
        Figure::from_result(
            &define::INSERTION_LOSS_CENTER,
            center.map(|level| -level).map_err(str::to_owned),
        )
        .bounded(at_least(center.is_ok_and(is_center_at_floor))),
        Figure::measured(&define::INSERTION_LOSS_MIN, -seen.highest_db)
            .bounded(at_least(seen.is_highest_at_floor))
            .noted(format!("at {}", quantity(seen.highest_nm, None, "nm"))),
        Figure::measured(&define::INSERTION_LOSS_MAX, -seen.lowest_db)
            .bounded(at_floor)
            .noted(format!("at {}", quantity(seen.lowest_nm, None, "nm"))),
        Figure::measured(&define::RIPPLE, seen.highest_db - seen.lowest_db).bounded(at_floor),
    ]
}

/// Bandwidths, offset from the grid, shape factor.
fn shape(
    trace: &Trace<'_>,
    channel: &Channel,
    seen: &InWindow,
    levels_db: &[f64],
    floor: Floor,
) -> Vec<Figure> {
    // Other passbands of the same trace are no part of this one: only the first crossings count.
    let own = seen.highest_index..seen.highest_index + 1;
    let at = |level_db: f64| bandwidth(trace, own.clone(), seen.highest_index, level_db, floor);
    let mut figures = Vec::new();
    for level_db in levels_db {
        figures.extend(at(*level_db));
        figures.push(defined(trace, channel, seen, *level_db, floor));
    }
    let middle = at(levels_db.first().copied().unwrap_or(3.0)).into_iter().nth(1);
    let middle_nm = middle.as_ref().and_then(|figure| figure.value);
    let reason = middle.and_then(|figure| figure.not_measured).unwrap_or_default();
    let offset = |definition: &Definition, value: &dyn Fn(f64) -> f64| match middle_nm {
        Some(nm) => Figure::measured(definition, value(nm)),
        None => Figure::missing(definition, reason.clone()),
    };
    figures.push(offset(&define::OFFSET, &|nm| nm - channel.center_nm));
    figures.push(offset(&define::OFFSET_GHZ, &|nm| ghz_from_nm(nm) - channel.center_ghz()));
    let width = |level_db: f64| -> Result<f64, String> {
        let first = at(level_db).into_iter().next();
        first.and_then(|figure| figure.value.map(Ok).or(figure.not_measured.map(Err))).unwrap_or(Ok(f64::NAN))
    };
    let factor = width(SHAPE_DB.0).and_then(|narrow| Ok(narrow / width(SHAPE_DB.1)?));
    figures.push(Figure::from_result(&define::SHAPE_FACTOR, factor));
    figures
}

/// The bandwidth about the centre of the channel, from the highest transmission of its window.
fn defined(trace: &Trace<'_>, channel: &Channel, seen: &InWindow, level_db: f64, floor: Floor) -> Figure {
    let (definition, at) = (&define::DEFINED_BANDWIDTH, Some(level_db));
    let reference =
        format!("reference level: {}, the highest of the window", floor.quantity(seen.highest_db));
    let level = seen.highest_db - level_db;
    let Some(center) = Origin::at_nm(trace, channel.center_nm) else {
        return Figure::missing_at(definition, at, "a sample beside the centre has no finite value");
    };
    if center.level_db <= level {
        let reason = format!(
            "the centre of the channel, {}, is not above the level {}",
            floor.quantity(center.level_db),
            floor.quantity(level)
        );
        return Figure::missing_at(definition, at, reason).noted(reference);
    }
    match width_of_peak(trace, center, level, floor) {
        Ok((lower, upper)) => {
            Figure::measured_at(definition, at, upper - lower).within(lower, upper).noted(reference)
        }
        Err(least) => Figure::missing_at(definition, at, least.reason)
            .with_bound(Bound::AtLeast, least.nm)
            .noted(reference),
    }
}

/// Isolation against neighbours and others, and the sum of all.
fn isolation(
    trace: &Trace<'_>,
    channels: &[Channel],
    own: usize,
    seen: &InWindow,
    floor: Floor,
) -> Vec<Figure> {
    let others = (0..channels.len()).filter(|other| *other != own);
    let against = |other: usize| in_window(trace, &channels[other], floor).map(|theirs| (other, theirs));
    let found: Result<Vec<(usize, InWindow)>, String> = others.map(against).collect();
    let definitions =
        [&define::ISOLATION_ADJACENT, &define::ISOLATION_NON_ADJACENT, &define::CROSSTALK_CUMULATIVE];
    let wanted = match channels.len() {
        0 | 1 => return Vec::new(),
        2 => vec![definitions[0], definitions[2]],
        _ => definitions.to_vec(),
    };
    let found = match found {
        Ok(found) => found,
        Err(reason) => {
            return wanted
                .into_iter()
                .map(|definition| Figure::missing(definition, reason.clone()))
                .collect();
        }
    };
    let worst = |is_wanted: &dyn Fn(usize) -> bool| {
        let candidates = found.iter().filter(|(other, _)| is_wanted(*other));
        candidates.max_by(|a, b| a.1.highest_db.total_cmp(&b.1.highest_db))
    };
    // The device may be lower than a level at the floor. In its own window that makes an isolation smaller, in another larger.
    let measured = |definition: &Definition, value: f64, other_at_floor: bool| match (
        seen.is_lowest_at_floor,
        other_at_floor,
    ) {
        (true, true) => Figure::missing(definition, "the trace is at the floor in both windows"),
        (true, false) => Figure::measured(definition, value).bounded(Some(Bound::AtMost)),
        (false, true) => Figure::measured(definition, value).bounded(Some(Bound::AtLeast)),
        (false, false) => Figure::measured(definition, value),
    };
    let figure = |definition: &Definition, worst: Option<&(usize, InWindow)>| {
        worst.map(|(other, theirs)| {
            let value = seen.lowest_db - theirs.highest_db;
            measured(definition, value, theirs.is_highest_at_floor).noted(format!(
                "against channel {}, at {}",
                channels[*other].name,
                quantity(theirs.highest_nm, None, "nm")
            ))
        })
    };
    let sum: f64 = found.iter().map(|(_, theirs)| power_from_db(theirs.highest_db - seen.lowest_db)).sum();
    let is_any_at_floor = found.iter().any(|(_, theirs)| theirs.is_highest_at_floor);
    let mut figures = Vec::new();
    figures.extend(figure(definitions[0], worst(&|other| other.abs_diff(own) == 1)));
    figures.extend(figure(definitions[1], worst(&|other| other.abs_diff(own) > 1)));
    figures.push(measured(definitions[2], -db_from_power(sum), is_any_at_floor));
    figures
}
