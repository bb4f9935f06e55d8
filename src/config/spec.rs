//! What a parameter is: name, type, unit, range, default, when it may change, description; and the two macros that
//! make the table of them and the checked structs from the same lines.
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

/// Makes an enum whose variants have the names that users write.
macro_rules! choices {
    ($(#[$doc:meta])+ $Choice:ident { $($(#[$variant_doc:meta])+ $Variant:ident = $name:literal,)+ }) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Choice { $($(#[$variant_doc])+ $Variant,)+ }

        impl $Choice {
            /// All names, as written in a parameter file.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// The name, as written in a parameter file.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Variant => $name,)+ }
            }
        }

        impl $crate::config::spec::Parameter for $Choice {
            fn from_value(value: &$crate::config::Value) -> Option<Self> {
                match value {
                    $($crate::config::Value::Text(name) if name == $name => Some(Self::$Variant),)+
                    _ => None,
                }
            }
            fn to_value(&self) -> $crate::config::Value {
                $crate::config::Value::Text(std::borrow::Cow::Borrowed(self.name()))
            }
        }
    };
}

/// The [`Kind`] that a type and its range make.
macro_rules! kind {
    (bool) => {
        $crate::config::Kind::Bool
    };
    (u32, $min:literal, $max:literal) => {
        $crate::config::Kind::Integer { min: $min, max: $max }
    };
    (f64, $min:literal, $max:literal) => {
        $crate::config::Kind::Float { min: $min, max: $max }
    };
    (String, $min:literal, $max:literal) => {
        $crate::config::Kind::Text { min_length: $min, max_length: $max }
    };
    ($Choice:ident) => {
        $crate::config::Kind::Choice($Choice::NAMES)
    };
}

/// The default as a [`Value`].
macro_rules! default_value {
    (bool, $default:tt) => {
        $crate::config::Value::Bool($default)
    };
    (u32, $default:tt) => {
        $crate::config::Value::Integer($default)
    };
    (f64, $default:tt) => {
        $crate::config::Value::Float($default)
    };
    (String, $default:tt) => {
        $crate::config::Value::Text(std::borrow::Cow::Borrowed($default))
    };
    ($Choice:ident, $default:tt) => {
        $crate::config::Value::Text(std::borrow::Cow::Borrowed($Choice::$default.name()))
    };
}

/// The default as the field has it.
macro_rules! default_field {
    (String, $default:tt) => {
        String::from($default)
    };
    (bool, $default:tt) => {
        $default
    };
    (u32, $default:tt) => {
        $default
    };
    (f64, $default:tt) => {
        $default
    };
    ($Choice:ident, $default:tt) => {
        $Choice::$default
    };
}

/// Makes the table [`PARAMETERS`](super::PARAMETERS), the struct [`Config`](super::Config) and its groups.
macro_rules! parameters {
    ($(
        #[doc = $group_doc:literal]
        $group:ident: $Group:ident {
            $(
                #[doc = $doc:literal]
                $field:ident: $Type:ident $(in $min:literal ..= $max:literal)?, default $default:tt, unit $unit:literal, $Change:ident;
            )+
        }
    )+) => {
        /// Every parameter, in the order of the parameter file.
        pub const PARAMETERS: &[$crate::config::ParameterSpec] = &[$($(
            $crate::config::ParameterSpec::new(
                concat!(stringify!($group), ".", stringify!($field)),
                $crate::config::spec::kind!($Type $(, $min, $max)?),
                $unit,
                $crate::config::spec::default_value!($Type, $default),
                $crate::config::Change::$Change,
                $doc,
            ),
        )+)+];

        /// The groups with what each is about, in the order of the parameter file.
        pub const GROUPS: &[(&str, &str)] = &[$((stringify!($group), $group_doc)),+];

        $(
            #[doc = $group_doc]
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Group { $(
                #[doc = $doc]
                pub $field: $Type,
            )+ }

            impl Default for $Group {
                fn default() -> Self {
                    Self { $($field: $crate::config::spec::default_field!($Type, $default),)+ }
                }
            }
        )+

        /// All settings, checked: every value has its type and lies in its range.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Config { $(
            #[doc = $group_doc]
            pub $group: $Group,
        )+ }

        impl Config {
            /// The value of the parameter called `name`; `None` when there is no such parameter.
            pub fn get(&self, name: &str) -> Option<$crate::config::Value> {
                use $crate::config::spec::Parameter;
                $($(if name == concat!(stringify!($group), ".", stringify!($field)) {
                    return Some(self.$group.$field.to_value());
                })+)+
                None
            }

            /// Stores a checked value; `None` when no parameter has this name and type.
            fn assign(&mut self, name: &str, value: &$crate::config::Value) -> Option<()> {
                use $crate::config::spec::Parameter;
                $($(if name == concat!(stringify!($group), ".", stringify!($field)) {
                    self.$group.$field = $Type::from_value(value)?;
                    return Some(());
                })+)+
                None
            }

            /// Sets one parameter, when the value has its type and lies in its range; changes nothing otherwise.
            ///
            /// # Errors
            /// What is wrong with the name or the value, with the numbers.
            pub fn set(&mut self, name: &str, value: &$crate::config::Value) -> Result<(), $crate::config::Problem> {
                let spec = $crate::config::spec_of(name)?;
                spec.check(value)?;
                self.assign(name, value).ok_or_else(|| $crate::config::Problem::unknown(name))
            }
        }
    };
}

pub(super) use {choices, default_field, default_value, kind, parameters};
