//! `ctp10 compare`: the figures of two runs, side by side, with the largest drift first.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use super::chosen::ended;
use super::devices::{
    Device, Features, Label, Labels, Value, constant, device_columns, devices, naming, short,
};
use super::figures::{keep_only, no_figures};
use super::layout::{Column, tables};
use crate::analysis::Figure;
use crate::analysis::verdict::Verdict;
use crate::app::plot::NewPicture;
use crate::cli::CompareArgs;
use crate::config::Config;
use crate::error::Failure;
use crate::operation::Constant;
use crate::shown::quantity;
use crate::store::runs::FoundRun;
use crate::terminal::output::outln;
use crate::terminal::simulated_mark;

/// Most figures of the table without `--all`.
const MOST: usize = 25;
/// A change by fewer standard errors may be chance.
const SIGNIFICANT: f64 = 2.0;

/// A figure in both runs, or in one of them.
#[derive(Serialize)]
struct Pair {
    label: String,
    figure: String,
    unit: String,
    columns: BTreeMap<String, Constant>,
    before: Option<Side>,
    after: Option<Side>,
    /// `after` − `before`, in the unit of the figure, of powers in dB; `None` if one of them is only a bound.
    difference: Option<f64>,
    /// The difference in percent of `before`; `None` for wavelengths.
    percent: Option<f64>,
    /// The difference, divided by the standard error of the difference, where both values have one.
    sigmas: Option<f64>,
    #[serde(skip)]
    drift: f64,
}

/// A figure of one run.
#[derive(Serialize)]
struct Side {
    #[serde(flatten)]
    figure: Figure,
    verdict: Option<Verdict>,
    trace_index: Option<u64>,
}

pub(in crate::app) fn compare(args: &CompareArgs, config: &Config) -> Result<(), Failure> {
    let out = crate::app::run_folders(args.out.clone(), config);
    let picture = args.plot.as_deref().map(|output| NewPicture::at(output, false)).transpose()?;
    let (before, after) = (ended(&out, &args.before)?, ended(&out, &args.after)?);
    let [mut old, mut new] = [with_figures(&before)?, with_figures(&after)?];
    keep_only(&args.figures, &mut old.iter_mut().chain(&mut new).collect::<Vec<_>>())?;
    let pairs = pairs(&old, &new);
    if let Some(picture) = picture {
        picture.overlay(&[&before, &after])?;
    }
    if args.json {
        let side = |run: &FoundRun| {
            let manifest = &run.manifest;
            json!({
                "run": manifest.run, "name": manifest.name, "started": manifest.started,
                "simulated": manifest.instrument.simulated, "verdict": manifest.verdict,
            })
        };
        let both = json!({ "before": side(&before), "after": side(&after), "figures": pairs });
        return crate::app::print_json(&both);
    }
    print(&before, &after, &pairs, args.all);
    Ok(())
}

fn with_figures(run: &FoundRun) -> Result<Vec<Device>, Failure> {
    let devices = devices(run, Features::Strongest)?;
    if devices.is_empty() { Err(no_figures(std::slice::from_ref(run))) } else { Ok(devices) }
}

/// The number of a measurement of the same device within a run.
type Repetition = usize;
type Place = (Vec<(String, String)>, Repetition, Label);

fn places(devices: &[Device]) -> BTreeMap<Place, (&Device, &Value)> {
    let mut found = BTreeMap::new();
    for device in devices {
        let columns: Vec<_> =
            device.columns.iter().map(|(name, value)| (name.clone(), constant(value))).collect();
        for (label, value) in &device.values {
            let mut place = (columns.clone(), 0, label.clone());
            while found.contains_key(&place) {
                place.1 += 1;
            }
            found.insert(place, (device, value));
        }
    }
    found
}

/// The figures of both runs, with the largest drift first, and figures of only one run at the end.
fn pairs(old: &[Device], new: &[Device]) -> Vec<Pair> {
    let (old, new) = (places(old), places(new));
    let all: BTreeSet<&Place> = old.keys().chain(new.keys()).collect();
    let labels = Labels::of(all.iter().map(|(_, _, label)| label));
    let mut pairs: Vec<Pair> = all
        .into_iter()
        .filter_map(|place| {
            let (before, after) = (old.get(place), new.get(place));
            let (device, value) = after.or(before)?;
            let side = |found: Option<&(&Device, &Value)>| {
                found.map(|(_, value)| Side {
                    figure: value.figure.clone(),
                    verdict: value.verdict,
                    trace_index: value.trace_index,
                })
            };
            Some(Pair::new(labels.show(&place.2), &value.figure, &device.columns, side(before), side(after)))
        })
        .collect();
    pairs.sort_by(|a, b| b.drift.total_cmp(&a.drift));
    pairs
}

