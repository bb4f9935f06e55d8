//! The parameters of the live node: the table of [`crate::config`] as ROS 2's parameter services see it, with types,
//! ranges, descriptions and read-only flags, checked before anything changes. r2r describes no ranges and accepts what
//! nobody registered, so the six services are answered from here; this file does not know r2r.

use crate::config::{Change, Config, Kind, PARAMETERS, Value, spec_of};

/// The parameter that every ROS 2 node has beside its own.
pub const USE_SIM_TIME: &str = "use_sim_time";
/// What separates groups and fields.
const SEPARATOR: char = '.';

/// A value as it arrives.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// A scalar.
    Value(Value),
    /// Nothing: ROS 2's way to ask for a parameter to be removed.
    NotSet,
    /// An array; no parameter of ours is one.
    Array,
}

/// What `ros2 param describe` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Name.
    pub name: String,
    /// rcl_interfaces/ParameterType.
    pub kind: u8,
    /// What it is, with its unit.
    pub description: String,
    /// The range in words, where it is no range of numbers.
    pub additional_constraints: String,
    /// Whether it may be set at start only.
    pub read_only: bool,
    /// Range of an integer.
    pub integer_range: Option<(i64, i64)>,
    /// Range of a double.
    pub floating_point_range: Option<(f64, f64)>,
}

/// All parameters of one node.
#[derive(Clone, Debug, Default)]
pub struct ParameterServer {
    config: Config,
    use_sim_time: bool,
}

