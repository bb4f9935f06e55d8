//! The macros behind `parameters.rs`: from one line a parameter they make the table, the checked structs and the access
//! by name, so that these cannot differ.

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
                $crate::config::macros::kind!($Type $(, $min, $max)?),
                $unit,
                $crate::config::macros::default_value!($Type, $default),
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
                    Self { $($field: $crate::config::macros::default_field!($Type, $default),)+ }
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
