//! Writes tables as Parquet files: recorded power, figures, and the index of an object store. Their columns are flat.
//!
//! `ArrowWriter` of the parquet crate would do the same. It also writes nested and run-end encoded columns, and the code for
//! them makes the program larger by 1 MB.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType as ArrowType, Schema, TimeUnit};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type as physical;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::StoreError;
use super::publish::{PartFile, Published};

/// Begins a Parquet file. The file also contains the Arrow schema, from which readers have types, time zones and units.
pub(super) fn begin(
    part: PartFile,
    schema: &Schema,
    mut properties: WriterProperties,
) -> ParquetResult<SerializedFileWriter<PartFile>> {
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    let columns = ArrowSchemaConverter::new().convert(schema)?;
    SerializedFileWriter::new(part, columns.root_schema_ptr(), Arc::new(properties))
}

/// Writes a table. If it is dropped before it has its name, no file remains.
pub(super) struct TableWriter {
    file: SerializedFileWriter<PartFile>,
}

impl TableWriter {
    /// Begins a table with these columns.
    pub(super) fn create(path: &Path, schema: &Schema) -> Result<Self, StoreError> {
        let failed = |error: ParquetError| StoreError::encode(path, error);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?))
            .set_created_by(format!("ctp10 {}", env!("CARGO_PKG_VERSION")))
            .build();
        let file = begin(PartFile::create(path)?, schema, properties).map_err(failed)?;
        Ok(Self { file })
    }

    /// Adds rows, which become a row group. They must have the columns of the table.
    pub(super) fn add(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.row_group(rows).map_err(|error| self.failed(error))
    }

    fn row_group(&mut self, rows: &RecordBatch) -> ParquetResult<()> {
        let mut group = self.file.next_row_group()?;
        for column in rows.columns() {
            add_column(&mut group, column)?;
        }
        group.close().map(drop)
    }

    /// Completes the file and gives it its final name, which must be free.
    pub(super) fn publish(mut self) -> Result<Published, StoreError> {
        self.finish()?;
        self.file.inner_mut().publish()
    }

    /// Completes the file and gives it its final name. An existing file is replaced.
    pub(super) fn replace(mut self) -> Result<Published, StoreError> {
        self.finish()?;
        self.file.inner_mut().replace()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        // `into_inner` would hide a disk that becomes full at the last byte.
        self.file.finish().map(drop).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: ParquetError) -> StoreError {
        StoreError::encode(self.file.inner().target(), error)
    }
}

fn add_column(group: &mut SerializedRowGroupWriter<'_, PartFile>, cells: &dyn Array) -> ParquetResult<()> {
    match cells.data_type() {
        ArrowType::Utf8 => {
            let texts = cells.as_string::<i32>().iter();
            add_cells::<physical::ByteArrayType>(group, texts.map(|text| text.map(physical::ByteArray::from)))
        }
        ArrowType::Boolean => add_cells::<physical::BoolType>(group, cells.as_boolean().iter()),
        ArrowType::Int32 => add_cells::<physical::Int32Type>(group, cells.as_primitive::<Int32Type>().iter()),
        ArrowType::Int64 => add_cells::<physical::Int64Type>(group, cells.as_primitive::<Int64Type>().iter()),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = cells.as_primitive::<TimestampMicrosecondType>();
            add_cells::<physical::Int64Type>(group, times.iter())
        }
        ArrowType::Float64 => {
            add_cells::<physical::DoubleType>(group, cells.as_primitive::<Float64Type>().iter())
        }
        other => Err(ParquetError::NYI(format!("tables have no columns of the type {other}"))),
    }
}

