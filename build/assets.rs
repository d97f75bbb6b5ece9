//! Compresses the files of the pages, and writes the table of them that `src/sidecar/assets.rs` includes.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// The pages, and the libraries that they load.
const FOLDERS: [&str; 2] = ["src/sidecar/dashboard", "src/sidecar/dashboard/vendor"];

pub(crate) fn pack() -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", FOLDERS[0]);
    let to = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        if let Some(media_type) = media_type(&file) {
            table += &packed(&file, media_type, &to)?;
        }
    }
    fs::write(to.join("assets.rs"), table + "]\n")
}

/// The media type of a file that a page loads; `None` for licences and notes.
fn media_type(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        _ => None,
    }
}

/// Compresses a file into a folder, and returns its entry in the table.
fn packed(file: &Path, media_type: &str, to: &Path) -> io::Result<String> {
    let name = file.file_name().unwrap_or_default().display().to_string();
    let text = fs::read(file)?;
    let packed = to.join(format!("{name}.gz"));
    let mut encoder = GzEncoder::new(fs::File::create(&packed)?, Compression::best());
    encoder.write_all(&text)?;
    encoder.finish()?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let hash = hasher.finish();
    let (tag, packed_tag) = (format!("\"{hash:016x}\""), format!("\"{hash:016x}-gzip\""));
    Ok(format!(
        "Asset {{ name: {name:?}, media_type: {media_type:?}, tag: {tag:?}, packed_tag: {packed_tag:?}, packed: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.gz\")) }},\n"
    ))
}
