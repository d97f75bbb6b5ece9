//! Sizes and colours.

use plotters::style::RGBColor;

/// Size of a picture, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// Background and colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark lines on white, for documents.
    Light,
    /// Light lines on black, for slides.
    Dark,
}

/// Where a picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Svg,
    Png,
}

/// Colours that differ between dark and light backgrounds.
///
/// The style sheet of the report names those of thumbnails, and replaces them by its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colours {
    /// The background; a thumbnail has none.
    pub(super) paper: Option<RGBColor>,
    pub(super) text: RGBColor,
    pub(super) grid: RGBColor,
    pub(super) frame: RGBColor,
    pub(super) warning: RGBColor,
    /// The part of the wavelengths that figures rest on.
    pub(super) band: RGBColor,
    pub(super) curves: [RGBColor; 8],
}

/// Colours that people with any colour vision tell apart (Okabe and Ito), darker where they stand on white.
const ON_WHITE: [RGBColor; 8] = [
    RGBColor(0, 101, 189),
    RGBColor(201, 82, 0),
    RGBColor(0, 140, 104),
    RGBColor(178, 73, 137),
    RGBColor(170, 119, 0),
    RGBColor(44, 153, 214),
    RGBColor(110, 110, 110),
    RGBColor(34, 34, 34),
];
const ON_BLACK: [RGBColor; 8] = [
    RGBColor(86, 180, 233),
    RGBColor(255, 140, 51),
    RGBColor(46, 196, 153),
    RGBColor(226, 138, 190),
    RGBColor(240, 228, 66),
    RGBColor(120, 144, 255),
    RGBColor(170, 170, 170),
    RGBColor(240, 240, 240),
];

/// How a picture is drawn. All lengths are in pixels of the picture; the canvas is finer.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) size: Size,
    pub(super) medium: Medium,
    /// Units of the canvas for a pixel. In SVG they are digits; in PNG they are averaged, which smooths all edges.
    pub(super) scale: u32,
    pub(super) is_thumbnail: bool,
    pub(super) font: f64,
    pub(super) colours: Colours,
}

impl Look {
    pub(super) fn new(size: Size, theme: Theme, medium: Medium) -> Self {
        let scale = match medium {
            Medium::Svg => 10,
            // This bounds the memory to 200 MB.
            Medium::Png if size.width * size.height > 4_000_000 => 2,
            Medium::Png => 3,
        };
        let colours = match theme {
            Theme::Light => Colours {
                paper: Some(RGBColor(255, 255, 255)),
                text: RGBColor(34, 34, 34),
                grid: RGBColor(225, 225, 225),
                frame: RGBColor(120, 120, 120),
                warning: RGBColor(192, 0, 0),
                band: RGBColor(240, 243, 247),
                curves: ON_WHITE,
            },
            Theme::Dark => Colours {
                paper: Some(RGBColor(20, 22, 26)),
                text: RGBColor(230, 230, 230),
                grid: RGBColor(58, 62, 70),
                frame: RGBColor(140, 140, 140),
                warning: RGBColor(255, 110, 100),
                band: RGBColor(34, 39, 47),
                curves: ON_BLACK,
            },
        };
        // Readable on a page and on a slide: between 12 and 24 pixels.
        let font = (f64::from(size.width.min(size.height * 2)) / 75.0).clamp(11.0, 32.0);
        Self { size, medium, scale, is_thumbnail: false, font, colours }
    }

    /// A small picture for the report. The style sheet of the report replaces its colours.
    pub(super) fn thumbnail() -> Self {
        let size = Size { width: 280, height: 84 };
        let look = Self::new(size, Theme::Light, Medium::Svg);
        let colours = Colours { paper: None, ..look.colours };
        // A fifth of a pixel is fine enough, and short numbers keep the report small.
        Self { scale: 5, is_thumbnail: true, font: 9.0, colours, ..look }
    }

    /// The size of the canvas.
    pub(super) fn canvas(&self) -> (u32, u32) {
        (self.size.width * self.scale, self.size.height * self.scale)
    }

    /// The colour of a curve by its place.
    pub(super) fn colour(&self, place: usize) -> RGBColor {
        self.colours.curves[place % self.colours.curves.len()]
    }

    /// A length in units of the canvas.
    #[expect(clippy::cast_possible_truncation, reason = "at most a few times the canvas")]
    pub(super) fn length(&self, pixels: f64) -> i32 {
        (pixels * f64::from(self.scale)).round() as i32
    }

    /// The width of lines in units of the canvas.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
    pub(super) fn line(&self, pixels: f64) -> u32 {
        (pixels * f64::from(self.scale)).round().max(1.0) as u32
    }
}
