//! Settings, parsed once into a checked struct that rejects and never repairs.
//!
//! `parameters.rs` is the one place where a parameter is written down. Sources apply in order: defaults, the parameter
//! file (ROS 2's format), the overrides of the command line; later ones win. An unknown name, a wrong type (`30` is no
//! double, as in ROS 2) and a value outside its range are refused, with what to write instead.

mod error;
mod macros;
pub(crate) mod nearest;
mod parameters;
mod ros_file;
mod spec;
mod text;

pub use error::{ConfigError, Origin, Problem};
pub use parameters::{
    Config, DetectorConfig, Floor, GROUPS, Gravity, InferenceConfig, InputConfig, KeypointsConfig, LifterConfig,
    NodeConfig, OutputConfig, PARAMETERS, Provider, RefineConfig, RefineMode, Reliability, Side, Source, TrackConfig,
    Transport,
};
pub use spec::{Change, Kind, ParameterSpec, Value};
pub use text::parameter_table_markdown;

/// Full name of the node when nobody renames it; the bag tool reads the sections that are meant for this name.
pub const DEFAULT_NODE: &str = "/stridepose";

/// The parameter called `name`.
///
/// # Errors
/// There is none: the nearest known name.
pub fn spec_of(name: &str) -> Result<&'static ParameterSpec, Problem> {
    PARAMETERS.iter().find(|spec| spec.name == name).ok_or_else(|| Problem::unknown(name))
}

impl Config {
    /// Defaults, then the text of a parameter file, then overrides `name:=value` in order.
    ///
    /// # Errors
    /// The first setting that cannot be used, where it came from, and what to write instead.
    pub fn from_sources(yaml: Option<&str>, overrides: &[String]) -> Result<Self, ConfigError> {
        Self::from_sources_for_node(DEFAULT_NODE, yaml, overrides)
    }

    /// [`Config::from_sources`] for a node with another name or namespace, e.g. `/robot/stridepose`.
    ///
    /// # Errors
    /// The first setting that cannot be used, where it came from, and what to write instead.
    pub fn from_sources_for_node(node: &str, yaml: Option<&str>, overrides: &[String]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if let Some(text) = yaml {
            let refuse = |problem: Problem| problem.at(&Origin::File);
            for (name, value) in ros_file::settings_for_node(text, node).map_err(refuse)? {
                config.set(&name, &value).map_err(refuse)?;
            }
        }
        for text in overrides {
            let refuse = |problem: Problem| problem.at(&Origin::Override(text.clone()));
            let (name, value) = parse_override(text).map_err(refuse)?;
            if !ros_file::is_of_ros_itself(name) {
                config.set(name, &value).map_err(refuse)?;
            }
        }
        Ok(config)
    }
}

