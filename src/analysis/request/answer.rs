//! Answers a request.

use super::{Analysis, Request, Settings, Wanted};
use crate::analysis::comb::{self, Comb};
use crate::analysis::extrema::{self, Extremum, Found, Kind, find, nothing_found};
use crate::analysis::figure::{Figure, WindowNm};
use crate::analysis::floor::{Floor, Unusable};
use crate::analysis::loss;
use crate::analysis::registry::{self as define, Definition};
use crate::analysis::resonance::{self, Resonance, fit_all};
use crate::analysis::trace::{Trace, TraceError};
use crate::analysis::width::{bandwidth, first_crossings, notch_width, parts};
use crate::shown::counted;

/// What several groups of figures need, computed once.
struct Lines {
    dips: Option<Found>,
    peaks: Option<Found>,
    /// The kind of the resonances, and the resonances, fitted.
    resonances: Option<(Kind, Vec<Resonance>)>,
    /// All figures of the comb that the resonances form.
    comb: Vec<Figure>,
}

/// All answers to a request.
///
/// # Errors
/// When the band is none, or is outside the trace.
pub fn analyze(trace: &Trace<'_>, request: &Request) -> Result<Analysis, TraceError> {
    let floor = Floor::of(trace, request.floor_db);
    let part = match request.band_nm {
        Some((from_nm, to_nm)) => trace.band(from_nm, to_nm)?,
        None => *trace,
    };
    let lines = Lines::find(&part, request);
    let mut figures = Vec::new();
    for wanted in &request.wanted {
        figures.extend(lines.answer(*wanted, (trace, &part), request, floor));
    }
    // A figure that has no window of its own rests on the whole band.
    for figure in &mut figures {
        figure.window.get_or_insert(WindowNm { from_nm: part.first_nm(), to_nm: part.last_nm() });
    }
    let settings = Settings {
        from_nm: part.first_nm(),
        to_nm: part.last_nm(),
        samples: part.len(),
        prominence_db: request.search.least_db(),
        distance_nm: lines.distance_nm(request),
        lines: lines.resonances.as_ref().map(|(kind, _)| *kind),
        strongest_dip: lines.strongest(Kind::Dip),
        strongest_peak: lines.strongest(Kind::Peak),
        floor_db: floor.level_db,
        unit: trace.unit(),
    };
    Ok(Analysis { figures, port: None, settings, warnings: warnings(trace, &part, request, &lines) })
}

fn warnings(trace: &Trace<'_>, part: &Trace<'_>, request: &Request, lines: &Lines) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some((from_nm, to_nm)) = request.band_nm
        && (from_nm < trace.first_nm() - 1e-6 || to_nm > trace.last_nm() + 1e-6)
    {
        warnings.push(format!(
            "the band {from_nm} to {to_nm} nm is partly outside the trace: {} to {} nm are used",
            part.first_nm(),
            part.last_nm()
        ));
    }
    warnings.extend(Unusable::of(part, request.saturation_db).warning());
    for (found, kind) in [(&lines.dips, Kind::Dip), (&lines.peaks, Kind::Peak)] {
        if let Some(found) = found
            && found.weaker > 0
        {
            warnings.push(format!(
                "weaker {}s that are left out as noise: {}; a given prominence includes them",
                kind.word(),
                found.weaker
            ));
        }
        if let Some(found) = found
            && !found.near.is_empty()
        {
            warnings.push(format!("{}; a smaller distance includes them", left_out(found, kind)));
        }
    }
    warnings
}

/// The lines that only the distance excludes, in words.
fn left_out(found: &Found, kind: Kind) -> String {
    let lines = counted(found.near.len(), kind.word());
    format!("the least distance of {} nm leaves out {lines} beside stronger ones", found.distance_nm)
}

