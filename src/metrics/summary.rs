//! An [`Evaluation`] in numbers: means over all joints of all matched people (every joint counts the same), the same
//! for each joint, person, action, band of distance and band of hidden share, and how sure the means are. Misses and false
//! people are counted, they are in no mean.

use nalgebra::Vector2;

use crate::metrics::accuracy::{PCK_THRESHOLD_MM, auc, mean, pck};
use crate::metrics::bands::{DISTANCE_BANDS, HIDDEN_BANDS, distance_band, hidden_band};
use crate::metrics::bootstrap::{ImageSum, Interval, block_length, interval_of_mean};
use crate::metrics::calibration::{Calibration, Statement};
use crate::metrics::coverage::{ELLIPSOIDS, coverage};
use crate::metrics::evaluation::{Evaluation, PersonSample};
use crate::metrics::joint_groups::{JOINT_GROUPS, grouped_joints};
use crate::metrics::keypoint_error::KeypointError;
use crate::skeleton::{Joint, JointArray};

/// Seed of the intervals.
const SEED: u64 = 1;

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
    /// Mean distance in the camera frame, nothing aligned.
    pub position_error_mm: Option<f64>,
    /// Mean per-joint velocity error, mm per median image interval: the field's "mm per frame".
    pub mpjve_mm: Option<f64>,
    /// The same per second.
    pub mpjve_mm_per_s: Option<f64>,
    /// Mean acceleration error, mm per squared median image interval: the field's "mm per frame²".
    pub acceleration_error_mm: Option<f64>,
    /// The same per second².
    pub acceleration_error_mm_per_s2: Option<f64>,
    /// Share of joints with a root-relative error below 150 mm.
    pub pck_150mm: Option<f64>,
    /// Mean of that share over the thresholds 0, 5, … 150 mm.
    pub auc: Option<f64>,
    /// Share of joints in the 50, 80, 90 and 95 % ellipsoid.
    pub coverage: Option<[f64; ELLIPSOIDS.len()]>,
    /// Keypoints against the projected truth; `None` also where the camera is not known.
    pub keypoints: Option<KeypointError>,
}

/// Metrics of a part of the matched people.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSummary {
    /// Which part.
    pub name: String,
    /// Matched people in it, over the images.
    pub people: usize,
    /// Over all joints.
    pub joints: JointMetrics,
    /// Mean distance of the roots in the camera frame.
    pub root_mm: Option<f64>,
}

impl GroupSummary {
    /// Each metric's mean over the parts that have it, every part counting the same; `None` of no parts.
    fn mean_of(parts: &[Self]) -> Option<Self> {
        let over = |of: &dyn Fn(&Self) -> Option<f64>| mean(&parts.iter().filter_map(of).collect::<Vec<_>>());
        let joints = |of: fn(&JointMetrics) -> Option<f64>| over(&|part| of(&part.joints));
        let coverage: Vec<_> = parts.iter().filter_map(|part| part.joints.coverage).collect();
        let share = |index: usize| coverage.iter().map(|shares| shares[index]).sum::<f64>() / coverage.len() as f64;
        let keypoints: Vec<KeypointError> = parts.iter().filter_map(|part| part.joints.keypoints).collect();
        (!parts.is_empty()).then(|| Self {
            name: "mean of actions".to_owned(),
            people: parts.iter().map(|part| part.people).sum(),
            joints: JointMetrics {
                samples: parts.iter().map(|part| part.joints.samples).sum(),
                mpjpe_mm: joints(|metrics| metrics.mpjpe_mm),
                pa_mpjpe_mm: joints(|metrics| metrics.pa_mpjpe_mm),
                n_mpjpe_mm: joints(|metrics| metrics.n_mpjpe_mm),
                position_error_mm: joints(|metrics| metrics.position_error_mm),
                mpjve_mm: joints(|metrics| metrics.mpjve_mm),
                mpjve_mm_per_s: joints(|metrics| metrics.mpjve_mm_per_s),
                acceleration_error_mm: joints(|metrics| metrics.acceleration_error_mm),
                acceleration_error_mm_per_s2: joints(|metrics| metrics.acceleration_error_mm_per_s2),
                pck_150mm: joints(|metrics| metrics.pck_150mm),
                auc: joints(|metrics| metrics.auc),
                coverage: (!coverage.is_empty()).then(|| std::array::from_fn(share)),
                keypoints: (!keypoints.is_empty()).then(|| KeypointError {
                    mean_px: keypoints.iter().map(|error| error.mean_px).sum::<f64>() / keypoints.len() as f64,
                    bias_px: keypoints.iter().map(|error| error.bias_px).sum::<Vector2<f64>>() / keypoints.len() as f64,
                }),
            },
            root_mm: over(&|part| part.root_mm),
        })
    }
}

