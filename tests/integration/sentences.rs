//! The sentences of documents, schemas, comments and `--help` are short: at most [`MOST_WORDS`] words.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use ctp10::cli::Cli;
use serde_json::Value;

use crate::layering::sources;

/// CONTRIBUTING asks for about 25 words.
const MOST_WORDS: usize = 30;

/// The blocks of a Markdown text, each with its line: paragraphs, items of lists, cells of tables. No code, no headings.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = vec![(1, String::new())];
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let item = line
            .strip_prefix("- ")
            .or_else(|| line.split_once(". ").filter(|(n, _)| is_number(n)).map(|(_, rest)| rest));
        if in_code || line.is_empty() || line.starts_with(['#', '<']) || line.starts_with("```") {
            blocks.push((number + 1, String::new()));
        } else if line.starts_with('|') {
            blocks.extend(line.replace("\\|", "/").split('|').map(|cell| (number, cell.to_owned())));
            blocks.push((number + 1, String::new()));
        } else if let Some(item) = item {
            blocks.push((number, item.to_owned()));
        } else if let Some((_, block)) = blocks.last_mut() {
            block.push(' ');
            block.push_str(line);
        }
    }
    blocks
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Replaces code by one word each, and links by their text.
fn prose(text: &str) -> String {
    let without_code: String =
        text.split('`').enumerate().map(|(part, text)| if part % 2 == 1 { "code" } else { text }).collect();
    let mut prose = String::new();
    let mut rest = without_code.as_str();
    while let Some((before, target)) = rest.split_once("](") {
        prose.push_str(before);
        rest = target.split_once(')').map_or("", |(_, rest)| rest);
    }
    prose + rest
}

/// The sentences of a text that are too long, each with its number of words.
fn long_sentences(text: &str) -> Vec<String> {
    let prose = prose(text);
    let mut sentences = vec![Vec::new()];
    for word in prose.split_whitespace() {
        if let Some(sentence) = sentences.last_mut().filter(|_| word.contains(char::is_alphanumeric)) {
            sentence.push(word);
        }
        if word.trim_end_matches([')', '"', '*', '_', ']']).ends_with(['.', '!', '?']) {
            sentences.push(Vec::new());
        }
    }
    sentences.retain(|words| words.len() > MOST_WORDS);
    sentences.iter().map(|words| format!("{} words: {}", words.len(), words.join(" "))).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents(extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files
}

#[test]
fn sentences_of_the_documents_are_short() {
    let files = documents("md");
    assert!(files.len() > 8, "{files:?}");
    let mut wrong = Vec::new();
    for path in files {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        for (line, block) in blocks(&std::fs::read_to_string(&path).unwrap()) {
            wrong.extend(
                long_sentences(&block).into_iter().map(|sentence| format!("{name}:{line}: {sentence}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The comments of a source as Markdown: each run of lines that begin with the same slashes is a paragraph.
fn comments(source: &str) -> String {
    let mut text = String::new();
    let mut last = "";
    for line in source.lines().map(str::trim) {
        let marker =
            ["///", "//!", "//"].into_iter().find(|marker| line.starts_with(marker)).unwrap_or_default();
        if marker != last {
            text.push('\n');
        }
        text.push_str(if marker.is_empty() { "" } else { &line[marker.len()..] });
        text.push('\n');
        last = marker;
    }
    text
}

#[test]
fn sentences_of_comments_are_short() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 300);
    let mut wrong = Vec::new();
    for path in files {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        for (line, block) in blocks(&comments(&std::fs::read_to_string(&path).unwrap())) {
            wrong.extend(
                long_sentences(&block).into_iter().map(|sentence| format!("{name}:{line}: {sentence}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn descriptions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("description").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| descriptions(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| descriptions(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn sentences_of_the_schemas_are_short() {
    let mut found = Vec::new();
    for path in documents("json") {
        descriptions(&serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(), &mut found);
    }
    assert!(found.len() > 100);
    let wrong: Vec<String> =
        found.iter().flat_map(|text| blocks(text)).flat_map(|(_, block)| long_sentences(&block)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The help of a command, of its options and of its subcommands. A line of a long help is a sentence of its own.
fn help_texts(command: &clap::Command, texts: &mut Vec<(String, String)>) {
    let mut add = |name: &str, help: Option<&clap::builder::StyledStr>| {
        let lines = help.map(ToString::to_string).unwrap_or_default();
        texts.extend(lines.lines().map(|line| (name.to_owned(), line.to_owned())));
    };
    add(command.get_name(), command.get_about());
    add(command.get_name(), command.get_long_about());
    for argument in command.get_arguments() {
        let name = format!("{} {}", command.get_name(), argument.get_id());
        add(&name, argument.get_help());
        add(&name, argument.get_long_help());
        for value in argument.get_possible_values() {
            add(&name, value.get_help());
        }
    }
    for subcommand in command.get_subcommands() {
        help_texts(subcommand, texts);
    }
}

#[test]
fn sentences_of_the_help_of_every_command_are_short() {
    let mut texts = Vec::new();
    let mut command = Cli::command();
    command.build();
    help_texts(&command, &mut texts);
    assert!(texts.iter().any(|(name, _)| name == "resume unfinished"), "{texts:?}");
    let wrong: Vec<String> = texts
        .iter()
        .flat_map(|(name, text)| {
            long_sentences(text).into_iter().map(move |sentence| format!("{name}: {sentence}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn code_counts_as_one_word_and_cells_and_items_end_a_sentence() {
    let words = |count: usize| vec!["word"; count].join(" ");
    assert_eq!(long_sentences(&words(31)).len(), 1);
    assert!(long_sentences(&format!("{}. {}", words(20), words(20))).is_empty());
    assert!(long_sentences(&format!("`{}` and [{}](https://host/a b)", words(40), words(20))).is_empty());
    let text = format!(
        "{}\n\n- {}\n2. {}\n| {} | {} |\n```\n{}\n```\n",
        words(20),
        words(20),
        words(20),
        words(20),
        words(20),
        words(40)
    );
    assert!(blocks(&text).iter().all(|(_, block)| long_sentences(block).is_empty()));
    let two_lines = format!("{}\n{}\n", words(20), words(20));
    assert!(blocks(&two_lines).iter().any(|(_, block)| !long_sentences(block).is_empty()));
}
