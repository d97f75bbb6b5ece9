//! The examples in the help of each command.

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Two examples for each command: the command line after `ctp10`, and what it does.
const EXAMPLES: &[(&str, [(&str, &str); 2])] = &[
    (
        "",
        [
            ("init first.yaml", "write a first recipe with comments"),
            ("run first.yaml --instrument sim", "run it on the simulator"),
        ],
    ),
    (
        "run",
        [
            ("run ring.yaml --instrument sim", "on the simulator"),
            ("run ring.yaml --instrument 10.0.0.5:5025 --set top_dbm=3", "on a CTP10"),
        ],
    ),
    (
        "resume",
        [("resume last", "continue the newest run"), ("resume k3v9qa --plan", "only print what is left")],
    ),
    (
        "init",
        [
            ("init", "write `recipe.yaml`"),
            ("init ring.yaml", "write `ring.yaml`, a recipe with the name `ring`"),
        ],
    ),
    (
        "check",
        [
            ("check recipes/ring.yaml", "without an instrument"),
            ("check ring.yaml --instrument 10.0.0.5:5025", "also against this CTP10, with queries only"),
        ],
    ),
    (
        "plan",
        [
            ("plan ring.yaml --set top_dbm=3", "operations, times and points"),
            ("plan ring.yaml --scpi", "with the SCPI commands"),
        ],
    ),
    (
        "batch",
        [
            ("batch run night.yaml --instrument sim", "run it, or continue it"),
            ("batch plan night.yaml", "when each item begins, and when the batch ends"),
        ],
    ),
    (
        "fleet",
        [
            ("fleet submit night.yaml --fleet nats://broker", "queue a batch for all benches"),
            ("fleet status --fleet nats://broker", "who measures what"),
        ],
    ),
    (
        "fleet submit",
        [
            ("fleet submit night.yaml --fleet nats://broker", "check a batch, and queue its items"),
            ("fleet submit night.yaml --strict", "warnings are errors"),
        ],
    ),
    (
        "fleet status",
        [
            ("fleet status --fleet nats://broker", "benches, batches and items with problems"),
            ("fleet status --json", "with all items, for programs"),
        ],
    ),
    (
        "fleet off",
        [("fleet off", "all lasers of all benches"), ("fleet off --fleet nats://broker", "at this broker")],
    ),
    (
        "fleet clear",
        [
            ("fleet clear", "benches take items again"),
            ("fleet clear --fleet nats://broker", "at this broker"),
        ],
    ),
    (
        "fleet release",
        [
            ("fleet release night", "all items that are held or skipped"),
            ("fleet release night 17", "item 17, also if a bench has claimed it"),
        ],
    ),
    ("store", [("store status", "which runs are not in the store yet"), ("store sync", "upload them now")]),
    (
        "store status",
        [("store status", "which runs are not in the store yet"), ("store status --json", "for programs")],
    ),
    (
        "store sync",
        [("store sync", "upload all runs that have ended"), ("store sync last", "only the newest run")],
    ),
    (
        "batch run",
        [
            ("batch run night.yaml", "run the batch, or continue with what is left"),
            ("batch run night.yaml --release", "also repeat the items that failed"),
        ],
    ),
    (
        "batch check",
        [
            ("batch check night.yaml", "the batch file and all its recipes"),
            ("batch check night.yaml --strict", "warnings are errors"),
        ],
    ),
    (
        "batch plan",
        [
            ("batch plan night.yaml", "times, bytes and the end"),
            ("batch plan night.yaml --instrument sim --json", "for programs"),
        ],
    ),
    (
        "rehearse",
        [
            ("rehearse ring.yaml", "every kind of fault once, and one kill"),
            ("rehearse night.yaml --chaos 7 --times 20", "random faults"),
        ],
    ),
    (
        "watch",
        [
            ("watch", "the active run of this computer's service"),
            ("watch http://bench-3:8002 --token-file token", "another bench"),
        ],
    ),
    (
        "serve",
        [
            ("serve --instrument sim", "the dashboard at http://127.0.0.1:8002"),
            ("serve --instrument 10.0.0.5:5025 --listen 127.0.0.1:8100", "another port"),
        ],
    ),
    (
        "simulate",
        [
            ("simulate --dut ring --seed 1", "a ring on 127.0.0.1:5025"),
            ("simulate --listen 127.0.0.1:0 --fault drop@trace:2", "with a fault"),
        ],
    ),
    (
        "status",
        [
            ("status --instrument 10.0.0.5:5025", "activity and lasers"),
            ("status --instrument sim --json", "for programs"),
        ],
    ),
    (
        "off",
        [
            ("off", "the instrument in the configuration"),
            ("off --instrument 10.0.0.5:5025", "this instrument"),
        ],
    ),
    (
        "runs",
        [
            ("runs", "the newest runs"),
            ("runs list --since 7d --name 'ring*' --status failed", "last week's failures"),
        ],
    ),
    (
        "runs list",
        [
            ("runs list --since yesterday", "runs of today and yesterday"),
            ("runs list --where \"wafer = 'W12' and verdict = 'fail'\"", "by a condition"),
        ],
    ),
    (
        "runs show",
        [
            ("runs show last", "the newest run"),
            ("runs show ring --json", "the newest run of the recipe `ring`"),
        ],
    ),
    (
        "runs report",
        [
            ("runs report last", "write report.html again"),
            ("runs report --batch night", "the page of a batch"),
        ],
    ),
    (
        "runs reindex",
        [("runs reindex", "the catalogue in `runs`"), ("runs reindex --out /data/runs", "in another folder")],
    ),
    (
        "runs verify",
        [("runs verify last", "all files of the newest run"), ("runs verify k3v9qa --json", "for programs")],
    ),
    (
        "analyze",
        [
            ("analyze last --figures dips,q", "the traces of the newest run"),
            ("analyze trace.csv --figures loss@1550,bandwidth@3", "a file"),
        ],
    ),
    (
        "devices",
        [
            ("devices import layout.json -o dies.csv", "a list of devices from a layout program"),
            ("devices transform dies.csv --points a=0,0 b=9000,10 c=5,8000", "stage coordinates"),
        ],
    ),
    (
        "devices import",
        [
            ("devices import layout.json -o dies.csv", "the usual columns"),
            ("devices import plan.yaml --order nearest -o dies.csv", "with a short way"),
        ],
    ),
    (
        "devices transform",
        [
            ("devices transform dies.csv --points a=0,0 b=9000,10 c=5,8000", "three measured devices"),
            ("devices transform dies.csv --points points.csv -o stage.csv", "points from a file"),
        ],
    ),
    (
        "export",
        [
            ("export last --to npz", "all traces of the newest run in one file"),
            ("export trace.parquet --to csv -o trace.csv", "one trace"),
        ],
    ),
    (
        "plot",
        [
            ("plot last -o ring.svg", "all traces of the newest run"),
            ("plot before.parquet after.parquet -o both.png --band 1549:1551", "two traces, a part"),
        ],
    ),
    (
        "figures",
        [
            ("figures last", "one row per device"),
            ("figures --name ring --since 7d --csv", "the runs of a week as CSV"),
        ],
    ),
    (
        "judge",
        [
            ("judge last --limits limits.yaml", "the newest run"),
            ("judge --since 7d --limits limits.yaml --all", "all runs of a week"),
        ],
    ),
    (
        "compare",
        [
            ("compare k3v9qa last", "an earlier run with the newest one"),
            ("compare k3v9qa last --plot both.svg", "with a picture"),
        ],
    ),
    ("schema", [("schema", "JSON Schema of recipes"), ("schema --markdown", "the recipe reference")]),
    (
        "completions",
        [
            ("completions bash", "for bash: `source <(ctp10 completions bash)`"),
            ("completions fish", "for fish"),
        ],
    ),
];

