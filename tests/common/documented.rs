//! The commands that the documents show.

use std::fs;
use std::path::{Path, PathBuf};

/// Every document of the project with its text.
pub fn documents(project: &Path) -> Vec<(String, String)> {
    let mut paths = files(&project.join("docs"), "md");
    paths.extend(files(&project.join("models"), "md"));
    paths.extend(["README.md", "CONTRIBUTING.md"].map(|name| project.join(name)));
    paths.into_iter().map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

/// Every file below `folder` whose name ends in `.extension`.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|of| of == extension) {
            found.push(path);
        }
    }
    found
}

/// The arguments of every call of `program` that `text` shows as code, without those that leave something out (`...`).
pub fn calls(text: &str, program: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut lines = Vec::new();
    let mut is_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            lines.push(line.to_owned());
        } else {
            lines.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    let mut calls = Vec::new();
    for line in lines {
        let words = words(&line);
        for (start, _) in words.iter().enumerate().filter(|(_, word)| *word == program) {
            // `ros2 launch stridepose ...` and `cargo build -p stridepose-train ...` name the package.
            if start > 0 && ["launch", "run", "-p"].contains(&words[start - 1].as_str()) {
                continue;
            }
            let goes_on = |word: &&String| !matches!(word.as_str(), "|" | ">" | "&&" | "||" | ";" | "&");
            // A bar within a word is a choice: `csv|json`.
            let first = |word: &String| word.split('|').next().unwrap_or_default().to_owned();
            let call: Vec<String> = words[start + 1..].iter().take_while(goes_on).map(first).collect();
            let is_left_out = |word: &String| word == "..." || word.contains('…');
            let is_placeholder = |word: &String| word.chars().all(|letter| letter.is_ascii_uppercase());
            if call.first().is_some_and(|first| !is_placeholder(first)) && !call.iter().any(is_left_out) {
                calls.push(call);
            }
        }
    }
    calls
}

/// Words as a shell has them: quotes hold together, `#` begins a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => word.push(letter),
            (None, '"' | '\'') => quote = Some(letter),
            (None, '#') if word.is_empty() => break,
            (None, ' ' | '\t') => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            (None, ';' | ')' | '(') => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                words.push(";".to_owned());
            }
            (None, _) => word.push(letter),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Asserts that `program` takes every call that the documents show; `least` is how many there are at least.
pub fn assert_calls_are_taken(project: &Path, program: &str, binary: &str, least: usize) {
    let mut checked = 0;
    for (path, text) in documents(project) {
        for call in calls(&text, program) {
            // Unknown options, commands and surplus words are refused before the help is shown.
            let output = std::process::Command::new(binary).args(&call).arg("--help").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{path}: `{program} {}`: {said}", call.join(" "));
            checked += 1;
        }
    }
    assert!(checked >= least, "{checked} calls of {program}");
}
