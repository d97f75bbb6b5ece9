//! The table of figures and its page.

use std::collections::HashSet;
use std::path::Path;

use crate::analysis::registry::{all, find, nearest, page};

#[test]
fn the_committed_reference_of_figures_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/figures.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == page(), "docs/figures.md is old: UPDATE_DOCS=1 cargo test the_committed_reference");
}

#[test]
fn every_name_is_a_word_with_its_unit_and_is_there_once() {
    let mut names = HashSet::new();
    for definition in all() {
        let name = definition.name_at(Some(3.0));
        assert!(names.insert(name.clone()), "{name} is there twice");
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        let ending = match definition.unit {
            "1" => "",
            "dB/cm" => "_db_per_cm",
            unit => &format!("_{}", unit.to_lowercase()),
        };
        assert!(name.ends_with(ending), "{name} is in {}", definition.unit);
        assert!(
            !definition.formula.is_empty() && !definition.window.is_empty() && !definition.source.is_empty()
        );
    }
}

#[test]
fn a_level_in_a_name_is_found_again() {
    for (name, level) in
        [("bandwidth_3db_nm", Some(3.0)), ("bandwidth_0_5db_nm", Some(0.5)), ("fsr_nm", None)]
    {
        let (definition, found) = find(name).unwrap();
        assert_eq!((found, definition.name_at(found).as_str()), (level, name));
    }
    for name in
        ["bandwidth_db_nm", "bandwidth_0db_nm", "bandwidth_-3db_nm", "bandwidth_xdb_nm", "bandwidth_3nm", ""]
    {
        assert_eq!(find(name), None, "{name}");
    }
    assert_eq!(nearest("isolation_ajacent_db").first().map(String::as_str), Some("isolation_adjacent_db"));
    assert_eq!(nearest("bandwith_3db_nm").first().map(String::as_str), Some("bandwidth_3db_nm"));
    assert!(nearest("zzz").is_empty());
}