/// The command line with two examples in the help of each command. The short help begins with the first sentence of the
/// description, the long help with all of it.
#[must_use]
pub fn command() -> Command {
    with_examples(Cli::command(), "")
}

fn with_examples(command: Command, path: &str) -> Command {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let command = match about.split_once(". ") {
        Some((first, _)) => command.about(first.to_owned()).long_about(about),
        None => command,
    };
    let command = match EXAMPLES.iter().find(|(of, _)| *of == path) {
        Some((_, examples)) => command.after_help(text(examples)),
        None => command,
    };
    command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        with_examples(inner, path.trim_start())
    })
}

fn text(examples: &[(&str, &str); 2]) -> String {
    let lines = examples.map(|(line, about)| format!("\n  ctp10 {line}\n      {about}"));
    format!("Examples:{}", lines.concat())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    /// The longest short help, lines.
    const LONGEST: usize = 42;

    fn walk(command: &mut Command, path: &str, found: &mut Vec<(String, String)>) {
        found.push((path.to_owned(), command.render_help().to_string()));
        for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
            if inner.get_name() != "help" {
                let path = format!("{path} {}", inner.get_name());
                walk(inner, path.trim_start(), found);
            }
        }
    }

    #[test]
    fn every_command_has_a_short_help_with_two_examples_that_are_valid() {
        let mut command = command().term_width(100);
        command.build();
        let mut found = Vec::new();
        walk(&mut command, "", &mut found);
        let long: Vec<(&String, usize)> = found
            .iter()
            .map(|(path, help)| (path, help.lines().count()))
            .filter(|(_, lines)| *lines > LONGEST)
            .collect();
        assert!(long.is_empty(), "{long:?}");
        for (path, help) in &found {
            let (_, examples) = help.split_once("Examples:").unwrap_or_else(|| panic!("{path}: no examples"));
            let examples: Vec<&str> =
                examples.lines().map(str::trim).filter(|line| line.starts_with("ctp10 ")).collect();
            assert_eq!(examples.len(), 2, "{path}: {help}");
            for example in examples {
                assert!(example.starts_with(format!("ctp10 {path}").trim_end()), "{path}: {example}");
                let words = shlex::split(example).unwrap();
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{example}: {error}");
                }
            }
        }
        let unknown = EXAMPLES.iter().find(|(path, _)| !found.iter().any(|(known, _)| known == path));
        assert!(unknown.is_none(), "{unknown:?}");
    }

    #[test]
    fn the_options_of_all_commands_are_only_in_the_long_help() {
        let mut command = command();
        command.build();
        let run = command.find_subcommand_mut("run").unwrap();
        let (short, long) = (run.render_help().to_string(), run.render_long_help().to_string());
        assert!(!short.contains("--log-format") && long.contains("--log-format"), "{short}");
    }

    #[test]
    fn no_option_with_several_values_takes_the_options_behind_it_for_values() {
        fn swallowing(command: &clap::Command, found: &mut Vec<String>) {
            let takes_all = |argument: &&clap::Arg| {
                let most = argument.get_num_args().map_or(1, |values| values.max_values());
                argument.is_allow_hyphen_values_set() && most > 1
            };
            let names =
                command.get_arguments().filter(takes_all).map(|argument| argument.get_id().to_string());
            found.extend(names.map(|name| format!("{} {name}", command.get_name())));
            command.get_subcommands().for_each(|inner| swallowing(inner, found));
        }
        let mut command = command();
        command.build();
        let mut found = Vec::new();
        swallowing(&command, &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}
