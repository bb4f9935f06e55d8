//! What the pipeline's refinement makes of a lifter's answers: on the scenes that the lifter is validated on, image by image
//! and with the root that the pipeline finds by itself.

use std::collections::BTreeMap;

use nalgebra::{UnitVector3, Vector3};
use stridepose::config::Config;
use stridepose::data::{LiftedPose, Stamp};
use stridepose::geometry::VirtualCamera;
use stridepose::skeleton::{JOINT_COUNT, Joint};
use stridepose::stages::refine::{PersonRefiner, RefineMode, RefineSettings, for_refinement};

use crate::calibrate::HeadCalibration;
use crate::mocap::Clip;
use crate::network::TemporalNetwork;
use crate::scene;
use crate::validate::{self, Condition, Score, Scored, Validation};

/// The modes that are compared.
pub const MODES: [(RefineMode, &str); 3] =
    [(RefineMode::Off, "off"), (RefineMode::Unweighted, "unweighted"), (RefineMode::Confidence, "by confidence")];

/// Errors after the refinement, for each of [`MODES`].
#[derive(Clone, Debug)]
pub struct RefinementStudy {
    /// Root-relative, of everybody.
    pub scores: [Score; MODES.len()],
    /// Mean error of the root's place, mm.
    pub root_mm: [f64; MODES.len()],
    /// Root-relative MPJPE of each person (source, subject), mm.
    pub persons: BTreeMap<(String, String), [f64; MODES.len()]>,
}

impl RefinementStudy {
    /// The person whom refining by confidence serves worst: its change of MPJPE, in %, and who it is.
    pub fn worst_change(&self) -> Option<(f64, &(String, String))> {
        let change = |[off, _, by_confidence]: &[f64; MODES.len()]| 100.0 * (by_confidence / off - 1.0);
        let changes = self.persons.iter().map(|(person, errors)| (change(errors), person));
        changes.max_by(|(a, _), (b, _)| a.total_cmp(b))
    }
}

#[derive(Clone, Copy, Default)]
struct Sums {
    error: [f64; MODES.len()],
    aligned: [f64; MODES.len()],
    root: [f64; MODES.len()],
    poses: usize,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        let pairs =
            [(&mut self.error, &other.error), (&mut self.aligned, &other.aligned), (&mut self.root, &other.root)];
        for (sums, values) in pairs {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        self.poses += other.poses;
    }

    fn means_mm(&self, sums: &[f64; MODES.len()]) -> [f64; MODES.len()] {
        sums.map(|sum| 1e3 * sum / self.poses.max(1) as f64)
    }
}

/// Refines the answers of the first head to what is seen under `condition` of the clips that `of` accepts. Images whose
/// person cannot be placed yet are left out.
pub fn study<N: TemporalNetwork>(
    validation: &Validation<'_, N>,
    of: impl Fn(&Clip) -> bool,
    condition: &Condition,
    calibration: &HeadCalibration,
) -> RefinementStudy {
    let keypoint_sigma = Config::default().refine.keypoint_sigma;
    let mut persons = BTreeMap::<(String, String), Sums>::new();
    validation.answered_scenes(of, condition, |scene| {
        let person = (scene.scene.clip.source.clone(), scene.scene.clip.subject.clone());
        let sums = persons.entry(person).or_default();
        let mut refiners: [PersonRefiner; MODES.len()] = std::array::from_fn(|_| PersonRefiner::new());
        let mut elapsed = 1.0;
        for (time, row) in scene.rows.iter().enumerate() {
            elapsed += scene.scene.scene.step_secs[time];
            let stamp = Stamp::from_nanoseconds((elapsed * 1e9) as i64);
            let lifted = lifted(&scene.scored(time, 0), &row.seen.camera, calibration);
            let keypoints = for_refinement(&scene.scene.keypoints[time], keypoint_sigma);
            let refined: [_; MODES.len()] = std::array::from_fn(|index| {
                let settings = RefineSettings { mode: MODES[index].0, ..RefineSettings::default() };
                refiners[index].refine(&settings, &lifted, &keypoints, stamp)
            });
            let ([Some(off), Some(unweighted), Some(by_confidence)], true) =
                (refined, condition.hidden.is_scored(time))
            else {
                continue;
            };
            let truth = &scene.scene.scene.joints_in_camera[time];
            let mut pose = Sums { poses: 1, ..Sums::default() };
            for (index, refined) in [off, unweighted, by_confidence].iter().enumerate() {
                let joints = refined.joints.map(|joint| joint.position_in_camera.coords);
                let (answer, wanted) = (scene::from_root(&joints), scene::from_root(truth));
                pose.error[index] = validate::mean_distance(&answer, &wanted);
                pose.aligned[index] = validate::aligned_distance(&answer, &wanted);
                let pelvis = Joint::Pelvis.index();
                pose.root[index] = (joints[pelvis] - truth[pelvis]).norm();
            }
            sums.add(&pose);
        }
    });
    let mut all = Sums::default();
    for sums in persons.values() {
        all.add(sums);
    }
    let (errors, aligned) = (all.means_mm(&all.error), all.means_mm(&all.aligned));
    let score = |index: usize| Score {
        poses: all.poses,
        mpjpe_mm: vec![errors[index]],
        pa_mpjpe_mm: aligned[index],
        mpjve_mm: Vec::new(),
    };
    RefinementStudy {
        scores: std::array::from_fn(score),
        root_mm: all.means_mm(&all.root),
        persons: persons
            .into_iter()
            .filter(|(_, sums)| sums.poses > 0)
            .map(|(person, sums)| (person, sums.means_mm(&sums.error)))
            .collect(),
    }
}

/// An answer as the pipeline has it: in the camera's axes, with calibrated standard deviations.
fn lifted(scored: &Scored, camera: &VirtualCamera, calibration: &HeadCalibration) -> LiftedPose {
    let rotation = camera.camera_from_virtual();
    let sigma = |factor: f64, of: fn(&(f64, f64)) -> f64| {
        std::array::from_fn::<f64, JOINT_COUNT, _>(|joint| factor * of(&scored.scale[joint]))
    };
    LiftedPose {
        joints_from_root: scored.answer.map(|joint| rotation * joint),
        sigma_lateral: sigma(calibration.lateral, |(lateral, _)| *lateral),
        sigma_depth: sigma(calibration.depth, |(_, depth)| *depth),
        viewing_direction: UnitVector3::new_normalize(rotation * Vector3::z()),
    }
}

#[cfg(test)]
#[path = "refinement_tests.rs"]
mod tests;
