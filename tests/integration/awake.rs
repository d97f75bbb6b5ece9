//! A run keeps the computer awake while it measures, and not longer.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Bench, until, watch_command};

const LONG: &str = "name: long\ninstrument: sim\nsteps:\n  - wait: 600\n";

#[test]
fn a_run_holds_the_program_that_keeps_the_computer_awake_until_it_ends() {
    let bench = Bench::new();
    bench.write("long.yaml", LONG);
    let log = bench.folder.path().join("inhibit.log");
    let script =
        format!("#!/bin/sh\necho \"$$ $*\" > '{0}.part'\nmv '{0}.part' '{0}'\nexec cat\n", log.display());
    let program = bench.write("systemd-inhibit", &script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bench.folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = bench.command(&["--log-format", "json", "run", "long.yaml"]);
    command.env("PATH", path);
    let run = watch_command(command);
    until("the program has started", || log.exists());
    let told = std::fs::read_to_string(&log).unwrap();
    let (pid, words) = told.trim().split_once(' ').unwrap();
    assert_eq!(words, "--what=sleep:idle --who=ctp10 --why=measuring --mode=block cat");
    run.signal("INT");
    assert_eq!(run.finish().0, Some(130));
    let stat = format!("/proc/{pid}/stat");
    until("the program has ended", || {
        std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "))
            || !std::path::Path::new(&stat).exists()
    });
}
