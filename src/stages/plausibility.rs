//! Plausibility: how true a movement looks to the discriminator that comes with the lifter, in [0, 1].
//!
//! Input `features` `[windows, 51 + ages * 136]`: what [`kinematic_chain`] makes of the lifter's answers of the samples
//! that are [`DiscriminatorFacts::window_ages`] old, in the axes of the virtual camera of each sample; output `score`
//! `[windows, 1]`. The plausibility is `1 / (1 + exp(-scale (score - offset)))` with the contract's scale and offset,
//! which make it the probability that the movement is a body's rather than a broken one, at even odds. It is unknown
//! until a person has been lifted for as many samples as the oldest age.

pub mod kinematic_chain;

use ndarray::{ArrayView2, ArrayViewD};

use self::kinematic_chain::{KCS_VALUES, POSE_VALUES, Pose, Psi};
use crate::network::{Network, TensorView};
use crate::stages::lift::LiftError;

/// Facts about the discriminator's weights, from the lifter's contract.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscriminatorFacts {
    /// File name of the weights, beside the contract.
    pub file: String,
    /// SHA-256 of the weights in lower-case hexadecimal.
    pub sha256: String,
    /// How many samples ago the poses of a window are, the first 0.
    pub window_ages: Vec<usize>,
    /// Scale of the score before the logistic function.
    pub score_scale: f64,
    /// Score at which the plausibility is one half.
    pub score_offset: f64,
}

impl DiscriminatorFacts {
    /// Values of a window.
    fn feature_count(&self) -> usize {
        kinematic_chain::feature_count(self.window_ages.len())
    }

    fn oldest(&self) -> usize {
        self.window_ages.iter().copied().max().unwrap_or(0)
    }

    fn plausibility(&self, score: f32) -> Option<f64> {
        let logit = self.score_scale * (f64::from(score) - self.score_offset);
        logit.is_finite().then(|| 1.0 / (1.0 + (-logit).exp()))
    }
}

/// The last poses that the lifter answered for one person, one a sample.
#[derive(Clone, Debug)]
pub(super) struct Movement {
    /// The last of them.
    pose: Pose,
    /// Ring of the last ones' products of bones: as many as the discriminator looks back, and this one; none without a
    /// discriminator.
    psis: Vec<Psi>,
    /// Poses ever put in.
    count: usize,
}

impl Movement {
    /// Puts in the answer of the next sample: 17 × 3 values, which need not be relative to the pelvis.
    pub(super) fn push(&mut self, joints: &[f32]) {
        if self.psis.is_empty() {
            return;
        }
        for (value, (index, joint)) in self.pose.iter_mut().zip(joints.iter().enumerate()) {
            *value = joint - joints[index % 3];
        }
        let slot = self.count % self.psis.len();
        self.psis[slot] = kinematic_chain::psi(&self.pose);
        self.count += 1;
    }

    /// Ψ of the pose of `age` samples ago.
    fn psi(&self, age: usize) -> &Psi {
        &self.psis[(self.count - 1 - age) % self.psis.len()]
    }

    fn is_known(&self) -> bool {
        !self.psis.is_empty() && self.count >= self.psis.len()
    }
}

/// The discriminator: facts and network.
pub struct Discriminator {
    facts: DiscriminatorFacts,
    network: Box<dyn Network>,
    /// Windows that are to be judged, side by side.
    windows: Vec<f32>,
    /// What came out, one for each movement.
    plausibilities: Vec<Option<f64>>,
}

impl Discriminator {
    /// Pairs the weights with their facts.
    ///
    /// # Errors
    /// [`LiftError::Contract`] when the graph has other inputs or outputs.
    pub fn new(facts: DiscriminatorFacts, network: Box<dyn Network>) -> Result<Self, LiftError> {
        let wanted = [("features", facts.feature_count()), ("score", 1)];
        for (specs, (name, width)) in [network.inputs(), network.outputs()].into_iter().zip(wanted) {
            let found: Vec<_> =
                specs.iter().map(|spec| (spec.name.as_str(), spec.shape.last().copied().flatten())).collect();
            if found != [(name, Some(width))] {
                return Err(LiftError::Contract(format!(
                    "the discriminator needs {name} with {width} values, its graph has {found:?}; make it with \
                     `stridepose-train discriminator` of this version"
                )));
            }
        }
        Ok(Self { facts, network, windows: Vec::new(), plausibilities: Vec::new() })
    }

    /// A person of whom nothing was answered yet.
    pub(super) fn new_movement(&self) -> Movement {
        Movement { pose: [0.0; POSE_VALUES], psis: vec![[0.0; KCS_VALUES]; self.facts.oldest() + 1], count: 0 }
    }

