//! The life of a managed node: states, transitions and their numbers, as rcl's default state machine has them
//! (lifecycle_msgs, "Managed nodes" design). r2r has none, so it is here; nothing in this file knows ROS itself.
//!
//! A change of state goes through a transition state: `unconfigured → configuring → inactive`. What the node does there
//! ends in success, failure (back, or on where there is no back) or error (`errorprocessing`, then `unconfigured` or
//! `finalized`). Every step is an event for `~/transition_event`.

/// A state with its number and label in lifecycle_msgs/State.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Number.
    pub id: u8,
    /// Label.
    pub label: &'static str,
}

const fn state(id: u8, label: &'static str) -> State {
    State { id, label }
}

/// Models are not loaded.
pub const UNCONFIGURED: State = state(1, "unconfigured");
/// Models are loaded, nothing is subscribed to.
pub const INACTIVE: State = state(2, "inactive");
/// Images are processed.
pub const ACTIVE: State = state(3, "active");
/// The end.
pub const FINALIZED: State = state(4, "finalized");
const CONFIGURING: State = state(10, "configuring");
const CLEANING_UP: State = state(11, "cleaningup");
const SHUTTING_DOWN: State = state(12, "shuttingdown");
const ACTIVATING: State = state(13, "activating");
const DEACTIVATING: State = state(14, "deactivating");
const ERROR_PROCESSING: State = state(15, "errorprocessing");

/// All states, in the order rcl lists them.
pub const STATES: [State; 11] = [
    state(0, "unknown"),
    UNCONFIGURED,
    INACTIVE,
    ACTIVE,
    FINALIZED,
    CONFIGURING,
    CLEANING_UP,
    SHUTTING_DOWN,
    ACTIVATING,
    DEACTIVATING,
    ERROR_PROCESSING,
];

/// A transition with its number and label in lifecycle_msgs/Transition, from where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Number.
    pub id: u8,
    /// Label.
    pub label: &'static str,
    /// State it starts in.
    pub start: State,
    /// State it leads to.
    pub goal: State,
}

const fn transition(id: u8, label: &'static str, start: State, goal: State) -> Transition {
    Transition { id, label, start, goal }
}

const SUCCESS: &str = "transition_success";
const FAILURE: &str = "transition_failure";
const ERROR: &str = "transition_error";

/// All transitions, those that may be asked for first.
pub const TRANSITIONS: [Transition; 25] = [
    transition(1, "configure", UNCONFIGURED, CONFIGURING),
    transition(2, "cleanup", INACTIVE, CLEANING_UP),
    transition(3, "activate", INACTIVE, ACTIVATING),
    transition(4, "deactivate", ACTIVE, DEACTIVATING),
    transition(5, "shutdown", UNCONFIGURED, SHUTTING_DOWN),
    transition(6, "shutdown", INACTIVE, SHUTTING_DOWN),
    transition(7, "shutdown", ACTIVE, SHUTTING_DOWN),
    transition(10, SUCCESS, CONFIGURING, INACTIVE),
    transition(11, FAILURE, CONFIGURING, UNCONFIGURED),
    transition(12, ERROR, CONFIGURING, ERROR_PROCESSING),
    transition(20, SUCCESS, CLEANING_UP, UNCONFIGURED),
    transition(21, FAILURE, CLEANING_UP, INACTIVE),
    transition(22, ERROR, CLEANING_UP, ERROR_PROCESSING),
    transition(30, SUCCESS, ACTIVATING, ACTIVE),
    transition(31, FAILURE, ACTIVATING, INACTIVE),
    transition(32, ERROR, ACTIVATING, ERROR_PROCESSING),
    transition(40, SUCCESS, DEACTIVATING, INACTIVE),
    transition(41, FAILURE, DEACTIVATING, ACTIVE),
    transition(42, ERROR, DEACTIVATING, ERROR_PROCESSING),
    transition(50, SUCCESS, SHUTTING_DOWN, FINALIZED),
    transition(51, FAILURE, SHUTTING_DOWN, FINALIZED),
    transition(52, ERROR, SHUTTING_DOWN, ERROR_PROCESSING),
    transition(60, SUCCESS, ERROR_PROCESSING, UNCONFIGURED),
    transition(61, FAILURE, ERROR_PROCESSING, FINALIZED),
    transition(62, ERROR, ERROR_PROCESSING, FINALIZED),
];

/// What a node is asked to do in a transition state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Load models.
    Configure,
    /// Give models and memory back.
    Cleanup,
    /// Subscribe and begin.
    Activate,
    /// Stop and unsubscribe.
    Deactivate,
    /// Everything back, for good.
    Shutdown,
    /// Clean up after an error.
    HandleError,
}

/// How a duty ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Done.
    Success,
    /// Not done, nothing is broken.
    Failure,
    /// Something is broken.
    Error,
}

