//! The topics of a bag, with what is known to be lost of it: a topic that is not there may be among that.

use std::ops::Deref;

use super::Topic;
use super::storage::Loss;

/// Topics in the bag's order; used as a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    topics: Vec<Topic>,
    /// What was found lost when the bag was opened.
    damage: Option<String>,
}

impl Topics {
    /// `topics` of a bag of which `losses` were found when it was opened.
    pub(super) fn new(topics: Vec<Topic>, losses: &[Loss]) -> Self {
        let mut reasons: Vec<&str> = Vec::new();
        for loss in losses {
            if !reasons.contains(&loss.reason.as_str()) {
                reasons.push(&loss.reason);
            }
        }
        Self { topics, damage: (!reasons.is_empty()).then(|| reasons.join("; ")) }
    }
}

impl Deref for Topics {
    type Target = [Topic];

    fn deref(&self) -> &[Topic] {
        &self.topics
    }
}

/// Topics to choose from.
pub trait TopicList {
    /// The topics.
    fn topics(&self) -> &[Topic];

    /// What is lost of their bag, as far as it is known.
    fn damage(&self) -> Option<&str>;

    /// What a sentence about a topic that is not there ends with: that the bag is damaged, if so.
    fn but_damaged(&self) -> String {
        self.damage().map(|damage| format!("; the bag is damaged: {damage}")).unwrap_or_default()
    }
}

impl TopicList for Topics {
    fn topics(&self) -> &[Topic] {
        &self.topics
    }

    fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }
}

/// Topics alone: nothing is known of a damage.
impl TopicList for [Topic] {
    fn topics(&self) -> &[Topic] {
        self
    }

    fn damage(&self) -> Option<&str> {
        None
    }
}
