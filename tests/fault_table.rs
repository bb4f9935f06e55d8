//! docs/faults.md names tests: each of them is there.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::path::Path;

/// The text between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let mut count = 0;
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let Some(last) = line.trim_end_matches(" |").rsplit(" | ").next() else { continue };
        let mut text = String::new();
        for name in quoted(last) {
            if name.starts_with("tests/") || name.starts_with("src/") || name.starts_with("benches/") {
                let path = root.join(name);
                assert!(path.exists(), "{name} does not exist: {line}");
                text = fs::read_to_string(path).unwrap_or_default();
            } else if !name.starts_with("make ") {
                let is_there = ["fn ", "def "].iter().any(|word| text.contains(&format!("{word}{name}(")));
                assert!(is_there, "there is no test {name}: {line}");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} tests are named");
}