impl ParameterServer {
    /// Defaults, then what was given at start (parameter files and `-p`), in order.
    ///
    /// # Errors
    /// Every setting that cannot be used, in words: an unknown name comes with the nearest known one.
    pub fn at_start(given: impl IntoIterator<Item = (String, Given)>) -> Result<Self, Vec<String>> {
        let mut server = Self::default();
        let mut problems = Vec::new();
        for (name, given) in given {
            // Read by ROS itself.
            if name.starts_with("qos_overrides.") || name == "start_type_description_service" {
                continue;
            }
            if let Err(problem) = server.apply(&name, &given) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(server) } else { Err(problems) }
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether time comes from /clock.
    pub const fn uses_sim_time(&self) -> bool {
        self.use_sim_time
    }

    /// Whether there is a parameter of this name.
    pub fn knows(name: &str) -> bool {
        name == USE_SIM_TIME || spec_of(name).is_ok()
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<Value> {
        if name == USE_SIM_TIME { Some(Value::Bool(self.use_sim_time)) } else { self.config.get(name) }
    }

    /// What a parameter is.
    pub fn describe(name: &str) -> Option<Description> {
        if name == USE_SIM_TIME {
            return Some(Description {
                name: name.to_owned(),
                kind: 1,
                description: "Whether time comes from /clock instead of the system".to_owned(),
                additional_constraints: String::new(),
                read_only: true,
                integer_range: None,
                floating_point_range: None,
            });
        }
        let spec = spec_of(name).ok()?;
        let unit = if spec.unit.is_empty() { String::new() } else { format!(" ({})", spec.unit) };
        Some(Description {
            name: name.to_owned(),
            kind: match spec.kind {
                Kind::Bool => 1,
                Kind::Integer { .. } => 2,
                Kind::Float { .. } => 3,
                Kind::Text { .. } | Kind::Choice(_) => 4,
            },
            description: format!("{}{unit}", spec.description()),
            additional_constraints: match spec.kind {
                Kind::Text { .. } | Kind::Choice(_) => spec.kind.to_string(),
                _ => String::new(),
            },
            read_only: spec.change == Change::ReadOnly,
            integer_range: if let Kind::Integer { min, max } = spec.kind { Some((min, max)) } else { None },
            floating_point_range: if let Kind::Float { min, max } = spec.kind { Some((min, max)) } else { None },
        })
    }

    /// Sets one parameter while the node runs.
    ///
    /// # Errors
    /// Why it keeps its value, in words.
    pub fn set(&mut self, name: &str, given: &Given) -> Result<(), String> {
        if Self::describe(name).is_some_and(|description| description.read_only) {
            let same = matches!(given, Given::Value(value) if self.get(name).as_ref() == Some(value));
            return if same {
                Ok(())
            } else {
                Err(format!("{name} can be set at start only: give it in the parameter file or with -p"))
            };
        }
        self.apply(name, given)
    }

    /// Sets all of `given` or none.
    ///
    /// # Errors
    /// Why nothing was changed: the first problem.
    pub fn set_atomically(&mut self, given: &[(String, Given)]) -> Result<(), String> {
        let mut changed = self.clone();
        for (name, given) in given {
            changed.set(name, given)?;
        }
        *self = changed;
        Ok(())
    }

    fn apply(&mut self, name: &str, given: &Given) -> Result<(), String> {
        let value = match given {
            Given::Value(value) => value,
            Given::NotSet => return Err(format!("{name} cannot be removed")),
            Given::Array => return Err(format!("{name} takes a single value, not an array")),
        };
        if name == USE_SIM_TIME {
            let Value::Bool(value) = value else { return Err(format!("{name} is of type bool, write true or false")) };
            self.use_sim_time = *value;
            return Ok(());
        }
        self.config.set(name, value).map_err(|problem| problem.to_string())
    }

    /// Names under `prefixes` (all without any) down to `depth` levels (0: all), and the groups they are in; as rclcpp.
    pub fn list(prefixes: &[String], depth: u64) -> (Vec<String>, Vec<String>) {
        let is_near = |rest: &str| depth == 0 || (rest.matches(SEPARATOR).count() as u64) < depth;
        let is_wanted = |name: &str| {
            if prefixes.is_empty() {
                return is_near(name);
            }
            prefixes.iter().any(|prefix| match name.strip_prefix(prefix.as_str()) {
                Some("") => true,
                Some(rest) => rest.strip_prefix(SEPARATOR).is_some_and(is_near),
                None => false,
            })
        };
        let all = PARAMETERS.iter().map(|spec| spec.name).chain([USE_SIM_TIME]);
        let names: Vec<String> = all.filter(|name| is_wanted(name)).map(str::to_owned).collect();
        let mut groups: Vec<String> =
            names.iter().filter_map(|name| name.rsplit_once(SEPARATOR)).map(|(group, _)| group.to_owned()).collect();
        groups.dedup();
        (names, groups)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(value: &'static str) -> Given {
        Given::Value(Value::Text(value.into()))
    }

    fn start(given: &[(&str, Given)]) -> Result<ParameterServer, Vec<String>> {
        ParameterServer::at_start(given.iter().map(|(name, given)| ((*name).to_owned(), given.clone())))
    }

    #[test]
    fn a_file_with_unknown_names_names_the_nearest_and_tells_all_problems() {
        let problems = start(&[
            ("detector.intervall", Given::Value(Value::Integer(3))),
            ("detector.interval", Given::Value(Value::Integer(0))),
            ("qos_overrides./tf.depth", Given::Value(Value::Integer(3))),
            ("use_sim_time", Given::Value(Value::Bool(true))),
        ])
        .unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("the nearest known one is detector.interval"), "{}", problems[0]);
        assert!(problems[1].contains("allowed: 1 … 100 images"), "{}", problems[1]);
    }

    #[test]
    fn live_parameters_change_and_others_do_not() {
        let mut server = start(&[("detector.model", text("mine"))]).unwrap();
        server.set("detector.interval", &Given::Value(Value::Integer(7))).unwrap();
        assert_eq!(server.config().detector.interval, 7);
        let refused = server.set("detector.model", &text("other")).unwrap_err();
        assert!(refused.contains("at start only"), "{refused}");
        server.set("detector.model", &text("mine")).unwrap();
        assert_eq!(server.config().detector.model, "mine");
        assert!(server.set("detector.interval", &Given::NotSet).is_err());
        assert!(server.set("detector.interval", &Given::Array).is_err());
        assert!(server.set("no.such", &text("x")).unwrap_err().contains("nearest"));
        assert!(server.set("track.max_age_secs", &Given::Value(Value::Integer(3))).unwrap_err().contains("3.0"));
    }

    #[test]
    fn all_or_nothing() {
        let mut server = ParameterServer::default();
        let before = server.config().clone();
        let good = ("track.min_hits".to_owned(), Given::Value(Value::Integer(5)));
        let bad = ("refine.iterations".to_owned(), Given::Value(Value::Integer(-1)));
        assert!(server.set_atomically(&[good.clone(), bad]).is_err());
        assert_eq!(*server.config(), before);
        server.set_atomically(&[good]).unwrap();
        assert_eq!(server.config().track.min_hits, 5);
    }

    #[test]
    fn every_parameter_is_described_with_its_range() {
        for spec in PARAMETERS {
            let described = ParameterServer::describe(spec.name).unwrap();
            assert!(described.description.starts_with(spec.description()));
            assert_eq!(described.read_only, spec.change == Change::ReadOnly);
            assert_eq!(described.integer_range.is_some(), described.kind == 2);
            assert_eq!(described.floating_point_range.is_some(), described.kind == 3);
            assert_eq!(!described.additional_constraints.is_empty(), described.kind == 4);
            assert!(ParameterServer::knows(spec.name));
        }
        assert_eq!(ParameterServer::describe("nothing"), None);
    }

    #[test]
    fn lists_go_by_prefix_and_depth() {
        let (all, groups) = ParameterServer::list(&[], 0);
        assert_eq!(all.len(), PARAMETERS.len() + 1);
        assert!(groups.contains(&"detector".to_owned()));
        assert_eq!(ParameterServer::list(&[], 1).0, ["use_sim_time"]);
        let (refine, groups) = ParameterServer::list(&["refine".to_owned()], 1);
        assert!(refine.iter().all(|name| name.starts_with("refine.")) && refine.len() > 3);
        assert_eq!(groups, ["refine"]);
        assert_eq!(ParameterServer::list(&["refine.mode".to_owned()], 0).0, ["refine.mode"]);
        assert!(ParameterServer::list(&["ref".to_owned()], 0).0.is_empty());
    }
}
