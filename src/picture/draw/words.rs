//! Texts: title, legend, numbers.

use plotters::element::{PathElement, Text};
use plotters::prelude::{DrawingBackend, IntoFont};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, RGBColor, TextStyle};

use super::{Area, failed, stroke};
use crate::picture::look::{Look, Medium};
use crate::picture::{PictureError, Plot, font};

/// Most curves in the legend.
const LEGEND: usize = 24;
/// The library divides the size of a font by this number.
const SMALLER: f64 = 1.24;

/// Writes texts on a canvas.
pub(super) struct Words<'a, B: DrawingBackend> {
    pub(super) area: &'a Area<B>,
    pub(super) look: &'a Look,
}

impl<B: DrawingBackend> Words<'_, B> {
    fn style(&self, sizes: f64, colour: RGBColor) -> TextStyle<'static> {
        let size = sizes * self.look.font * f64::from(self.look.scale);
        (font::FAMILY, size * SMALLER).into_font().color(&colour)
    }

    fn write(&self, text: &str, at: (i32, i32), style: TextStyle<'_>) -> Result<(), PictureError> {
        self.area.draw(&Text::new(text.to_owned(), at, style)).map_err(failed)
    }

    /// Writes at a place, which is this end of the text.
    pub(super) fn put(
        &self,
        text: &str,
        at: (i32, i32),
        (column, row): (HPos, VPos),
        colour: RGBColor,
    ) -> Result<(), PictureError> {
        // In a bitmap the library writes above the place that it states.
        let lower = match (self.look.medium, row) {
            (Medium::Svg, _) => 0.0,
            (Medium::Png, VPos::Top) => 0.14,
            (Medium::Png, VPos::Center) => 0.2,
            (Medium::Png, VPos::Bottom) => 0.11,
        };
        let at = (at.0, at.1 + self.look.length(lower * self.look.font));
        self.write(text, at, self.style(1.0, colour).pos(Pos::new(column, row)))
    }

    /// Writes from below upwards, centred.
    pub(super) fn put_upwards(&self, text: &str, at: (i32, i32)) -> Result<(), PictureError> {
        let style = self.style(1.0, self.look.colours.text).transform(FontTransform::Rotate270);
        self.write(text, at, style.pos(Pos::new(HPos::Center, VPos::Top)))
    }

    /// The width of a text in units of the canvas.
    pub(super) fn width(&self, text: &str) -> Result<i32, PictureError> {
        self.width_in(text, &self.style(1.0, self.look.colours.text))
    }

    fn width_in(&self, text: &str, style: &TextStyle<'_>) -> Result<i32, PictureError> {
        let (width, _) = self.area.estimate_text_size(text, style).map_err(failed)?;
        Ok(width.cast_signed())
    }

    /// The title and the legend. Returns where the frame begins.
    pub(super) fn head(&self, plot: &Plot) -> Result<i32, PictureError> {
        let look = self.look;
        let size = |sizes: f64| look.length(sizes * look.font);
        let (left, right) = (size(super::LEFT), look.canvas().0.cast_signed() - size(1.8));
        let (mut x, mut y) = (left, size(0.7));
        let row = Pos::new(HPos::Left, VPos::Top);
        if plot.simulated {
            let style = self.style(1.2, look.colours.warning).pos(row);
            self.write("SIMULATED", (x, y), style.clone())?;
            x += self.width_in("SIMULATED  ", &style)?;
        }
        let style = self.style(1.2, look.colours.text).pos(row);
        let mut title = plot.title.clone();
        while self.width_in(&title, &style)? > right - x && title.chars().count() > 2 {
            title = title.chars().take(title.chars().count() - 2).chain(['…']).collect();
        }
        if !title.is_empty() {
            self.write(&title, (x, y), style)?;
        }
        if plot.simulated || !title.is_empty() {
            y += size(2.0);
        }
        if plot.curves.len() < 2 && plot.curves.iter().all(|curve| curve.label.is_empty()) {
            return Ok(y);
        }
        x = left;
        for (place, curve) in plot.curves.iter().take(LEGEND).enumerate() {
            let width = self.width(&curve.label)?;
            if x > left && x + size(2.2) + width > right {
                (x, y) = (left, y + size(1.5));
            }
            let middle = y + size(0.6);
            let line = vec![(x, middle), (x + size(1.6), middle)];
            let stroke = stroke(look.colour(place), look.line(0.18 * look.font));
            self.area.draw(&PathElement::new(line, stroke)).map_err(failed)?;
            self.put(&curve.label, (x + size(2.0), y), (HPos::Left, VPos::Top), look.colours.text)?;
            x += size(3.4) + width;
        }
        if plot.curves.len() > LEGEND {
            let more = format!("and {} more", plot.curves.len() - LEGEND);
            self.put(&more, (x, y), (HPos::Left, VPos::Top), look.colours.text)?;
        }
        Ok(y + size(1.8))
    }
}