/// 95 % intervals of means; `None` where the recording is too short for one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intervals {
    /// Of MPJPE.
    pub mpjpe_mm: Option<Interval>,
    /// Of PA-MPJPE.
    pub pa_mpjpe_mm: Option<Interval>,
    /// Of N-MPJPE.
    pub n_mpjpe_mm: Option<Interval>,
    /// Of the root's distance.
    pub root_mm: Option<Interval>,
}

/// Metrics of a whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Over all joints.
    pub overall: JointMetrics,
    /// How sure some of them are.
    pub intervals: Intervals,
    /// Joint by joint.
    pub per_joint: JointArray<JointMetrics>,
    /// 3DPCK and AUC in the groups of MPI-INF-3DHP, in their order.
    pub per_joint_group: [JointMetrics; JOINT_GROUPS.len()],
    /// The same over the 14 joints of all groups.
    pub grouped: JointMetrics,
    /// Person by person, by name.
    pub per_person: Vec<GroupSummary>,
    /// Action by action, by name; people whose action the truth does not tell are in none.
    pub per_action: Vec<GroupSummary>,
    /// The mean over the actions, each of which counts the same however long it is, as Human3.6M is reported; `None` where the
    /// truth tells no action.
    pub mean_of_actions: Option<GroupSummary>,
    /// By distance from the camera, bands without anybody left out.
    pub by_distance: Vec<GroupSummary>,
    /// By share of hidden joints, bands without anybody left out.
    pub by_hidden_share: Vec<GroupSummary>,
    /// Reliability of the confidence; `None` where none is stated.
    pub calibration: Option<Calibration>,
    /// Mean distance of the roots in the camera frame (MRPE).
    pub root_mm: Option<f64>,
    /// Its part across the line of sight: x and y.
    pub root_lateral_mm: Option<f64>,
    /// Its part in depth: |z|.
    pub root_depth_mm: Option<f64>,
}

impl Summary {
    /// Action by action, and behind several of them their mean.
    pub fn actions_and_mean(&self) -> Vec<GroupSummary> {
        let mean = self.mean_of_actions.iter().filter(|_| self.per_action.len() > 1);
        self.per_action.iter().chain(mean).cloned().collect()
    }

    /// Summarises `evaluation`.
    pub fn of(evaluation: &Evaluation) -> Self {
        let image_interval = evaluation.observation.image_interval;
        let pool = Pool { samples: evaluation.samples.iter().collect(), image_interval };
        let is_measurable = evaluation.observation.is_measurable();
        let group = |name: &str, is_in: &dyn Fn(&PersonSample) -> bool| pool.group(name, is_in);
        let filled = |groups: Vec<GroupSummary>| groups.into_iter().filter(|group| group.people > 0).collect();
        let mut names: Vec<&str> = evaluation.samples.iter().map(|sample| sample.person.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut actions: Vec<&str> = evaluation.samples.iter().filter_map(|sample| sample.action.as_deref()).collect();
        actions.sort_unstable();
        actions.dedup();
        let per_action: Vec<GroupSummary> = actions
            .into_iter()
            .map(|action| group(action, &|sample| sample.action.as_deref() == Some(action)))
            .collect();
        let by_distance = DISTANCE_BANDS.iter().enumerate();
        let by_hidden_share = HIDDEN_BANDS.iter().enumerate();
        Self {
            overall: pool.metrics(&Joint::ALL),
            intervals: Intervals::of(evaluation),
            per_joint: Joint::ALL.map(|joint| pool.metrics(&[joint])),
            per_joint_group: JOINT_GROUPS.map(|group| pool.metrics(group.joints)),
            grouped: pool.metrics(&grouped_joints()),
            per_person: names.into_iter().map(|name| group(name, &|sample| sample.person == name)).collect(),
            mean_of_actions: GroupSummary::mean_of(&per_action),
            per_action,
            by_distance: filled(
                by_distance
                    .map(|(band, (_, name))| group(name, &|sample| distance_band(sample) == Some(band)))
                    .collect(),
            ),
            by_hidden_share: filled(
                by_hidden_share
                    .map(|(band, (_, name))| group(name, &|sample| hidden_band(sample, &is_measurable) == Some(band)))
                    .collect(),
            ),
            calibration: Calibration::of(evaluation.samples.iter().flat_map(statements)),
            root_mm: pool.root(nalgebra::Vector3::norm),
            root_lateral_mm: pool.root(|root| root.xy().norm()),
            root_depth_mm: pool.root(|root| root.z.abs()),
        }
    }
}

/// What the confidences of one person said and whether it was true.
fn statements(sample: &PersonSample) -> impl Iterator<Item = Statement> {
    let both = sample.confidence.into_iter().zip(sample.position_error_mm).filter_map(|(said, error)| said.zip(error));
    both.map(|(confidence, error_mm)| Statement { confidence, is_hit: error_mm < PCK_THRESHOLD_MM })
}

/// Matched people whose joints are thrown together.
struct Pool<'a> {
    samples: Vec<&'a PersonSample>,
    image_interval: Option<f64>,
}

