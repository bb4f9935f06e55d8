//! ROS 2's parameter file format, read from text.
//!
//! ```yaml
//! /**:                        # every node; also /stridepose, stridepose, or nested namespaces
//!   ros__parameters:
//!     detector: {interval: 5}     # nested …
//!     detector.nms_iou: 0.5       # … or dotted
//! ```
//! Sections of other nodes are left alone. Sections for this node are merged, the general before the particular: `**`,
//! then `*`, then names; equally particular ones in the order of the file. Later ones win.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_yaml::Value as Yaml;

use super::error::Problem;
use super::spec::Value;

const PARAMETERS_KEY: &str = "ros__parameters";

/// Parameters that every ROS 2 node has and ROS itself reads: no concern of ours, and no mistake in a file.
const OF_ROS_ITSELF: [&str; 3] = ["use_sim_time", "start_type_description_service", "qos_overrides"];

/// Whether a parameter belongs to ROS itself.
pub(super) fn is_of_ros_itself(name: &str) -> bool {
    OF_ROS_ITSELF.contains(&name.split('.').next().unwrap_or(name))
}

/// Names and values that the file gives to the node with this full name, in the order in which they apply.
pub(super) fn settings_for_node(text: &str, node: &str) -> Result<Vec<(String, Value)>, Problem> {
    let yaml: Yaml = serde_yaml::from_str(text).map_err(|error| Problem::Yaml(error.to_string()))?;
    let mut sections = Vec::new();
    find_sections("", &yaml, &mut sections)?;
    let mut ours: Vec<&(String, &Yaml)> = sections.iter().filter(|(name, _)| matches(name, node)).collect();
    if ours.is_empty() {
        let sections = sections.into_iter().map(|(name, _)| name).collect();
        return Err(Problem::NoSection { node: node.to_owned(), sections });
    }
    ours.sort_by_key(|(name, _)| particularity(name)); // stable: keeps the file's order
    let mut settings = Vec::new();
    for (section, parameters) in ours {
        let start = settings.len();
        flatten("", parameters, &mut settings)?;
        let mut seen = BTreeSet::new();
        if let Some((name, _)) = settings[start..].iter().find(|(name, _)| !seen.insert(name.clone())) {
            return Err(Problem::Twice { name: name.clone(), section: section.clone() });
        }
    }
    Ok(settings)
}

/// Collects `(full node name, its parameters)`; maps above `ros__parameters` are namespaces.
fn find_sections<'a>(path: &str, yaml: &'a Yaml, sections: &mut Vec<(String, &'a Yaml)>) -> Result<(), Problem> {
    let place = || if path.is_empty() { "the file".to_owned() } else { format!("section {path}") };
    let Yaml::Mapping(map) = yaml else {
        return Err(Problem::NotAParameterFile(format!("{} holds {} where a map belongs", place(), describe(yaml))));
    };
    if map.is_empty() {
        return Err(Problem::NotAParameterFile(format!("{} is empty", place())));
    }
    for (key, value) in map {
        let Yaml::String(key) = key else {
            return Err(Problem::NotAParameterFile(format!("{} has {} as a name", place(), describe(key))));
        };
        if key != PARAMETERS_KEY {
            find_sections(&format!("{path}/{}", key.trim_start_matches('/')), value, sections)?;
        } else if path.is_empty() {
            return Err(Problem::NotAParameterFile(format!("{PARAMETERS_KEY} stands outside of any node's section")));
        } else {
            sections.push((path.to_owned(), value));
        }
    }
    Ok(())
}

/// Whether a section name, in which `*` stands for one part and `**` for any number of them, covers the node.
fn matches(section: &str, node: &str) -> bool {
    fn parts_match(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), _) => (0..=name.len()).any(|skipped| parts_match(rest, &name[skipped..])),
            (Some((&part, rest)), Some((&first, others))) => {
                (part == "*" || part == first) && parts_match(rest, others)
            }
            _ => false,
        }
    }
    let parts = |name: &'_ str| -> Vec<String> { name.trim_start_matches('/').split('/').map(str::to_owned).collect() };
    let (pattern, name) = (parts(section), parts(node));
    parts_match(
        &pattern.iter().map(String::as_str).collect::<Vec<_>>(),
        &name.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

/// 0 for a section with `**`, 1 for one with `*`, 2 for a plain name.
fn particularity(section: &str) -> u8 {
    match section {
        _ if section.contains("**") => 0,
        _ if section.contains('*') => 1,
        _ => 2,
    }
}

/// Nested maps to dotted names.
fn flatten(prefix: &str, yaml: &Yaml, settings: &mut Vec<(String, Value)>) -> Result<(), Problem> {
    let map = match yaml {
        Yaml::Mapping(map) => map,
        // `ros__parameters:` with nothing below it sets nothing.
        Yaml::Null if prefix.is_empty() => return Ok(()),
        _ if prefix.is_empty() => {
            return Err(Problem::WrongShape { name: PARAMETERS_KEY.to_owned(), wanted: "a map of names and values" });
        }
        scalar => {
            settings.push((prefix.to_owned(), scalar_value(prefix, scalar)?));
            return Ok(());
        }
    };
    for (key, value) in map {
        let Yaml::String(key) = key else {
            return Err(Problem::WrongShape { name: format!("{prefix} {}", describe(key)), wanted: "a name" });
        };
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if !is_of_ros_itself(&name) {
            flatten(&name, value, settings)?;
        }
    }
    Ok(())
}

/// A YAML scalar in the type that ROS 2 gives it.
pub(super) fn scalar_value(name: &str, yaml: &Yaml) -> Result<Value, Problem> {
    let refuse = |wanted| Err(Problem::WrongShape { name: name.to_owned(), wanted });
    match yaml {
        Yaml::Bool(value) => Ok(Value::Bool(*value)),
        Yaml::String(value) => Ok(Value::Text(Cow::Owned(value.clone()))),
        Yaml::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(Value::Integer(integer)),
            (None, Some(float)) if number.is_f64() => Ok(Value::Float(float)),
            _ => refuse("a number that fits 64 bits"),
        },
        Yaml::Null => refuse("a value; an empty string is written ''"),
        _ => refuse("one value, not a list or a map"),
    }
}