impl Pair {
    fn new(
        label: String,
        figure: &Figure,
        columns: &BTreeMap<String, Constant>,
        before: Option<Side>,
        after: Option<Side>,
    ) -> Self {
        let value = |side: &Option<Side>| side.as_ref().and_then(|side| side.figure.value);
        let apart = value(&after).zip(value(&before)).map(|(after, before)| after - before);
        // A wavelength of a line or a channel: percent of 1550 nm say nothing.
        let is_position = figure.unit == "nm"
            && figure.value.zip(figure.nm).is_some_and(|(value, nm)| (value - nm).abs() < 1.0);
        let share = apart.zip(value(&before)).filter(|(_, before)| !is_position && *before != 0.0);
        let share = share.map(|(apart, before)| 100.0 * apart / before.abs());
        let has_bound = [&before, &after].into_iter().flatten().any(|side| side.figure.is_bound());
        let (difference, percent) = if has_bound { (None, None) } else { (apart, share) };
        let error = |side: &Option<Side>| side.as_ref().and_then(|side| side.figure.error);
        let error = error(&after).zip(error(&before)).map(|(after, before)| after.hypot(before));
        let sigmas =
            difference.zip(error.filter(|error| *error > 0.0)).map(|(difference, error)| difference / error);
        // A wavelength counts by its shift: 0.1 nm like 1 %.
        let mut drift = match (apart, share) {
            (Some(_), Some(percent)) => percent.abs(),
            (Some(difference), None) => 10.0 * difference.abs(),
            (None, _) => -1.0,
        };
        // A change within the errors comes after every change that is none.
        if sigmas.is_some_and(|sigmas| sigmas.abs() < SIGNIFICANT) {
            drift *= 1e-9;
        }
        let (figure, unit) = (figure.name.clone(), figure.unit.clone());
        let columns = columns.clone();
        Self { label, figure, unit, columns, before, after, difference, percent, sigmas, drift }
    }

    /// Whether one of the values is measured.
    fn is_measured(&self) -> bool {
        [&self.before, &self.after].into_iter().flatten().any(|side| side.figure.is_measured())
    }

    /// Whether the difference is unknown, because a value is only a bound.
    fn has_bound(&self) -> bool {
        let sides = self.before.as_ref().zip(self.after.as_ref());
        sides.is_some_and(|(before, after)| {
            let all_measured = before.figure.is_measured() && after.figure.is_measured();
            all_measured && (before.figure.is_bound() || after.figure.is_bound())
        })
    }

    fn is_alone(&self) -> bool {
        self.before.is_none() || self.after.is_none()
    }

    fn has_changed(&self) -> bool {
        self.before
            .as_ref()
            .zip(self.after.as_ref())
            .is_some_and(|(before, after)| before.verdict != after.verdict)
    }

    /// The difference with its unit, and in percent.
    fn change(&self) -> String {
        let Some(difference) = self.difference else { return String::new() };
        let sign = if difference > 0.0 { "+" } else { "" };
        let percent = self.percent.filter(|percent| percent.abs() >= 0.005);
        let percent = percent.map(|percent| format!(" ({percent:+.2} %)")).unwrap_or_default();
        // The difference of two levels is a ratio, also if they are powers.
        let unit = if self.unit.starts_with("dBm") { "dB" } else { &self.unit };
        format!("{sign}{}{percent}", quantity(difference, None, unit))
    }

