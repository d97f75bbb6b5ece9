//! The channels of a multiplexer, as a recipe states them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::channels::{Channel, Grid};

/// The grid of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GridName {
    /// ITU-T G.694.1: 193.1 THz + n · spacing.
    Dwdm,
    /// ITU-T G.694.2: 1271 nm to 1611 nm by 20 nm.
    Cwdm,
    /// The centres in `centers_nm`.
    Listed,
}

/// The channels of a multiplexer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// `dwdm`, `cwdm` or `listed`.
    pub grid: GridName,
    /// Distance of neighbouring channels of `dwdm`, GHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing_ghz: Option<f64>,
    /// Frequency of the `dwdm` channel with the lowest frequency, THz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_thz: Option<f64>,
    /// Centre of the `cwdm` channel with the shortest wavelength, nm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_nm: Option<f64>,
    /// The centres of the `listed` channels, nm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centers_nm: Option<Vec<f64>>,
    /// Number of channels. Default: the number of traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Half of the window of a `cwdm` or `listed` channel, nm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_width_nm: Option<f64>,
    /// Half of the window of a `dwdm` channel, GHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_width_ghz: Option<f64>,
}

/// The largest number of channels: a grid of 12.5 GHz over all bands has fewer.
const MOST: usize = 10_000;

impl Channels {
    /// The channels, for so many traces.
    ///
    /// # Errors
    /// A field that is missing, that belongs to another grid, or that is not on the grid.
    pub fn channels(&self, traces: usize) -> Result<Vec<Channel>, String> {
        let count = self.count.unwrap_or(traces);
        if count > MOST {
            return Err(format!("`count` is {count}: at most {MOST} channels are allowed"));
        }
        let grid = match self.grid {
            GridName::Dwdm => Grid::Dwdm {
                spacing_ghz: self.need("spacing_ghz", self.spacing_ghz)?,
                first_ghz: self.need("first_thz", self.first_thz)? * 1e3,
                channels: count,
                half_width_ghz: self.need("half_width_ghz", self.half_width_ghz)?,
            },
            GridName::Cwdm => Grid::Cwdm {
                first_nm: self.need("first_nm", self.first_nm)?,
                channels: count,
                half_width_nm: self.need("half_width_nm", self.half_width_nm)?,
            },
            GridName::Listed => Grid::Listed {
                centers_nm: self.need("centers_nm", self.centers_nm.clone())?,
                half_width_nm: self.need("half_width_nm", self.half_width_nm)?,
            },
        };
        self.refuse_fields_of_other_grids()?;
        grid.channels().map_err(|error| error.to_string())
    }

    fn need<T>(&self, field: &str, value: Option<T>) -> Result<T, String> {
        value.ok_or_else(|| format!("the grid `{}` needs `{field}`", self.word()))
    }

    fn word(&self) -> &'static str {
        match self.grid {
            GridName::Dwdm => "dwdm",
            GridName::Cwdm => "cwdm",
            GridName::Listed => "listed",
        }
    }

    fn refuse_fields_of_other_grids(&self) -> Result<(), String> {
        let (dwdm, cwdm) = (self.grid == GridName::Dwdm, self.grid == GridName::Cwdm);
        let fields = [
            ("spacing_ghz", self.spacing_ghz.is_some(), dwdm),
            ("first_thz", self.first_thz.is_some(), dwdm),
            ("half_width_ghz", self.half_width_ghz.is_some(), dwdm),
            ("first_nm", self.first_nm.is_some(), cwdm),
            ("centers_nm", self.centers_nm.is_some(), self.grid == GridName::Listed),
            ("count", self.count.is_some(), dwdm || cwdm),
            ("half_width_nm", self.half_width_nm.is_some(), !dwdm),
        ];
        match fields.iter().find(|(_, is_given, belongs)| *is_given && !belongs) {
            Some((field, ..)) => Err(format!("`{field}` does not belong to the grid `{}`", self.word())),
            None => Ok(()),
        }
    }
}