/// A transition that was asked for and cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no transition {asked} from state {from}: possible are {possible}")]
pub struct Impossible {
    asked: String,
    from: &'static str,
    possible: String,
}

/// The state of one node.
#[derive(Clone, Copy, Debug)]
pub struct Lifecycle {
    state: State,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { state: UNCONFIGURED }
    }
}

impl Lifecycle {
    /// Where the node is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What may be asked for now.
    pub fn available(&self) -> impl Iterator<Item = &'static Transition> + use<> {
        let id = self.state.id;
        TRANSITIONS.iter().filter(move |transition| transition.start.id == id)
    }

    /// Begins a transition: by label where one is given, else by number, as rclcpp does. Gives the step that was taken
    /// and what the node has to do now; [`Lifecycle::end`] must follow.
    ///
    /// # Errors
    /// [`Impossible`] names what is possible instead.
    pub fn begin(&mut self, id: u8, label: &str) -> Result<(Transition, Duty), Impossible> {
        let asked_for = |transition: &&Transition| {
            if label.is_empty() { transition.id == id } else { transition.label == label }
        };
        let found = self.available().find(asked_for).and_then(|found| duty_in(found.goal).map(|duty| (*found, duty)));
        let (step, duty) = found.ok_or_else(|| Impossible {
            asked: if label.is_empty() { id.to_string() } else { format!("\"{label}\"") },
            from: self.state.label,
            possible: self
                .available()
                .map(|found| format!("{} ({})", found.label, found.id))
                .collect::<Vec<_>>()
                .join(", "),
        })?;
        self.state = step.goal;
        Ok((step, duty))
    }

    /// Ends the duty of a transition state. Gives the step that was taken and, after an error, the next duty.
    pub fn end(&mut self, ended: Ended) -> Option<(Transition, Option<Duty>)> {
        let label = match ended {
            Ended::Success => SUCCESS,
            Ended::Failure => FAILURE,
            Ended::Error => ERROR,
        };
        let step = *self.available().find(|transition| transition.label == label)?;
        self.state = step.goal;
        Some((step, (step.goal == ERROR_PROCESSING).then_some(Duty::HandleError)))
    }
}

const fn duty_in(state: State) -> Option<Duty> {
    match state.id {
        10 => Some(Duty::Configure),
        11 => Some(Duty::Cleanup),
        12 => Some(Duty::Shutdown),
        13 => Some(Duty::Activate),
        14 => Some(Duty::Deactivate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn walk(steps: &[(u8, Ended)]) -> Vec<&'static str> {
        let mut life = Lifecycle::default();
        let mut seen = vec![life.state().label];
        for (id, ended) in steps {
            life.begin(*id, "").unwrap();
            seen.push(life.state().label);
            let mut next = life.end(*ended).unwrap().1;
            seen.push(life.state().label);
            while next.take().is_some() {
                next = life.end(Ended::Success).unwrap().1;
                seen.push(life.state().label);
            }
        }
        seen
    }

    #[test]
    fn a_whole_life() {
        use Ended::Success;
        assert_eq!(
            walk(&[(1, Success), (3, Success), (4, Success), (2, Success), (5, Success)]),
            [
                "unconfigured",
                "configuring",
                "inactive",
                "activating",
                "active",
                "deactivating",
                "inactive",
                "cleaningup",
                "unconfigured",
                "shuttingdown",
                "finalized",
            ]
        );
    }

    #[test]
    fn a_failure_goes_back_and_an_error_starts_over() {
        assert_eq!(walk(&[(1, Ended::Failure)]), ["unconfigured", "configuring", "unconfigured"]);
        let errors = walk(&[(1, Ended::Success), (3, Ended::Error)]);
        assert_eq!(errors[3..], ["activating", "errorprocessing", "unconfigured"]);
    }

    #[test]
    fn transitions_are_found_by_label_too_and_the_impossible_is_refused() {
        let mut life = Lifecycle::default();
        let refused = life.begin(3, "").unwrap_err().to_string();
        assert_eq!(refused, "no transition 3 from state unconfigured: possible are configure (1), shutdown (5)");
        assert_eq!(life.state(), UNCONFIGURED);
        // The label wins over the number, as in rclcpp.
        assert_eq!(life.begin(3, "configure").unwrap().1, Duty::Configure);
        // Nobody outside ends a duty.
        assert!(life.begin(10, "").is_err());
        assert!(life.begin(0, "transition_success").is_err());
    }

    #[test]
    fn numbers_are_unique_and_states_reachable() {
        for (index, transition) in TRANSITIONS.iter().enumerate() {
            assert!(TRANSITIONS[index + 1..].iter().all(|other| other.id != transition.id));
            assert!(STATES.contains(&transition.start) && STATES.contains(&transition.goal));
        }
    }
}
