//! Recipes that compute without end, or values without bounds: each check ends, on the command line and by HTTP, and
//! the run under way does not notice.

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sidecar::{request, serve};
use crate::support::{Bench, text, until_some};

/// Twelve levels, each ten times the one before.
fn bomb(level: impl Fn(&str) -> String) -> String {
    let steps = (1..12).map(|n| format!("  - set: {{ s{n}: {} }}\n", level(&format!("s{}", n - 1))));
    format!("name: bomb\nsteps:\n  - set: {{ s0: 0123456789 }}\n{}", steps.collect::<String>())
}

fn texts() -> String {
    bomb(|before| format!("\"{}\"", format!("${{{before}}}").repeat(10)))
}

/// A loop that computes for hours: each look at the end of a long text goes through all of it.
const LONG_TEXT: &str = "recipe(#{ name: \"long\" });
let s = \"x\"; for i in 0..19 { s += s; }
let n = 0; for i in 0..1_000_000 { if s[s.len - 1] == 'x' { n += 1; } }
log(`${n}`);
";

#[test]
fn the_texts_of_an_operation_are_bounded() {
    let bench = Bench::new();
    let twice = "  - set: { s: \"${s + s}\" }\n".repeat(12);
    let recipe =
        format!("name: long\nsteps:\n  - set: {{ s: aaaaaaaaaaaaaaaa }}\n{twice}  - log: \"${{s}}\"\n");
    bench.write("long.yaml", &recipe);
    let ended = bench.run(&["check", "long.yaml"]);
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("the fields of `log` have 65552 bytes; at most 16384 are allowed"), "{said}");
}

#[test]
fn a_value_is_bounded_whatever_it_is_made_of() {
    let bench = Bench::new();
    let lists = bomb(|before| format!("[{}]", vec![format!("\"${{{before}}}\""); 10].join(", ")));
    let maps = bomb(|before| {
        let entries: Vec<String> = (0..10).map(|n| format!("k{n}: \"${{{before}}}\"")).collect();
        format!("{{ {} }}", entries.join(", "))
    });
    let expression = bomb(|before| format!("\"${{{}}}\"", [before; 10].join(" + ")));
    let twice = "  - set: { s: \"${s + s}\" }\n".repeat(19);
    let many: String = (0..99).map(|n| format!("  - set: {{ v{n}: \"${{s}}\" }}\n")).collect();
    let all = format!("name: all\nsteps:\n  - set: {{ s: x }}\n{twice}{many}");
    let aliases: String = (0..900).map(|n| format!("  k{n}: *a\n")).collect();
    let alias = format!(
        "name: alias\nmetadata:\n  a: &a \"{}\"\n{aliases}steps: [ {{ sweep: {{}} }} ]\n",
        "x".repeat(900_000)
    );
    for (name, recipe, said) in [
        ("texts.yaml", texts(), "texts.yaml:9:16"),
        ("lists.yaml", lists, "the value is larger than 1 MiB"),
        ("maps.yaml", maps, "the value is larger than 1 MiB"),
        ("expression.yaml", expression, "a text may have 1048576 bytes"),
        ("all.yaml", all, "the variables need more than 32 MiB"),
        ("alias.yaml", alias, "more than 8 MiB of text once its aliases are expanded"),
    ] {
        bench.write(name, &recipe);
        for command in ["check", "plan", "run"] {
            let ended = match command {
                "run" => bench.run(&[command, name, "--instrument", "sim"]),
                _ => bench.run(&[command, name]),
            };
            assert_eq!(ended.status.code(), Some(2), "{command} {name}");
            assert!(text(&ended.stderr).contains(said), "{command} {name}: {}", text(&ended.stderr));
        }
    }
}

#[test]
fn a_walk_without_an_operation_ends() {
    let bench = Bench::new();
    bench.write(
        "nested.yaml",
        "name: nested
steps:
  - repeat:
      times: 1000000
      steps: [ { repeat: { times: 1000000, steps: [ { set: { a: 1 } } ] } } ]
",
    );
    bench.write("long.rhai", LONG_TEXT);
    let many =
        "  - repeat: { times: 1000000, steps: [ { configure_laser: { laser: 1, output: false } } ] }\n";
    bench.write("last.yaml", &format!("name: last\nsteps: [ {{ log: hi }} ]\nfinally:\n{many}"));
    for (name, said) in [
        ("nested.yaml", " without an "),
        ("long.rhai", "the recipe computes for more than 10 s without an operation of the instrument"),
        ("last.yaml", "`finally` has more than 1000 operations"),
    ] {
        let ended = bench.run(&["check", name]);
        let told = text(&ended.stderr);
        assert!(told.contains(said), "{name}: {told}");
    }
}

fn check(recipe: &str, format: &str) -> Value {
    json!({ "recipe": recipe, "format": format })
}

#[test]
fn the_service_outlives_hostile_recipes_and_answers_others_meanwhile() {
    let bench = Bench::new();
    let server = serve(&bench, &["--instrument", "sim"]);
    let address = server.address.as_str();
    let (status, reply) = request(address, "POST", "/check", Some(&check(&texts(), "yaml")));
    assert_eq!((status, &reply["errors"]), (200, &json!(1)), "{reply}");
    assert_eq!(reply["findings"][0]["message"], "the value is larger than 1 MiB");

    // Two at a time; they hold their places, and a third one is told to come again.
    let ask = || {
        let body = check(LONG_TEXT, "rhai").to_string();
        let mut client = TcpStream::connect(address).unwrap();
        let head =
            format!("POST /check HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all(format!("{head}{body}").as_bytes()).unwrap();
        client
    };
    let sound = check("name: sound\nsteps: [ { sweep: {} } ]\n", "yaml");
    let (refused, clients) = until_some("a third one is refused", || {
        // These two may not have been read yet, or be over by now.
        let clients = [ask(), ask()];
        let reply = request(address, "POST", "/check", Some(&sound));
        (reply.0 != 200).then_some((reply, clients))
    });
    assert_eq!(refused.0, 503, "{refused:?}");
    assert!(refused.1["detail"].as_str().unwrap().contains("try again"), "{refused:?}");

    // Once they are gone nobody waits for their places: what nobody waits for is not computed to its end.
    drop(clients);
    let (status, _) = request(address, "POST", "/check", Some(&sound));
    assert_eq!(status, 200);
}

#[test]
fn the_service_ends_without_waiting_for_a_check() {
    let bench = Bench::new();
    let mut server = serve(&bench, &["--instrument", "sim"]);
    let body = check(LONG_TEXT, "rhai").to_string();
    let mut client = TcpStream::connect(&server.address).unwrap();
    let head = format!("POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all(format!("{head}{body}").as_bytes()).unwrap();
    // Ctrl-C, while the client still waits.
    let asked = std::process::Command::new("kill")
        .args(["-INT", &server.child.id().to_string()])
        .stderr(Stdio::null())
        .status();
    assert!(asked.unwrap().success());
    let begun = Instant::now();
    server.child.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(60), "it computes for hours");
}