impl Lines {
    fn find(part: &Trace<'_>, request: &Request) -> Self {
        let asks = |wanted: Wanted| request.wanted.contains(&wanted);
        let of_combs = [Wanted::Fsr, Wanted::GroupIndex, Wanted::Finesse, Wanted::Dispersion];
        let needs_resonances = asks(Wanted::Resonances) || of_combs.into_iter().any(asks);
        let needs_notch = request.wanted.iter().any(|wanted| matches!(wanted, Wanted::Notch(_)));
        // Without a stated kind, the kind that is asked for alone; with both or none, the narrower lines.
        let kind = request.lines.or(match (asks(Wanted::Dips), asks(Wanted::Peaks)) {
            (true, false) => Some(Kind::Dip),
            (false, true) => Some(Kind::Peak),
            (true, true) | (false, false) => None,
        });
        let compares = needs_resonances && kind.is_none();
        let needs = |own: Kind| compares || (needs_resonances && kind == Some(own));
        let mut lines = Self {
            dips: (asks(Wanted::Dips) || needs_notch || needs(Kind::Dip))
                .then(|| find(part, Kind::Dip, &request.search)),
            peaks: (asks(Wanted::Peaks) || needs(Kind::Peak))
                .then(|| find(part, Kind::Peak, &request.search)),
            resonances: None,
            comb: Vec::new(),
        };
        if needs_resonances {
            let kind = kind.unwrap_or_else(|| narrower(part, lines.of(Kind::Dip), lines.of(Kind::Peak)));
            let resonances = fit_all(part, lines.of(kind));
            if of_combs.into_iter().any(asks) {
                let comb = Comb {
                    length_um: request.length_um,
                    finesse: asks(Wanted::Finesse),
                    dispersion: asks(Wanted::Dispersion),
                };
                lines.comb = match lines.denser(kind, request) {
                    Some(reason) => comb::missing(&comb, &reason),
                    None => comb::figures(&resonances, &comb),
                };
            }
            lines.resonances = Some((kind, resonances));
            if compares {
                // Lines that were only looked at to choose the kind are no topic of warnings.
                if kind == Kind::Peak && !asks(Wanted::Dips) && !needs_notch {
                    lines.dips = None;
                }
                if kind == Kind::Dip && !asks(Wanted::Peaks) {
                    lines.peaks = None;
                }
            }
        }
        lines
    }

    /// Why the lines are no comb: the default distance excludes lines between them. A distance that
    /// the user gives is meant to exclude lines.
    fn denser(&self, kind: Kind, request: &Request) -> Option<String> {
        let found = self.found(kind).filter(|_| request.search.distance_nm.is_none())?;
        let [kept, near] =
            [&found.extrema, &found.near].map(|lines| lines.iter().map(|line| line.nm).collect::<Vec<_>>());
        comb::may_be_denser(&kept, &near).then(|| {
            format!(
                "the comb may be denser: {}. A given smaller distance includes them, and a higher prominence excludes them",
                left_out(found, kind)
            )
        })
    }

    /// The smallest distance that was used, nm.
    fn distance_nm(&self, request: &Request) -> f64 {
        let used = self.dips.iter().chain(&self.peaks).map(|found| found.distance_nm);
        used.reduce(f64::min).unwrap_or(request.search.least_nm())
    }

    fn found(&self, kind: Kind) -> Option<&Found> {
        match kind {
            Kind::Dip => self.dips.as_ref(),
            Kind::Peak => self.peaks.as_ref(),
        }
    }

    /// The number of the line with the highest prominence, from 1.
    fn strongest(&self, kind: Kind) -> Option<usize> {
        let numbered = self.of(kind).iter().zip(1..);
        let strongest = numbered.max_by(|a, b| a.0.prominence_db.total_cmp(&b.0.prominence_db));
        strongest.map(|(_, number)| number)
    }

    fn of(&self, kind: Kind) -> &[Extremum] {
        self.found(kind).map_or(&[], |found| &found.extrema)
    }

