//! Tells the program from which commit it was built, for `ctp10 --version`. Only a release build asks git: a development
//! build would be compiled anew after each commit.

use std::process::Command;

pub(crate) fn tell() {
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let origin = release.then(commit).flatten().unwrap_or_else(|| "built from source".to_owned());
    println!("cargo::rustc-env=CTP10_ORIGIN={origin}");
}

/// The commit and its date; `None` outside a git checkout of this package.
fn commit() -> Option<String> {
    // The checkout of another project may contain this package, for example a folder of vendored sources.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    if std::fs::canonicalize(top).ok()? != std::fs::canonicalize(here).ok()? {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", name])?);
    }
    let changed = if git(&["status", "--porcelain", "--", "src", "build", "Cargo.lock"])?.is_empty() {
        ""
    } else {
        ", modified"
    };
    Some(git(&["log", "-1", "--format=%h, %cs"])? + changed)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
