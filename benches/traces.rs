//! What a trace of 940,001 points costs on its way to the disk and back, against floors in the same run: the same
//! bytes written raw and synced, and read raw.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;

use chrono::Utc;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ctp10::measurement::{Detector, Grid, TraceKind, TraceUnit};
use ctp10::step::TraceReader;
use ctp10::store::{RunFolder, TraceHeader};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const POINTS: u64 = 940_001;

/// A level with dips and 0.005 dB of noise, as a through port has.
#[expect(clippy::cast_possible_truncation, reason = "float32 is what the instrument sends")]
fn noisy_ring() -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..POINTS)
        .map(|index| {
            let off = (index % 90_000) as f64 / 80.0 - 560.0;
            (-3.5 - 24.0 / (1.0 + off * off) + 0.01 * (random.random::<f64>() - 0.5)) as f32
        })
        .collect()
}

fn header(trace_index: u64) -> TraceHeader {
    TraceHeader {
        trace_index,
        sweep_index: 1,
        attempt: 1,
        detector: Detector { module: 4, channel: 1 },
        detector_name: None,
        trace: TraceKind::Tf,
        unit: TraceUnit::Db,
        joints: Vec::new(),
        name: String::new(),
        grid: Grid { start_nm: 1500.0, step_pm: 0.1, points: POINTS },
        simulated: true,
        constants: BTreeMap::new(),
        metadata: BTreeMap::new(),
        reference: None,
        turns: Vec::new(),
    }
}

fn traces(criterion: &mut Criterion) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(out.path(), "bench", "abcdef", Utc::now()).expect("a run folder");
    let values = noisy_ring();
    let raw: Vec<u8> = values
        .iter()
        .flat_map(|value| [f64::from(*value).to_le_bytes().as_slice(), &value.to_le_bytes()].concat())
        .collect();
    let mut group = criterion.benchmark_group("write 940,001 points");
    group.sample_size(20).throughput(Throughput::Elements(POINTS));
    let mut index = 0;
    group.bench_function("parquet, synced", |bencher| {
        bencher.iter(|| {
            index += 1;
            let mut writer = folder.trace(header(index)).expect("a trace file");
            for piece in values.chunks(32_768) {
                writer.push(piece).expect("written");
            }
            let summary = writer.finish().expect("finished");
            fs::remove_file(folder.path().join(&summary.file)).expect("removed");
        });
    });
    group.bench_function("floor: the same 11 MB raw, synced", |bencher| {
        let path = out.path().join("raw");
        bencher.iter(|| {
            let mut file = File::create(&path).expect("a file");
            file.write_all(black_box(&raw)).expect("written");
            file.sync_all().expect("synced");
        });
    });
    group.finish();

    let mut writer = folder.trace(header(index + 1)).expect("a trace file");
    writer.push(&values).expect("written");
    let summary = writer.finish().expect("finished");
    let file = folder.open_trace(&summary).expect("open");
    let read = |range| {
        let mut lowest = f32::MAX;
        file.read(range, &mut |_, piece| lowest = piece.iter().copied().fold(lowest, f32::min))
            .expect("read");
        lowest
    };
    let mut group = criterion.benchmark_group("read");
    group.sample_size(20);
    group.bench_function("a window of 1 nm", |bencher| bencher.iter(|| read(black_box(400_000..410_000))));
    group.bench_function("all values", |bencher| bencher.iter(|| read(black_box(0..POINTS))));
    group.bench_function("floor: the file's bytes", |bencher| {
        let path = folder.path().join(&summary.file);
        bencher.iter(|| fs::read(&path).expect("read").len());
    });
    group.finish();
}

criterion_group!(benches, traces);
criterion_main!(benches);
