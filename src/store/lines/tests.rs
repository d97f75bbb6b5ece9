//! Torn, damaged and long lines, and lines that are added while a file is read.

use super::*;

#[derive(Debug, Deserialize)]
struct Record {
    n: u64,
}

/// The numbers of the records, the errors, and the bytes of a torn last line.
fn read(text: &[u8]) -> (Vec<u64>, Vec<String>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    std::fs::write(&path, text).unwrap();
    let mut lines = Lines::<Record>::open(&path, true).unwrap();
    let (mut numbers, mut wrong) = (Vec::new(), Vec::new());
    for line in &mut lines {
        match line {
            Ok(record) => numbers.push(record.n),
            Err(error) => wrong.push(error.to_string().replace(&path.display().to_string(), "J")),
        }
    }
    assert_eq!(lines.whole_bytes() + lines.torn_bytes(), text.len() as u64);
    (numbers, wrong, lines.torn_bytes())
}

#[test]
fn reading_goes_on_where_the_last_whole_line_ended_and_begins_anew_for_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let numbers =
        |lines: &mut Lines<Record>| -> Vec<u64> { lines.flatten().map(|record| record.n).collect() };
    std::fs::write(&path, "{\"n\":1}\nnonsense\n{\"n\":3}\n{\"n\":").unwrap();
    let mut lines = Lines::<Record>::open(&path, true).unwrap();
    assert_eq!((numbers(&mut lines), lines.torn_bytes()), (vec![1, 3], 5));
    assert!(lines.read_on().unwrap() && numbers(&mut lines).is_empty());
    std::fs::write(&path, "{\"n\":1}\nnonsense\n{\"n\":3}\n{\"n\":4}\n{\"n\":6}\n").unwrap();
    assert!(lines.read_on().unwrap());
    let read: Vec<_> = (&mut lines).map(|line| line.map_err(|error| error.to_string())).collect();
    assert_eq!(read.iter().flatten().map(|record| record.n).collect::<Vec<_>>(), [4, 6]);
    let gap = read.iter().find_map(|line| line.as_ref().err()).unwrap();
    assert!(gap.contains("line 5") && gap.contains("record 5 is missing"), "{gap}");
    std::fs::write(&path, "{\"n\":1}\n").unwrap();
    assert!(!lines.read_on().unwrap());
}

#[test]
fn a_torn_line_is_the_last_one_without_its_end_or_of_nul_bytes_only() {
    for torn in ["", "{\"n\":3,\"eve", "{\"n\":3}", "\0\0\0\0\n", "\0\0", "\u{feff}"] {
        let text = format!("{{\"n\":1}}\n{{\"n\":2}}\n{torn}");
        assert_eq!(read(text.as_bytes()), (vec![1, 2], vec![], torn.len() as u64), "{torn:?}");
    }
    assert_eq!(read(b""), (vec![], vec![], 0));
}

#[test]
fn any_other_line_is_named_and_does_not_end_the_reading() {
    for (text, numbers, wrong) in [
        (
            "{\"n\":1}\nnonsense\n{\"n\":3}\n",
            vec![1, 3],
            "line 2 of `J` is not valid: expected ident (column 2)",
        ),
        (
            "{\"n\":1}\n{\"n\":2}\nnonsense\n",
            vec![1, 2],
            "line 3 of `J` is not valid: expected ident (column 2)",
        ),
        (
            "{\"n\":1}\nnonsense\n{\"n\":2}\n",
            vec![1, 2],
            "line 2 of `J` is not valid: expected ident (column 2)",
        ),
        (
            "{\"n\":1}\n\n{\"n\":2}\n",
            vec![1, 2],
            "line 2 of `J` is not valid: EOF while parsing a value (column 0)",
        ),
        ("{\"n\":1}\n\0\0\n{\"n\":2}\n", vec![1, 2], "line 2 of `J` is not valid: expected value (column 1)"),
        (
            "{\"n\":1}\n{\"n\":1}\n{\"n\":2}\n",
            vec![1, 2],
            "line 2 of `J` has number 1 again: 2 is expected here",
        ),
        ("{\"n\":2}\n", vec![2], "line 1 of `J` has number 2, but 1 is expected here: record 1 is missing"),
        (
            "{\"n\":1}\n{\"n\":5}\n{\"n\":6}\n",
            vec![1, 5, 6],
            "line 2 of `J` has number 5, but 2 is expected here: records 2 to 4 are missing",
        ),
        ("{\"n\":1}\n{\"m\":2}\n", vec![1], "line 2 of `J` is not valid: missing field `n` (column 7)"),
    ] {
        assert_eq!(read(text.as_bytes()), (numbers, vec![wrong.to_owned()], 0), "{text:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: cases(), ..Default::default() })]

    #[test]
    fn whatever_a_journal_has_become_it_is_read_to_its_end(
        records in 0_usize..6,
        at in 0_usize..200,
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
        cut in proptest::prelude::any::<bool>(),
    ) {
        let text: String = (1..=records).map(|n| format!("{{\"n\":{n},\"event\":\"log\"}}\n")).collect();
        let at = at.min(text.len());
        let rest = if cut { &[][..] } else { &text.as_bytes()[at..] };
        let damaged = [&text.as_bytes()[..at], &bytes, rest].concat();
        let (numbers, wrong, torn) = read(&damaged);
        // The records before the damage are read in order, and only once.
        let before = u64::try_from(text[..at].matches('\n').count()).unwrap();
        assert!(numbers.len() as u64 >= before && numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert!(!wrong.is_empty() || torn > 0 || numbers.iter().zip(1..).all(|(n, expected)| *n == expected));
    }
}

fn cases() -> u32 {
    std::env::var("CTP10_TEST_THOROUGH").map_or(200, |_| 1_000_000)
}

#[test]
fn a_line_of_any_length_costs_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    std::fs::write(&path, "{\"n\":1}\n").unwrap();
    File::options().append(true).open(&path).unwrap().set_len(200 << 20).unwrap();
    let mut lines = Lines::<Record>::open(&path, true).unwrap();
    assert_eq!((&mut lines).count(), 1);
    assert_eq!(lines.torn_bytes(), (200 << 20) - 8);
    File::options().append(true).open(&path).unwrap().set_len(5 << 30).unwrap();
    assert!(crate::error::chain(&Lines::<Record>::open(&path, true).unwrap_err()).contains("are allowed"));
}
