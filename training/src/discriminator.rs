//! Discriminator: is this a body, and does it move as bodies do? (Cheng et al. 2020, arXiv 2010.06844, spatio-temporal
//! KCS as in [`stridepose::stages::plausibility::kinematic_chain`]. Sizes are ours.)
//!
//! ```text
//! poses [windows, 5 * 51], root-relative at t, t-1, t-2, t-4, t-8 -> all divided by the mean bone length at t
//!   pose at t -> MLP;  Ψ(t), 136 values -> MLP;  Φ(t, 1), Φ(t, 2), Φ(t, 4), Φ(t, 8) -> MLP
//!   joined -> MLP -> score, trained by least squares: 1 for a true movement, 0 for an answered one
//! ```
//! Gradients go through Ψ, computed here as `((X L) ∘ (X R)) S` with constant matrices, three products without reshaping.
//! Where nothing is learnt, the program hands the network pose, Ψ and Φ.

use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;
use serde::{Deserialize, Serialize};
use stridepose::skeleton::{BONES, Joint};
use stridepose::stages::plausibility::kinematic_chain::{CHANGE_GAIN, KCS_VALUES, LENGTH_FLOOR, POSE_VALUES};

use crate::network::linear;

/// How long ago the poses of a window are, samples.
pub const WINDOW_AGES: [usize; 5] = [0, 1, 2, 4, 8];
/// Slope of the rectifiers below zero.
pub const LEAK: f64 = 0.2;
const HIDDEN: usize = 128;
const BRANCH: usize = 64;

/// What the discriminator looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscriminatorKind {
    /// One pose: joints and Ψ.
    Spatial,
    /// One pose and its change: joints, Ψ and Φ.
    SpatioTemporal,
}

impl DiscriminatorKind {
    /// Poses of a window: the first of [`WINDOW_AGES`] or all.
    pub const fn poses(self) -> usize {
        match self {
            Self::Spatial => 1,
            Self::SpatioTemporal => WINDOW_AGES.len(),
        }
    }
}

/// Two layers.
#[derive(Module, Debug)]
pub struct Mlp {
    /// First.
    pub inner: Linear,
    /// Second.
    pub outer: Linear,
}

impl Mlp {
    fn new(input: usize, device: &Device) -> Self {
        Self { inner: linear(input, HIDDEN, device), outer: linear(HIDDEN, BRANCH, device) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = leaky_relu(self.inner.forward(x), LEAK);
        leaky_relu(self.outer.forward(x), LEAK)
    }
}

/// The discriminator.
#[derive(Module, Debug)]
pub struct Discriminator {
    /// Joints.
    pub pose: Mlp,
    /// Ψ.
    pub spatial: Mlp,
    /// Φ; absent in a spatial discriminator.
    pub temporal: Option<Mlp>,
    /// Branches together.
    pub join: Linear,
    /// To the score.
    pub score: Linear,
}

impl Discriminator {
    /// A discriminator that has learnt nothing.
    pub fn new(kind: DiscriminatorKind, device: &Device) -> Self {
        let changes = kind.poses() - 1;
        let temporal = (changes > 0).then(|| Mlp::new(changes * KCS_VALUES, device));
        let branches = 2 + usize::from(temporal.is_some());
        Self {
            pose: Mlp::new(POSE_VALUES, device),
            spatial: Mlp::new(KCS_VALUES, device),
            temporal,
            join: linear(branches * BRANCH, BRANCH, device),
            score: linear(BRANCH, 1, device),
        }
    }

    /// `windows` `[n, kind.poses() * 51]` to scores `[n, 1]`.
    pub fn forward(&self, windows: &Tensor<2>, kcs: &KinematicChain) -> Tensor<2> {
        let [count, width] = windows.dims();
        let pose = |index: usize| windows.clone().slice([0..count, index * POSE_VALUES..(index + 1) * POSE_VALUES]);
        let spatial = kcs.psi(pose(0));
        let size = kcs.mean_bone_length(spatial.clone());
        let mut branches = vec![
            self.pose.forward(pose(0) / size.clone()),
            self.spatial.forward(spatial.clone() / size.clone().powi_scalar(2)),
        ];
        if let Some(temporal) = &self.temporal {
            let changes = (1..width / POSE_VALUES).map(|index| spatial.clone() - kcs.psi(pose(index))).collect();
            let changes = Tensor::cat(changes, 1) / size.powi_scalar(2);
            branches.push(temporal.forward(changes.mul_scalar(CHANGE_GAIN)));
        }
        let joined = leaky_relu(self.join.forward(Tensor::cat(branches, 1)), LEAK);
        self.score.forward(joined)
    }
}

/// Kinematic chain space as three constant matrices.
#[derive(Clone, Debug)]
pub struct KinematicChain {
    left: Tensor<2>,
    right: Tensor<2>,
    sum: Tensor<2>,
    diagonal: Tensor<2>,
    mean: Tensor<2>,
}

impl KinematicChain {
    /// On `device`.
    pub fn new(device: &Device) -> Self {
        let matrix = |matrix: &Matrix| {
            Tensor::<1>::from_data(TensorData::from(matrix.values.as_slice()), device).reshape(matrix.shape)
        };
        let [left, right, sum, diagonal, mean] = &matrices();
        Self {
            left: matrix(left),
            right: matrix(right),
            sum: matrix(sum),
            diagonal: matrix(diagonal),
            mean: matrix(mean),
        }
    }

    /// Upper triangle of Ψ: `[n, 51]` to `[n, 136]`, m².
    pub fn psi(&self, pose: Tensor<2>) -> Tensor<2> {
        (pose.clone().matmul(self.left.clone()) * pose.matmul(self.right.clone())).matmul(self.sum.clone())
    }

