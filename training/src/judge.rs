//! The discriminator that comes with a finished lifter, trained beside it: the lifter stays as it is.
//!
//! Three kinds of movement, by least squares: true ones (1), the lifter's answers (1/2), and either of both with a fault
//! of [`crate::implausible`] (0). So a good answer stands out from a broken one, which is what `plausibility` is for; a
//! discriminator of answers against the truth alone calls every answer false. The score becomes a probability by a
//! logistic function fitted on validation persons, true movements and answers against broken ones at even odds.

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stridepose::stages::window::FEATURE_COUNT;

use crate::adversary::{self, TAIL};
use crate::batch::{self, Batch, BatchSettings, POSE_VALUES};
use crate::corpus::Corpus;
use crate::discriminator::{Discriminator, DiscriminatorKind, KinematicChain};
use crate::export::floats;
use crate::export_discriminator::GoldenGroup;
use crate::implausible::{Fault, Pose};
use crate::mocap::{Clip, Split};
use crate::network::{LifterNetwork, LifterSize, Rows, TemporalNetwork};
use crate::noise::DetectorNoise;

/// Score that the lifter's answers are taught, between broken movements (0) and true ones (1).
const ANSWER_TARGET: f32 = 0.5;
/// Windows of each kind of movement in a golden.
const GOLDEN_WINDOWS: usize = 24;
/// Sets the draws of the measurement apart from those of the training.
const MEASUREMENT_SEED: u64 = 0x6a75_6467;

/// How the discriminator is trained.
#[derive(Clone, Debug)]
pub struct JudgeSettings {
    /// What it looks at.
    pub kind: DiscriminatorKind,
    /// How clips are drawn; every length at least [`TAIL`].
    pub batch: BatchSettings,
    /// Steps.
    pub steps: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Batches that it is measured and calibrated on.
    pub measured_batches: u64,
}

/// The lifter and the persons.
pub struct JudgeData<'a> {
    /// Motion capture of both splits.
    pub clips: &'a [Clip],
    /// The detector.
    pub noise: &'a DetectorNoise,
    /// The lifter, which stays as it is.
    pub network: &'a LifterNetwork,
    /// Its sizes.
    pub size: &'a LifterSize,
}

/// A kind of movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Recorded.
    True,
    /// By the lifter.
    Answered,
    /// One of both, broken.
    Broken(Fault),
}

impl Made {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::Answered => "answered",
            Self::Broken(fault) => fault.name(),
        }
    }
}

/// Windows of one kind of movement, with their scores.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Which kind.
    pub made: Made,
    /// Raw scores.
    pub scores: Vec<f32>,
    /// The first of the windows, for a golden, `[n, kind.poses() * 51]`.
    pub windows: Vec<f32>,
}

/// How a score becomes a probability: `1 / (1 + exp(-scale (score - offset)))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// Scale.
    pub scale: f64,
    /// Score of even odds.
    pub offset: f64,
}

impl Logistic {
    /// The probability.
    pub fn of(&self, score: f32) -> f64 {
        1.0 / (1.0 + (-self.scale * (f64::from(score) - self.offset)).exp())
    }
}

/// What came of it.
pub struct Judge {
    /// The discriminator.
    pub network: Discriminator,
    /// From score to plausibility.
    pub logistic: Logistic,
    /// Movements of validation persons.
    pub judged: Vec<Judged>,
}

/// Movements of the last [`TAIL`] samples, clip by clip.
struct Movements {
    truth: Vec<Vec<Pose>>,
    answers: Vec<Vec<Pose>>,
}

/// Trains, calibrates and measures.
///
/// # Errors
/// When there is nobody to learn from or to measure on, or the loss is not finite.
pub fn train(settings: &JudgeSettings, data: &JudgeData<'_>) -> anyhow::Result<Judge> {
    let corpora = [Split::Train, Split::Validation].map(|split| Corpus::new(data.clips, split));
    for (corpus, who) in corpora.iter().zip(["training", "validation"]) {
        anyhow::ensure!(!corpus.is_empty(), "no {who} clip in the motion capture");
    }
    anyhow::ensure!(
        settings.batch.lengths.iter().all(|length| *length >= TAIL) && !settings.batch.lengths.is_empty(),
        "lengths {:?}: clips of at least {TAIL} samples are needed",
        settings.batch.lengths
    );
    let [training, validation] = &corpora;
    let device = Device::flex().autodiff();
    device.seed(settings.seed);
    let mut network = Discriminator::new(settings.kind, &device);
    let kcs = KinematicChain::new(&device);
    let clipping = GradientClippingConfig::Norm(1.0);
    let mut optimizer: ModuleOptimizer =
        AdamWConfig::new().with_weight_decay(1e-4).with_grad_clipping(Some(clipping)).init();
    let style = ProgressStyle::with_template("{elapsed_precise} [{wide_bar}] {pos}/{len} steps, {eta} left, {msg}")?;
    let bar = ProgressBar::new(settings.steps).with_style(style);
    let mut smooth = None;
    for step in 0..settings.steps {
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let movements = Movements::draw(training, settings, data, settings.seed, step);
        let broken = movements.broken(None, &mut rng);
        let parts = [(&movements.truth, 1.0), (&movements.answers, ANSWER_TARGET), (&broken, 0.0)];
        let loss = parts
            .into_iter()
            .map(|(movements, target)| {
                let scores = network.forward(&windows(movements, settings.kind, &device), &kcs);
                scores.sub_scalar(target).powi_scalar(2).mean()
            })
            .reduce(|sum, part| sum + part)
            .map_or_else(|| Tensor::zeros([1], &device), |sum| sum.mul_scalar(1.0 / 3.0));
        let value = loss.clone().into_scalar::<f32>();
        anyhow::ensure!(value.is_finite(), "the loss of step {step} is not finite");
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let rate = settings.learning_rate * (1.0 - step as f64 / settings.steps as f64);
        network = optimizer.step(rate, network, gradients);
        let mean = smooth.map_or(value, |mean: f32| 0.95 * mean + 0.05 * value);
        smooth = Some(mean);
        bar.set_message(format!("loss {mean:.4}"));
        bar.inc(1);
    }
    bar.finish();
    Ok(calibrated(network.valid(), validation, settings, data))
}

