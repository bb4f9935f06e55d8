//! `config/stridepose.yaml` and README's parameter table are exactly what the code makes.
//!
//! `make parameters` (or `STRIDEPOSE_UPDATE=1 cargo test --release --test parameters`) writes both anew.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use stridepose::config::{Config, parameter_table_markdown};

const START: &str = "<!-- parameters -->\n";
const END: &str = "<!-- /parameters -->";

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares, or writes when asked to.
fn must_be(path: &str, wanted: &str) {
    let path = in_project(path);
    if std::env::var_os("STRIDEPOSE_UPDATE").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let first_difference = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "{} is not what the code makes: run `make parameters`; {first_difference:?}",
        path.display()
    );
}

#[test]
fn the_parameter_file_is_what_the_code_makes_and_gives_the_defaults() {
    must_be("config/stridepose.yaml", &Config::default().to_parameter_file());
    let text = fs::read_to_string(in_project("config/stridepose.yaml")).unwrap();
    assert_eq!(Config::from_sources(Some(&text), &[]).unwrap(), Config::default());
}

#[test]
fn the_table_of_the_readme_is_what_the_code_makes() {
    let readme = fs::read_to_string(in_project("README.md")).unwrap();
    let (before, rest) = readme.split_once(START).expect("README.md has a line <!-- parameters -->");
    let (_, after) = rest.split_once(END).expect("README.md has a line <!-- /parameters -->");
    must_be("README.md", &format!("{before}{START}{}{END}{after}", parameter_table_markdown()));
}
