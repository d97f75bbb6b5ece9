//! `ctp10 init`: the first recipe is correct, runs on the simulator, and never replaces a file.

use crate::support::{Bench, manifest, text};

#[test]
fn the_first_recipe_passes_a_strict_check_and_runs_on_the_simulator() {
    let bench = Bench::new();
    let written = bench.run(&["init", "My ring.yaml"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert_eq!(text(&written.stdout), "My ring.yaml\n");
    let recipe = std::fs::read_to_string(bench.folder.path().join("My ring.yaml")).unwrap();
    assert!(recipe.starts_with("# yaml-language-server: $schema=ctp10-recipe.schema.json\n"), "{recipe}");
    let schema = std::fs::read(bench.folder.path().join("ctp10-recipe.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&schema).unwrap();
    assert_eq!(schema["title"], "ctp10 recipe");
    let checked = bench.run(&["check", "--strict", "My ring.yaml"]);
    assert_eq!(text(&checked.stdout), "My ring.yaml: fine\n", "{}", text(&checked.stderr));
    let ran = bench.run(&["run", "My ring.yaml"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let run = manifest(&bench.only_run());
    assert_eq!(
        (&run["name"], &run["status"], &run["verdict"]),
        (&"my-ring".into(), &"done".into(), &"pass".into())
    );
}

#[test]
fn a_file_that_exists_is_not_replaced() {
    let bench = Bench::new();
    bench.write("recipe.yaml", "mine");
    let refused = bench.run(&["init"]);
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("`recipe.yaml` exists already") && told.contains("ctp10 init NAME.yaml"), "{told}");
    assert_eq!(std::fs::read_to_string(bench.folder.path().join("recipe.yaml")).unwrap(), "mine");
    let other = bench.run(&["init", "recipe.txt"]);
    assert!(text(&other.stderr).contains("must end with `.yaml`"), "{}", text(&other.stderr));
}
