//! `ctp10 init`

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{ExitCode, Failure};
use crate::report::shell_word;
use crate::terminal::output::{errln, outln};

/// The recipe, with placeholders for its name and its schema.
const RECIPE: &str = include_str!("init/recipe.yaml");
/// The file with the schema, beside the recipe, so that editors find it without a network.
const SCHEMA: &str = "ctp10-recipe.schema.json";
/// The name of a recipe whose file name has no letter that a name may have.
const NAME: &str = "recipe";

/// Writes a recipe, and the schema beside it. Existing recipes stay as they are.
pub(super) fn init(file: Option<PathBuf>) -> Result<(), Failure> {
    let file = file.unwrap_or_else(|| PathBuf::from("recipe.yaml"));
    if !file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
        let message = format!("`{}` is not the name of a recipe: it must end with `.yaml`", file.display());
        return Err(Failure::new(ExitCode::Usage, message));
    }
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(ExitCode::Failed, format!("`{}` cannot be written: {error}", path.display()))
    };
    let text = RECIPE.replace("NAME", &name(&file)).replace("SCHEMA", SCHEMA);
    let written = File::create_new(&file).and_then(|mut new| new.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let message = format!("`{}` exists already, and is not replaced", file.display());
            Failure::new(ExitCode::Usage, message).hint("choose another name: `ctp10 init NAME.yaml`")
        }
        _ => failed(&file, &error),
    })?;
    let schema = file.with_file_name(SCHEMA);
    let text = format!("{:#}\n", crate::schema::recipe());
    std::fs::write(&schema, text).map_err(|error| failed(&schema, &error))?;
    let word = shell_word(&file.display().to_string());
    errln!("next: `ctp10 check {word}`, then `ctp10 run {word}`");
    outln!("{}", file.display());
    Ok(())
}

/// A name for the recipe, made from the name of its file.
fn name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let fit: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = fit.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { NAME.to_owned() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_named_after_its_file() {
        for (file, expected) in [
            ("ring.yaml", "ring"),
            ("a/My Ring_2.yaml", "my-ring-2"),
            ("--.yaml", "recipe"),
            ("µ.yaml", "recipe"),
        ] {
            assert_eq!(name(Path::new(file)), expected, "{file}");
        }
    }
}
