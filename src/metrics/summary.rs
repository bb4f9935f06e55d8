//! An [`Evaluation`] in numbers: means over all joints of all matched people (every joint counts the same), and the
//! same for each joint. Misses and false people are counted, they are in no mean.

use crate::metrics::accuracy::{PCK_THRESHOLD_MM, auc, mean, pck};
use crate::metrics::coverage::{ELLIPSOIDS, coverage};
use crate::metrics::evaluation::{Evaluation, PersonSample};
use crate::skeleton::{Joint, JointArray};

/// Metrics over a set of joints; `None` where there is no sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JointMetrics {
    /// Joints compared.
    pub samples: usize,
    /// Mean per-joint position error, roots on each other.
    pub mpjpe_mm: Option<f64>,
    /// After the best similarity.
    pub pa_mpjpe_mm: Option<f64>,
    /// After the best scale.
    pub n_mpjpe_mm: Option<f64>,
    /// Mean per-joint velocity error, mm per median image interval: the field's "mm per frame".
    pub mpjve_mm: Option<f64>,
    /// The same per second.
    pub mpjve_mm_per_s: Option<f64>,
    /// Share of joints with a root-relative error below 150 mm.
    pub pck_150mm: Option<f64>,
    /// Mean of that share over the thresholds 0, 5, … 150 mm.
    pub auc: Option<f64>,
    /// Share of joints in the 50, 80, 90 and 95 % ellipsoid.
    pub coverage: Option<[f64; ELLIPSOIDS.len()]>,
}

/// Metrics of a whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Over all joints.
    pub overall: JointMetrics,
    /// Joint by joint.
    pub per_joint: JointArray<JointMetrics>,
    /// Mean distance of the roots in the camera frame (MRPE).
    pub root_mm: Option<f64>,
    /// Its part across the line of sight: x and y.
    pub root_lateral_mm: Option<f64>,
    /// Its part in depth: |z|.
    pub root_depth_mm: Option<f64>,
}

impl Summary {
    /// Summarises `evaluation`.
    pub fn of(evaluation: &Evaluation) -> Self {
        let roots: Vec<_> = evaluation.samples.iter().filter_map(|sample| sample.error.root_mm).collect();
        let over_roots = |of: fn(&nalgebra::Vector3<f64>) -> f64| mean(&roots.iter().map(of).collect::<Vec<_>>());
        Self {
            overall: metrics(evaluation, &Joint::ALL),
            per_joint: Joint::ALL.map(|joint| metrics(evaluation, &[joint])),
            root_mm: over_roots(nalgebra::Vector3::norm),
            root_lateral_mm: over_roots(|root| root.xy().norm()),
            root_depth_mm: over_roots(|root| root.z.abs()),
        }
    }
}

fn metrics(evaluation: &Evaluation, joints: &[Joint]) -> JointMetrics {
    let pool = |of: fn(&PersonSample) -> &JointArray<Option<f64>>| -> Vec<f64> {
        let samples = evaluation.samples.iter().map(of);
        samples.flat_map(|values| joints.iter().filter_map(|joint| values[joint.index()])).collect()
    };
    let mpjpe_mm = pool(|sample| &sample.error.mpjpe_mm);
    let velocity = mean(&pool(|sample| &sample.velocity_error_mm_per_s));
    JointMetrics {
        samples: mpjpe_mm.len(),
        mpjpe_mm: mean(&mpjpe_mm),
        pa_mpjpe_mm: mean(&pool(|sample| &sample.error.pa_mpjpe_mm)),
        n_mpjpe_mm: mean(&pool(|sample| &sample.error.n_mpjpe_mm)),
        mpjve_mm: velocity.zip(evaluation.image_interval).map(|(velocity, interval)| velocity * interval),
        mpjve_mm_per_s: velocity,
        pck_150mm: pck(&mpjpe_mm, PCK_THRESHOLD_MM),
        auc: auc(&mpjpe_mm),
        coverage: coverage(&pool(|sample| &sample.squared_mahalanobis)),
    }
}
