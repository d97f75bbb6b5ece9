//! The names that a recipe may give for figures: the figure itself (`bandwidth_3db_nm`), or a group (`dips`).

use crate::analysis::registry::{self as define, CHAPTERS, Definition};
use crate::analysis::request::Wanted;
use crate::analysis::several::is_slope;

/// The groups that a recipe may name. A level belongs into the name of a figure.
const GROUPS: [(&str, Group); 11] = [
    ("loss", Group::Lines(Wanted::Loss)),
    ("dips", Group::Lines(Wanted::Dips)),
    ("peaks", Group::Lines(Wanted::Peaks)),
    ("q", Group::Lines(Wanted::Resonances)),
    ("resonances", Group::Lines(Wanted::Resonances)),
    ("fsr", Group::Lines(Wanted::Fsr)),
    ("group_index", Group::Lines(Wanted::GroupIndex)),
    ("finesse", Group::Lines(Wanted::Finesse)),
    ("dispersion", Group::Lines(Wanted::Dispersion)),
    ("quality", Group::Lines(Wanted::Quality)),
    ("channels", Group::Channels),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Group {
    /// Figures of lines, or of the whole band.
    Lines(Wanted),
    /// All figures of a channel.
    Channels,
}

/// A figure or a group that a recipe asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// One figure, with the level in its name.
    Figure(&'static Definition, Option<f64>),
    /// All figures of a group.
    Group(Group),
}

/// Why a name is no figure that can be asked of a trace.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AskError {
    /// No such figure or group.
    #[error("there is no figure `{name}`")]
    Unknown {
        /// The name that was given.
        name: String,
        /// What to write instead.
        hint: String,
    },
    /// A figure of several traces.
    #[error("`{name}` is a figure of several analyses, not of one trace")]
    Several {
        /// The name that was given.
        name: String,
    },
}

/// Whether a figure is one of a line through the figures of several analyses: of `fit` or `cut_back`.
#[must_use]
pub fn is_of_points(name: &str) -> bool {
    is_slope(name) || define::find(name).is_some_and(|(definition, _)| is_of(definition, SEVERAL))
}

/// Reads the name of a figure of one trace.
///
/// # Errors
/// The name is unknown, with the nearest known names; or the figure needs several traces.
pub fn asked(name: &str) -> Result<Asked, AskError> {
    if is_of_points(name) {
        return Err(AskError::Several { name: name.to_owned() });
    }
    if let Some((_, group)) = GROUPS.iter().find(|(word, _)| *word == name) {
        return Ok(Asked(Kind::Group(*group)));
    }
    match define::find(name) {
        Some((definition, level_db)) => Ok(Asked(Kind::Figure(definition, level_db))),
        None => Err(AskError::Unknown { name: name.to_owned(), hint: hint(name) }),
    }
}

fn hint(name: &str) -> String {
    // The command line writes a level after `@`; a name in a recipe contains it.
    if let Ok(Wanted::Bandwidth(level_db)) = name.parse() {
        return format!("write `{}`", define::BANDWIDTH.name_at(Some(level_db)));
    }
    if let Ok(Wanted::Notch(level_db)) = name.parse() {
        return format!("write `{}`", define::NOTCH_WIDTH.name_at(Some(level_db)));
    }
    if let Ok(Wanted::LossAt(nm)) = name.parse() {
        return format!("write `at_nm: {nm}`");
    }
    let words = GROUPS.iter().map(|(word, _)| (*word).to_owned());
    let alike = |word: &String| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), word) >= 0.6;
    let mut near: Vec<String> = words.filter(alike).take(1).collect();
    near.extend(define::nearest(name));
    near.truncate(3);
    match near.as_slice() {
        [] => "docs/figures.md lists all figures".to_owned(),
        near => {
            let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
            format!("did you mean {}?", near.join(" or "))
        }
    }
}

const CHANNELS: &str = "Channels";
const SEVERAL: &str = "Several traces";

fn is_of(definition: &Definition, chapter: &str) -> bool {
    CHAPTERS
        .iter()
        .any(|(title, table)| *title == chapter && table.iter().any(|known| known.name == definition.name))
}

/// Figures that have their own definition about a channel.
const ALSO_OF_CHANNELS: [&Definition; 6] = [
    &define::INSERTION_LOSS_MIN,
    &define::INSERTION_LOSS_MAX,
    &define::RIPPLE,
    &define::BANDWIDTH,
    &define::BANDWIDTH_CENTER,
    &define::BANDWIDTH_OUTER,
];

