//! The core stays free of files, clocks, threads, async, ROS and engines, and dependencies point one way.
//!
//! Read from the source text: comments, strings and test modules do not count.
//!
//! | layer | files | may use |
//! |---|---|---|
//! | 0 | data, skeleton, warning, network | each other |
//! | 1 | geometry, config | 0 |
//! | 2 | stages, metrics, model, scene, render | 0, 1; stages and model each other, scene render |
//! | 3 | pipeline | 0 to 2 |
//! | – | adapters, report, commands, bin | the core uses none of them |
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::{Path, PathBuf};

/// Words that no core file may contain, and what they stand for.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::fs", "files"),
    ("fs::", "files"),
    ("File::", "files"),
    ("OpenOptions", "files"),
    ("BufReader", "files"),
    ("BufWriter", "files"),
    ("std::net", "network"),
    ("net::", "network"),
    ("std::process", "processes"),
    ("process::", "processes"),
    ("std::env", "environment"),
    ("env::args", "environment"),
    ("env::var", "environment"),
    ("std::os", "operating system"),
    ("io::stdout", "terminal"),
    ("println!", "terminal"),
    ("eprintln!", "terminal"),
    ("print!", "terminal"),
    ("Instant", "clocks"),
    ("SystemTime", "clocks"),
    ("std::thread", "threads"),
    ("thread::", "threads"),
    ("rayon", "threads"),
    ("Mutex", "threads"),
    ("RwLock", "threads"),
    ("Condvar", "threads"),
    ("mpsc", "threads"),
    ("async", "async"),
    ("await", "async"),
    ("tokio", "async"),
    ("futures", "async"),
    ("ort::", "ONNX Runtime"),
    ("use ort", "ONNX Runtime"),
    ("mcap", "bags"),
    ("rusqlite", "bags"),
    ("zstd", "bags"),
    ("r2r", "ROS"),
    ("rclrs", "ROS"),
    ("clap", "command line"),
];

/// What each part of the core may use of the crate.
const MAY_USE: &[(&str, &[&str])] = &[
    ("data", &["data", "skeleton", "warning"]),
    ("skeleton", &["data", "skeleton"]),
    ("warning", &[]),
    ("network", &[]),
    ("geometry", &["data", "skeleton", "geometry"]),
    ("config", &["data", "skeleton", "config"]),
    ("render", &["data", "skeleton", "geometry", "render"]),
    ("scene", &["data", "skeleton", "geometry", "render", "scene"]),
    ("stages", &["data", "skeleton", "warning", "network", "geometry", "config", "model", "stages"]),
    ("model", &["data", "skeleton", "network", "geometry", "stages", "model"]),
    ("metrics", &["data", "skeleton", "warning", "geometry", "metrics"]),
    (
        "pipeline",
        &["data", "skeleton", "warning", "network", "geometry", "config", "model", "stages", "metrics", "pipeline"],
    ),
];

/// Parts that are not the core.
const SHELL: [&str; 4] = ["adapters", "report", "commands", "bin"];

#[test]
fn the_core_names_no_shell_and_dependencies_point_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    let mut checked = 0;
    for path in rust_files(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let Some(part) = part_of(inside) else { continue };
        let is_test_module = path.file_name().is_some_and(|name| name == "tests.rs");
        if SHELL.contains(&part.as_str()) || is_test_module {
            continue;
        }
        let mut text = std::fs::read_to_string(&path).unwrap();
        if reaches_the_root(inside) {
            text = text.replace("super::", "crate::");
        }
        violations
            .extend(violations_of(&part, &text).into_iter().map(|what| format!("src/{}: {what}", inside.display())));
        checked += 1;
    }
    assert!(checked > 20, "only {checked} core files were found under {}", source.display());
    assert!(violations.is_empty(), "the core must stay pure:\n{}", violations.join("\n"));
}

#[test]
fn only_the_download_of_the_catalogue_speaks_http_and_the_node_does_not_use_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let naming = |word: &str| -> Vec<String> {
        let files = rust_files(&source).into_iter();
        let naming =
            files.filter(|path| !lines_with(&code_only(&std::fs::read_to_string(path).unwrap()), word).is_empty());
        naming.map(|path| path.strip_prefix(&source).unwrap().display().to_string()).collect()
    };
    assert_eq!(naming("ureq"), ["adapters/catalogue/download.rs"]);
    let users = naming("catalogue").into_iter().filter(|path| !path.starts_with("adapters/catalogue/"));
    let may_use = ["adapters/mod.rs", "commands/models.rs", "commands/models/table.rs"];
    let others: Vec<String> = users.filter(|path| !may_use.contains(&path.as_str())).collect();
    assert!(others.is_empty(), "only `stridepose models` may use the catalogue: {others:?}");
}

