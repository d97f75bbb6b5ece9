//! A shell that completes a command line, and the manual pages.

use std::process::{Command, Stdio};

use crate::support::{Bench, text};

const QUICK: &str = "name: quick\ninstrument: sim\nsteps:\n  - log: measured\n";

/// What bash offers for the last word of a command line, with the script that the program prints.
fn offered(bench: &Bench, line: &str) -> Vec<String> {
    let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    let ask = format!(
        "source <(ctp10 completions bash); COMP_WORDS=({}); COMP_CWORD={last}; COMP_TYPE=9; \
         _clap_complete_ctp10 ctp10 {} x; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
    );
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ctp10")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", &ask]).current_dir(bench.folder.path()).stdin(Stdio::null()).env("PATH", path);
    shell.env("XDG_CONFIG_HOME", bench.folder.path().join("no-config"));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn a_shell_completes_commands_options_and_the_identifiers_of_runs() {
    let bench = Bench::new();
    bench.write("quick.yaml", QUICK);
    assert_eq!(offered(&bench, "ctp10 res"), ["resume"]);
    assert!(!offered(&bench, "ctp10 runs show ").contains(&"last".to_owned()));
    for _ in 0..2 {
        assert!(bench.run(&["run", "quick.yaml"]).status.success());
    }
    let mut runs: Vec<String> = bench
        .run_folders()
        .iter()
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().rsplit('_').next().unwrap().to_owned())
        .collect();
    runs.sort();
    for line in ["ctp10 resume ", "ctp10 runs verify ", "ctp10 compare ", "ctp10 judge "] {
        let offered = offered(&bench, line);
        assert_eq!(offered[0], "last", "{line}");
        let mut found: Vec<String> = offered.into_iter().filter(|word| runs.contains(word)).collect();
        found.sort();
        assert_eq!(found, runs, "{line}");
    }
    assert!(!offered(&bench, "ctp10 check ").contains(&runs[0]), "a recipe is no run");
}

#[test]
fn each_command_has_a_manual_page() {
    let bench = Bench::new();
    assert!(bench.run(&["manual", "man"]).status.success());
    let page = |name: &str| std::fs::read_to_string(bench.folder.path().join("man").join(name)).unwrap();
    assert!(page("ctp10.1").contains("Runs measurement recipes"));
    assert!(page("ctp10-run.1").contains("\\-\\-instrument"));
    assert!(page("ctp10-runs-verify.1").contains("checksum"));
}
