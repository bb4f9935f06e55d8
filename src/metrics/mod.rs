//! Metrics of pose estimation: how far a run is from its truth. Raw samples are kept; summaries are made of them.

mod accuracy;
mod association;
mod coverage;
mod evaluation;
mod pose_error;
mod sequence;
mod summary;

pub use accuracy::{AUC_THRESHOLD_COUNT, PCK_THRESHOLD_MM, auc, mean, pck};
pub use association::{MATCH_DISTANCE, match_people, match_stamps, person_cost};
pub use coverage::{ELLIPSOIDS, coverage, squared_mahalanobis};
pub use evaluation::{Evaluation, EvaluationError, PersonSample, evaluate};
pub use pose_error::{JointPositions, PoseError, root_pair};
pub use sequence::{
    ImageReference, ResultImage, ResultJoint, ResultPerson, ResultSequence, TruthPerson, TruthSequence,
};
pub use summary::{JointMetrics, Summary};