    /// The plausibility of each movement, all in one batch; `None` for one that is too short.
    ///
    /// # Errors
    /// [`LiftError::Network`] when the engine fails.
    pub(super) fn judge<'a>(
        &mut self,
        movements: impl Iterator<Item = &'a Movement>,
    ) -> Result<&[Option<f64>], LiftError> {
        self.windows.clear();
        self.plausibilities.clear();
        let mut known = 0;
        for movement in movements {
            self.plausibilities.push(movement.is_known().then_some(0.0));
            if movement.is_known() {
                known += 1;
                let earlier = self.facts.window_ages.iter().skip(1).map(|age| movement.psi(*age));
                kinematic_chain::write_features(&movement.pose, movement.psi(0), earlier, &mut self.windows);
            }
        }
        if known == 0 {
            return Ok(&self.plausibilities);
        }
        let shape = (known, self.facts.feature_count());
        let windows = ArrayView2::from_shape(shape, &self.windows)
            .map_err(|error| LiftError::Contract(format!("windows of the discriminator: {error}")))?;
        let outputs = self.network.run(&[TensorView::F32(windows.into_dyn())])?;
        let scores = outputs.first().filter(|scores| scores.len() == known).ok_or_else(|| {
            let found = outputs.first().map(ArrayViewD::len);
            LiftError::Contract(format!("the discriminator gave {found:?} scores for {} windows", shape.0))
        })?;
        for (plausibility, score) in self.plausibilities.iter_mut().filter(|known| known.is_some()).zip(scores) {
            *plausibility = self.facts.plausibility(*score);
        }
        Ok(&self.plausibilities)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::network::{ElementType, NetworkError, TensorSpec};
    use ndarray::{Array2, ArrayD};

    /// Gives the sum of each window as its score.
    struct Sum {
        inputs: Vec<TensorSpec>,
        outputs: Vec<TensorSpec>,
        answers: Vec<ArrayD<f32>>,
    }

    impl Sum {
        fn boxed(width: usize) -> Box<dyn Network> {
            let spec = |name: &str, width| TensorSpec {
                name: name.to_owned(),
                element_type: ElementType::F32,
                shape: vec![None, Some(width)],
            };
            Box::new(Self {
                inputs: vec![spec("features", width)],
                outputs: vec![spec("score", 1)],
                answers: Vec::new(),
            })
        }
    }

    impl Network for Sum {
        fn inputs(&self) -> &[TensorSpec] {
            &self.inputs
        }

        fn outputs(&self) -> &[TensorSpec] {
            &self.outputs
        }

        fn provider(&self) -> &'static str {
            "test"
        }

        fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
            let TensorView::F32(windows) = &inputs[0] else { unreachable!() };
            let scores: Vec<f32> = windows.outer_iter().map(|window| window.sum()).collect();
            self.answers = vec![Array2::from_shape_vec((scores.len(), 1), scores).unwrap().into_dyn()];
            Ok(self.answers.iter().map(|answer| answer.view()).collect())
        }
    }

    fn facts() -> DiscriminatorFacts {
        let file = "discriminator.onnx".to_owned();
        DiscriminatorFacts { file, sha256: String::new(), window_ages: vec![0, 2], score_scale: 0.1, score_offset: 5.0 }
    }

    /// A pose of time `time`, away from the origin.
    fn pose(time: u8) -> Vec<f32> {
        let time = f32::from(time);
        (0..POSE_VALUES).map(|index| 7.0 + (index as f32 * 0.7 + 0.01 * time * time).sin()).collect()
    }

    fn relative(pose: &[f32]) -> Pose {
        std::array::from_fn(|index| pose[index] - pose[index % 3])
    }

    #[test]
    fn windows_are_of_their_ages_and_the_score_becomes_a_probability() {
        let mut discriminator = Discriminator::new(facts(), Sum::boxed(kinematic_chain::feature_count(2))).unwrap();
        let (mut long, mut short) = (discriminator.new_movement(), discriminator.new_movement());
        for time in 0..11 {
            long.push(&pose(time));
        }
        short.push(&pose(0));
        short.push(&pose(1));
        let [of_short, of_long] = *discriminator.judge([&short, &long].into_iter()).unwrap() else { panic!("two") };
        assert_eq!(of_short, None, "two samples, three are needed");
        let score = |ages: [u8; 2]| {
            let features = kinematic_chain::window_features(&ages.map(|age| relative(&pose(10 - age))));
            features.into_iter().map(f64::from).sum::<f64>()
        };
        let probability = |score: f64| 1.0 / (1.0 + (-0.1 * (score - 5.0)).exp());
        let of_long = of_long.unwrap();
        assert!((of_long - probability(score([0, 2]))).abs() < 1e-4, "{of_long:?}");
        assert!((of_long - probability(score([0, 1]))).abs() > 1e-3, "another age has another score");
        long.push(&[f32::NAN; POSE_VALUES]);
        assert_eq!(discriminator.judge([&long].into_iter()).unwrap(), [None], "not a number is unknown");
    }

    #[test]
    fn another_graph_is_refused() {
        let error = Discriminator::new(facts(), Sum::boxed(POSE_VALUES)).err().unwrap().to_string();
        assert!(error.contains("323 values") && error.contains("51"), "{error}");
    }
}
