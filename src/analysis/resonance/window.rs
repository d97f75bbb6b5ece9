//! The part of a trace that a fit uses.

/// A part of the wavelength axis, nm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) from_nm: f64,
    pub(super) to_nm: f64,
}

impl Window {
    /// A window of this half width about its centre.
    pub(super) fn around(center_nm: f64, half_nm: f64) -> Self {
        Self { from_nm: center_nm - half_nm, to_nm: center_nm + half_nm }
    }

    /// The part within another window.
    pub(super) fn clipped(self, room: Self) -> Self {
        Self { from_nm: self.from_nm.max(room.from_nm), to_nm: self.to_nm.min(room.to_nm) }
    }
}
