//! Changes in the text of a template that leave its comments where they are.

/// `text` with the value at `path` (e.g. `input.layout`) replaced; a comment behind it stays. Two spaces a level.
pub(super) fn set(text: &str, path: &str, value: &str) -> String {
    let mut keys: Vec<&str> = Vec::new();
    let mut changed = Vec::new();
    for line in text.lines() {
        let is_comment = line.trim_start().starts_with('#');
        if let Some((key, rest)) = line.split_once(':').filter(|_| !is_comment) {
            keys.truncate((key.len() - key.trim_start().len()) / 2);
            keys.push(key.trim_start());
            if keys.join(".") == path {
                let comment = rest.find(" #").map_or("", |at| &rest[at..]);
                changed.push(format!("{key}: {value}{comment}"));
                continue;
            }
        }
        changed.push(line.to_owned());
    }
    changed.join("\n") + "\n"
}

/// A YAML string that may hold anything.
pub(super) fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// `text` without the lines of the picture's normalisation.
pub(super) fn without_normalisation(text: &str) -> String {
    let is_normalisation = |line: &&str| ["  scale:", "  mean:", "  std:"].iter().any(|key| line.starts_with(key));
    text.lines().filter(|line| !is_normalisation(line)).collect::<Vec<_>>().join("\n") + "\n"
}
