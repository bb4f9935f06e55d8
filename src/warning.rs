//! Recoverable trouble, returned as data. The shell (bag tool or node) reports each kind once and counts it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// One recoverable problem. `kind` groups warnings in counters; `message` carries the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which class of trouble this is.
    pub kind: WarningKind,
    /// What exactly was wrong, where, and what was done about it.
    pub message: String,
}

impl Warning {
    /// A warning of `kind` with its numbers in `message`.
    pub fn new(kind: WarningKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.name(), self.message)
    }
}

/// Classes of recoverable trouble; the names are stable keys in summaries and diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningKind {
    /// An image that could not be decoded was skipped.
    ImageRefused,
    /// A `CameraInfo` that cannot be used was skipped.
    CameraInfoRefused,
    /// An image without a usable `CameraInfo` was skipped.
    NoCameraInfo,
    /// A message of a keypoints topic, or a person in it, was skipped.
    KeypointsRefused,
    /// A stamp lay before the previous one: windows and tracks were reset.
    TimeWentBack,
    /// A message could not be decoded.
    MessageRefused,
    /// The bag is damaged; the rest of it is lost.
    BagDamaged,
    /// A network gave values that are not finite; its result for this person was dropped.
    NetworkOutputRefused,
    /// A person who is seen could not be placed in space: too few keypoints, or the lifter's answer was no body.
    PersonNotPlaced,
    /// TF does not know the frame that says where down is: lifted without knowing.
    GravityUnknown,
    /// There are more people than are wanted: those with the lowest scores, or who came last, were left out.
    TooManyPeople,
}

impl WarningKind {
    /// The stable key, `snake_case`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImageRefused => "image_refused",
            Self::CameraInfoRefused => "camera_info_refused",
            Self::NoCameraInfo => "no_camera_info",
            Self::KeypointsRefused => "keypoints_refused",
            Self::TimeWentBack => "time_went_back",
            Self::MessageRefused => "message_refused",
            Self::BagDamaged => "bag_damaged",
            Self::NetworkOutputRefused => "network_output_refused",
            Self::PersonNotPlaced => "person_not_placed",
            Self::GravityUnknown => "gravity_unknown",
            Self::TooManyPeople => "too_many_people",
        }
    }
}

/// One kind of trouble.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WarningCount {
    /// How often.
    pub count: u64,
    /// The first of them.
    pub first: String,
}

/// Trouble by the name of its kind.
pub type WarningCounts = BTreeMap<&'static str, WarningCount>;

/// Counts one warning; says whether it is the first of its kind.
pub fn count_warning(counts: &mut WarningCounts, warning: &Warning) -> bool {
    let entry = counts.entry(warning.kind.name()).or_default();
    entry.count += 1;
    if entry.count == 1 {
        entry.first.clone_from(&warning.message);
    }
    entry.count == 1
}
