//! Whether the fields of an analysis are right: names of figures, limits, ranges.

use super::fit::length_in_cm;
use super::{AnalyzeFields, OnFail, OneOrMany};
use crate::analysis::loss::outside_band;
use crate::analysis::task::{AskError, Asked, asked, is_of_points};
use crate::analysis::trace::RANGE_NM;
use crate::analysis::verdict::Limit;
use crate::decode::{self, ReadError};

/// The largest number of repetitions of a sweep for one analysis.
const MOST_REMEASURES: u32 = 100;

impl AnalyzeFields {
    /// Checks the fields: names of figures, limits, ranges.
    ///
    /// # Errors
    /// The first field that is wrong, with its path. A mistake that lies in several fields together has no path.
    pub fn check(&self) -> Result<(), ReadError> {
        self.check_wavelengths()?;
        self.check_numbers()?;
        if self.over.is_some() || self.fit.is_some() || self.cut_back.is_some() {
            return self.check_points();
        }
        for (index, name) in self.figures.iter().enumerate() {
            asked(name).map_err(|error| unknown(error, &["figures", &index.to_string()], false))?;
        }
        for (name, limit) in &self.expect {
            check_limit("expect", name, *limit)?;
        }
        self.check_file()?;
        let all = self.asked();
        let has_other = self.at_nm.is_some() || self.channels.is_some() || self.limits.is_some();
        if all.is_empty() && !has_other {
            return Err(ReadError::new("`figures` or `expect` must name at least one figure"));
        }
        let name = |asked: &Asked| asked.figure().unwrap_or_else(|| "channels".to_owned());
        if let Some(asked) = all.iter().find(|asked| asked.needs_channels() && self.channels.is_none()) {
            return Err(ReadError::new(format!("`{}` needs `channels`", name(asked))));
        }
        if let Some(asked) = all.iter().find(|asked| asked.needs_wavelength() && self.at_nm.is_none()) {
            return Err(ReadError::new(format!("`{}` needs `at_nm`, its wavelength", name(asked))));
        }
        Ok(())
    }

    /// Checks an analysis of points.
    fn check_points(&self) -> Result<(), ReadError> {
        if self.over.is_none() {
            return Err(ReadError::new("`fit` and `cut_back` need `over`, the id of an analysis in a loop"));
        }
        let (what, line) = match (&self.fit, &self.cut_back) {
            (Some(line), None) => ("fit", line),
            (None, Some(line)) => ("cut_back", line),
            (Some(_), Some(_)) => {
                return Err(ReadError::new("only one of `fit` and `cut_back` may be given"));
            }
            (None, None) => return Err(ReadError::new("`over` needs `fit` or `cut_back`")),
        };
        let known = asked(&line.y).map_err(|error| unknown(error, &[what, "y"], false))?;
        if known.figure().is_none() {
            let message = format!("`{}` is a group of figures: `y` needs the name of one figure", line.y);
            return Err(at(&[what, "y"], message));
        }
        line.check_unit().map_err(|message| at(&[what, "unit"], message))?;
        if what == "cut_back" && line.unit.is_some() {
            return Err(at(&["cut_back", "unit"], "`unit` is for a `fit`: a cut-back is in dB".to_owned()));
        }
        if what == "cut_back" && length_in_cm(&line.x).is_none() {
            let message =
                format!("the length `{}` must have its unit in its name: `_cm`, `_mm` or `_um`", line.x);
            return Err(at(&[what, "x"], message));
        }
        self.check_file()?;
        let names = self.point_figures();
        for (name, limit) in &self.expect {
            if !names.contains(name) {
                let hint = decode::suggestion(name, names.iter().map(String::as_str));
                let error = at(&["expect", name], format!("the {what} has no figure `{name}`"));
                return Err(ReadError { hint: Some(hint), at_key: true, ..error });
            }
            limit.check(name).map_err(|error| at(&["expect", name], error.to_string()))?;
        }
        Ok(())
    }

    /// Checks that the file with limits has one for this analysis. Otherwise nothing would be judged, without a word.
    fn check_file(&self) -> Result<(), ReadError> {
        let Some(limits) = self.judged_by.as_ref().filter(|_| self.all_limits().is_empty()) else {
            return Ok(());
        };
        let own = match self.over {
            Some(_) => format!("`{}`", self.point_figures().join("` or `")),
            None => "a figure of one trace".to_owned(),
        };
        Err(at(&["limits"], format!("`{}` has no limit of {own}", limits.source.file)))
    }