fn describe(yaml: &Yaml) -> String {
    match yaml {
        Yaml::Null => "nothing".to_owned(),
        Yaml::Sequence(_) => "a list".to_owned(),
        Yaml::Mapping(_) => "a map".to_owned(),
        Yaml::Tagged(_) => "a tagged value".to_owned(),
        Yaml::Bool(value) => format!("'{value}'"),
        Yaml::Number(value) => format!("'{value}'"),
        // A wrong file (a bag, a picture) can be one long string.
        Yaml::String(value) => format!("'{}'", value.chars().take(40).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn names(text: &str) -> Vec<String> {
        settings_for_node(text, "/stridepose")
            .unwrap()
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn every_way_to_name_the_node_is_read() {
        for section in ["/**", "/*", "/stridepose", "stridepose", "/**/stridepose"] {
            let text = format!("{section}:\n  ros__parameters:\n    a.b: 1\n");
            assert_eq!(names(&text), ["a.b=1"], "{section}");
        }
        let namespaced = "robot:\n  arm:\n    stridepose:\n      ros__parameters: {a: 1}\n";
        assert_eq!(settings_for_node(namespaced, "/robot/arm/stridepose").unwrap().len(), 1);
        assert!(matches!(settings_for_node(namespaced, "/stridepose"), Err(Problem::NoSection { sections, .. })
            if sections == ["/robot/arm/stridepose"]));
    }

    #[test]
    fn the_general_applies_before_the_particular() {
        let text = "stridepose: {ros__parameters: {a: 3}}\n/*: {ros__parameters: {a: 2}}\n/**: {ros__parameters: {a: 1}}\nother: {ros__parameters: {a: 9}}\n";
        assert_eq!(names(text), ["a=1", "a=2", "a=3"]);
    }

    #[test]
    fn nested_and_dotted_names_are_the_same() {
        let text = "/**:\n  ros__parameters:\n    a: {b: {c: 1.5}, d: x}\n    e.f: true\n    use_sim_time: true\n    qos_overrides: {/x: {depth: [1]}}\n";
        assert_eq!(names(text), ["a.b.c=1.5", "a.d=\"x\"", "e.f=true"]);
    }

    #[test]
    fn twice_the_same_name_is_refused() {
        let text = "/**:\n  ros__parameters:\n    a: {b: 1}\n    a.b: 2\n";
        assert!(matches!(settings_for_node(text, "/stridepose"), Err(Problem::Twice { name, .. }) if name == "a.b"));
        let yaml_duplicate = "/**:\n  ros__parameters:\n    a: 1\n    a: 2\n";
        assert!(matches!(settings_for_node(yaml_duplicate, "/stridepose"), Err(Problem::Yaml(_))));
    }

    #[test]
    fn anything_else_is_refused_in_words() {
        for (text, word) in [
            ("", "nothing"),
            ("hello", "'hello'"),
            ("[1, 2]", "a list"),
            ("ros__parameters: {a: 1}", "outside"),
            ("/**: {detector: 3}", "section /**/detector"),
            ("{3: {ros__parameters: {a: 1}}}", "'3' as a name"),
            ("/**: {ros__parameters: 3}", "must be a map"),
            ("/**: {ros__parameters: {a: [1, 2]}}", "not a list"),
            ("/**: {ros__parameters: {a: }}", "''"),
            ("/**: {ros__parameters: {a: 18446744073709551615}}", "64 bits"),
            ("a: b: c", "YAML"),
        ] {
            let problem = settings_for_node(text, "/stridepose").unwrap_err().to_string();
            assert!(problem.contains(word), "{text:?} gave: {problem}");
        }
    }
}
