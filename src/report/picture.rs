//! The picture of a trace in the page, or why there is none.

use maud::{Markup, PreEscaped, html};

use crate::measurement::Grid;
use crate::picture::{Curve, PictureError, Plot};
use crate::store::Envelope;

/// The content of a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// The envelope of the trace.
    Drawn(Envelope),
    /// The file cannot be read.
    Unreadable(String),
}

/// The picture of a trace.
pub(super) fn svg(picture: &Picture, grid: Grid, unit: &str) -> Markup {
    let envelope = match picture {
        Picture::Drawn(envelope) => envelope.clone(),
        Picture::Unreadable(reason) => {
            return html! { p.bad { "cannot be read: " (super::format::clip(reason)) } };
        }
    };
    let plot = Plot {
        title: format!("{:.3} to {:.3} nm", grid.start_nm, grid.stop_nm()),
        unit: unit.to_owned(),
        curves: vec![Curve { label: String::new(), envelope }],
        range_nm: Some((grid.start_nm, grid.stop_nm())),
        ..Plot::default()
    };
    match plot.thumbnail() {
        // The picture escapes its texts.
        Ok(svg) => PreEscaped(svg),
        Err(PictureError::Nothing) => html! { p.quiet { "no finite value" } },
        Err(error @ PictureError::Drawing(_)) => html! { p.bad { (error) } },
    }
}