    /// The change of the verdict, what is missing, or that the change is unknown or means nothing.
    fn remark(&self) -> String {
        match (&self.before, &self.after) {
            (Some(_), None) => "only before".to_owned(),
            (None, Some(_)) => "only after".to_owned(),
            (Some(before), Some(after)) if before.verdict != after.verdict => {
                let shown = |verdict: Option<Verdict>| {
                    verdict.map_or_else(|| "no limit".to_owned(), |verdict| verdict.to_string())
                };
                format!("{} -> {}", shown(before.verdict), shown(after.verdict))
            }
            (Some(_), Some(_)) if self.has_bound() => "only a bound".to_owned(),
            (Some(_), Some(_)) if self.is_insignificant() => "within errors".to_owned(),
            (Some(_), Some(_)) | (None, None) => String::new(),
        }
    }

    fn is_insignificant(&self) -> bool {
        self.sigmas.is_some_and(|sigmas| sigmas.abs() < SIGNIFICANT)
    }
}

fn print(before: &FoundRun, after: &FoundRun, pairs: &[Pair], all: bool) {
    for (word, run) in [("before", before), ("after", after)] {
        let manifest = &run.manifest;
        let simulated = simulated_mark(manifest.instrument.simulated);
        let verdict = manifest.verdict.map(|verdict| format!("  {verdict}")).unwrap_or_default();
        let started = manifest.started.format("%Y-%m-%d %H:%M:%SZ");
        outln!("{word:<7} {} ({}), {started}{verdict}{simulated}", manifest.run, manifest.name);
    }
    let columns = naming(pairs.iter().map(|pair| &pair.columns));
    let measured: Vec<&Pair> = pairs.iter().filter(|pair| pair.is_measured()).collect();
    let most = if all { usize::MAX } else { MOST };
    // A changed verdict is always shown.
    let is_shown = |at: usize, pair: &Pair| at < most || pair.has_changed() || pair.is_alone();
    let shown: Vec<&Pair> =
        measured.iter().enumerate().filter(|(at, pair)| is_shown(*at, pair)).map(|(_, pair)| *pair).collect();
    let mut first = device_columns(&columns, shown.iter().map(|pair| &pair.columns));
    first.push(Column::new("figure", shown.iter().map(|pair| pair.label.clone())));
    let value =
        |side: &Option<Side>| side.as_ref().map_or_else(|| "-".to_owned(), |side| short(&side.figure));
    let mut others = vec![
        Column::new("before", shown.iter().map(|pair| value(&pair.before))),
        Column::new("after", shown.iter().map(|pair| value(&pair.after))),
        Column::new("change", shown.iter().map(|pair| pair.change())),
    ];
    if shown.iter().any(|pair| !pair.remark().is_empty()) {
        others.push(Column::new("remark", shown.iter().map(|pair| pair.remark())));
    }
    for table in tables(&first, &others) {
        outln!("{table}");
    }
    let changed = pairs.iter().filter(|pair| pair.has_changed()).count();
    let alone = pairs.iter().filter(|pair| pair.is_alone()).count();
    outln!("{} figures; {changed} verdicts changed; {alone} figures in only one run", pairs.len());
    if measured.len() > shown.len() {
        outln!(
            "{} figures with smaller changes are not shown; `--all` shows them",
            measured.len() - shown.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Bound;
    use crate::analysis::registry::INSERTION_LOSS_MAX;

    #[test]
    fn a_difference_from_or_to_a_bound_is_unknown() {
        let side = |value: f64, bound: Option<Bound>| {
            let figure = Figure::measured(&INSERTION_LOSS_MAX, value).bounded(bound);
            Some(Side { figure, verdict: None, trace_index: None })
        };
        let (exact, least) = (None, Some(Bound::AtLeast));
        for (before, after, change, remark) in [
            ((4.0, exact), (6.0, exact), "+2.00 dB (+50.00 %)", ""),
            ((5.42, least), (11.42, least), "", "only a bound"),
            ((5.42, exact), (11.42, least), "", "only a bound"),
            ((5.42, least), (4.0, exact), "", "only a bound"),
        ] {
            let (before, after) = (side(before.0, before.1), side(after.0, after.1));
            let figure = Figure::measured(&INSERTION_LOSS_MAX, 1.0);
            let pair = Pair::new(String::new(), &figure, &BTreeMap::new(), before, after);
            assert_eq!((pair.change().as_str(), pair.remark().as_str()), (change, remark));
            assert_eq!(pair.difference.is_none() && pair.percent.is_none(), change.is_empty());
            assert!(pair.drift > 1.0, "a large change stands above small ones, also if its size is unknown");
        }
    }
}
