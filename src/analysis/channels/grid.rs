//! The grids of ITU-T G.694.1 (DWDM) and G.694.2 (CWDM), and free lists of channels.

use serde::{Deserialize, Serialize};

use crate::analysis::units::{ghz_from_nm, nm_from_ghz};

/// The anchor of the DWDM grid, GHz.
const ANCHOR_GHZ: f64 = 193_100.0;
/// The first and the last CWDM channel, nm.
const CWDM_NM: (f64, f64) = (1271.0, 1611.0);
/// The spacing of CWDM channels, nm.
const CWDM_SPACING_NM: f64 = 20.0;
/// The channel spacings of G.694.1, GHz: fixed grids, and multiples of 100 GHz.
const SPACINGS_GHZ: [f64; 3] = [12.5, 25.0, 50.0];

/// One channel: vacuum wavelengths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// The name: `193.1 THz`, `1551 nm`.
    pub name: String,
    /// Centre, nm.
    pub center_nm: f64,
    /// Lower end of the window, nm.
    pub from_nm: f64,
    /// Upper end of the window, nm.
    pub to_nm: f64,
}

/// A set of channels, as a recipe names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "grid", rename_all = "snake_case", deny_unknown_fields)]
pub enum Grid {
    /// G.694.1: 193.1 THz + n · spacing.
    Dwdm {
        /// Distance of neighbouring channels, GHz.
        spacing_ghz: f64,
        /// Frequency of the channel with the lowest frequency, GHz.
        first_ghz: f64,
        /// Number of channels.
        channels: usize,
        /// Half of the window, GHz.
        half_width_ghz: f64,
    },
    /// G.694.2: 1271 nm to 1611 nm by 20 nm.
    Cwdm {
        /// Centre of the channel with the shortest wavelength, nm.
        first_nm: f64,
        /// Number of channels.
        channels: usize,
        /// Half of the window, nm.
        half_width_nm: f64,
    },
    /// Any centres, all with the same window.
    Listed {
        /// The centres, nm.
        centers_nm: Vec<f64>,
        /// Half of the window, nm.
        half_width_nm: f64,
    },
}

/// Why a grid is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GridError {
    /// A spacing that the recommendation does not have.
    #[error(
        "a channel spacing of {0} GHz is not in G.694.1: 12.5, 25, 50 or a multiple of 100 GHz is needed"
    )]
    Spacing(f64),
    /// A first channel beside the grid.
    #[error(
        "{first_ghz} GHz is not on the grid 193 100 GHz + n · {spacing_ghz} GHz; the nearest channel is {nearest_ghz} GHz"
    )]
    OffDwdm {
        /// What was given, GHz.
        first_ghz: f64,
        /// The spacing, GHz.
        spacing_ghz: f64,
        /// The nearest channel, GHz.
        nearest_ghz: f64,
    },
    /// A first channel beside the grid.
    #[error(
        "{first_nm} nm is not a CWDM channel of G.694.2 (1271 to 1611 nm by 20 nm); the nearest is {nearest_nm} nm"
    )]
    OffCwdm {
        /// What was given, nm.
        first_nm: f64,
        /// The nearest channel, nm.
        nearest_nm: f64,
    },
    /// More channels than the grid has.
    #[error(
        "the CWDM grid ends at 1611 nm: from {first_nm} nm there are {available} channels, not {channels}"
    )]
    TooMany {
        /// Centre of the first channel, nm.
        first_nm: f64,
        /// What was asked for.
        channels: usize,
        /// How many there are.
        available: usize,
    },
    /// No channel.
    #[error("a grid needs at least one channel")]
    None,
    /// A number that is not above 0.
    #[error("`{field}` is {value}: a positive number is needed")]
    NotPositive {
        /// The field.
        field: &'static str,
        /// What was given.
        value: f64,
    },
    /// Windows that overlap.
    #[error("the windows of the channels {first} and {second} overlap: a smaller half width is needed")]
    Overlap {
        /// A channel.
        first: String,
        /// The channel after it.
        second: String,
    },
}

/// A grid of which only the channels are known that a trace contains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WholeGrid {
    /// G.694.1.
    Dwdm {
        /// Distance of neighbouring channels, GHz.
        spacing_ghz: f64,
        /// Half of the window, GHz.
        half_width_ghz: f64,
    },
    /// G.694.2.
    Cwdm {
        /// Half of the window, nm.
        half_width_nm: f64,
    },
}

impl WholeGrid {
    /// The channels whose windows are within these wavelengths.
    ///
    /// # Errors
    /// What is wrong with the grid, or that no channel is there.
    pub fn within(&self, from_nm: f64, to_nm: f64) -> Result<Vec<Channel>, GridError> {
        match *self {
            Self::Dwdm { spacing_ghz, half_width_ghz } => {
                positive("spacing_ghz", spacing_ghz)?;
                let number = |ghz: f64| (ghz - ANCHOR_GHZ) / spacing_ghz;
                // A thousandth of a spacing absorbs rounding.
                let first = (number(ghz_from_nm(to_nm) + half_width_ghz) - 1e-3).ceil();
                let last = (number(ghz_from_nm(from_nm) - half_width_ghz) + 1e-3).floor();
                let channels = count(first, last)?;
                let first_ghz = ANCHOR_GHZ + first * spacing_ghz;
                Grid::Dwdm { spacing_ghz, first_ghz, channels, half_width_ghz }.channels()
            }
            Self::Cwdm { half_width_nm } => {
                let (lowest, highest) = CWDM_NM;
                let number = |nm: f64| (nm.clamp(lowest, highest) - lowest) / CWDM_SPACING_NM;
                let first = (number(from_nm + half_width_nm) - 1e-6).ceil();
                let last = (number(to_nm - half_width_nm) + 1e-6).floor();
                let is_beyond = to_nm - half_width_nm < lowest || from_nm + half_width_nm > highest;
                let channels = if is_beyond { return Err(GridError::None) } else { count(first, last)? };
                let first_nm = lowest + first * CWDM_SPACING_NM;
                Grid::Cwdm { first_nm, channels, half_width_nm }.channels()
            }
        }
    }
}

