//! The catalogue as a table, for the terminal and for docs/models.md.

use std::fmt::Write;

use crate::adapters::catalogue::{Catalogue, Entry, ModelFolder};

/// The catalogue with what is in the user's folder.
pub(super) fn text(catalogue: &Catalogue, folder: Option<&ModelFolder>) -> String {
    let here = folder.map(ModelFolder::names).unwrap_or_default();
    let width = catalogue.entries().iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in catalogue.entries() {
        let Entry { name, task, licence, about, .. } = entry;
        let state = if here.contains(name) { "here" } else { state(catalogue, entry) };
        let _ = writeln!(text, "{name:<width$}  {:<9}  {licence:<10}  {state:<13}  {about}", task.name());
    }
    let known = |name: &String| catalogue.entries().iter().any(|entry| entry.name == *name);
    for name in here.iter().filter(|name| !known(name)) {
        let _ = writeln!(text, "{name:<width$}  not in the catalogue, here");
    }
    match folder {
        Some(folder) => {
            let _ = writeln!(text, "\npulled models are kept in {}", folder.path().display());
        }
        None => text.push_str("\nthere is no folder for models: set STRIDEPOSE_MODELS\n"),
    }
    text
}

fn state(catalogue: &Catalogue, entry: &Entry) -> &'static str {
    match (&entry.url, catalogue.contract_text(entry)) {
        (_, Err(_)) => "not usable yet",
        (Some(_), Ok(_)) => "can be pulled",
        (None, Ok(_)) => "by hand",
    }
}

/// The catalogue as it stands in docs/models.md.
pub fn markdown(catalogue: &Catalogue) -> String {
    let mut text =
        "| name | does | decoder | licence | sha256 known | ONNX file from |\n|---|---|---|---|---|---|\n".to_owned();
    for entry in catalogue.entries() {
        let Entry { name, task, style, about, licence, licence_url, origin, .. } = entry;
        let from = match (&entry.url, &entry.by_hand) {
            (Some(url), _) => format!("[download]({url}); {origin}"),
            (None, by_hand) => format!("none is public: {}; {origin}", by_hand.as_deref().unwrap_or_default()),
        };
        let is_known = if entry.sha256.is_some() { "yes" } else { "on first use" };
        let _ = writeln!(
            text,
            "| `{name}` | {}: {about} | {style} | [{licence}]({licence_url}) | {is_known} | {from} |",
            task.name()
        );
    }
    text
}