fn is_of_channel(definition: &Definition) -> bool {
    is_of(definition, CHANNELS) || ALSO_OF_CHANNELS.iter().any(|known| known.name == definition.name)
}

/// The group of the command line that has a figure. A prominence belongs to dips, because a group of peaks is asked for
/// by its name.
fn group_of(definition: &Definition, level_db: Option<f64>) -> Option<Wanted> {
    let level = |group: fn(f64) -> Wanted| level_db.map(group);
    Some(match definition.name {
        name if name == define::DIP.name || name == define::DIP_LEVEL.name => Wanted::Dips,
        name if name == define::PROMINENCE.name => Wanted::Dips,
        name if name == define::PEAK.name || name == define::PEAK_LEVEL.name => Wanted::Peaks,
        name if name == define::NOTCH_WIDTH.name => level(Wanted::Notch)?,
        name if name.starts_with("bandwidth_{x}db") => level(Wanted::Bandwidth)?,
        _ if is_of(definition, "Resonances") => Wanted::Resonances,
        name if name.starts_with("fsr_") => Wanted::Fsr,
        name if name == define::GROUP_INDEX.name => Wanted::GroupIndex,
        name if name == define::FINESSE.name => Wanted::Finesse,
        name if name == define::COMB_D1.name || name == define::COMB_D2.name => Wanted::Dispersion,
        name if [&define::FLOOR, &define::UNUSABLE, &define::SATURATED]
            .iter()
            .any(|known| known.name == name) =>
        {
            Wanted::Quality
        }
        // Its wavelengths are stated separately.
        name if name == define::INSERTION_LOSS.name => return None,
        _ if is_of(definition, "Insertion loss and transmission") => Wanted::Loss,
        _ => return None,
    })
}

impl Asked {
    /// The name of the figure, if one figure is asked for.
    #[must_use]
    pub fn figure(&self) -> Option<String> {
        match self.0 {
            Kind::Figure(definition, level_db) => Some(definition.name_at(level_db)),
            Kind::Group(_) => None,
        }
    }

    /// Whether the figure exists only for channels.
    #[must_use]
    pub fn needs_channels(&self) -> bool {
        match self.0 {
            Kind::Figure(definition, _) => is_of(definition, CHANNELS),
            Kind::Group(group) => group == Group::Channels,
        }
    }

    /// Whether the figure needs a wavelength.
    #[must_use]
    pub fn needs_wavelength(&self) -> bool {
        matches!(self.0, Kind::Figure(definition, _) if definition.name == define::INSERTION_LOSS.name)
    }

    /// The level in the name, for bandwidths.
    pub(super) fn level_db(&self) -> Option<f64> {
        match self.0 {
            Kind::Figure(definition, level_db) if definition.name.starts_with("bandwidth_") => level_db,
            Kind::Figure(..) | Kind::Group(_) => None,
        }
    }

    /// The group of the figure, unless the figures of channels have it.
    pub(super) fn wanted(&self, with_channels: bool) -> Option<Wanted> {
        match self.0 {
            Kind::Figure(definition, _) if with_channels && is_of_channel(definition) => None,
            Kind::Figure(definition, level_db) => group_of(definition, level_db),
            Kind::Group(Group::Lines(wanted)) => Some(wanted),
            Kind::Group(Group::Channels) => None,
        }
    }

    /// Whether this asks for the figure of this name.
    pub(super) fn includes(&self, name: &str, with_channels: bool) -> bool {
        match self.0 {
            Kind::Figure(definition, level_db) => definition.name_at(level_db) == name,
            Kind::Group(Group::Channels) => {
                define::find(name).is_some_and(|(known, _)| with_channels && is_of_channel(known))
            }
            Kind::Group(Group::Lines(wanted)) => define::find(name).is_some_and(|(known, level_db)| {
                let is_prominence = known.name == define::PROMINENCE.name && wanted == Wanted::Peaks;
                is_prominence || group_of(known, level_db) == Some(wanted)
            }),
        }
    }

    /// The names of all figures that this asks for.
    pub(super) fn names(&self, with_channels: bool) -> Vec<String> {
        match self.0 {
            Kind::Figure(definition, level_db) => vec![definition.name_at(level_db)],
            Kind::Group(_) => {
                let at = |known: &'static Definition| known.name_at(Some(super::CHANNEL_LEVEL_DB));
                define::all().map(at).filter(|name| self.includes(name, with_channels)).collect()
            }
        }
    }
}
