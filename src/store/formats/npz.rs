//! The `.npz` files of numpy: a ZIP archive, uncompressed, with one `.npy` for each array.

use std::io::{self, Write};

use super::zip::Zip;
use super::{npy_array_header, write_values, write_wavelengths};
use crate::step::TraceReader;

/// Writes arrays into an archive, one after the other.
pub struct Npz<W: Write>(Zip<W>);

impl<W: Write> Npz<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Self {
        Self(Zip::new(out))
    }

    /// Adds the arrays `wavelength_nm` and `value` of a trace. Their names begin with `prefix`.
    ///
    /// # Errors
    /// If the trace cannot be read or written.
    pub fn trace(&mut self, prefix: &str, trace: &dyn TraceReader) -> io::Result<()> {
        let grid = trace.grid();
        let header = npy_array_header("<f8", &format!("({},)", grid.points));
        self.0.begin(&format!("{prefix}wavelength_nm.npy"))?;
        self.0.write_all(&header)?;
        write_wavelengths(grid, &mut self.0)?;
        self.0.begin(&format!("{prefix}value.npy"))?;
        self.0.write_all(&header)?;
        write_values(trace, &mut self.0)
    }

    /// Adds a text: an array without dimensions, as `numpy.array("text")`.
    ///
    /// # Errors
    /// If the text cannot be written.
    pub fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        // numpy takes characters of four bytes, and has no text without any.
        let letters: Vec<u8> = text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
        let letters = if letters.is_empty() { vec![0; 4] } else { letters };
        self.0.begin(&format!("{name}.npy"))?;
        self.0.write_all(&npy_array_header(&format!("<U{}", letters.len() / 4), "()"))?;
        self.0.write_all(&letters)
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// If the end cannot be written.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish().map(drop)
    }
}