/// Measures and calibrates a discriminator on the persons of `validation`.
pub fn calibrated(
    network: Discriminator,
    validation: &Corpus<'_>,
    settings: &JudgeSettings,
    data: &JudgeData<'_>,
) -> Judge {
    let judged = measure(&network, validation, settings, data);
    let logistic = fit(&judged);
    Judge { network, logistic, judged }
}

/// Scores of every kind of movement of the persons of `corpus`.
fn measure(
    network: &Discriminator,
    corpus: &Corpus<'_>,
    settings: &JudgeSettings,
    data: &JudgeData<'_>,
) -> Vec<Judged> {
    let device = Device::flex();
    let kcs = KinematicChain::new(&device);
    let kinds = [Made::True, Made::Answered].into_iter().chain(Fault::ALL.map(Made::Broken));
    let mut judged: Vec<Judged> = kinds.map(|made| Judged { made, scores: Vec::new(), windows: Vec::new() }).collect();
    for step in 0..settings.measured_batches {
        let mut rng = ChaCha8Rng::seed_from_u64(MEASUREMENT_SEED ^ step);
        let movements = Movements::draw(corpus, settings, data, MEASUREMENT_SEED, step);
        for judged in &mut judged {
            let windows = match judged.made {
                Made::True => windows(&movements.truth, settings.kind, &device),
                Made::Answered => windows(&movements.answers, settings.kind, &device),
                Made::Broken(fault) => windows(&movements.broken(Some(fault), &mut rng), settings.kind, &device),
            };
            judged.scores.extend(floats(network.forward(&windows, &kcs)));
            if step == 0 {
                judged.windows = floats(windows);
            }
        }
    }
    judged
}

impl Judge {
    /// The first windows of each kind of movement, for a golden.
    pub fn golden(&self, kind: DiscriminatorKind) -> Vec<GoldenGroup> {
        let group = |judged: &Judged| GoldenGroup {
            name: judged.made.name().to_owned(),
            poses: judged.windows.iter().copied().take(GOLDEN_WINDOWS * kind.poses() * POSE_VALUES).collect(),
        };
        self.judged.iter().map(group).collect()
    }
}

impl Movements {
    fn draw(corpus: &Corpus<'_>, settings: &JudgeSettings, data: &JudgeData<'_>, seed: u64, step: u64) -> Self {
        let severity = 0.6;
        let batch = batch::draw(corpus, data.noise, &settings.batch, severity, seed, step);
        let answers = answered(&batch, data);
        Self { truth: by_clip(&batch.tail_targets, batch.clips), answers: by_clip(&answers, batch.clips) }
    }

    /// True movements and answers in turn, each with a fault: with `fault`, or with one that is drawn.
    fn broken(&self, fault: Option<Fault>, rng: &mut ChaCha8Rng) -> Vec<Vec<Pose>> {
        let clips = self.truth.len();
        let mut broken: Vec<Vec<Pose>> =
            (0..clips).map(|clip| if clip % 2 == 0 { &self.truth } else { &self.answers }[clip].clone()).collect();
        for (clip, movement) in broken.iter_mut().enumerate() {
            let fault = fault.or_else(|| Fault::ALL.choose(rng).copied()).unwrap_or(Fault::Jitter);
            let other = (clip + 1 + rng.random_range(0..clips.max(2) - 1)) % clips;
            fault.apply(movement, &self.truth[other], rng);
        }
        broken
    }
}

