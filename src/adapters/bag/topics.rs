//! The topics of a bag, with what is known to be lost of it: a topic that is not there may be among that.

use std::ops::Deref;

use super::Topic;
use super::storage::{Loss, reasons};

/// Topics in the bag's order; used as a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    topics: Vec<Topic>,
    /// What was found lost when the bag was opened.
    damage: Option<String>,
}

impl Topics {
    /// `topics` of a bag of which `losses` were found when it was opened.
    pub(super) fn new(topics: Vec<Topic>, losses: Vec<Loss>) -> Self {
        let reasons = reasons(losses);
        Self { topics, damage: (!reasons.is_empty()).then(|| reasons.join("; ")) }
    }

    /// What a sentence about a topic that is not there ends with: that the bag is damaged, if so.
    pub fn but_damaged(&self) -> String {
        self.damage.as_ref().map(|damage| format!("; the bag is damaged: {damage}")).unwrap_or_default()
    }
}

impl From<Vec<Topic>> for Topics {
    /// Topics alone: nothing is known of a damage.
    fn from(topics: Vec<Topic>) -> Self {
        Self { topics, damage: None }
    }
}

impl Deref for Topics {
    type Target = [Topic];

    fn deref(&self) -> &[Topic] {
        &self.topics
    }
}
