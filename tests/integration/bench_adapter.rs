//! A named instrument behind a GPIB adapter.

use serde_json::json;

use crate::bench_instruments::{recipe, results};
use crate::fake_instrument::IDENTITY;
use crate::support::{Bench, journal, said_by, text};

/// A GPIB adapter with the commands of Prologix and a source-meter at address 12. As the real one, it passes on no `+`
/// that is not escaped, and reads only on request.
struct Adapter {
    address: String,
    /// The commands to the adapter, and the lines for the source-meter with its address.
    heard: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Adapter {
    fn start() -> Self {
        use std::io::{BufRead, BufReader, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let record = std::sync::Arc::clone(&heard);
        std::thread::spawn(move || {
            // One client after another, as with the real one.
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = BufReader::new(stream);
                let (mut gpib, mut replies) = (0, std::collections::VecDeque::new());
                let mut bytes = Vec::new();
                while stream.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                    let line = text(&bytes).trim_end_matches('\n').to_owned();
                    bytes.clear();
                    if let Some(command) = line.strip_prefix("++") {
                        record.lock().unwrap().push(line.clone());
                        match command.split_once(' ') {
                            Some(("addr", given)) => gpib = given.parse().unwrap(),
                            Some(("read", "eoi")) => {
                                let reply: String = replies.pop_front().unwrap_or_default();
                                stream.get_mut().write_all(reply.as_bytes()).unwrap();
                            }
                            _ => {}
                        }
                        continue;
                    }
                    let mut passed = String::new();
                    let mut chars = line.chars();
                    while let Some(char) = chars.next() {
                        match char {
                            '\u{1b}' => passed.extend(chars.next()),
                            '+' => {}
                            other => passed.push(other),
                        }
                    }
                    match passed.as_str() {
                        "*IDN?" => replies.push_back(format!("{IDENTITY}\n")),
                        ":MEAS:CURR?" => replies.push_back("+2.0E-3\n".to_owned()),
                        "SYST:ERR?" => replies.push_back("0,\"No error\"\n".to_owned()),
                        _ => {}
                    }
                    record.lock().unwrap().push(format!("{gpib} {passed}"));
                }
            }
        });
        Self { address, heard }
    }
}

#[test]
fn an_instrument_behind_a_gpib_adapter_gets_its_lines_whole_and_is_read_on_request() {
    let adapter = Adapter::start();
    let bench = Bench::new();
    bench.write(
        "ctp10.toml",
        &format!(
            "[instruments.smu]\naddress = \"prologix://{}/12\"\nidentity = \"KEITHLEY\"\nerrors = \"SYST:ERR?\"\nsafe = [\":OUTP OFF\"]\n\
             allow = [\":SOUR:VOLT*\", \":MEAS:*\", \"++*\"]\n",
            adapter.address
        ),
    );
    recipe(
        &bench,
        "  - scpi: { to: smu, command: \":SOUR:VOLT +1.5E+0\" }
  - scpi: { to: smu, command: \"++addr 3\" }
  - scpi: { to: smu, query: \":MEAS:CURR?\", parse: number, assume: 1 }\n",
    );
    let output = bench.run(&["run", "r.yaml", "--with-real", "smu"]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!(results(&journal(&bench.only_run())), [json!(0.002)]);
    let heard = adapter.heard.lock().unwrap().clone();
    for setup in ["++savecfg 0", "++mode 1", "++auto 0", "++eoi 1", "++addr 12", "++clr"] {
        assert!(heard.iter().any(|line| line == setup), "{setup}: {heard:?}");
    }
    for line in ["12 :SOUR:VOLT +1.5E+0", "12 ++addr 3", "12 :OUTP OFF"] {
        assert!(heard.iter().any(|heard| heard == line), "{line}: {heard:?}");
    }
    assert!(!heard.iter().any(|line| line == "++addr 3"), "{heard:?}");
    // Each query is followed by one request to read, and no command is.
    for pair in heard.windows(2) {
        assert_eq!(pair[0].ends_with('?'), pair[1] == "++read eoi", "{pair:?}");
    }
}
