//! What waiting is worth: the answer at once, the one with the furthest look-ahead, and that one as the pipeline smooths it.

use nalgebra::{Point3, Vector3};
use stridepose::config::Config;
use stridepose::metrics::smoothness::third_derivative;
use stridepose::skeleton::JointArray;
use stridepose::stages::smooth::Smoother;
use stridepose::stages::window::MODEL_RATE_HZ;

use crate::mocap::Clip;
use crate::network::{HINDSIGHT, LOOKAHEADS, TemporalNetwork};
use crate::validate::{self, AnsweredScene, Condition, Validation};

/// What is compared.
pub const ANSWERS: [&str; 3] = ["at once", "look-ahead 12", "smoothed"];

/// Errors of one kind of answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct LookAheadScore {
    /// Poses scored.
    pub poses: usize,
    /// Root-relative MPJPE, mm.
    pub mpjpe_mm: f64,
    /// Change of the error from one sample to the next (MPJVE), mm.
    pub mpjve_mm: f64,
    /// Mean norm of the third derivative of the answers, m/s³, as `stridepose evaluate` has it.
    pub jitter_m_per_s3: f64,
}

/// Scores of [`ANSWERS`], and the jitter of the truth, under `condition` over the clips that `of` accepts. All are of the same
/// samples.
pub fn study<N: TemporalNetwork>(
    validation: &Validation<'_, N>,
    of: impl Fn(&Clip) -> bool,
    condition: &Condition,
) -> ([LookAheadScore; ANSWERS.len()], f64) {
    let mut sums = [Sums::default(); ANSWERS.len()];
    let mut truth_sums = Sums::default();
    validation.answered_scenes(of, condition, |scene| {
        let scored: Vec<Sample> =
            samples(scene).into_iter().filter(|sample| condition.hidden.is_scored(sample.time)).collect();
        let truth: Vec<_> = scored.iter().map(|sample| sample.truth).collect();
        for (index, sums) in sums.iter_mut().enumerate() {
            let answers: Vec<_> = scored.iter().map(|sample| sample.answers[index]).collect();
            sums.add(&answers, &truth);
        }
        truth_sums.add(&truth, &truth);
    });
    (sums.map(Sums::score), truth_sums.score().jitter_m_per_s3)
}

type Pose = JointArray<Vector3<f64>>;

/// What was said of one sample, in the axes of the camera.
struct Sample {
    time: usize,
    truth: Pose,
    answers: [Pose; ANSWERS.len()],
}

/// Every sample that is answered with look-ahead.
fn samples(scene: &AnsweredScene<'_>) -> Vec<Sample> {
    let furthest = LOOKAHEADS.len() - 1;
    let sigma_secs = Config::default().refine.lookahead_smoothing_secs;
    let in_camera = |time: usize, head: usize| {
        let rotation = scene.rows[time - LOOKAHEADS[head]].seen.camera.camera_from_virtual();
        let scored = scene.scored(time, head);
        (scored.answer.map(|joint| rotation * joint), scored.truth.map(|joint| rotation * joint))
    };
    let mut smoother = Smoother::default();
    let mut samples: Vec<Sample> = Vec::with_capacity(scene.rows.len());
    for time in 0..scene.rows.len() {
        let (now, truth) = in_camera(time, 0);
        smoother.see(validate::stamp(time), now.map(Point3::from));
        samples.push(Sample { time, truth, answers: [now; ANSWERS.len()] });
        let Some(then) = time.checked_sub(HINDSIGHT) else { continue };
        let (later, _) = in_camera(time, furthest);
        let smoothed =
            smoother.smooth(validate::stamp(then), later.map(Point3::from), sigma_secs).map(|joint| joint.coords);
        samples[then].answers = [samples[then].answers[0], later, smoothed];
    }
    samples.truncate(scene.rows.len().saturating_sub(HINDSIGHT));
    samples
}

#[derive(Clone, Copy, Default)]
struct Sums {
    error: f64,
    poses: usize,
    change: f64,
    changes: usize,
    jerk: f64,
    jerks: usize,
}

impl Sums {
    /// Adds the answers for neighbouring samples.
    fn add(&mut self, answers: &[Pose], truth: &[Pose]) {
        let pairs = answers.iter().zip(truth);
        let errors: Vec<Pose> =
            pairs.clone().map(|(answer, truth)| std::array::from_fn(|joint| answer[joint] - truth[joint])).collect();
        self.error += pairs.map(|(answer, truth)| validate::mean_distance(answer, truth)).sum::<f64>();
        self.poses += answers.len();
        for change in errors.array_windows().map(|[before, now]| validate::mean_distance(now, before)) {
            self.change += change;
            self.changes += 1;
        }
        let times = [0.0, 1.0, 2.0, 3.0].map(|sample| sample / MODEL_RATE_HZ);
        for [a, b, c, d] in answers.array_windows() {
            let jerks =
                (0..a.len()).filter_map(|joint| third_derivative([a[joint], b[joint], c[joint], d[joint]], times));
            for jerk in jerks {
                self.jerk += jerk.norm();
                self.jerks += 1;
            }
        }
    }

    fn score(self) -> LookAheadScore {
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        LookAheadScore {
            poses: self.poses,
            mpjpe_mm: 1e3 * mean(self.error, self.poses),
            mpjve_mm: 1e3 * mean(self.change, self.changes),
            jitter_m_per_s3: mean(self.jerk, self.jerks),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::network::{self, HEAD_VALUES, LifterNetwork, LifterSize};
    use crate::test_people::{clips, noise};
    use crate::validate::Hidden;
    use burn::prelude::*;

    #[test]
    fn the_same_samples_are_scored_and_smoothing_calms() {
        let folder = tempfile::tempdir().unwrap();
        let (clips, noise) = (clips(160), noise(folder.path()));
        let size =
            LifterSize { image_strides: vec![1], encoder: 16, branch: 8, fuse: 16, fuse_residuals: 2, hindsight: 8 };
        Device::flex().seed(4);
        let mut network = LifterNetwork::new(&size, &Device::flex());
        // A network that has learnt nothing answers nothing; one with any weights trembles with its input.
        network.head = network::linear(size.fuse, LOOKAHEADS.len() * HEAD_VALUES, &Device::flex());
        let validation =
            Validation { network: &network, size: &size, clips: &clips, noise: &noise, scenes_per_clip: 1 };
        let condition = Condition::hiding(Hidden::Share(0.0));
        let (scores, truth) = study(&validation, |_| true, &condition);
        assert!(truth > 0.0 && scores[0].poses > 0);
        assert!(scores.iter().all(|score| score.poses == scores[0].poses && score.mpjpe_mm > 0.0));
        assert!(scores[2].jitter_m_per_s3 < 0.5 * scores[1].jitter_m_per_s3, "{scores:?}");
        let whole = validation.score(|_| true, &condition).unwrap();
        let ratio = scores[0].mpjpe_mm / whole.mpjpe_mm[0];
        assert!((0.8..1.25).contains(&ratio), "{ratio}: most of the samples are the same");
    }
}
