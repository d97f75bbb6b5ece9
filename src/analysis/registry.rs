//! The table of all figures: name, unit, formula, window and source. `docs/figures.md` is generated from this table.

mod channels;
mod lines;
mod page;
mod several;
mod transmission;

pub use channels::*;
pub use lines::*;
pub use page::page;
pub use several::*;
pub use transmission::*;

/// The version of the definitions. It changes when the value of a figure may change although its trace does not.
pub const VERSION: u32 = 2;

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The name, with its unit. `{x}` stands for a level in dB: `bandwidth_{x}db_nm`.
    pub name: &'static str,
    /// The unit; `1` for ratios.
    pub unit: &'static str,
    /// How the value is computed.
    pub formula: &'static str,
    /// Which part of the trace is used.
    pub window: &'static str,
    /// Where the definition comes from.
    pub source: &'static str,
}

/// The chapters of the table.
pub const CHAPTERS: [(&str, &[&Definition]); 6] = [
    ("Insertion loss and transmission", transmission::TABLE),
    ("Dips, peaks and widths", lines::TABLE),
    ("Resonances", lines::RESONANCE_TABLE),
    ("Combs of resonances", lines::COMB_TABLE),
    ("Channels", channels::TABLE),
    ("Several traces", several::TABLE),
];

/// Every definition.
pub fn all() -> impl Iterator<Item = &'static Definition> + Clone {
    CHAPTERS.iter().flat_map(|(_, table)| table.iter().copied())
}

/// The definition behind a name, and the level in the name where there is one.
#[must_use]
pub fn find(name: &str) -> Option<(&'static Definition, Option<f64>)> {
    all().find_map(|definition| definition.matches(name).map(|level_db| (definition, level_db)))
}

/// The known names nearest to a misspelt one, nearest first. Levels are shown as `3`.
#[must_use]
pub fn nearest(name: &str) -> Vec<String> {
    let mut likely: Vec<(f64, String)> = all()
        .map(|definition| definition.name_at(Some(3.0)))
        .map(|known| (strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &known), known))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .collect();
    likely.sort_by(|a, b| b.0.total_cmp(&a.0));
    likely.into_iter().take(3).map(|(_, known)| known).collect()
}

/// A level as it is written in a name: `3`, `0_5`.
#[must_use]
pub fn level_word(level_db: f64) -> String {
    level_db.to_string().replace('.', "_")
}

impl Definition {
    /// The name with this level in it.
    #[must_use]
    pub fn name_at(&self, level_db: Option<f64>) -> String {
        match level_db {
            Some(level_db) => self.name.replace("{x}", &level_word(level_db)),
            None => self.name.to_owned(),
        }
    }

    /// The formula with this level in it.
    #[must_use]
    pub fn formula_at(&self, level_db: Option<f64>) -> String {
        match level_db {
            Some(level_db) => self.formula.replace("{x}", &level_db.to_string()),
            None => self.formula.to_owned(),
        }
    }

    /// Whether this is the definition behind a name: `Some` with the level in the name, where it has one.
    fn matches(&self, name: &str) -> Option<Option<f64>> {
        let Some((before, after)) = self.name.split_once("{x}") else {
            return (self.name == name).then_some(None);
        };
        let word = name.strip_prefix(before)?.strip_suffix(after)?;
        let is_number = word.starts_with(|c: char| c.is_ascii_digit())
            && word.ends_with(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_digit() || c == '_');
        if !is_number {
            return None;
        }
        let level_db: f64 = word.replacen('_', ".", 1).parse().ok()?;
        (level_db > 0.0 && level_db.is_finite()).then_some(Some(level_db))
    }
}

const EXFO: &str = "EXFO IQS-12004B, appendix D";
const YOKOGAWA: &str = "Yokogawa AQ6370D, waveform analysis";
const SPECTRAL: &str = "IEC 61300-3-29";
const SCIPY: &str = "scipy.signal.find_peaks, peak_prominences";
