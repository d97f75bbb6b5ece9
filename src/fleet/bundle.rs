//! The bundle of a batch: its recipes with all files that they include, in one object. A bundle is data. The limits of
//! the bench that unpacks it hold for its recipes.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;

/// A file of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct BundledFile {
    /// Its path, relative to the folder of the recipe.
    path: String,
    /// Its text.
    text: String,
}

/// The recipes of a batch by their paths, each with its files. The recipe itself comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    recipes: BTreeMap<String, Vec<BundledFile>>,
}

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bundle is no JSON of a bundle.
    #[error("the bundle of recipes cannot be read")]
    Read(#[from] serde_json::Error),
    /// A path leads out of the folder.
    #[error("the bundle of recipes contains the path `{0}`, which is not allowed")]
    Path(String),
    /// The recipe is missing.
    #[error("the bundle of recipes does not contain `{0}`")]
    Missing(String),
    /// The file cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
}

impl Bundle {
    /// Adds a recipe under this path, with all its files.
    pub fn add(&mut self, path: &str, recipe: &Recipe) {
        let files = self.recipes.entry(path.to_owned()).or_default();
        for (index, source) in recipe.sources().iter().enumerate() {
            let own = Path::new(&source.name);
            let path = match (index, own.file_name()) {
                (0, Some(name)) => name.to_string_lossy().into_owned(),
                _ => source.name.replace('\\', "/"),
            };
            if !files.iter().any(|known| known.path == path) {
                files.push(BundledFile { path, text: source.text.clone() });
            }
        }
    }

    /// The bytes to store. Equal bundles have equal bytes.
    ///
    /// # Errors
    /// None in practice.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// If the bytes are no bundle.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Writes the files of a recipe into a folder of its own, and returns the path of the recipe. Blocks.
    ///
    /// # Errors
    /// If a path is not allowed, or a file cannot be written.
    pub fn unpack(&self, recipe: &str, folder: &Path) -> Result<PathBuf, BundleError> {
        let missing = || BundleError::Missing(recipe.to_owned());
        let number = self.recipes.keys().position(|known| known == recipe).ok_or_else(missing)?;
        let files = &self.recipes[recipe];
        let folder = folder.join((number + 1).to_string());
        for file in files {
            let path = folder.join(plain(&file.path)?);
            let failed = |source| BundleError::Write { path: path.clone(), source };
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(failed)?;
            }
            crate::store::write_whole(&path, file.text.as_bytes())
                .map_err(|error| failed(std::io::Error::other(error)))?;
        }
        files.first().map(|first| folder.join(&first.path)).ok_or_else(missing)
    }
}

/// The path, if it stays within its folder.
fn plain(path: &str) -> Result<&Path, BundleError> {
    let is_plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    let given = Path::new(path);
    if !path.is_empty() && !path.contains(['\\', '\0', ':']) && given.components().all(is_plain) {
        return Ok(given);
    }
    Err(BundleError::Path(path.chars().take(200).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(path: &str) -> Bundle {
        let file = BundledFile { path: path.to_owned(), text: "name: a\n".to_owned() };
        Bundle { recipes: [("recipes/a.yaml".to_owned(), vec![file])].into() }
    }

    #[test]
    fn a_recipe_is_unpacked_with_its_included_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("parts")).unwrap();
        let steps = "name: end\nsteps:\n  - wait: 1\n";
        std::fs::write(folder.path().join("parts/steps.yaml"), steps).unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "name: a\nsteps:\n  - run_recipe: { path: parts/steps.yaml }\n").unwrap();
        let mut bundle = Bundle::default();
        bundle.add("recipes/a.yaml", &Recipe::load(&path, &[]).unwrap());
        let read = Bundle::read(&bundle.bytes().unwrap()).unwrap();
        assert_eq!(read, bundle);
        let elsewhere = tempfile::tempdir().unwrap();
        let unpacked = read.unpack("recipes/a.yaml", elsewhere.path()).unwrap();
        assert_eq!(Recipe::load(&unpacked, &[]).unwrap().sources().len(), 2);
        assert!(matches!(read.unpack("b.yaml", elsewhere.path()), Err(BundleError::Missing(_))));
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["../a.yaml", "/etc/a.yaml", "a/../../b.yaml", "..\\a.yaml", "c:\\a.yaml", ""] {
            let refused = bundle(path).unpack("recipes/a.yaml", folder.path());
            assert!(matches!(refused, Err(BundleError::Path(_))), "{path}");
        }
        assert!(bundle("parts/a.yaml").unpack("recipes/a.yaml", folder.path()).is_ok());
    }
}
