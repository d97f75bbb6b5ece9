//! Opens files that may be damaged or replaced by others. All reads of a run folder use these functions.
//!
//! - Only regular files are opened. A named pipe, a device or a folder is an error at once, because reading it could
//!   block or never end.
//! - A file that is read completely has a largest size, so that it cannot fill the memory.
//! - A path within a folder stays within it: `..` and links that lead out are refused. Links in the path of the
//!   folder itself are allowed, because labs link `runs` to another disk.
//! - A file that the program writes is never opened through a link, because the link may lead to any file.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Opens a regular file for reading. Links are followed.
///
/// # Errors
/// If the file does not exist, cannot be read, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Checked before opening, because opening a device may have an effect.
    regular(fs::metadata(path)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    open_at_once(&mut options, path)
}

/// Finds a file by its path relative to a folder, and returns its path without links.
///
/// # Errors
/// If the file does not exist, or is not within the folder.
pub fn find_within(folder: &Path, relative: &str) -> io::Result<PathBuf> {
    let outside = || io::Error::new(ErrorKind::InvalidInput, format!("`{relative}` leads out of the folder"));
    let stays = |part: Component<'_>| matches!(part, Component::Normal(_));
    if relative.is_empty() || !Path::new(relative).components().all(stays) {
        return Err(outside());
    }
    let folder = folder.canonicalize()?;
    let found = folder.join(relative).canonicalize()?;
    if found.starts_with(&folder) { Ok(found) } else { Err(outside()) }
}

/// Opens a regular file within a folder for reading.
///
/// # Errors
/// See [`open`] and [`find_within`].
pub fn open_within(folder: &Path, relative: &str) -> io::Result<File> {
    open(&find_within(folder, relative)?)
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// See [`open`]. Also if the file is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_whole(open(path)?, most)
}

/// Reads a regular file within a folder, of at most `most` bytes.
///
/// # Errors
/// See [`open_within`]. Also if the file is larger.
pub fn read_within(folder: &Path, relative: &str, most: u64) -> io::Result<Vec<u8>> {
    read_whole(open_within(folder, relative)?, most)
}

/// Opens a file that this program writes, with these `options`. It is never opened through a link.
///
/// # Errors
/// If the file cannot be opened, or is not a regular file.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(about) => regular(about.file_type())?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(flags(rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK));
    }
    checked(options.open(path)?)
}

/// Whether anything has this name, also a broken link.
#[must_use]
pub fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Checks that a new file may get this name: the name is free, or a file has it. A rename would replace a device or a
/// pipe by a file, and with it `/dev/null` for every program.
///
/// # Errors
/// If the name leads to something else than a file.
pub fn check_target(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(about) => regular(about.file_type()),
        // Also a broken link. Other errors are those of the write.
        Err(_) => Ok(()),
    }
}

/// Whether this is a folder, and not a link to one.
#[must_use]
pub fn is_own_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_dir())
}

fn read_whole(file: File, most: u64) -> io::Result<Vec<u8>> {
    let too_large = |size: u64| {
        io::Error::new(ErrorKind::FileTooLarge, format!("it has {size} bytes; at most {most} are allowed"))
    };
    let size = file.metadata()?.len();
    if size > most {
        return Err(too_large(size));
    }
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

/// Opens without blocking, because a pipe would wait for its other end.
fn open_at_once(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(flags(rustix::fs::OFlags::NONBLOCK));
    }
    checked(options.open(path)?)
}

/// Checks the opened file, because it may have been replaced since the first check.
fn checked(file: File) -> io::Result<File> {
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

#[cfg(unix)]
fn flags(flags: rustix::fs::OFlags) -> i32 {
    flags.bits().cast_signed()
}

fn regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a link"
    } else {
        special(kind)
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a file")))
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "something else"
}

/// SHA-256 of some bytes, hexadecimal.
#[must_use]
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes, hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_within_its_folder_and_links_of_the_folder_itself_are_followed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        fs::create_dir_all(folder.join("traces")).unwrap();
        fs::write(folder.join("traces/1"), "inside").unwrap();
        fs::write(place.path().join("secret"), "outside").unwrap();
        assert_eq!(read_within(&folder, "traces/1", 6).unwrap(), b"inside");
        for outside in ["../secret", "traces/../../secret", "/etc/passwd", "", ".", "traces/../traces/1"] {
            let told = read_within(&folder, outside, 100).unwrap_err().to_string();
            assert!(told.contains("leads out of the folder"), "{outside}: {told}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(place.path().join("secret"), folder.join("traces/2")).unwrap();
            std::os::unix::fs::symlink("1", folder.join("traces/3")).unwrap();
            std::os::unix::fs::symlink(&folder, place.path().join("linked")).unwrap();
            assert!(open_within(&folder, "traces/2").is_err());
            assert_eq!(read_within(&place.path().join("linked"), "traces/3", 6).unwrap(), b"inside");
            let told = open_own(&folder.join("traces/2"), OpenOptions::new().write(true)).unwrap_err();
            assert_eq!(told.to_string(), "it is a link, not a file");
        }
    }

    #[test]
    fn what_is_no_file_or_too_large_is_refused_at_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("sparse");
        File::create(&path).unwrap().set_len(2 << 30).unwrap();
        let told = read(&path, 1 << 20).unwrap_err().to_string();
        assert_eq!(told, "it has 2147483648 bytes; at most 1048576 are allowed");
        assert_eq!(open(place.path()).unwrap_err().to_string(), "it is a folder, not a file");
        assert!(check_target(&path).is_ok() && check_target(&place.path().join("new")).is_ok());
        assert!(check_target(place.path()).is_err());
        #[cfg(unix)]
        {
            let link = place.path().join("link");
            std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
            for special in [Path::new("/dev/zero"), &link] {
                assert_eq!(check_target(special).unwrap_err().to_string(), "it is a device, not a file");
            }
        }
        #[cfg(unix)]
        assert_eq!(open(Path::new("/dev/zero")).unwrap_err().to_string(), "it is a device, not a file");
    }
}
