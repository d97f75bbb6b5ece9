//! All files of a run as one zip archive. Nothing is compressed, because traces are compressed already. The archive is
//! written piece by piece, so a run of any size takes little memory.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use rawzip::ZipArchiveWriter;
use rawzip::time::UtcDateTime;

use super::{JOURNAL_FILE, LOCK_FILE, RECEIPT_FILE};
use crate::files;

/// Folders within a run folder are at most this deep.
const DEEPEST: usize = 8;
/// Permissions of the unpacked files.
const PERMISSIONS: u32 = 0o644;

/// A finished file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Relative to the run folder, with `/` between the names.
    pub file: String,
    /// Bytes at the time of the list. The journal of a run in progress grows.
    pub bytes: u64,
}

/// All finished files of a run folder, in the order of their names. Unfinished files, the lock and the receipt of an upload
/// are left out; links are not followed.
///
/// # Errors
/// If the folder cannot be read.
pub fn run_files(folder: &Path) -> io::Result<Vec<RunFile>> {
    // The journal is measured first. So every trace that this part of the journal records is among the files.
    let mut files: Vec<RunFile> = measured(folder, JOURNAL_FILE.to_owned())?.into_iter().collect();
    list(folder, "", DEEPEST, &mut files)?;
    files.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(files)
}

/// Writes all finished files of a run folder as a zip archive, below a folder of the same name. Of a run in progress, the
/// archive has the state at this moment. Unfinished files and the lock are left out; links are not followed.
///
/// # Errors
/// If a file cannot be read, or the archive cannot be written.
pub fn write_archive(folder: &Path, out: &mut dyn Write) -> io::Result<()> {
    let top = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut archive = ZipArchiveWriter::new(out);
    for RunFile { file, bytes } in run_files(folder)? {
        let opened = match files::open_within(folder, &file) {
            // The run has withdrawn the file meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let time = modified(&opened)?;
        let name = format!("{top}/{file}");
        let entry = archive.new_file(&name).last_modified(time).unix_permissions(PERMISSIONS);
        let (mut entry, config) = entry.start().map_err(io::Error::other)?;
        let mut writer = config.wrap(&mut entry);
        io::copy(&mut opened.take(bytes), &mut writer)?;
        let (_, written) = writer.finish().map_err(io::Error::other)?;
        entry.finish(written).map_err(io::Error::other)?;
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}

/// Adds the files of a folder within the run folder.
fn list(folder: &Path, inner: &str, depth: usize, files: &mut Vec<RunFile>) -> io::Result<()> {
    for found in fs::read_dir(folder.join(inner))? {
        let found = found?;
        let kind = found.file_type()?;
        // The program writes no other names.
        let Ok(name) = found.file_name().into_string() else { continue };
        let file = if inner.is_empty() { name.clone() } else { format!("{inner}/{name}") };
        // Hidden files are unfinished, or the reserve for a full disk.
        if name.starts_with('.') || [LOCK_FILE, JOURNAL_FILE, RECEIPT_FILE].contains(&file.as_str()) {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            list(folder, &file, depth - 1, files)?;
        } else if kind.is_file() {
            files.extend(measured(folder, file)?);
        }
    }
    Ok(())
}

/// A file with its present length; `None` if there is no such file.
fn measured(folder: &Path, file: String) -> io::Result<Option<RunFile>> {
    match fs::symlink_metadata(folder.join(&file)) {
        Ok(about) if about.is_file() => Ok(Some(RunFile { file, bytes: about.len() })),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn modified(file: &File) -> io::Result<UtcDateTime> {
    let since = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(UtcDateTime::from_unix(i64::try_from(since.as_secs()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_every_finished_file_of_the_run_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run_abc123");
        fs::create_dir_all(folder.join("traces")).unwrap();
        for (file, text) in [
            ("run.json", "{}"),
            (JOURNAL_FILE, "{\"n\":1}\n"),
            ("traces/0001_m4c1_tf.parquet", "trace"),
            ("traces/.0002_m4c1_tf.parquet.part", "half"),
            (".reserve", "reserve"),
            (LOCK_FILE, "host 1"),
        ] {
            fs::write(folder.join(file), text).unwrap();
        }
        fs::write(place.path().join("secret"), "secret").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        let mut bytes = Vec::new();
        write_archive(&folder, &mut bytes).unwrap();
        let archive = rawzip::ZipArchive::from_slice(bytes.as_slice()).unwrap();
        let names = archive.entries().map(|entry| {
            let name = entry.unwrap().file_path().try_normalize().unwrap();
            name.as_ref().to_owned()
        });
        let expected = ["journal.jsonl", "run.json", "traces/0001_m4c1_tf.parquet"];
        assert_eq!(names.collect::<Vec<_>>(), expected.map(|file| format!("run_abc123/{file}")));
    }
}
