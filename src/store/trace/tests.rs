//! The files are compared with files of the general encoder, which looks at every value of every column.

use std::fs::File;
use std::path::Path;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Float32Array};
use arrow_array::{
    BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use chrono::Utc;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::*;
use crate::step::TraceReader as _;
use crate::store::open_trace_file;

/// More than one page.
const POINTS: u64 = PAGE as u64 + 70_001;

fn header(points: u64) -> TraceHeader {
    let long = "a name of more than sixty-four bytes, of which statistics keep the beginning only".to_owned();
    let constants = [
        ("device", ColumnValue::Text(Some("d1".to_owned()))),
        ("long", ColumnValue::Text(Some(long))),
        ("no_text", ColumnValue::Text(None)),
        ("height", ColumnValue::Number(Some(-2.5))),
        ("zero", ColumnValue::Number(Some(0.0))),
        ("no_number", ColumnValue::Number(None)),
    ];
    TraceHeader {
        trace_index: 7,
        sweep_index: 3,
        attempt: 1,
        detector: Detector { module: 4, channel: 2 },
        detector_name: None,
        trace: TraceKind::Tf,
        unit: TraceUnit::Db,
        joints: Vec::new(),
        name: "through".to_owned(),
        grid: Grid { start_nm: 1520.0, step_pm: 0.1, points },
        simulated: true,
        constants: constants.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        metadata: BTreeMap::from([("recipe".to_owned(), json!("finished"))]),
        reference: None,
        turns: Vec::new(),
    }
}

/// Levels with a dip, and some that are not finite.
fn values(points: u64) -> Vec<f32> {
    let level = |index: u64| match index {
        60_000..60_003 => f32::NAN,
        69_000 => f32::INFINITY,
        _ => -3.5 - 20.0 / (1.0 + (index as f32 - 30_000.0).abs() / 500.0) + (index % 7) as f32 * 1e-3,
    };
    (0..points).map(level).collect()
}

fn of_constant(constant: &Constant, rows: usize) -> ArrayRef {
    match constant {
        Constant::Truth(value) => Arc::new(BooleanArray::from(vec![*value; rows])),
        Constant::Small(value) => Arc::new(Int32Array::from(vec![*value; rows])),
        Constant::Count(value) => Arc::new(Int64Array::from(vec![*value; rows])),
        Constant::Number(value) => Arc::new(Float64Array::from(vec![*value; rows])),
        Constant::Text(value) => {
            let keys = Int32Array::from(vec![value.as_ref().map(|_| 0); rows]);
            let values = Arc::new(StringArray::from(value.iter().cloned().collect::<Vec<_>>()));
            Arc::new(DictionaryArray::<Int32Type>::new(keys, values))
        }
    }
}

/// Writes the trace with the general encoder.
fn write_generally(path: &Path, run: &str, header: &TraceHeader, values: &[f32]) {
    let (schema, constants) = schema(run, header);
    let schema = Arc::new(schema);
    let file = File::create(path).unwrap();
    let properties = properties(texts(header)).unwrap();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).unwrap();
    for (first, values) in (0..).step_by(BATCH).zip(values.chunks(BATCH)) {
        let axis = (first..).take(values.len()).map(|index| header.grid.wavelength_nm(index));
        let finite = values.iter().map(|value| Some(*value).filter(|value| value.is_finite()));
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(Float64Array::from_iter_values(axis)), Arc::new(finite.collect::<Float32Array>())];
        columns.extend(constants.iter().map(|constant| of_constant(constant, values.len())));
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
    }
    writer.close().unwrap();
}

fn metadata(path: &Path) -> ParquetMetaData {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(&File::open(path).unwrap()).unwrap()
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.with_batch_size(10_000).build().unwrap().map(Result::unwrap).collect()
}

/// The parts of the metadata that do not depend on the number of bytes.
fn facts(column: &ColumnChunkMetaData) -> Vec<String> {
    vec![
        format!("{:?}", column.compression_codec()),
        format!("{:?}", column.encodings().collect::<Vec<_>>()),
        format!("{:?}", column.statistics()),
        format!("{:?}", column.num_values()),
        format!("{:?}", column.unencoded_byte_array_data_bytes()),
        format!("{:?}", column.repetition_level_histogram()),
        format!("{:?}", column.definition_level_histogram()),
        format!("{:?}", column.dictionary_page_offset().is_some()),
    ]
}