    fn answer(
        &self,
        wanted: Wanted,
        (trace, part): (&Trace<'_>, &Trace<'_>),
        request: &Request,
        floor: Floor,
    ) -> Vec<Figure> {
        let (kind, resonances) = match &self.resonances {
            Some((kind, resonances)) => (*kind, resonances.as_slice()),
            None => (Kind::Dip, [].as_slice()),
        };
        match wanted {
            Wanted::Loss => loss::in_band(part, floor),
            Wanted::LossAt(nm) => {
                let outside = request.band_nm.and_then(|band| loss::outside_band(nm, band));
                // At an end of the band the sample beyond may be needed, so the whole trace counts.
                let measured = || loss::insertion_loss_at(trace, nm, floor);
                vec![outside.map_or_else(measured, |why| Figure::missing(&define::INSERTION_LOSS, why))]
            }
            Wanted::Dips => extrema::figures(part, Kind::Dip, self.of(Kind::Dip), floor),
            Wanted::Peaks => extrema::figures(part, Kind::Peak, self.of(Kind::Peak), floor),
            Wanted::Bandwidth(level_db) => self.bandwidths(part, request, level_db, floor),
            Wanted::Notch(level_db) => self.notches(part, level_db, floor),
            Wanted::Resonances if resonances.is_empty() => {
                let reason = nothing_found(part, kind);
                [&define::RESONANCE, &define::FWHM, &define::Q_LOADED]
                    .map(|definition| Figure::missing(definition, reason.clone()))
                    .to_vec()
            }
            Wanted::Resonances => resonance::figures(resonances, floor, request.topology),
            Wanted::Fsr => {
                let names = [&define::FSR, &define::FSR_GHZ, &define::FSR_MEAN, &define::FSR_MEAN_GHZ];
                self.of_comb(&names)
            }
            Wanted::GroupIndex if request.length_um.is_none() => vec![Figure::missing(
                &define::GROUP_INDEX,
                "no length is given: the circumference, the path difference, or twice the cavity",
            )],
            Wanted::GroupIndex => self.of_comb(&[&define::GROUP_INDEX]),
            Wanted::Finesse => self.of_comb(&[&define::FINESSE]),
            Wanted::Dispersion => self.of_comb(&[&define::COMB_D1, &define::COMB_D2]),
            Wanted::Quality => {
                let mut figures = vec![floor.figure()];
                figures.extend(Unusable::of(part, request.saturation_db).figures());
                figures
            }
        }
    }

    fn of_comb(&self, definitions: &[&Definition]) -> Vec<Figure> {
        let is_wanted = |figure: &&Figure| definitions.iter().any(|wanted| wanted.name == figure.name);
        self.comb.iter().filter(is_wanted).cloned().collect()
    }

    /// Of each peak if peaks are asked for, or if the resonances are peaks; else of the highest sample.
    fn bandwidths(&self, part: &Trace<'_>, request: &Request, level_db: f64, floor: Floor) -> Vec<Figure> {
        let peaks = self.of(Kind::Peak);
        let wants_each = request.wanted.contains(&Wanted::Peaks)
            || self.resonances.as_ref().is_some_and(|(kind, _)| *kind == Kind::Peak);
        if wants_each && !peaks.is_empty() {
            let places: Vec<f64> = peaks.iter().map(|peak| peak.nm).collect();
            let each = peaks.iter().zip(parts(part, &places)).zip(1..);
            return each
                .flat_map(|((peak, own), number)| {
                    bandwidth(part, own, peak.index, level_db, floor)
                        .into_iter()
                        .map(move |figure| figure.of(format!("peak {number}")))
                })
                .collect();
        }
        let highest = part.usable().max_by(|a, b| a.2.total_cmp(&b.2).then(b.0.cmp(&a.0)));
        match highest {
            Some((index, ..)) if part.len() > 2 => bandwidth(part, 0..part.len(), index, level_db, floor),
            Some(_) => {
                let reason = format!("the band has {} samples: at least 3 are needed", part.len());
                vec![Figure::missing_at(&define::BANDWIDTH, Some(level_db), reason)]
            }
            None => vec![Figure::missing_at(&define::BANDWIDTH, Some(level_db), crate::analysis::NO_USABLE)],
        }
    }

    fn notches(&self, part: &Trace<'_>, level_db: f64, floor: Floor) -> Vec<Figure> {
        let dips = self.of(Kind::Dip);
        if dips.is_empty() {
            let reason = nothing_found(part, Kind::Dip);
            return vec![Figure::missing_at(&define::NOTCH_WIDTH, Some(level_db), reason)];
        }
        let each = dips.iter().zip(1..);
        each.map(|(dip, number)| notch_width(part, dip, level_db, floor).of(format!("dip {number}")))
            .collect()
    }
}

/// The kind whose lines are narrower at half of their prominence: resonances are narrower than what is between them.
fn narrower(part: &Trace<'_>, dips: &[Extremum], peaks: &[Extremum]) -> Kind {
    let median = |lines: &[Extremum]| -> Option<f64> {
        let width = |line: &Extremum| {
            let half_db = 0.5 * (line.level_db + line.base_db());
            first_crossings(part, line.index, half_db, line.kind).reach_nm()
        };
        let mut widths: Vec<f64> = lines.iter().map(width).filter(|width| width.is_finite()).collect();
        widths.sort_by(f64::total_cmp);
        widths.get(widths.len() / 2).copied()
    };
    match (median(dips), median(peaks)) {
        (Some(dip), Some(peak)) if peak < dip => Kind::Peak,
        (None, Some(_)) => Kind::Peak,
        (Some(_) | None, _) => Kind::Dip,
    }
}