    /// Checks that each wavelength can be one in nm, and that those of `at_nm` are within the band.
    fn check_wavelengths(&self) -> Result<(), ReadError> {
        let channels = self.channels.as_ref();
        let band = self.band_nm.iter().flatten();
        let centers = channels.and_then(|channels| channels.centers_nm.as_ref()).into_iter().flatten();
        let numbered = |field: &str, place: usize| format!("{field}.{place}");
        let at_nm = self.wavelengths_nm().iter().enumerate().map(|(place, nm)| match self.at_nm {
            Some(OneOrMany::Many(_)) => (numbered("at_nm", place), *nm),
            _ => ("at_nm".to_owned(), *nm),
        });
        let at_nm: Vec<(String, f64)> = at_nm.collect();
        let first = channels.and_then(|channels| channels.first_nm);
        let others = band
            .enumerate()
            .map(|(place, nm)| (numbered("band_nm", place), *nm))
            .chain(first.map(|nm| ("channels.first_nm".to_owned(), nm)))
            .chain(centers.enumerate().map(|(place, nm)| (numbered("channels.centers_nm", place), *nm)));
        for (path, nm) in at_nm.iter().cloned().chain(others) {
            check_wavelength(&path.split('.').collect::<Vec<_>>(), nm)?;
        }
        let Some([from_nm, to_nm]) = self.band_nm else { return Ok(()) };
        for (path, nm) in at_nm {
            if let Some(why) = outside_band(nm, (from_nm, to_nm)) {
                return Err(at(&path.split('.').collect::<Vec<_>>(), why));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ReadError> {
        if let Some([from, to]) = self.band_nm
            && from >= to
        {
            return Err(at(&["band_nm"], format!("band_nm `[{from}, {to}]` must have the lower end first")));
        }
        for (field, value) in [("prominence_db", self.prominence_db), ("distance_nm", self.distance_nm)] {
            if let Some(value) = value.filter(|value| *value < 0.0) {
                return Err(at(&[field], format!("{field} `{value}` must not be negative")));
            }
        }
        if let Some(length) = self.length_um.filter(|length| *length <= 0.0) {
            return Err(at(&["length_um"], format!("length_um `{length}` must be above 0")));
        }
        if let Some(samples) = self.smooth_samples.filter(|samples| samples.is_multiple_of(2)) {
            let message = format!("smooth_samples `{samples}` must be odd, so that the mean has a middle");
            return Err(at(&["smooth_samples"], message));
        }
        if let Some(times) = self.remeasure {
            if self.on_fail != OnFail::Remeasure {
                return Err(ReadError::new("`remeasure` needs `on_fail: remeasure`"));
            }
            if times == 0 || times > MOST_REMEASURES {
                let message = format!("remeasure `{times}` is not allowed (1 to {MOST_REMEASURES})");
                return Err(at(&["remeasure"], message));
            }
        }
        let one_port = 1;
        self.channels.as_ref().map_or(Ok(()), |channels| {
            channels.channels(one_port).map(drop).map_err(|message| at(&["channels"], message))
        })
    }
}

/// Whether a number can be a wavelength in nm. Otherwise the hint names the unit that the number may be in.
fn check_wavelength(path: &[&str], nm: f64) -> Result<(), ReadError> {
    if RANGE_NM.contains(&nm) {
        return Ok(());
    }
    let name = path.iter().rev().find(|name| name.parse::<usize>().is_err()).unwrap_or(&"");
    let message = format!("{name} `{nm}` nm is not allowed ({} to {} nm)", RANGE_NM.start, RANGE_NM.end);
    let hint = decode::other_unit(name, nm, |nm| RANGE_NM.contains(&nm));
    Err(ReadError { hint, ..at(path, message) })
}

fn at(path: &[&str], message: String) -> ReadError {
    ReadError::new(message).under(&path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>())
}

fn unknown(error: AskError, path: &[&str], at_key: bool) -> ReadError {
    let message = error.to_string();
    let hint = match error {
        AskError::Unknown { hint, .. } => Some(hint),
        AskError::Several { .. } => Some("`over` with `fit` or `cut_back` computes it".to_owned()),
    };
    ReadError { hint, at_key, ..at(path, message) }
}

/// Checks a limit of a figure of a trace, or of a line through several, in the map `field`.
pub(super) fn check_limit_of_any(field: &str, name: &str, limit: Limit) -> Result<(), ReadError> {
    if is_of_points(name) {
        return limit.check(name).map_err(|error| at(&[field, name], error.to_string()));
    }
    check_limit(field, name, limit)
}

/// Checks a limit of a figure of a trace in the map `field`.
fn check_limit(field: &str, name: &str, limit: Limit) -> Result<(), ReadError> {
    let asked = asked(name).map_err(|error| unknown(error, &[field, name], true))?;
    if asked.figure().is_none() {
        let message = format!("`{name}` is a group of figures: a limit needs the name of one figure");
        return Err(at(&[field, name], message));
    }
    limit.check(name).map_err(|error| at(&[field, name], error.to_string()))
}