#[test]
fn a_file_equals_one_of_the_general_encoder() {
    let out = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(out.path(), "compare", "abcdef", Utc::now()).unwrap();
    let (header, values) = (header(POINTS), values(POINTS));
    let mut writer = folder.trace(header.clone()).unwrap();
    values.chunks(10_000).for_each(|piece| writer.push(piece).unwrap());
    let summary = writer.finish().unwrap();
    let (new, general) = (folder.path().join(&summary.file), out.path().join("general.parquet"));
    write_generally(&general, folder.id(), &header, &values);

    assert_eq!(rows(&new), rows(&general));
    let (found, expected) = (metadata(&new), metadata(&general));
    assert_eq!(found.file_metadata().schema_descr(), expected.file_metadata().schema_descr());
    assert_eq!(found.file_metadata().key_value_metadata(), expected.file_metadata().key_value_metadata());
    assert_eq!(found.num_row_groups(), 1);
    for (position, column) in expected.row_group(0).columns().iter().enumerate() {
        let name = column.column_path().string();
        assert_eq!(facts(found.row_group(0).column(position)), facts(column), "{name}");
        let pages = |metadata: &ParquetMetaData| -> Vec<i64> {
            let index = metadata.page_index().unwrap().offset_index(0, position).unwrap();
            index.page_locations().iter().map(|page| page.first_row_index).collect()
        };
        // A constant column has one page.
        let wanted = if position > VALUE { vec![0] } else { pages(&expected) };
        assert_eq!(pages(&found), wanted, "{name}");
    }
    assert_eq!((summary.nulls, summary.min.unwrap().value as f32), (4, values[30_002].min(values[30_000])));
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&new) <= size(&general), "{} {}", size(&new), size(&general));
}

#[test]
fn a_trace_of_long_row_groups_is_read_as_it_was_written() {
    let out = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(out.path(), "long", "abcdef", Utc::now()).unwrap();
    for (trace_index, points, groups) in [(1, ROW_GROUP, 1), (2, ROW_GROUP + 70_001, 5)] {
        let header = TraceHeader { trace_index, ..header(points) };
        let mut writer = folder.trace(header.clone()).unwrap();
        let values = values(points);
        values.chunks(10_000).for_each(|piece| writer.push(piece).unwrap());
        let summary = writer.finish().unwrap();
        let path = folder.path().join(&summary.file);
        assert_eq!(metadata(&path).num_row_groups(), groups);
        let mut first = 0;
        for batch in rows(&path) {
            let [axis, levels] = ["wavelength_nm", "value"].map(|name| batch.column_by_name(name).unwrap());
            let axis = axis.as_any().downcast_ref::<Float64Array>().unwrap();
            assert_eq!(axis.value(0), header.grid.wavelength_nm(first as u64));
            let levels = levels.as_any().downcast_ref::<Float32Array>().unwrap();
            let written =
                values[first..first + axis.len()].iter().map(|value| value.is_finite().then_some(*value));
            assert!(levels.iter().eq(written));
            first += batch.num_rows();
        }
        assert_eq!(first as u64, points);
    }
}

#[test]
fn every_trace_has_the_wavelengths_of_its_own_grid() {
    let out = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(out.path(), "grids", "abcdef", Utc::now()).unwrap();
    // The second trace repeats the first grid, the third has as many points from another start, and the fourth another step.
    let grids = [(1520.0, 0.1), (1520.0, 0.1), (1530.0, 0.1), (1530.0, 0.063_829_787_2), (1520.0, 0.1)];
    for (trace_index, (start_nm, step_pm)) in (1..).zip(grids) {
        let grid = Grid { start_nm, step_pm, points: POINTS };
        let mut writer = folder.trace(TraceHeader { trace_index, grid, ..header(POINTS) }).unwrap();
        writer.push(&values(POINTS)).unwrap();
        let path = folder.path().join(writer.finish().unwrap().file);
        let batches = rows(&path).into_iter();
        let axis: Vec<f64> = batches
            .flat_map(|batch| {
                let axis = batch.column_by_name("wavelength_nm").unwrap();
                axis.as_any().downcast_ref::<Float64Array>().unwrap().values().to_vec()
            })
            .collect();
        assert!(axis.into_iter().eq((0..POINTS).map(|index| grid.wavelength_nm(index))), "{trace_index}");
        // The file alone gives the same wavelengths.
        let (file, _) = open_trace_file(&path).unwrap();
        let (found, known) = (file.grid().axis(), grid.axis());
        assert!((0..POINTS).all(|index| found.fm(index) == known.fm(index)), "{trace_index}");
    }
}
