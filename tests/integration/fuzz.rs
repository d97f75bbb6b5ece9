//! Damaged input of every kind: whatever is read, it is understood or refused, and never a panic.
//!
//! The inputs are mutations of the files in `tests/corpus/<kind>`: some hundred of them, or a million of each kind with
//! `CTP10_TEST_THOROUGH=1`. An input that fails is made small and kept in the corpus, where every later run begins with it.

mod bodies;
mod files;
mod mutate;
mod wire;
mod words;

use std::path::{Path, PathBuf};

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// Inputs of each kind without `CTP10_TEST_THOROUGH`.
const FEW: u32 = 300;
/// And with it.
const MANY: u32 = 1_000_000;

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind)
}

/// The corpus of a kind, in the order of the files' names.
fn corpus(kind: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "tests/corpus/{kind} has no file");
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Has `read` take every input of the corpus, and mutations of them. It fails by panicking.
fn fuzz(kind: &str, read: impl Fn(&[u8])) {
    let seeds = corpus(kind);
    seeds.iter().for_each(|input| read(input));
    let cases = if std::env::var_os("CTP10_TEST_THOROUGH").is_some() { MANY } else { FEW };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let ended = runner.run(&mutate::inputs(seeds), |input| {
        read(&input);
        Ok::<(), TestCaseError>(())
    });
    if let Err(TestError::Fail(reason, input)) = ended {
        let file = folder(kind).join(format!("found-{:08x}", checksum(&input)));
        std::fs::write(&file, &input).unwrap();
        panic!("{reason}: {:?} (kept as {})", String::from_utf8_lossy(&input), file.display());
    }
    ended.unwrap();
}

/// Has `read` take texts only.
fn fuzz_text(kind: &str, read: impl Fn(&str)) {
    fuzz(kind, |input| read(&String::from_utf8_lossy(input)));
}

/// FNV-1a: a name for a file.
fn checksum(input: &[u8]) -> u32 {
    input.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
