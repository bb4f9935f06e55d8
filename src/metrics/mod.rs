//! Metrics of pose estimation: how far a run is from its truth. Raw samples are kept; summaries are made of them.

mod accuracy;
mod association;
mod bands;
mod bootstrap;
mod calibration;
mod coverage;
mod evaluation;
mod identity;
mod jitter;
mod joint_groups;
mod keypoint_error;
mod merge;
mod observation;
mod pose_error;
mod sequence;
pub mod smoothness;
mod summary;

pub use accuracy::{AUC_THRESHOLD_COUNT, PCK_THRESHOLD_MM, auc, mean, pck};
pub use association::{MATCH_DISTANCE, match_people, match_stamps, person_cost};
pub use bands::{DISTANCE_BANDS, HIDDEN_BANDS, distance_band, hidden_band, hidden_share};
pub use bootstrap::{
    BLOCK_SECS, FEWEST_BLOCKS, INTERVAL_PROBABILITY, ImageSum, Interval, RESAMPLES, block_length, interval_of_mean,
};
pub use calibration::{BINS, Calibration, ReliabilityBin, Statement};
pub use coverage::{ELLIPSOIDS, coverage, squared_mahalanobis};
pub use evaluation::{Evaluation, EvaluationError, PersonSample, evaluate, pair_images};
pub use identity::{Identity, IdentityCounts, ImageIdentities};
pub use joint_groups::{JOINT_GROUPS, JointGroup, grouped_joints};
pub use keypoint_error::{KeypointError, keypoint_error};
pub use merge::NamedEvaluation;
pub use observation::{JointObservation, Observation, TrackObservation};
pub use pose_error::{JointPositions, PoseError, root_of, root_pair};
pub use sequence::{
    ImageReference, ResultImage, ResultJoint, ResultPerson, ResultSequence, TruthPerson, TruthSequence,
};
pub use smoothness::{second_derivative, third_derivative};
pub use summary::{GroupSummary, Intervals, JointMetrics, Summary};
