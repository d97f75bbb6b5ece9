//! What people write: recipes, scripts, expressions, batch files, tables.

use std::path::Path;
use std::sync::Arc;

use ctp10::batch;
use ctp10::devices::{Choice, Chosen, Duplicates};
use ctp10::forecast::{self, Circumstances};
use ctp10::recipe::Recipe;
use ctp10::source::{Diagnostic, Severity, SourceFile};

use super::{fuzz, fuzz_text};

/// Everything that is done with a recipe before an instrument is there, and what is shown of it.
fn look_at(read: Result<Recipe, Vec<Diagnostic>>) {
    let findings = match read {
        Ok(recipe) => {
            let walked =
                forecast::walk(|host| recipe.perform(host), &recipe.texts(), Circumstances::default());
            let _ = forecast::foreseen_columns(&recipe, &walked.steps);
            recipe.diagnostics().iter().chain(&walked.findings).cloned().collect()
        }
        Err(findings) => {
            assert!(
                findings.iter().any(|finding| finding.severity == Severity::Error),
                "refused without an error"
            );
            findings
        }
    };
    for finding in findings {
        assert!(!finding.render(true).is_empty());
    }
}

#[test]
fn a_damaged_recipe_is_understood_or_refused() {
    fuzz_text("recipe", |text| look_at(Recipe::from_text("r.yaml", text, None, &[])));
}

#[test]
fn a_damaged_script_is_understood_or_refused() {
    fuzz_text("script", |text| look_at(Recipe::from_text("r.rhai", text, None, &[])));
}

#[test]
fn a_damaged_expression_is_understood_or_refused() {
    fuzz_text("expression", |text| {
        let quoted = serde_json::to_string(text).unwrap();
        let braced = serde_json::to_string(&format!("at ${{{text}}}")).unwrap();
        let recipe = format!(
            "name: t\nparameters: {{ a: {{ default: 5 }}, b: {{ default: x }} }}\nsteps:\n  - read_power: {{ detector: 4/1, samples: 2, id: p }}\n  - if: {{ condition: {quoted}, then: [ {{ log: {braced} }} ] }}\n"
        );
        look_at(Recipe::from_text("r.yaml", &recipe, None, &[]));
    });
}

/// What a batch file amounts to, or what is wrong with it, shown.
fn expand(folder: &Path, name: &str) {
    let expanded = batch::read_file(&folder.join(name))
        .and_then(|(batch, plain)| batch::expand(&batch, &plain, folder))
        .map(|expanded| expanded.findings);
    let (Ok(findings) | Err(findings)) = expanded;
    for finding in findings {
        assert!(!finding.render(false).is_empty());
    }
}

#[test]
fn a_damaged_batch_file_is_understood_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = "name: die\nparameters: { power_dbm: { default: 0 } }\nsteps: [ { log: x } ]\n";
    std::fs::write(folder.path().join("die.yaml"), recipe).unwrap();
    std::fs::write(folder.path().join("devices.csv"), "device,power_dbm\nA,1\nB,2\n").unwrap();
    let file = folder.path().join("night.yaml");
    fuzz("batch", |bytes| {
        std::fs::write(&file, bytes).unwrap();
        expand(folder.path(), "night.yaml");
    });
}

#[test]
fn a_damaged_table_is_understood_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let recipe =
        "name: t\nsteps:\n  - repeat: { for: die, in_csv: dies.csv, steps: [ { log: 'at ${die.die}' } ] }\n";
    std::fs::write(folder.path().join("r.yaml"), recipe).unwrap();
    let batch = "name: night\nitems: [ { recipe: r.yaml, devices: dies.csv } ]\n";
    std::fs::write(folder.path().join("night.yaml"), batch).unwrap();
    let file = folder.path().join("dies.csv");
    fuzz("table", |bytes| {
        std::fs::write(&file, bytes).unwrap();
        expand(folder.path(), "night.yaml");
        look_at(Recipe::from_text("r.yaml", recipe, Some(folder.path()), &[]));
    });
}

#[test]
fn a_damaged_list_of_devices_is_understood_or_refused() {
    for name in ["list.csv", "list.yaml", "list.txt"] {
        fuzz_text("devices", |text| {
            let source = Arc::new(SourceFile { name: name.to_owned(), text: text.to_owned() });
            let columns = vec!["*".parse::<Choice>().unwrap()];
            let chosen = Chosen { format: None, columns, unit: None, duplicates: Duplicates::Number };
            match chosen.import(&source) {
                Ok(imported) => {
                    let ids: std::collections::HashSet<&str> = imported.list.ids().into_iter().collect();
                    assert_eq!(ids.len(), imported.list.rows.len());
                }
                Err(found) => found.iter().for_each(|found| drop(found.render(false))),
            }
        });
    }
}
