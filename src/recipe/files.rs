//! The files of a recipe. They are read completely, have a largest size, and must be in the recipe's folder tree.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::source::decode as as_text;
use crate::{decode, files};

/// Largest recipe or script, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;

/// Highest number of files among which a misspelt name is looked for.
const MOST_NEIGHBOURS: usize = 1_000;

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
        let file = self.here.join(path);
        let found = file.canonicalize().map_err(|error| {
            // Names of files outside the tree are not told.
            let is_within = |folder: &Path| folder.canonicalize().is_ok_and(|it| it.starts_with(&self.root));
            let near = nearest(&file).filter(|_| file.parent().is_some_and(is_within));
            cannot_read(path, &error, near)
        })?;
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

/// The message about a file that cannot be read. `near` is a file that may be meant.
fn cannot_read(shown: &str, error: &std::io::Error, near: Option<String>) -> String {
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("cannot read `{shown}`: {error}{near}")
}

/// The file of the same folder whose name is most similar to that of a file that does not exist.
fn nearest(missing: &Path) -> Option<String> {
    if missing.try_exists().unwrap_or(true) {
        return None;
    }
    let folder = missing.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?.take(MOST_NEIGHBOURS);
    let names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let name = missing.file_name()?.to_str()?;
    // The same suffix alone makes two names no more alike.
    let stem = stem(name);
    let alike =
        names.iter().map(String::as_str).filter(|other| decode::nearest(stem, [self::stem(other)]).is_some());
    decode::nearest(name, alike).map(str::to_owned)
}

/// The name of a file without its last suffix.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Reads a text. The size is checked before reading and also while reading, because the file may grow.
///
/// # Errors
/// If it is not a file, too large, or not UTF-8.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| cannot_read(&shown.to_string(), &error, nearest(path));
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
    as_text(bytes).map_err(|why| format!("`{shown}` {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_the_nearest_file_of_its_folder() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("in")).unwrap();
        for name in ["in/ring.yaml", "in/night.yaml", "in/a.csv", "secret.yaml"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        let said = |name: &str| read(&root.path().join("in").join(name)).unwrap_err();
        assert!(said("nigt.yaml").ends_with("; did you mean `night.yaml`?"), "{}", said("nigt.yaml"));
        assert!(said("ring.yml").ends_with("; did you mean `ring.yaml`?"), "{}", said("ring.yml"));
        assert!(!said("b.csv").contains("did you mean"), "{}", said("b.csv"));
        // A recipe learns nothing about other folders.
        let folder = Folder::new(&root.path().join("in")).unwrap();
        assert!(folder.find("rings.yaml").unwrap_err().contains("`ring.yaml`"));
        assert!(!folder.find("../secrets.yaml").unwrap_err().contains("did you mean"));
    }
}