impl<'a> Pool<'a> {
    fn values<T: Copy>(&self, joints: &[Joint], of: fn(&PersonSample) -> &JointArray<Option<T>>) -> Vec<T> {
        let samples = self.samples.iter().map(|sample| of(sample));
        samples.flat_map(|values| joints.iter().filter_map(|joint| values[joint.index()])).collect()
    }

    fn metrics(&self, joints: &[Joint]) -> JointMetrics {
        let mpjpe_mm = self.values(joints, |sample| &sample.error.mpjpe_mm);
        let velocity = mean(&self.values(joints, |sample| &sample.velocity_error_mm_per_s));
        let acceleration = mean(&self.values(joints, |sample| &sample.acceleration_error_mm_per_s2));
        let per_image = |value: Option<f64>, power| {
            value.zip(self.image_interval).map(|(value, interval)| value * interval.powi(power))
        };
        JointMetrics {
            samples: mpjpe_mm.len(),
            mpjpe_mm: mean(&mpjpe_mm),
            pa_mpjpe_mm: mean(&self.values(joints, |sample| &sample.error.pa_mpjpe_mm)),
            n_mpjpe_mm: mean(&self.values(joints, |sample| &sample.error.n_mpjpe_mm)),
            position_error_mm: mean(&self.values(joints, |sample| &sample.position_error_mm)),
            mpjve_mm: per_image(velocity, 1),
            mpjve_mm_per_s: velocity,
            acceleration_error_mm: per_image(acceleration, 2),
            acceleration_error_mm_per_s2: acceleration,
            pck_150mm: pck(&mpjpe_mm, PCK_THRESHOLD_MM),
            auc: auc(&mpjpe_mm),
            coverage: coverage(&self.values(joints, |sample| &sample.squared_mahalanobis)),
            keypoints: KeypointError::of(&self.values(joints, |sample| &sample.keypoint_error_px)),
        }
    }

    fn root(&self, of: fn(&nalgebra::Vector3<f64>) -> f64) -> Option<f64> {
        let roots = self.samples.iter().filter_map(|sample| sample.error.root_mm.as_ref());
        mean(&roots.map(of).collect::<Vec<_>>())
    }

    fn group(&self, name: &str, is_in: &dyn Fn(&PersonSample) -> bool) -> GroupSummary {
        let samples: Vec<&'a PersonSample> = self.samples.iter().copied().filter(|sample| is_in(sample)).collect();
        let part = Pool { samples, image_interval: self.image_interval };
        GroupSummary {
            name: name.to_owned(),
            people: part.samples.len(),
            joints: part.metrics(&Joint::ALL),
            root_mm: part.root(nalgebra::Vector3::norm),
        }
    }
}

impl Intervals {
    fn of(evaluation: &Evaluation) -> Self {
        let over_joints = |of: fn(&PersonSample) -> &JointArray<Option<f64>>| {
            interval(evaluation, |sample| {
                let (count, sum) =
                    of(sample).iter().flatten().fold((0, 0.0), |(count, sum), error| (count + 1, sum + error));
                ImageSum { count, sum }
            })
        };
        Self {
            mpjpe_mm: over_joints(|sample| &sample.error.mpjpe_mm),
            pa_mpjpe_mm: over_joints(|sample| &sample.error.pa_mpjpe_mm),
            n_mpjpe_mm: over_joints(|sample| &sample.error.n_mpjpe_mm),
            root_mm: interval(evaluation, |sample| {
                let distance = sample.error.root_mm.map(|root| root.norm());
                ImageSum { count: usize::from(distance.is_some()), sum: distance.unwrap_or_default() }
            }),
        }
    }
}

/// Interval over the images from the first to the last with a matched person; images without one hold no samples.
fn interval(evaluation: &Evaluation, of: impl Fn(&PersonSample) -> ImageSum) -> Option<Interval> {
    let (first, last) = (evaluation.samples.first()?.image_index, evaluation.samples.last()?.image_index);
    let mut images = vec![ImageSum::default(); last - first + 1];
    for sample in &evaluation.samples {
        let ImageSum { count, sum } = of(sample);
        let image = &mut images[sample.image_index - first];
        image.count += count;
        image.sum += sum;
    }
    interval_of_mean(&images, block_length(images.len(), evaluation.observation.image_interval)?, SEED)
}
