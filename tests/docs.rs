//! The documents against the program: what they tell a reader to pull can be pulled, and what they quote the program says.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use stridepose::adapters::catalogue::Catalogue;

#[path = "common/documented.rs"]
mod documented;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<(String, String)> {
    documented::documents(project())
}

#[test]
fn every_call_in_the_documents_is_taken() {
    documented::assert_calls_are_taken(project(), "stridepose", env!("CARGO_BIN_EXE_stridepose"), 20);
}

#[test]
fn every_network_that_a_document_says_to_pull_can_be_pulled() {
    let catalogue = Catalogue::own().unwrap();
    let mut pulled = 0;
    for (path, text) in documents() {
        for rest in text.split("models pull ").skip(1) {
            let name: String =
                rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
            if name.is_empty() || name.chars().all(|letter| letter.is_ascii_uppercase()) {
                continue;
            }
            let entry = catalogue.entry(&name).unwrap_or_else(|error| panic!("{path}: `models pull {name}`: {error}"));
            assert!(entry.url.is_some(), "{path}: {name} cannot be pulled: {:?}", entry.by_hand);
            pulled += 1;
        }
    }
    assert!(pulled >= 4, "{pulled} commands");
}

/// The source as one line, string continuations joined.
fn source() -> String {
    let all: Vec<String> =
        documented::files(&project().join("src"), "rs").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    all.join("\n").replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is fixed in a quoted message: not the dots, nor words in capitals, which stand for something.
fn fixed_parts(quoted: &str) -> Vec<String> {
    let mut parts = vec![Vec::new()];
    let spaced = quoted.replace("...", " ... ");
    for word in spaced.split_whitespace() {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let is_open = word == "..." || (bare.len() > 2 && bare.chars().all(|letter| letter.is_ascii_uppercase()));
        if is_open {
            parts.push(Vec::new());
        } else {
            parts.last_mut().unwrap().push(word);
        }
    }
    parts.into_iter().map(|words| words.join(" ")).filter(|part| part.len() >= 4).collect()
}

#[test]
fn every_message_that_troubleshooting_quotes_is_one_of_the_program() {
    let source = source();
    let text = fs::read_to_string(project().join("docs/troubleshooting.md")).unwrap();
    let (mut checked, mut is_quoting) = (0, false);
    for line in text.lines() {
        let cell = line.split('|').nth(1).unwrap_or_default().trim();
        if cell == "what it says" || cell == "what you see" {
            // What the build says is not ours.
            is_quoting = !line.contains("| what it says | what to do |");
        }
        if !is_quoting || line.starts_with("|---") {
            continue;
        }
        for quoted in cell.split('`').skip(1).step_by(2) {
            for part in fixed_parts(quoted) {
                assert!(source.contains(&part), "docs/troubleshooting.md quotes \"{quoted}\": nothing says \"{part}\"");
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "{checked} messages");
}

/// Names under `[dependencies]` of a Cargo.toml.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(project().join(manifest)).unwrap();
    text.lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('=') && !line.starts_with('#'))
        .map(|line| line.split(['=', '.', ' ']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_dependency_has_its_reason_and_no_other_has() {
    let text = fs::read_to_string(project().join("docs/dependencies.md")).unwrap();
    let cells = text.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let mut explained: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let mut wanted = dependencies("Cargo.toml");
    wanted.extend(dependencies("training/Cargo.toml"));
    assert!(wanted.len() > 30, "{wanted:?}");
    wanted.sort();
    wanted.dedup();
    explained.sort_unstable();
    let missing: Vec<_> = wanted.iter().filter(|name| !explained.contains(&name.as_str())).collect();
    let extra: Vec<_> = explained.iter().filter(|name| !wanted.iter().any(|wanted| wanted == **name)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "without a reason: {missing:?}; no dependency: {extra:?}");
}
