//! Why a setting was refused: where it came from, what is wrong, what to write instead.

use std::fmt;

use super::PARAMETERS;
use super::nearest::nearest;
use super::spec::ParameterSpec;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The parameter file.
    File,
    /// A command line override, as it was written.
    Override(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => write!(formatter, "parameter file"),
            Self::Override(text) => write!(formatter, "-p {text}"),
        }
    }
}

/// A refused setting.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct ConfigError {
    /// Where it came from.
    pub origin: Origin,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// No parameter has this name.
    #[error("there is no parameter {name}; the nearest known one is {nearest}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// The known name that is spelled most like it.
        nearest: &'static str,
    },
    /// The value has another type.
    #[error("{} is of type {}, and {given} is {}{hint}", spec.name, spec.kind.type_name(), article(is))]
    WrongType {
        /// The parameter.
        spec: &'static ParameterSpec,
        /// The value that was given.
        given: String,
        /// Its type.
        is: &'static str,
        /// How to write what was probably meant.
        hint: String,
    },
    /// The value lies outside the range.
    #[error("{} = {given} is not allowed; allowed: {}", spec.name, spec.range())]
    OutOfRange {
        /// The parameter.
        spec: &'static ParameterSpec,
        /// The value that was given.
        given: String,
    },
    /// A name leads to a map where a value is wanted, or the other way round.
    #[error("{name} must be {wanted}")]
    WrongShape {
        /// Name of the entry.
        name: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// The same parameter twice in one section.
    #[error("{name} is given twice in section {section}: keep one")]
    Twice {
        /// The parameter.
        name: String,
        /// Section of the file.
        section: String,
    },
    /// Not `name:=value`.
    #[error("an override is written name:=value, e.g. detector.interval:=5")]
    NotAnOverride,
    /// Not YAML.
    #[error("cannot be read as YAML: {0}")]
    Yaml(String),
    /// YAML, but not a ROS 2 parameter file.
    #[error("is no ROS 2 parameter file: {0}; it starts with /**: and, indented below, ros__parameters:")]
    NotAParameterFile(String),
    /// No section of the file is meant for this node.
    #[error("has sections for {}, none of which is for {node}: name a section /**: or {node}:", sections.join(", "))]
    NoSection {
        /// Full name of the node.
        node: String,
        /// The sections there are.
        sections: Vec<String>,
    },
}

impl Problem {
    /// No parameter is called `name`.
    pub fn unknown(name: &str) -> Self {
        Self::Unknown { name: name.to_owned(), nearest: nearest(name, PARAMETERS.iter().map(|spec| spec.name)) }
    }

    /// With the place where it happened.
    pub(super) fn at(self, origin: &Origin) -> ConfigError {
        ConfigError { origin: origin.clone(), problem: self }
    }
}

fn article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {type_name}")
}
