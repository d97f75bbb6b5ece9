//! The font: embedded, so that a picture needs nothing of the computer.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

/// The name in the SVG, where the reader's program chooses the font.
pub(super) const FAMILY: &str = "sans-serif";
/// A part of DejaVu Sans; its licence is beside it.
const FONT: &[u8] = include_bytes!("DejaVuSans-subset.ttf");

/// Registers the font once. Without a font, the library would fail at the first text.
pub(super) fn register() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok())
}
