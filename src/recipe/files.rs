//! The files of a recipe. They are read completely, have a largest size, and must be in the recipe's folder tree.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::files;
use crate::source::decode;

/// Largest recipe or script, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;

/// The folder tree of a recipe, and the folder of the file that is being read.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    here: PathBuf,
}

impl Folder {
    /// The tree that begins at `root`.
    ///
    /// # Errors
    /// If the folder does not exist.
    pub(super) fn new(root: &Path) -> Result<Self, String> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let root =
            root.canonicalize().map_err(|error| format!("cannot read `{}`: {error}", root.display()))?;
        Ok(Self { here: root.clone(), root })
    }

    /// Finds `path`, as written in a file of this folder. Links are resolved before the check, so that no link leads
    /// out of the tree.
    ///
    /// # Errors
    /// If the file does not exist or is outside the tree.
    pub(super) fn find(&self, path: &str) -> Result<PathBuf, String> {
        let found =
            self.here.join(path).canonicalize().map_err(|error| format!("cannot read `{path}`: {error}"))?;
        if found.starts_with(&self.root) {
            Ok(found)
        } else {
            Err(format!("`{path}` is outside the folder of the recipe"))
        }
    }

    /// The name of a file of this tree, relative to its root.
    pub(super) fn name(&self, file: &Path) -> String {
        let relative = file.strip_prefix(&self.root).unwrap_or(file);
        relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    /// The same tree, seen from the folder of `file`.
    pub(super) fn of(&self, file: &Path) -> Self {
        Self { root: self.root.clone(), here: file.parent().unwrap_or(&self.root).to_path_buf() }
    }
}

/// Reads a text. The size is checked before reading and also while reading, because the file may grow.
///
/// # Errors
/// If it is not a file, too large, or not UTF-8.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("cannot read `{shown}`: {error}");
    let file = files::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let too_large = || {
        format!(
            "`{shown}` is larger than {} MiB, the largest allowed size of a recipe with its files",
            LARGEST >> 20
        )
    };
    if size > LARGEST {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large());
    }
    decode(bytes).map_err(|why| format!("`{shown}` {why}"))
}
