//! The parameters as text for people: the parameter file with its comments, README's table.

use std::fmt::Write;

use super::{Change, Config, GROUPS, PARAMETERS, ParameterSpec};

impl Config {
    /// A ROS 2 parameter file with these values; every parameter with its description, type, range and unit.
    pub fn to_parameter_file(&self) -> String {
        let mut text = String::from(
            "# Parameters of stridepose with their defaults, for the node and for `stridepose replay --config`.\n\
             # Written by `stridepose parameters --yaml`; README.md has the same as a table.\n\
             /**:\n  ros__parameters:\n",
        );
        for (group, about) in GROUPS {
            let _ = writeln!(text, "    # {}", about.trim());
            let _ = writeln!(text, "    {group}:");
            for spec in PARAMETERS.iter().filter(|spec| spec.group() == *group) {
                let value = self.get(spec.name).unwrap_or_else(|| spec.default.clone());
                let _ = writeln!(text, "      # {}", spec.description());
                let _ = writeln!(text, "      # ({})", spec.facts());
                let _ = writeln!(text, "      {}: {value}", spec.field());
            }
        }
        text
    }
}

impl ParameterSpec {
    /// Type, range, unit and when it may change, in one line.
    pub fn facts(&self) -> String {
        let range = self.range();
        let parts = [self.kind.type_name(), range.as_str(), change_in_words(self.change)];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// README's table.
pub fn parameter_table_markdown() -> String {
    let mut text = String::from(
        "| parameter | type | default | range | unit | may change | what it does |\n|---|---|---|---|---|---|---|\n",
    );
    for spec in PARAMETERS {
        let _ = writeln!(
            text,
            "| `{}` | {} | `{}` | {} | {} | {} | {} |",
            spec.name,
            spec.kind.type_name(),
            spec.default,
            spec.kind.to_string().replace('|', "\\|"),
            spec.unit,
            change_in_words(spec.change),
            spec.description(),
        );
    }
    text
}

const fn change_in_words(change: Change) -> &'static str {
    match change {
        Change::ReadOnly => "at start",
        Change::Live => "live",
    }
}
