//! What the program contains besides its sources in Rust: its origin, the limits of its heaps, and the files of its pages.

mod assets;
mod origin;

use std::io;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build");
    origin::tell();
    limit_heaps();
    assets::pack()
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
