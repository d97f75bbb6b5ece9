//! Columns with one value for all rows. The general encoder looks at every row. Here all rows of a row group are one page,
//! and the page is one run, whose size does not depend on its rows.

use arrow_schema::DataType as ArrowType;
use parquet::basic::Encoding;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnChunkMetaDataBuilder, LevelHistogram, OffsetIndexBuilder,
};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use super::chunk::{Chunk, ChunkWriter, Pages};

/// The level at which all columns are compressed.
pub(super) const ZSTD_LEVEL: i32 = 1;

/// The value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Truth(bool),
    Small(i32),
    Count(i64),
    /// Without a number, all rows are null.
    Number(Option<f64>),
    /// Without a text, all rows are null.
    Text(Option<String>),
}

impl Constant {
    pub(super) fn data_type(&self) -> ArrowType {
        match self {
            Self::Truth(_) => ArrowType::Boolean,
            Self::Small(_) => ArrowType::Int32,
            Self::Count(_) => ArrowType::Int64,
            Self::Number(_) => ArrowType::Float64,
            Self::Text(_) => ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::Utf8)),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Number(None) | Self::Text(None))
    }

    /// The entries of the dictionary; `None` for truth values, which have no dictionary.
    fn dictionary(&self) -> Option<(Vec<u8>, u32)> {
        let entry = match self {
            Self::Truth(_) => return None,
            Self::Small(value) => value.to_le_bytes().to_vec(),
            Self::Count(value) => value.to_le_bytes().to_vec(),
            Self::Number(Some(value)) => value.to_le_bytes().to_vec(),
            Self::Number(None) | Self::Text(None) => return Some((Vec::new(), 0)),
            Self::Text(Some(text)) => {
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                [&length.to_le_bytes(), text.as_bytes()].concat()
            }
        };
        Some((entry, 1))
    }

    /// One row as the general encoder writes it: with statistics, encodings and settings as they are in any other file.
    fn one_row(&self, column: &ColumnDescPtr, properties: &WriterPropertiesPtr) -> Result<ColumnCloseResult> {
        match self {
            Self::Truth(value) => one::<BoolType>(column, properties, Some(*value)),
            Self::Small(value) => one::<Int32Type>(column, properties, Some(*value)),
            Self::Count(value) => one::<Int64Type>(column, properties, Some(*value)),
            Self::Number(value) => one::<DoubleType>(column, properties, *value),
            Self::Text(text) => {
                one::<ByteArrayType>(column, properties, text.as_deref().map(ByteArray::from))
            }
        }
    }

    /// The body of a data page, before compression.
    fn page(&self, column: &ColumnDescPtr, rows: u64) -> Vec<u8> {
        let mut body = Vec::new();
        if column.max_def_level() > 0 {
            let mut levels = run(rows);
            levels.push(u8::from(!self.is_null()));
            body.extend(u32::try_from(levels.len()).unwrap_or(u32::MAX).to_le_bytes());
            body.extend(levels);
        }
        match self {
            Self::Truth(value) => {
                let bits = (0..rows.div_ceil(8)).map(|byte| match (value, rows - byte * 8) {
                    (false, _) => 0,
                    (true, left @ 0..8) => (1 << left) - 1,
                    (true, _) => u8::MAX,
                });
                body.extend(bits);
            }
            // The indices of a dictionary with one entry are 0 bits wide.
            Self::Number(None) | Self::Text(None) => body.push(0),
            Self::Small(_) | Self::Count(_) | Self::Number(Some(_)) | Self::Text(Some(_)) => {
                body.push(0);
                body.extend(run(rows));
            }
        }
        body
    }

    /// The column with this many rows.
    pub(super) fn chunk(
        &self,
        column: &ColumnDescPtr,
        properties: &WriterPropertiesPtr,
        rows: u64,
    ) -> Result<Chunk> {
        let one_row = self.one_row(column, properties)?;
        let mut zstd = Compressor::new(ZSTD_LEVEL)?;
        let mut pages = Pages::default();
        let (mut dictionary_size, mut uncompressed_size) = (0, 0);
        if let Some((entries, num_values)) = self.dictionary() {
            let buf = zstd.compress(&entries)?.into();
            let page = Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, is_sorted: false };
            let written = pages.write_page(CompressedPage::new(page, entries.len()))?;
            (dictionary_size, uncompressed_size) = (written.compressed_size, written.uncompressed_size);
        }
        let encoding = if dictionary_size > 0 { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
        let bytes_of_text = one_row.metadata.unencoded_byte_array_data_bytes();
        let mut places = OffsetIndexBuilder::new();
        let body = self.page(column, rows);
        let page = Page::DataPage {
            buf: zstd.compress(&body)?.into(),
            num_values: u32::try_from(rows).unwrap_or(u32::MAX),
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let written = pages.write_page(CompressedPage::new(page, body.len()))?;
        places.append_row_count(rows.cast_signed());
        let size = i32::try_from(written.compressed_size).unwrap_or(i32::MAX);
        places.append_offset_and_size(written.offset.cast_signed(), size);
        places.append_unencoded_byte_array_data_bytes(times(bytes_of_text, rows));
        uncompressed_size += written.uncompressed_size;
        let bytes = pages.take();
        let metadata = of_all_rows(&one_row.metadata, rows)
            .set_total_compressed_size(bytes.len().cast_signed() as i64)
            .set_total_uncompressed_size(uncompressed_size.cast_signed() as i64)
            .set_dictionary_page_offset((dictionary_size > 0).then_some(0))
            .set_data_page_offset(dictionary_size.cast_signed() as i64);
        let layout = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows,
            metadata: metadata.build()?,
            offset_index: Some(places.build()),
            ..one_row
        };
        Ok(Chunk { bytes, layout })
    }
}