    /// `[n, 136]` to `[n, 1]`, m.
    fn mean_bone_length(&self, psi: Tensor<2>) -> Tensor<2> {
        self.bone_lengths(psi).matmul(self.mean.clone())
    }

    /// From Ψ `[n, 136]` to the lengths of the bones `[n, 16]`, m.
    pub fn bone_lengths(&self, psi: Tensor<2>) -> Tensor<2> {
        psi.matmul(self.diagonal.clone()).clamp_min(0.0).add_scalar(LENGTH_FLOOR).sqrt()
    }
}

/// A constant matrix, row by row.
struct Matrix {
    /// Rows and columns.
    shape: [usize; 2],
    values: Vec<f32>,
}

impl Matrix {
    fn zeros(rows: usize, columns: usize) -> Self {
        Self { shape: [rows, columns], values: vec![0.0; rows * columns] }
    }

    fn add(&mut self, row: usize, column: usize, value: f32) {
        self.values[row * self.shape[1] + column] += value;
    }
}

/// The matrices L, R `[51, 136 * 3]`, S `[136 * 3, 136]`, diagonal `[136, 16]` and mean `[16, 1]`.
fn matrices() -> [Matrix; 5] {
    let mut left = Matrix::zeros(POSE_VALUES, KCS_VALUES * 3);
    let mut right = Matrix::zeros(POSE_VALUES, KCS_VALUES * 3);
    let mut sum = Matrix::zeros(KCS_VALUES * 3, KCS_VALUES);
    let mut diagonal = Matrix::zeros(KCS_VALUES, BONES.len());
    let mut mean = Matrix::zeros(BONES.len(), 1);
    let put = |matrix: &mut Matrix, (parent, child): (Joint, Joint), column: usize, axis: usize| {
        matrix.add(child.index() * 3 + axis, column, 1.0);
        matrix.add(parent.index() * 3 + axis, column, -1.0);
    };
    let pairs = (0..BONES.len()).flat_map(|a| (a..BONES.len()).map(move |b| (a, b)));
    for (value, (a, b)) in pairs.enumerate() {
        for axis in 0..3 {
            let column = value * 3 + axis;
            put(&mut left, BONES[a], column, axis);
            put(&mut right, BONES[b], column, axis);
            sum.add(column, value, 1.0);
        }
        if a == b {
            diagonal.add(value, a, 1.0);
            mean.add(a, 0, 1.0 / BONES.len() as f32);
        }
    }
    [left, right, sum, diagonal, mean]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nalgebra::{Rotation3, Vector3};
    use stridepose::skeleton::{JOINT_COUNT, JointArray};
    use stridepose::stages::plausibility::kinematic_chain;

    fn pose(seed: f64) -> JointArray<Vector3<f64>> {
        std::array::from_fn(|joint| {
            let joint = joint as f64;
            Vector3::new((joint * 1.3 + seed).sin(), (joint * 0.7 - seed).cos(), 0.1 * joint)
        })
    }

    fn row(pose: &JointArray<Vector3<f64>>) -> Vec<f32> {
        pose.iter().flat_map(|joint| [joint.x as f32, joint.y as f32, joint.z as f32]).collect()
    }

    fn tensor(values: &[f32]) -> Tensor<2> {
        Tensor::<1>::from_data(TensorData::from(values), &Device::flex()).reshape([1, values.len()])
    }

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn psi_is_the_program_s() {
        let pose = pose(0.4);
        let found = values(KinematicChain::new(&Device::flex()).psi(tensor(&row(&pose))));
        let wanted = kinematic_chain::psi(&row(&pose).try_into().unwrap());
        assert_eq!(found.len(), wanted.len());
        for (value, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            assert!((found - wanted).abs() < 1e-5, "value {value}: {found}, {wanted}");
        }
    }

    #[test]
    fn psi_does_not_see_the_camera_and_the_score_does_not_see_the_size() {
        let device = Device::flex();
        let kcs = KinematicChain::new(&device);
        let turn = Rotation3::from_euler_angles(0.3, -1.1, 2.0);
        let turned = pose(0.4).map(|joint| turn * joint);
        for (a, b) in values(kcs.psi(tensor(&row(&pose(0.4))))).iter().zip(values(kcs.psi(tensor(&row(&turned))))) {
            assert!((a - b).abs() < 1e-4);
        }
        let network = Discriminator::new(DiscriminatorKind::SpatioTemporal, &device);
        let window = |scale: f64| {
            let poses = [0.4, 0.41, 0.42, 0.44, 0.48].map(|seed| row(&pose(seed).map(|joint| joint * scale)));
            values(network.forward(&tensor(&poses.concat()), &kcs))[0]
        };
        assert!((window(1.0) - window(1.7)).abs() < 1e-3);
    }

    #[test]
    fn only_the_spatio_temporal_one_sees_the_past() {
        let device = Device::flex();
        let kcs = KinematicChain::new(&device);
        let network = Discriminator::new(DiscriminatorKind::SpatioTemporal, &device);
        let still = vec![row(&pose(0.4)); 5].concat();
        let mut moved = still.clone();
        moved[POSE_VALUES..2 * POSE_VALUES].copy_from_slice(&row(&pose(0.9)));
        let score = |window: &[f32]| values(network.forward(&tensor(window), &kcs))[0];
        assert!((score(&still) - score(&moved)).abs() > 1e-4);
        assert!(Discriminator::new(DiscriminatorKind::Spatial, &device).temporal.is_none());
        assert_eq!(POSE_VALUES, JOINT_COUNT * 3);
    }
}
