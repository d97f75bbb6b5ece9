//! What the names of run folders say: `<UTC time>_<recipe>_<id>`. Among many runs, no other file needs to be read.

use std::path::Path;

use super::{folders, has_manifest, open};
use crate::store::StoreError;

/// How the time is written in the name of a run folder.
pub const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A run folder with what its name says.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// The name of the folder.
    pub(super) folder: String,
    parts: Parts,
}

#[derive(Debug, Clone)]
enum Parts {
    /// The positions of the two underscores in the name.
    InName(usize, usize),
    /// Time, recipe and identifier from the manifest, because a person has renamed the folder.
    InManifest([String; 3]),
}

impl Named {
    /// All run folders in `out`.
    pub(super) fn all(out: &Path) -> Result<Vec<Self>, StoreError> {
        Ok(folders(out)?.into_iter().filter_map(|folder| Self::of(out, folder)).collect())
    }

    /// A run folder by its name alone; `None` if the name does not have the form that the program gives.
    pub(super) fn by_name(folder: String) -> Option<Self> {
        let (first, second) = underscores(&folder)?;
        Some(Self { folder, parts: Parts::InName(first, second) })
    }

    /// The run folder of this name; `None` for a folder that is not a run.
    pub(super) fn of(out: &Path, folder: String) -> Option<Self> {
        if underscores(&folder).is_some() {
            return Self::by_name(folder);
        }
        let path = out.join(&folder);
        if !has_manifest(&path) {
            return None;
        }
        let manifest = open(&path).ok()?.manifest;
        let parts = [manifest.started.format(TIME).to_string(), manifest.name, manifest.run];
        Some(Self { folder, parts: Parts::InManifest(parts) })
    }

    /// The second at which the run began, as text that sorts chronologically.
    pub(super) fn second(&self) -> &str {
        match &self.parts {
            Parts::InName(first, _) => &self.folder[..*first],
            Parts::InManifest([second, _, _]) => second,
        }
    }

    /// The name of the recipe.
    pub(super) fn recipe(&self) -> &str {
        match &self.parts {
            Parts::InName(first, second) => &self.folder[first + 1..*second],
            Parts::InManifest([_, recipe, _]) => recipe,
        }
    }

    /// The identifier of the run.
    pub(super) fn id(&self) -> &str {
        match &self.parts {
            Parts::InName(_, second) => &self.folder[second + 1..],
            Parts::InManifest([_, _, id]) => id,
        }
    }
}

/// The positions of the underscores before the recipe and before the identifier.
fn underscores(folder: &str) -> Option<(usize, usize)> {
    let (first, second) = (folder.find('_')?, folder.rfind('_')?);
    let is_time = first == 16
        && folder[..first].bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    (is_time && second > first + 1 && second + 1 < folder.len()).then_some((first, second))
}