/// The number of channels from the first to the last one.
fn count(first: f64, last: f64) -> Result<usize, GridError> {
    let channels = last - first + 1.0;
    // A finer grid than 12.5 GHz is refused later; this bounds the memory for any number.
    match channels {
        1.0..=100_000.0 => Ok(channels as usize),
        _ => Err(GridError::None),
    }
}

fn positive(field: &'static str, value: f64) -> Result<f64, GridError> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(GridError::NotPositive { field, value }) }
}

impl Grid {
    /// The channels in the order of wavelength.
    ///
    /// # Errors
    /// What is wrong with the grid.
    pub fn channels(&self) -> Result<Vec<Channel>, GridError> {
        let mut channels = match self {
            Self::Dwdm { spacing_ghz, first_ghz, channels, half_width_ghz } => {
                dwdm(*spacing_ghz, *first_ghz, *channels, positive("half_width_ghz", *half_width_ghz)?)?
            }
            Self::Cwdm { first_nm, channels, half_width_nm } => {
                cwdm(*first_nm, *channels, positive("half_width_nm", *half_width_nm)?)?
            }
            Self::Listed { centers_nm, half_width_nm } => {
                let half_nm = positive("half_width_nm", *half_width_nm)?;
                centers_nm
                    .iter()
                    .map(|center| positive("centers_nm", *center).map(|center| about_nm(center, half_nm)))
                    .collect::<Result<Vec<_>, _>>()?
            }
        };
        if channels.is_empty() {
            return Err(GridError::None);
        }
        channels.sort_by(|a, b| a.center_nm.total_cmp(&b.center_nm));
        match channels.windows(2).find(|pair| pair[0].to_nm > pair[1].from_nm + 1e-9) {
            Some(pair) => {
                Err(GridError::Overlap { first: pair[0].name.clone(), second: pair[1].name.clone() })
            }
            None => Ok(channels),
        }
    }
}

fn about_nm(center_nm: f64, half_nm: f64) -> Channel {
    Channel {
        name: format!("{center_nm} nm"),
        center_nm,
        from_nm: center_nm - half_nm,
        to_nm: center_nm + half_nm,
    }
}

fn dwdm(spacing_ghz: f64, first_ghz: f64, channels: usize, half_ghz: f64) -> Result<Vec<Channel>, GridError> {
    positive("first_ghz", first_ghz)?;
    positive("spacing_ghz", spacing_ghz)?;
    if !SPACINGS_GHZ.contains(&spacing_ghz) && (spacing_ghz % 100.0).abs() > 1e-9 {
        return Err(GridError::Spacing(spacing_ghz));
    }
    let number = (first_ghz - ANCHOR_GHZ) / spacing_ghz;
    let nearest_ghz = ANCHOR_GHZ + number.round() * spacing_ghz;
    if (nearest_ghz - first_ghz).abs() > 1e-6 {
        return Err(GridError::OffDwdm { first_ghz, spacing_ghz, nearest_ghz });
    }
    let channel = |place: usize| {
        let center_ghz = nearest_ghz + place as f64 * spacing_ghz;
        Channel {
            name: format!("{} THz", (center_ghz * 1e4).round() / 1e7),
            center_nm: nm_from_ghz(center_ghz),
            from_nm: nm_from_ghz(center_ghz + half_ghz),
            to_nm: nm_from_ghz(center_ghz - half_ghz),
        }
    };
    Ok((0..channels).map(channel).collect())
}

fn cwdm(first_nm: f64, channels: usize, half_nm: f64) -> Result<Vec<Channel>, GridError> {
    let (lowest, highest) = CWDM_NM;
    let number = (first_nm - lowest) / CWDM_SPACING_NM;
    let nearest_nm = (lowest + number.round() * CWDM_SPACING_NM).clamp(lowest, highest);
    if first_nm.is_nan() || (nearest_nm - first_nm).abs() > 1e-6 {
        return Err(GridError::OffCwdm { first_nm, nearest_nm });
    }
    let available = ((highest - nearest_nm) / CWDM_SPACING_NM).round() as usize + 1;
    if channels > available {
        return Err(GridError::TooMany { first_nm, channels, available });
    }
    Ok((0..channels).map(|place| about_nm(nearest_nm + place as f64 * CWDM_SPACING_NM, half_nm)).collect())
}

impl Channel {
    /// Frequency of the centre, GHz.
    #[must_use]
    pub fn center_ghz(&self) -> f64 {
        ghz_from_nm(self.center_nm)
    }
}