fn add_cells<T: physical::DataType>(
    group: &mut SerializedRowGroupWriter<'_, PartFile>,
    cells: impl Iterator<Item = Option<T::T>>,
) -> ParquetResult<()> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the rows have more columns than the table".to_owned()));
    };
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for cell in cells {
        levels.push(i16::from(cell.is_some()));
        values.extend(cell);
    }
    // Columns that are not nullable have no levels, and ignore them.
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use arrow_array::{
        ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use arrow_schema::Field;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

    use super::*;

    /// Each type with and without nulls, and a column that has nothing but nulls.
    fn batch(rows: i64) -> RecordBatch {
        let some = |row: i64| row % 3 != 1;
        let texts = || (0..rows).map(|row| format!("Gerät {}", row % 5));
        let numbers = (0..rows).map(|row| some(row).then_some(row as f64 / -7.0));
        let truths = (0..rows).map(|row| Some(row % 2 == 0));
        let times = || (0..rows).map(|row| 1_700_000_000_000_000 + row);
        let columns: Vec<(&str, bool, ArrayRef)> = vec![
            ("text", false, Arc::new(StringArray::from_iter_values(texts()))),
            (
                "maybe_text",
                true,
                Arc::new((0..).zip(texts()).map(|(row, t)| some(row).then_some(t)).collect::<StringArray>()),
            ),
            ("number", true, Arc::new(numbers.collect::<Float64Array>())),
            ("nothing", true, Arc::new((0..rows).map(|_| None).collect::<Float64Array>())),
            ("truth", false, Arc::new(truths.collect::<BooleanArray>())),
            (
                "small",
                true,
                Arc::new((0..rows).map(|row| some(row).then_some(row as i32)).collect::<Int32Array>()),
            ),
            ("count", true, Arc::new((0..rows).map(|row| some(row).then_some(row)).collect::<Int64Array>())),
            (
                "time",
                false,
                Arc::new(TimestampMicrosecondArray::from_iter_values(times()).with_timezone("UTC")),
            ),
        ];
        let fields = columns
            .iter()
            .map(|(name, nullable, cells)| Field::new(*name, cells.data_type().clone(), *nullable));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        RecordBatch::try_new(schema, columns.into_iter().map(|(.., cells)| cells).collect()).unwrap()
    }

    fn rows(path: &Path) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let schema = reader.schema().clone();
        let mut batches = reader.with_batch_size(1 << 20).build().unwrap();
        batches.next().map_or_else(|| RecordBatch::new_empty(schema), Result::unwrap)
    }

    fn metadata(path: &Path) -> ParquetMetaData {
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        reader.parse_and_finish(&File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn a_table_equals_one_of_the_general_writer() {
        let folder = tempfile::tempdir().unwrap();
        for count in [1, 40_000] {
            let batch = batch(count);
            let [own, general] = ["own", "general"].map(|name| folder.path().join(name));
            let mut table = TableWriter::create(&own, &batch.schema()).unwrap();
            table.add(&batch).unwrap();
            let published = table.replace().unwrap();
            assert_eq!(published.bytes, std::fs::metadata(&own).unwrap().len());
            let zstd = Compression::ZSTD(ZstdLevel::try_new(3).unwrap());
            let properties = WriterProperties::builder().set_compression(zstd).build();
            let mut writer =
                ArrowWriter::try_new(File::create(&general).unwrap(), batch.schema(), Some(properties))
                    .unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();

            assert_eq!(rows(&own), batch);
            assert_eq!(rows(&own), rows(&general));
            let (found, expected) = (metadata(&own), metadata(&general));
            let (file, expected_file) = (found.file_metadata(), expected.file_metadata());
            assert_eq!(file.schema_descr(), expected_file.schema_descr());
            assert_eq!(file.key_value_metadata(), expected_file.key_value_metadata());
            for (own, general) in found.row_group(0).columns().iter().zip(expected.row_group(0).columns()) {
                let name = own.column_path().string();
                assert_eq!(own.statistics(), general.statistics(), "{name}");
                assert_eq!(own.encodings_mask(), general.encodings_mask(), "{name}");
                assert_eq!(own.definition_level_histogram(), general.definition_level_histogram(), "{name}");
            }
        }
    }

    #[test]
    fn rows_are_read_in_the_order_in_which_they_were_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let pieces = [batch(0), batch(3), batch(0), batch(2)];
        let mut table = TableWriter::create(&path, &pieces[0].schema()).unwrap();
        pieces.iter().for_each(|piece| table.add(piece).unwrap());
        table.publish().unwrap();
        let found = rows(&path);
        assert_eq!((found.slice(0, 3), found.slice(3, 2)), (batch(3), batch(2)));
        // The name is taken now.
        assert!(TableWriter::create(&path, &batch(0).schema()).unwrap().publish().is_err());
        let empty = folder.path().join("empty.parquet");
        TableWriter::create(&empty, &batch(0).schema()).unwrap().publish().unwrap();
        assert_eq!(rows(&empty), batch(0));
    }
}
