//! Encoded column chunks: the bytes of one column of one row group. One chunk can be put into any number of files.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::column::page::{CompressedPage, PageWriteSpec, PageWriter};
use parquet::column::writer::{
    ColumnCloseResult, ColumnWriterImpl, get_column_writer, get_typed_column_writer,
};
use parquet::data_type::DataType;
use parquet::errors::Result;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

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

/// Encodes a chunk in memory.
pub(super) struct ChunkWriter<T: DataType> {
    column: ColumnWriterImpl<'static, T>,
    pages: Pages,
}

impl<T: DataType> ChunkWriter<T> {
    /// `T` is the physical type of the column.
    pub(super) fn new(column: &ColumnDescPtr, properties: &WriterPropertiesPtr) -> Self {
        let pages = Pages::default();
        let column = get_column_writer(Arc::clone(column), Arc::clone(properties), Box::new(pages.clone()));
        Self { column: get_typed_column_writer(column), pages }
    }

    /// Adds values. `levels` has an entry for each row of a nullable column: 1 for a value, 0 for a null.
    pub(super) fn write(&mut self, values: &[T::T], levels: Option<&[i16]>) -> Result<()> {
        self.column.write_batch(values, levels, None).map(drop)
    }

    pub(super) fn finish(self) -> Result<Chunk> {
        let layout = self.column.close()?;
        Ok(Chunk { bytes: self.pages.take(), layout })
    }
}

/// Pages in memory, one after the other. Clones share them, because a column writer does not give its pages back.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages(Arc<Mutex<Vec<u8>>>);

impl Pages {
    pub(super) fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl PageWriter for Pages {
    fn write_page(&mut self, page: CompressedPage) -> Result<PageWriteSpec> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = bytes.len() as u64;
        let mut sink = TrackedWrite::new(&mut *bytes);
        let mut page_writer = SerializedPageWriter::new(&mut sink);
        let mut written = page_writer.write_page(page)?;
        page_writer.close()?;
        written.offset += before;
        Ok(written)
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
