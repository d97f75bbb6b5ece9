//! Tells the program from which commit it was built, for `ctp10 --version`. Only a release build asks git: a development
//! build would be compiled anew after each commit. Links `src/heaps.c` into the program.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let origin = release.then(commit).flatten().unwrap_or_else(|| "built from source".to_owned());
    println!("cargo::rustc-env=CTP10_ORIGIN={origin}");
    limit_heaps();
}

/// Links the limits of the heaps into the program. Only the C library of GNU needs them.
fn limit_heaps() {
    println!("cargo::rerun-if-changed=src/heaps.c");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    // An object file is linked as it is. The linker would leave out a library that nobody calls.
    for object in cc::Build::new().file("src/heaps.c").compile_intermediates() {
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
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
    let changed = if git(&["status", "--porcelain", "--", "src", "Cargo.lock"])?.is_empty() {
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
