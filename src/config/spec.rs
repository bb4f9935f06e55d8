//! What a parameter is: name, type, unit, range, default, when it may change, description.
//!
//! Guarantee: a [`Value`] that [`ParameterSpec::check`] accepts always fits the field it is meant for.

use std::borrow::Cow;
use std::fmt;

use super::error::Problem;

/// A parameter's value, in the types that ROS 2 parameters have.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `bool`.
    Bool(bool),
    /// `integer`, 64 bit.
    Integer(i64),
    /// `double`.
    Float(f64),
    /// `string`.
    Text(Cow<'static, str>),
}

impl Value {
    /// ROS 2's word for the type.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Integer(_) => "integer",
            Self::Float(_) => "double",
            Self::Text(_) => "string",
        }
    }
}

/// As it is written in a parameter file.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            // `{:?}` keeps the point: 1.0, which ROS 2 needs to see a double.
            Self::Float(value) => write!(formatter, "{value:?}"),
            // A JSON string is a YAML string.
            Self::Text(value) => write!(formatter, "{}", serde_json::Value::from(value.as_ref())),
        }
    }
}

/// Type and range of a parameter; both ends of a range belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// true or false.
    Bool,
    /// A whole number.
    Integer {
        /// Smallest allowed value.
        min: i64,
        /// Largest allowed value.
        max: i64,
    },
    /// A finite real number.
    Float {
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
    },
    /// A string.
    Text {
        /// Fewest characters.
        min_length: usize,
        /// Most characters.
        max_length: usize,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// ROS 2's word for the type.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Integer { .. } => "integer",
            Self::Float { .. } => "double",
            Self::Text { .. } | Self::Choice(_) => "string",
        }
    }
}

/// The range in words; empty where every value of the type is allowed.
impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => Ok(()),
            Self::Integer { min, max } => write!(formatter, "{min} … {max}"),
            Self::Float { min, max } => write!(formatter, "{min:?} … {max:?}"),
            Self::Text { min_length: 0, max_length } => write!(formatter, "at most {max_length} characters"),
            Self::Text { min_length, max_length } => write!(formatter, "{min_length} … {max_length} characters"),
            Self::Choice(names) => write!(formatter, "{}", names.join(" | ")),
        }
    }
}

/// When a parameter may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At start only.
    ReadOnly,
    /// At any time; it takes effect from the next image.
    Live,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// Full name, `group.field`.
    pub name: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Unit; empty where it has none.
    pub unit: &'static str,
    /// Default.
    pub default: Value,
    /// When it may be set.
    pub change: Change,
    doc: &'static str,
}

impl ParameterSpec {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        unit: &'static str,
        default: Value,
        change: Change,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, unit, default, change, doc }
    }

    /// What it does, one sentence without a full stop.
    pub fn description(&self) -> &'static str {
        self.doc.trim()
    }

    /// `group` of `group.field`.
    pub fn group(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(group, _)| group)
    }

    /// `field` of `group.field`.
    pub fn field(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, field)| field)
    }

    /// The range in words, with its unit; empty where every value of the type is allowed.
    pub fn range(&self) -> String {
        [self.kind.to_string().as_str(), self.unit].join(" ").trim().to_owned()
    }

    /// Accepts a value of the right type and inside the range; repairs nothing.
    ///
    /// # Errors
    /// What is wrong with the value, with the numbers.
    pub fn check(&'static self, value: &Value) -> Result<(), Problem> {
        let in_range = match (&self.kind, value) {
            (Kind::Bool, Value::Bool(_)) => true,
            (Kind::Integer { min, max }, Value::Integer(given)) => (min..=max).contains(&given),
            (Kind::Float { min, max }, Value::Float(given)) => (min..=max).contains(&given),
            (Kind::Text { min_length, max_length }, Value::Text(given)) => {
                (min_length..=max_length).contains(&&given.chars().count())
            }
            (Kind::Choice(names), Value::Text(given)) => names.contains(&given.as_ref()),
            _ => {
                return Err(Problem::WrongType {
                    spec: self,
                    given: value.to_string(),
                    is: value.type_name(),
                    hint: self.hint(value),
                });
            }
        };
        if in_range { Ok(()) } else { Err(Problem::OutOfRange { spec: self, given: value.to_string() }) }
    }

    /// How to write what was probably meant.
    fn hint(&self, value: &Value) -> String {
        match (&self.kind, value) {
            (Kind::Float { .. }, Value::Integer(given)) => format!(": write {given}.0"),
            (Kind::Choice(names), Value::Bool(false)) if names.contains(&"off") => {
                ": write 'off' in quotes, ROS 2 reads it as false without them".to_owned()
            }
            (Kind::Bool, _) => ": write true or false".to_owned(),
            (Kind::Text { .. } | Kind::Choice(_), _) => {
                format!(": write '{value}' in quotes if that is the string you mean")
            }
            _ => String::new(),
        }
    }
}

/// A Rust type that a parameter can have.
pub(super) trait Parameter: Sized {
    /// `None` when the value is of another type or does not fit.
    fn from_value(value: &Value) -> Option<Self>;
    /// The value as ROS 2 has it.
    fn to_value(&self) -> Value;
}

impl Parameter for bool {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bool(value) = value { Some(*value) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Parameter for u32 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Integer(value) = value { Self::try_from(*value).ok() } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Integer(i64::from(*self))
    }
}

impl Parameter for f64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Float(value) = value { Some(*value) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Float(*self)
    }
}

impl Parameter for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(value) = value { Some(value.to_string()) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Text(Cow::Owned(self.clone()))
    }
}
