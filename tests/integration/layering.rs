//! The arrows between modules point one way, and each big dependency has one home.

use std::path::{Path, PathBuf};

pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source with the module of the top level that it belongs to.
fn modules() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let module = |path: &Path| {
        let first =
            path.strip_prefix(&root).unwrap().components().next().unwrap().as_os_str().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    };
    files.iter().map(|path| (module(path), std::fs::read_to_string(path).unwrap())).collect()
}

const WORDS: [&str; 13] = [
    "analysis",
    "units",
    "decimal",
    "measurement",
    "operation",
    "step",
    "declarations",
    "source",
    "decode",
    "budget",
    "grammar",
    "local_time",
    "shown",
];

/// What each module may know of the others; `app` and `main` may know everyone.
fn allowed(module: &str) -> Option<Vec<&'static str>> {
    let with_words = |others: &[&'static str]| [&WORDS[..], others].concat();
    Some(match module {
        "units" | "decimal" | "budget" | "local_time" | "shown" => vec![],
        "analysis" => vec!["units", "shown", "measurement"],
        "source" => vec![],
        "wafer" => vec!["analysis", "shown"],
        "measurement" => vec!["units", "shown"],
        "grammar" => vec!["units"],
        "decode" => vec!["units", "decimal"],
        "table" => vec!["decimal", "source"],
        "operation" | "step" | "declarations" => WORDS.to_vec(),
        "simulator" => vec!["source"],
        "instrument" => vec!["units", "measurement", "metrics", "grammar", "shown"],
        "equipment" => vec!["instrument", "http", "units"],
        "http" => vec!["operation", "units"],
        "handles" | "threads" | "metrics" => vec![],
        "notify" => vec!["declarations", "http"],
        "watch" => vec!["http", "shown", "units"],
        "commands" => with_words(&["instrument"]),
        "script" => WORDS.to_vec(),
        "devices" => with_words(&["recipe", "table"]),
        "recipe" => with_words(&["script", "table", "files"]),
        "forecast" => with_words(&["recipe", "instrument", "equipment", "commands", "http"]),
        "schema" => with_words(&["simulator"]),
        "files" => vec![],
        "store" => with_words(&["error", "files"]),
        "power" => vec!["instrument", "measurement"],
        "run" => with_words(&[
            "threads",
            "wafer",
            "recipe",
            "script",
            "instrument",
            "equipment",
            "http",
            "commands",
            "forecast",
            "power",
            "store",
            "error",
            "files",
        ]),
        "remote" => with_words(&["run", "store", "catalogue", "http", "threads", "error", "files"]),
        "rehearsal" => with_words(&["simulator", "store", "catalogue"]),
        "picture" => vec!["store"],
        "report" => with_words(&["run", "store", "files", "picture", "wafer"]),
        "session" => with_words(&[
            "remote",
            "threads",
            "metrics",
            "recipe",
            "instrument",
            "equipment",
            "http",
            "notify",
            "forecast",
            "power",
            "report",
            "run",
            "store",
            "catalogue",
            "error",
            "files",
        ]),
        "catalogue" => with_words(&["store", "error", "files"]),
        "batch" => with_words(&[
            "schema",
            "recipe",
            "table",
            "instrument",
            "http",
            "forecast",
            "run",
            "report",
            "session",
            "store",
            "catalogue",
            "error",
            "files",
        ]),
        "fleet" => with_words(&["batch", "catalogue", "error", "recipe", "remote", "session", "store"]),
        "terminal" => with_words(&["run", "store", "error"]),
        "sidecar" => with_words(&[
            "threads",
            "metrics",
            "wafer",
            "handles",
            "recipe",
            "instrument",
            "forecast",
            "power",
            "run",
            "session",
            "store",
            "catalogue",
            "batch",
            "remote",
            "error",
            "files",
        ]),
        "error" => vec!["source"],
        "config" => {
            vec![
                "instrument",
                "equipment",
                "decode",
                "http",
                "forecast",
                "error",
                "remote",
                "sidecar",
                "source",
                "session",
            ]
        }
        "cli" => vec![],
        "app" | "main" | "lib" => return None,
        other => panic!("`{other}` is new: say here what it may know"),
    })
}

#[test]
fn arrows_between_modules_point_one_way() {
    let all = modules();
    for (module, text) in &all {
        let Some(allowed) = allowed(module) else { continue };
        for (other, _) in &all {
            let is_used = |end: char| text.contains(&format!("crate::{other}{end}"));
            if other != module && (is_used(':') || is_used(';')) {
                assert!(allowed.contains(&other.as_str()), "`{module}` must not know `{other}`");
            }
        }
    }
}

#[test]
fn each_big_dependency_has_one_home() {
    let homes: [(&str, &[&str]); 23] = [
        ("rhai::", &["script"]),
        ("serde_yaml", &["recipe"]),
        ("arrow_", &["store"]),
        ("parquet::", &["store"]),
        ("clap::", &["cli", "app", "main"]),
        ("reqwest", &["http"]),
        ("rustls", &["http"]),
        ("TcpStream", &["instrument", "sidecar", "simulator"]),
        ("tokio_serial", &["instrument"]),
        ("TcpListener", &["sidecar", "simulator"]),
        ("axum::", &["sidecar"]),
        ("hyper::", &["sidecar"]),
        ("tower_http::", &["sidecar"]),
        ("aide::", &["sidecar"]),
        ("maud::", &["report", "wafer"]),
        ("plotters::", &["picture"]),
        ("ratatui", &["watch"]),
        ("indicatif::", &["terminal", "app", "report"]),
        ("rusqlite::", &["catalogue"]),
        ("async_nats::", &["fleet"]),
        ("fs4::", &["store"]),
        ("rawzip::", &["store"]),
        ("object_store::", &["remote"]),
    ];
    for (module, text) in modules() {
        for (dependency, homes) in homes {
            assert!(
                !text.contains(dependency) || homes.contains(&module.as_str()),
                "`{dependency}` is used in `{module}`"
            );
        }
    }
}
