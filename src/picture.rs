//! Pictures of traces as SVG and PNG: of the report, and of `ctp10 plot`.
//!
//! A trace is drawn as its envelope, so a picture of a million points is small and no dip is lost.

mod axis;
mod draw;
mod font;
mod look;
mod png;
#[cfg(test)]
mod tests;

use plotters::prelude::{BitMapBackend, IntoDrawingArea, SVGBackend};

use crate::store::Envelope;
use look::{Look, Medium};
pub use look::{Size, Theme};

/// A trace with its name in the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The name.
    pub label: String,
    /// The lowest and highest values, in the order of rising wavelength.
    pub envelope: Envelope,
}

/// A figure at its place on a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The wavelength, nm.
    pub nm: f64,
    /// The level.
    pub level: f64,
    /// Whether the mark stands below its place, as at a dip.
    pub is_below: bool,
    /// What stands beside the mark; may be empty.
    pub text: String,
}

/// A limit of the level over a part of the wavelengths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitLine {
    /// Lower end, nm.
    pub from_nm: f64,
    /// Upper end, nm.
    pub to_nm: f64,
    /// The level.
    pub level: f64,
}

/// What the horizontal axis shows. The envelopes, marks, bands and limits have their places in the same unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Across {
    /// Wavelengths, nm.
    #[default]
    Wavelength,
    /// Time since a beginning, in a unit: the name of the axis.
    Time(String),
}

/// What a picture shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plot {
    /// What the horizontal axis shows.
    pub across: Across,
    /// The title.
    pub title: String,
    /// Whether the values are computed. The picture says so.
    pub simulated: bool,
    /// The unit of the levels: dB or dBm.
    pub unit: String,
    /// The traces.
    pub curves: Vec<Curve>,
    /// Figures that are marked.
    pub marks: Vec<Mark>,
    /// Parts of the wavelengths that figures rest on: lower and upper end, nm.
    pub bands: Vec<(f64, f64)>,
    /// Limits of the level.
    pub limits: Vec<LimitLine>,
    /// The wavelengths of the axis, nm. When not given, those of the traces.
    pub range_nm: Option<(f64, f64)>,
}

/// Why a picture cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// No finite value.
    #[error("no trace has a finite value")]
    Nothing,
    /// The library failed.
    #[error("the picture cannot be drawn: {0}")]
    Drawing(String),
}

impl Plot {
    /// Wavelengths and levels of all values: lowest and highest of each. `None` without a finite value.
    fn ranges(&self) -> Option<[(f64, f64); 2]> {
        let finite = |curve: &Curve| curve.envelope.min.iter().any(Option::is_some);
        let drawn = || self.curves.iter().filter(|curve| finite(curve));
        let wavelengths = || drawn().flat_map(|curve| curve.envelope.wavelength_nm.iter().copied());
        let levels = || {
            let all = drawn().flat_map(|curve| curve.envelope.min.iter().chain(&curve.envelope.max));
            all.flatten().copied().map(f64::from)
        };
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold(None, |range: Option<(f64, f64)>, value| {
                let (low, high) = range.unwrap_or((value, value));
                Some((low.min(value), high.max(value)))
            })
        };
        let mut levels = range(&mut levels())?;
        // A limit that is near is seen; one that is far away would make the curve flat.
        let (low, high) = levels;
        let near = (high - low).max(1.0);
        for limit in self.limits.iter().filter(|limit| limit.level > low - near && limit.level < high + near)
        {
            levels = (levels.0.min(limit.level), levels.1.max(limit.level));
        }
        Some([self.range_nm.or_else(|| range(&mut wavelengths()))?, levels])
    }

    /// The picture for a file of its own.
    ///
    /// # Errors
    /// If there is nothing to draw.
    pub fn svg(&self, size: Size, theme: Theme) -> Result<String, PictureError> {
        self.drawn_as_svg(&Look::new(size, theme, Medium::Svg))
    }

    /// A small picture without legend for a page, whose style sheet may replace the colours. The title is for the pointer and
    /// for people who do not see the picture.
    ///
    /// # Errors
    /// If there is nothing to draw.
    pub fn thumbnail(&self) -> Result<String, PictureError> {
        self.drawn_as_svg(&Look::thumbnail())
    }

    fn drawn_as_svg(&self, look: &Look) -> Result<String, PictureError> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, look.canvas()).into_drawing_area();
            draw::draw(&area, self, look)?;
            area.present().map_err(|error| PictureError::Drawing(error.to_string()))?;
        }
        // The numbers in the file are finer than the pixels of the picture.
        let Size { width, height } = look.size;
        let (across, down) = look.canvas();
        // A file of its own needs a namespace. Within a page, a style sheet finds the picture by its class.
        let kind = if look.is_thumbnail { "class=\"trace\"" } else { "xmlns=\"http://www.w3.org/2000/svg\"" };
        let begin = format!(
            "<svg {kind} width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {across} {down}\" role=\"img\">\n<title>{}</title>",
            escaped(&self.title)
        );
        let body = text.split_once('>').map_or(text.as_str(), |(_, body)| body);
        Ok(begin + body)
    }

    /// The picture as the bytes of a PNG file.
    ///
    /// # Errors
    /// If there is nothing to draw.
    pub fn png(&self, size: Size, theme: Theme) -> Result<Vec<u8>, PictureError> {
        let look = Look::new(size, theme, Medium::Png);
        let (across, down) = look.canvas();
        let mut pixels = vec![0; across as usize * down as usize * 3];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (across, down)).into_drawing_area();
            draw::draw(&area, self, &look)?;
            area.present().map_err(|error| PictureError::Drawing(error.to_string()))?;
        }
        let pixels = png::averaged(&pixels, across as usize, look.scale as usize);
        png::encode(&pixels, size).map_err(|error| PictureError::Drawing(error.to_string()))
    }
}

/// A text within an SVG element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
