//! Encoded column chunks: the bytes of one column of one row group. One chunk can be put into any number of files.

use std::io::Write;

use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::writer::SerializedRowGroupWriter;

/// One column of one row group, encoded.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// The pages by their position in these bytes, with sizes and statistics.
    pub(super) layout: ColumnCloseResult,
}

impl Chunk {
    /// Puts the chunk into a file as the next column of a row group.
    pub(super) fn append_to<W: Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        group.append_column(&self.bytes, self.layout.clone())
    }
}