/// Whether `super::` in this file is `crate::`: `x.rs` and `x/mod.rs`. (In their test modules it is not, and not read.)
fn reaches_the_root(inside: &Path) -> bool {
    match inside.components().count() {
        1 => true,
        2 => inside.file_name().is_some_and(|name| name == "mod.rs"),
        _ => false,
    }
}

/// First folder or file name without `.rs`; `None` for `lib.rs`.
fn part_of(inside: &Path) -> Option<String> {
    let first = inside.components().next()?.as_os_str().to_string_lossy().into_owned();
    let part = first.strip_suffix(".rs").unwrap_or(&first).to_owned();
    (part != "lib").then_some(part)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Everything wrong with one core file.
fn violations_of(part: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut violations = Vec::new();
    for &(word, stands_for) in FORBIDDEN {
        for line in lines_with(&code, word) {
            violations.push(format!("line {line} names `{word}` ({stands_for})"));
        }
    }
    let Some((_, may_use)) = MAY_USE.iter().find(|(known, _)| *known == part) else {
        violations.push(format!("`{part}` is not in this test's table: is it core or shell?"));
        return violations;
    };
    for line in lines_with(&code, "super::super") {
        violations.push(format!("line {line} climbs by super::super: name it from crate::, so that this test sees it"));
    }
    for word in ["use crate as", "use super::{super", "extern crate"] {
        for line in lines_with(&code, word) {
            violations.push(format!("line {line} has `{word}`, which hides what is used from this test"));
        }
    }
    for (line, used) in crate_paths(&code) {
        if !may_use.contains(&used.as_str()) {
            violations.push(format!("line {line} uses crate::{used}, {part} may use {may_use:?}"));
        }
    }
    violations
}

/// Lines (from 1) with `word`, not as a part of a longer name.
fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = code.as_bytes();
    code.match_indices(word)
        .filter(|(at, _)| {
            let starts = *at == 0 || !is_name(word.as_bytes()[0]) || !is_name(bytes[at - 1]);
            let end = at + word.len();
            let ends = end == bytes.len() || !is_name(bytes[end - 1]) || !is_name(bytes[end]);
            starts && ends
        })
        .map(|(at, _)| code[..at].matches('\n').count() + 1)
        .collect()
}

/// `x` of each `crate::x`, also within `use crate::{x, y::z}`.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = code[at + prefix.len()..].trim_start();
        let first_name =
            |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut starts = vec![0];
            for (index, character) in list.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => starts.push(index + 1),
                    _ => {}
                }
            }
            paths.extend(starts.into_iter().map(|start| (line, first_name(&list[start..]))));
        } else {
            paths.push((line, first_name(rest)));
        }
    }
    // A trailing comma or `$crate::` of a macro leaves nothing behind the path.
    paths.retain(|(_, name)| !name.is_empty());
    paths
}

/// The text with comments, strings, characters and test modules blanked; lines stay where they are.
fn code_only(text: &str) -> String {
    let blanked = without_comments_and_strings(text);
    let lines: Vec<&str> = blanked.lines().collect();
    let mut kept = String::new();
    let mut index = 0;
    while index < lines.len() {
        let is_test = lines[index].trim_start().starts_with("#[cfg(test)]");
        let mut last = index;
        if is_test {
            // The item ends where its braces close, or with its semicolon.
            let mut depth = 0_i32;
            for (offset, line) in lines[index..].iter().enumerate() {
                last = index + offset;
                depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
                let has_ended = line.trim_end().ends_with('}') || line.trim_end().ends_with(';');
                if depth == 0 && has_ended {
                    break;
                }
            }
        }
        for line in &lines[index..=last] {
            kept += if is_test { "" } else { line };
            kept.push('\n');
        }
        index = last + 1;
    }
    kept
}