/// The lifter's answers to the last [`TAIL`] samples of each clip, `[TAIL * clips, 51]`.
fn answered(batch: &Batch, data: &JudgeData<'_>) -> Vec<f32> {
    let features = Tensor::<1>::from_data(TensorData::from(batch.features.as_slice()), &Device::flex())
        .reshape([batch.length * batch.clips, FEATURE_COUNT]);
    let all = data.network.forward(features, data.size, batch.clips, Rows::PairsAndTail);
    let rows = all.dims()[0];
    floats(all.slice([rows - TAIL * batch.clips..rows, 0..POSE_VALUES]))
}

/// `[TAIL * clips, 51]`, time-major, to a movement for each clip, relative to the pelvis.
fn by_clip(values: &[f32], clips: usize) -> Vec<Vec<Pose>> {
    (0..clips)
        .map(|clip| {
            (0..TAIL)
                .map(|time| {
                    let pose = &values[(time * clips + clip) * POSE_VALUES..][..POSE_VALUES];
                    std::array::from_fn(|value| pose[value] - pose[value % 3])
                })
                .collect()
        })
        .collect()
}

fn windows(movements: &[Vec<Pose>], kind: DiscriminatorKind, device: &Device) -> Tensor<2> {
    let clips = movements.len();
    let values: Vec<f32> = (0..TAIL).flat_map(|time| movements.iter().flat_map(move |clip| clip[time])).collect();
    let poses = Tensor::<1>::from_data(TensorData::from(values.as_slice()), device);
    adversary::windows(&poses.reshape([TAIL * clips, POSE_VALUES]), clips, kind)
}

/// The logistic function of greatest likelihood for true movements and answers against broken ones, each side as heavy as
/// the other (Platt 1999), by Newton's method.
fn fit(judged: &[Judged]) -> Logistic {
    let whole = |judged: &&Judged| !matches!(judged.made, Made::Broken(_));
    let scores = |is_whole: bool| {
        judged.iter().filter(move |judged| whole(judged) == is_whole).flat_map(|judged| &judged.scores).copied()
    };
    logistic(&scores(true).collect::<Vec<_>>(), &scores(false).collect::<Vec<_>>())
}

fn logistic(whole: &[f32], broken: &[f32]) -> Logistic {
    let (mut slope, mut intercept) = (1.0, 0.0);
    for _ in 0..100 {
        // Gradient and Hessian of the mean log-likelihood, and a little shrinkage, so that perfect separation stays finite.
        let (mut g, mut h) = ([-1e-5 * slope, -1e-5 * intercept], [1e-5, 0.0, 1e-5]);
        for (scores, target) in [(whole, 1.0), (broken, 0.0)] {
            let weight = 0.5 / scores.len().max(1) as f64;
            for score in scores {
                let score = f64::from(*score);
                let p = 1.0 / (1.0 + (-(slope * score + intercept)).exp());
                let (off, curvature) = (weight * (target - p), weight * p * (1.0 - p));
                g = [g[0] + off * score, g[1] + off];
                h = [h[0] + curvature * score * score, h[1] + curvature * score, h[2] + curvature];
            }
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
        // Newton's steps are cut so that the first ones do not overshoot.
        let cut = (2.0 / step[0].hypot(step[1])).min(1.0);
        slope += cut * step[0];
        intercept += cut * step[1];
    }
    let scale = slope.max(1e-3);
    Logistic { scale, offset: -intercept / scale }
}

/// Probability that a score of `higher` is above one of `lower` (the area under the ROC curve).
pub fn auc(higher: &[f32], lower: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> =
        higher.iter().map(|score| (*score, true)).chain(lower.iter().map(|score| (*score, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins) = (0.0, 0.0);
    for tied in all.chunk_by(|a, b| a.0 == b.0) {
        let lower_here = tied.iter().filter(|(_, is_higher)| !is_higher).count() as f64;
        wins += (tied.len() as f64 - lower_here) * (below + 0.5 * lower_here);
        below += lower_here;
    }
    wins / (higher.len() as f64 * lower.len() as f64)
}

/// A line for each kind of movement: median and quartiles of the plausibility, and how surely true movements and answers
/// are told from it.
pub fn table(judge: &Judge) -> String {
    use std::fmt::Write;
    let scores = |made: Made| judge.judged.iter().find(|judged| judged.made == made).map(|judged| &judged.scores);
    let mut text = String::from(
        "movement            windows  plausibility: median (quartiles)  AUC true above it  AUC answered above it\n",
    );
    for Judged { made, scores: of, .. } in &judge.judged {
        let mut plausibilities: Vec<f64> = of.iter().map(|score| judge.logistic.of(*score)).collect();
        plausibilities.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            plausibilities.get((share * plausibilities.len() as f64) as usize).copied().unwrap_or(f64::NAN)
        };
        let against = |made: Made| scores(made).map_or(f64::NAN, |scores| auc(scores, of));
        let _ = writeln!(
            text,
            "{:<18} {:>8}  {:>19.2} ({:.2}, {:.2})  {:>17.3}  {:>21.3}",
            made.name(),
            of.len(),
            quantile(0.5),
            quantile(0.25),
            quantile(0.75),
            against(Made::True),
            against(Made::Answered)
        );
    }
    text
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