/// `name:=value`, the value a YAML scalar.
fn parse_override(text: &str) -> Result<(&str, Value), Problem> {
    let (name, value) = text.split_once(":=").ok_or(Problem::NotAnOverride)?;
    if name.is_empty() {
        return Err(Problem::NotAnOverride);
    }
    let yaml = serde_yaml::from_str(value).map_err(|error| Problem::Yaml(error.to_string()))?;
    Ok((name, ros_file::scalar_value(name, &yaml)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn with(overrides: &[&str]) -> Result<Config, ConfigError> {
        Config::from_sources(None, &overrides.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn refusal(overrides: &[&str]) -> String {
        with(overrides).unwrap_err().to_string()
    }

    #[test]
    fn the_table_is_sound() {
        let names: BTreeSet<_> = PARAMETERS.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), PARAMETERS.len(), "two parameters share a name");
        for spec in PARAMETERS {
            spec.check(&spec.default).unwrap_or_else(|problem| panic!("default of {}: {problem}", spec.name));
            assert_eq!(Config::default().get(spec.name).as_ref(), Some(&spec.default), "{}", spec.name);
            assert!(!spec.description().is_empty() && !spec.description().ends_with('.'), "{}", spec.name);
            assert!(GROUPS.iter().any(|(group, _)| *group == spec.group()), "{}", spec.name);
        }
    }

    #[test]
    fn every_end_of_every_range_is_allowed_and_nothing_beyond() {
        let text = |length| Value::Text("x".repeat(length).into());
        for spec in PARAMETERS {
            let (inside, outside) = match spec.kind {
                Kind::Bool => (vec![Value::Bool(true), Value::Bool(false)], vec![]),
                Kind::Integer { min, max } => (
                    vec![Value::Integer(min), Value::Integer(max)],
                    vec![
                        Value::Integer(min - 1),
                        Value::Integer(max + 1),
                        Value::Integer(i64::MIN),
                        Value::Integer(i64::MAX),
                    ],
                ),
                Kind::Float { min, max } => (
                    vec![Value::Float(min), Value::Float(max)],
                    [min.next_down(), max.next_up(), f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
                        .map(Value::Float)
                        .to_vec(),
                ),
                Kind::Text { min_length, max_length } => (
                    vec![text(min_length), text(max_length)],
                    min_length.checked_sub(1).map(text).into_iter().chain([text(max_length + 1)]).collect(),
                ),
                Kind::Choice(names) => {
                    (names.iter().map(|name| Value::Text((*name).into())).collect(), vec![text(3), text(0)])
                }
            };
            for value in inside {
                let mut config = Config::default();
                config.set(spec.name, &value).unwrap();
                assert_eq!(config.get(spec.name), Some(value), "{}", spec.name);
            }
            for value in outside {
                let mut config = Config::default();
                assert!(config.set(spec.name, &value).is_err(), "{} took {value}", spec.name);
                assert_eq!(config, Config::default(), "a refused value must change nothing");
            }
        }
    }

    #[test]
    fn no_parameter_takes_another_type() {
        let values = [Value::Bool(true), Value::Integer(2), Value::Float(0.5), Value::Text("off".into())];
        for spec in PARAMETERS {
            for value in values.iter().filter(|value| value.type_name() != spec.kind.type_name()) {
                let problem = Config::default().set(spec.name, value).unwrap_err();
                assert!(matches!(problem, Problem::WrongType { .. }), "{} with {value}: {problem}", spec.name);
            }
        }
    }

    #[test]
    fn overrides_win_over_the_file_and_later_ones_over_earlier_ones() {
        let file = "/**:\n  ros__parameters:\n    detector: {interval: 3, nms_iou: 0.5}\n    refine.mode: 'off'\n";
        let overrides =
            ["detector.interval:=4".to_owned(), "use_sim_time:=true".to_owned(), "detector.interval:=5".to_owned()];
        let config = Config::from_sources(Some(file), &overrides).unwrap();
        assert_eq!(config.detector.interval, 5);
        assert_eq!(config.detector.nms_iou, 0.5);
        assert_eq!(config.refine.mode, RefineMode::Off);
        assert_eq!(config.track, TrackConfig::default());
    }

    #[test]
    fn refusals_say_what_to_write() {
        for (given, says) in [
            (
                "detector.intervall:=5",
                "-p detector.intervall:=5: there is no parameter detector.intervall; the nearest known one is detector.interval",
            ),
            (
                "detector.interval:=0",
                "-p detector.interval:=0: detector.interval = 0 is not allowed; allowed: 1 … 100 images",
            ),
            (
                "track.max_age_secs:=3",
                "-p track.max_age_secs:=3: track.max_age_secs is of type double, and 3 is an integer: write 3.0",
            ),
            (
                "detector.interval:=5.5",
                "-p detector.interval:=5.5: detector.interval is of type integer, and 5.5 is a double",
            ),
            (
                "output.markers:=yes",
                "-p output.markers:=yes: output.markers is of type bool, and \"yes\" is a string: write true or false",
            ),
            (
                "refine.mode:=full",
                "-p refine.mode:=full: refine.mode = \"full\" is not allowed; allowed: off | unweighted | confidence",
            ),
            (
                "detector.nms_iou:=.nan",
                "-p detector.nms_iou:=.nan: detector.nms_iou = NaN is not allowed; allowed: 0.1 … 0.9",
            ),
            (
                "lifter.model:=''",
                "-p lifter.model:='': lifter.model = \"\" is not allowed; allowed: 1 … 100 characters",
            ),
            (
                "detector.interval=5",
                "-p detector.interval=5: an override is written name:=value, e.g. detector.interval:=5",
            ),
            (":=5", "-p :=5: an override is written name:=value, e.g. detector.interval:=5"),
            (
                "input.image_topic:=",
                "-p input.image_topic:=: input.image_topic must be a value; an empty string is written ''",
            ),
        ] {
            assert_eq!(refusal(&[given]), says);
        }
    }

    #[test]
    fn a_number_as_model_name_is_told_to_be_quoted() {
        assert!(refusal(&["lifter.model:=17"]).contains("write '17' in quotes"));
        assert_eq!(with(&["lifter.model:='17'"]).unwrap().lifter.model, "17");
    }

    #[test]
    fn off_that_ros_made_a_bool_of_is_told_to_be_quoted() {
        let problem = Config::default().set("refine.mode", &Value::Bool(false)).unwrap_err().to_string();
        assert!(problem.contains("write 'off' in quotes"), "{problem}");
    }

    #[test]
    fn a_written_parameter_file_reads_back_the_same() {
        let config =
            with(&["input.image_topic:=\"/a \\\"b\\\\\"", "track.max_age_secs:=2.0", "inference.provider:=tensorrt"])
                .unwrap();
        assert_ne!(config, Config::default());
        assert_eq!(Config::from_sources(Some(&config.to_parameter_file()), &[]).unwrap(), config);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_and_what_it_takes_is_in_range(
            junk in "[-:*/ {}\\[\\]\"'&!|>a-z0-9.\n]{0,60}",
            at in 0_usize..4000,
            value in "[-a-z0-9.'\"]{0,12}",
            parameter in 0..PARAMETERS.len(),
        ) {
            let mut file = Config::default().to_parameter_file();
            let at = (0..=at.min(file.len())).rev().find(|&at| file.is_char_boundary(at)).unwrap_or(0);
            file.insert_str(at, &junk);
            let overrides = [format!("{}:={value}", PARAMETERS[parameter].name)];
            for (yaml, overrides) in [(Some(junk.as_str()), &[][..]), (Some(file.as_str()), &[][..]), (None, &overrides[..])] {
                if let Ok(config) = Config::from_sources(yaml, overrides) {
                    for spec in PARAMETERS {
                        prop_assert!(spec.check(&config.get(spec.name).unwrap()).is_ok());
                    }
                }
            }
        }
    }
}