fn without_comments_and_strings(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut kept = String::new();
    let mut at = 0;
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| characters.get(at + i) == Some(&c));
    // Blanks everything up to `end`, except for line ends.
    let blank = |kept: &mut String, from: usize, end: usize| {
        kept.extend(characters[from..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
    };
    while at < characters.len() {
        let from = at;
        if starts(at, "//") {
            while at < characters.len() && characters[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                if starts(at, "/*") {
                    depth += 1;
                    at += 2;
                } else if starts(at, "*/") {
                    depth -= 1;
                    at += 2;
                } else {
                    at += 1;
                }
                if depth == 0 || at >= characters.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_string_hashes(&characters, at) {
            let end = format!("\"{}", "#".repeat(hashes));
            at += hashes + 2;
            while at < characters.len() && !starts(at, &end) {
                at += 1;
            }
            at += end.chars().count();
        } else if characters[at] == '"' {
            at += 1;
            while at < characters.len() && characters[at] != '"' {
                at += if characters[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if starts(at, "'\\") {
            at += 3;
            while at < characters.len() && characters[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if characters[at] == '\'' && characters.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            kept.push(characters[at]);
            at += 1;
            continue;
        }
        at = at.min(characters.len());
        blank(&mut kept, from, at);
    }
    kept
}

/// Number of `#` of a raw string that starts here.
fn raw_string_hashes(characters: &[char], at: usize) -> Option<usize> {
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    let is_inside_name = at > 0 && is_name(&characters[at - 1]) && characters[at - 1] != 'b';
    if characters[at] != 'r' || is_inside_name {
        return None;
    }
    let hashes = characters[at + 1..].iter().take_while(|c| **c == '#').count();
    (characters.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

#[test]
fn the_scanner_catches_what_is_planted() {
    for (planted, word) in [
        ("use std::fs;", "std::fs"),
        ("let file = File::open(path)?;", "File::"),
        ("let now = std::time::Instant::now();", "Instant"),
        ("fn f() { g(SystemTime::now()) }", "SystemTime"),
        ("pub async fn f() {}", "async"),
        ("std::thread::spawn(|| ());", "std::thread"),
        ("let session: ort::Session;", "ort::"),
        ("use std::{fmt, thread}; fn f() { thread::spawn(|| ()); }", "thread::"),
        ("use std::{fmt, env}; fn f() { env::args(); }", "env::args"),
        ("use std::{process::Command};", "process::"),
        ("use std::{net::TcpStream};", "net::"),
        ("use std::sync::mpsc;", "mpsc"),
        ("use ort as engine;", "use ort"),
        ("let home = std::env::var(\"HOME\");", "std::env"),
        ("use r2r::Node;", "r2r"),
        ("println!(\"\");", "println!"),
    ] {
        let violations = violations_of("data", &format!("//! Header.\n{planted}\n"));
        assert!(
            violations.iter().any(|found| found.starts_with(&format!("line 2 names `{word}`"))),
            "{planted}: {violations:?}"
        );
    }
    for (part, planted) in [
        ("data", "use crate::stages::lift;"),
        ("data", "use crate::{skeleton::Joint, stages::{lift, track}};"),
        ("geometry", "fn f(_: crate::metrics::Summary) {}"),
        ("metrics", "use crate::stages::lift;"),
        ("stages", "use crate::pipeline::Pipeline;"),
        ("stages", "use crate::adapters::bag::Bag;"),
        ("pipeline", "use crate::report::markers;"),
        ("geometry", "use super::super::stages::lift;"),
        ("geometry", "use super::{super::stages::lift};"),
        ("geometry", "use crate as all; use all::stages::lift;"),
        ("brand_new", "fn f() {}"),
    ] {
        assert_eq!(violations_of(part, planted).len(), 1, "{part}: {planted}: {:?}", violations_of(part, planted));
    }
}

#[test]
fn one_super_reaches_the_root_only_from_the_top() {
    for (file, expected) in
        [("pipeline.rs", true), ("data/mod.rs", true), ("data/stamp.rs", false), ("stages/refine/mod.rs", false)]
    {
        assert_eq!(reaches_the_root(Path::new(file)), expected, "{file}");
    }
}

#[test]
fn the_scanner_does_not_cry_wolf() {
    let clean = r##"
        //! Files, async and std::fs are named in a comment. /* tokio */
        /* std::fs /* nested */ Instant */
        use crate::{data::{Stamp, TrackId}, skeleton::Joint,};
        const TEXT: &str = "std::fs \" Instant"; const QUOTE: char = '"'; const ESCAPED: char = '\'';
        const RAW: &str = r#"File::open "x" tokio"#;
        fn instantaneous_support(sort::Instants: u8) -> &'static str { "mcap" }
        #[cfg(test)]
        mod tests {
            use crate::stages::lift;
            fn f() { std::fs::read("x"); }
        }
        fn after() {}
    "##;
    assert_eq!(violations_of("data", clean), Vec::<String>::new());
    let after_the_tests = clean.replace("fn after() {}", "use std::fs;");
    assert!(!violations_of("data", &after_the_tests).is_empty(), "code behind a test module counts");
}
