//! Full names of topics, as rcl makes them from relative names, the node's name and the remapping rules of the command
//! line. Only for asking the graph about our own inputs: r2r does not say what a subscription was resolved to.

/// One rule `[node:]from:=to`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    from: String,
    to: String,
}

/// What resolves names for one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    namespace: String,
    full_name: String,
    rules: Vec<Rule>,
}

impl Names {
    /// For a node by its final name and namespace; `arguments` is the whole command line.
    pub fn new(node: &str, namespace: &str, arguments: impl IntoIterator<Item = String>) -> Self {
        let namespace = namespace.trim_end_matches('/').to_owned();
        let full_name = format!("{namespace}/{node}");
        let mut names = Self { namespace, full_name, rules: Vec::new() };
        for (scope, from, to) in remappings(arguments) {
            if scope.is_none_or(|scope| scope == node) {
                let (from, to) = (names.expand(&from), names.expand(&to));
                names.rules.push(Rule { from, to });
            }
        }
        names
    }

    /// The full name of a topic or service.
    pub fn resolve(&self, name: &str) -> String {
        let expanded = self.expand(name);
        // The first rule that fits wins, as in rcl.
        self.rules.iter().find(|rule| rule.from == expanded).map_or(expanded, |rule| rule.to.clone())
    }

    fn expand(&self, name: &str) -> String {
        if name.starts_with('/') {
            name.to_owned()
        } else if let Some(rest) = name.strip_prefix('~') {
            format!("{}{rest}", self.full_name)
        } else {
            format!("{}/{name}", self.namespace)
        }
    }
}

/// `(node, from, to)` of every rule between `--ros-args` and `--`, but for the ones that rename the node itself.
fn remappings(arguments: impl IntoIterator<Item = String>) -> Vec<(Option<String>, String, String)> {
    let mut rules = Vec::new();
    let mut is_ros = false;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--ros-args" => is_ros = true,
            "--" => is_ros = false,
            "-r" | "--remap" if is_ros => {
                let rule = arguments.next().unwrap_or_default();
                let Some((from, to)) = rule.split_once(":=") else { continue };
                let (scope, from) = match from.split_once(':') {
                    Some((scope, from)) => (Some(scope.to_owned()), from),
                    None => (None, from),
                };
                if !from.starts_with("__") {
                    rules.push((scope, from.to_owned(), to.to_owned()));
                }
            }
            _ => {}
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Names {
        Names::new("stridepose", "/robot", arguments.iter().map(ToString::to_string))
    }

    #[test]
    fn names_are_expanded_and_remapped() {
        let names = names(&[
            "node",
            "-r",
            "image:=/no",
            "--ros-args",
            "-r",
            "image:=/camera/image_raw",
            "--remap",
            "other:camera_info:=x",
            "-r",
            "__ns:=/robot",
            "-r",
            "stridepose:keypoints:=people",
            "--",
            "-r",
            "tf:=y",
        ]);
        assert_eq!(names.resolve("image"), "/camera/image_raw");
        assert_eq!(names.resolve("camera_info"), "/robot/camera_info");
        assert_eq!(names.resolve("keypoints"), "/robot/people");
        assert_eq!(names.resolve("~/skeletons"), "/robot/stridepose/skeletons");
        assert_eq!(names.resolve("/tf"), "/tf");
    }

    #[test]
    fn the_root_namespace_has_no_double_slash() {
        let names = Names::new("n", "/", []);
        assert_eq!((names.resolve("image"), names.resolve("~/x")), ("/image".to_owned(), "/n/x".to_owned()));
    }
}