/// A column with one row.
fn one<T: DataType>(
    column: &ColumnDescPtr,
    properties: &WriterPropertiesPtr,
    value: Option<T::T>,
) -> Result<ColumnCloseResult> {
    let mut writer = ChunkWriter::<T>::new(column, properties);
    let level = [i16::from(value.is_some())];
    let level = (column.max_def_level() > 0).then_some(level.as_slice());
    writer.write(value.as_slice(), level)?;
    Ok(writer.finish()?.layout)
}

/// A run of equal levels or indices of up to 8 bits: its length, as a variable-length number. The value would follow.
fn run(rows: u64) -> Vec<u8> {
    let mut left = rows << 1;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

/// A count of one row for all rows.
fn times(count: Option<i64>, rows: u64) -> Option<i64> {
    count.map(|count| count * rows.cast_signed())
}

/// What the metadata of one row say of so many equal rows. The sizes and the offsets are still missing.
fn of_all_rows(one: &ColumnChunkMetaData, rows: u64) -> ColumnChunkMetaDataBuilder {
    let histogram = |levels: &LevelHistogram| {
        let levels: Vec<i64> = levels.values().iter().map(|count| count * rows.cast_signed()).collect();
        LevelHistogram::from(levels)
    };
    let mut builder = ColumnChunkMetaData::builder(one.column_descr_ptr())
        .set_compression_codec(one.compression_codec())
        .set_encodings_mask(*one.encodings_mask())
        .set_num_values(rows.cast_signed())
        .set_unencoded_byte_array_data_bytes(times(one.unencoded_byte_array_data_bytes(), rows))
        .set_repetition_level_histogram(one.repetition_level_histogram().map(histogram))
        .set_definition_level_histogram(one.definition_level_histogram().map(histogram));
    if let Some(stats) = one.page_encoding_stats() {
        builder = builder.set_page_encoding_stats(stats.clone());
    }
    // Numbers and texts can be null.
    let is_null = |nulls: Option<u64>| nulls == Some(1);
    match one.statistics() {
        Some(Statistics::ByteArray(known)) if is_null(known.null_count_opt()) => {
            builder.set_statistics(all_null::<ByteArray>(rows).into())
        }
        Some(Statistics::Double(known)) if is_null(known.null_count_opt()) => {
            builder.set_statistics(all_null::<f64>(rows).into())
        }
        Some(statistics) => builder.set_statistics(statistics.clone()),
        None => builder,
    }
}

fn all_null<T>(rows: u64) -> ValueStatistics<T> {
    ValueStatistics::new(None, None, None, Some(rows), false)
}
