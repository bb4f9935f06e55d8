//! Learning from people of whom only keypoints are known (paper, section on semi-supervised learning).
//!
//! For each answered pose X (root-relative, in the virtual camera, m) and the detector's keypoints p of the same time on
//! the z = 1 plane, with their scores as weights w:
//! * the root R that minimises `Σ_j w_j |(X_j + R)_xy − p_j (X_j + R)_z|²`, in closed form as the pipeline's refine stage
//!   places it;
//! * reprojection: `Σ_j w_j R_z |π(X_j + R) − p_j| / Σ_j w_j`, an error in metres across the line of sight, not squared,
//!   for detectors jump. The gradient goes through the joints and the root alike, `R_z` as a unit apart;
//! * constancy: how far each bone is from its mean length in the clip, m;
//! * symmetry: how far left bones are from right ones, m.
//!
//! The keypoints are those that the detector gave before some of them were hidden from the network.

use burn::prelude::*;

use crate::batch::POSE_VALUES;
use crate::bone_terms::{FLOOR, Joints, axes, bone_lengths, constancy, symmetry};
use crate::network::{HEAD_VALUES, LOOKAHEADS};

/// Nothing is projected nearer than this, m.
const NEAREST_M: f32 = 0.3;

/// Weights of the terms.
#[derive(Clone, Copy, Debug)]
pub struct UnlabelledWeights {
    /// Reprojection.
    pub reprojection: f32,
    /// Bones constant over the clip.
    pub constancy: f32,
    /// Left bones as long as right ones.
    pub symmetry: f32,
    /// Share of each head, in the order of [`LOOKAHEADS`].
    pub heads: [f32; LOOKAHEADS.len()],
}

impl Default for UnlabelledWeights {
    fn default() -> Self {
        Self { reprojection: 1.0, constancy: 0.5, symmetry: 0.5, heads: [0.5, 0.25, 0.25] }
    }
}

/// The loss and what it is made of.
pub struct UnlabelledLoss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Mean reprojection error of the first head, m.
    pub reprojection: Tensor<1>,
    /// Mean distance of the first head's bones from their mean length in the clip, m.
    pub constancy: Tensor<1>,
    /// Mean difference of the first head's left and right bones, m.
    pub symmetry: Tensor<1>,
}

/// `answers` `[rows, heads * HEAD_VALUES]`, `keypoints` `[rows, heads * 51]` (x, y, score of each joint), `weights`
/// `[rows, heads]`; rows are `[time, clip]`.
pub fn unlabelled_loss(
    answers: &Tensor<2>,
    keypoints: &Tensor<2>,
    weights: &Tensor<2>,
    clips: usize,
    terms: &UnlabelledWeights,
) -> UnlabelledLoss {
    let rows = answers.dims()[0];
    let mut total = Tensor::zeros([1], &answers.device());
    let mut first = None;
    for (head, share) in terms.heads.into_iter().enumerate() {
        let joints = axes(&answers.clone().slice([0..rows, head * HEAD_VALUES..head * HEAD_VALUES + POSE_VALUES]));
        let [x, y, score] = axes(&keypoints.clone().slice([0..rows, head * POSE_VALUES..(head + 1) * POSE_VALUES]));
        let weight = weights.clone().slice([0..rows, head..head + 1]);
        let reprojection = reprojection(&joints, &x, &y, &(score * weight.clone()));
        let lengths = bone_lengths(&joints);
        let constancy = constancy(&lengths, &weight, clips);
        let symmetry = symmetry(&lengths, &weight);
        total = total
            + (reprojection.clone().mul_scalar(terms.reprojection)
                + constancy.clone().mul_scalar(terms.constancy)
                + symmetry.clone().mul_scalar(terms.symmetry))
            .mul_scalar(share);
        first.get_or_insert([reprojection, constancy, symmetry]);
    }
    let first = first.unwrap_or_else(|| [total.clone(), total.clone(), total.clone()]);
    let [reprojection, constancy, symmetry] = first.map(Tensor::detach);
    UnlabelledLoss { total, reprojection, constancy, symmetry }
}

/// The root of each pose, `[n, 1]` an axis, for keypoints `x`, `y` of weight `weight`, all `[n, 17]`.
fn root(joints: &Joints, x: &Tensor<2>, y: &Tensor<2>, weight: &Tensor<2>) -> Joints {
    let share = weight.clone() / weight.clone().sum_dim(1).clamp_min(1e-6);
    let mean = |values: Tensor<2>| (values * share.clone()).sum_dim(1);
    // X − p Z = p J_z − J for each keypoint: X and Y drop out by taking the mean off, Z is left.
    let side = |p: &Tensor<2>, joint: &Tensor<2>| p.clone() * joints[2].clone() - joint.clone();
    let [side_x, side_y] = [side(x, &joints[0]), side(y, &joints[1])];
    let off_mean = |values: &Tensor<2>| values.clone() - mean(values.clone());
    let [dx, dy] = [off_mean(x), off_mean(y)];
    let with_side = mean(dx.clone() * off_mean(&side_x) + dy.clone() * off_mean(&side_y));
    let spread = mean(dx.powi_scalar(2) + dy.powi_scalar(2)).clamp_min(1e-6);
    let depth = (with_side.neg() / spread).clamp_min(NEAREST_M);
    [mean(side_x) + mean(x.clone()) * depth.clone(), mean(side_y) + mean(y.clone()) * depth.clone(), depth]
}

/// Mean over what is seen of the distance between keypoints and projected joints, times the distance of the root, m.
fn reprojection(joints: &Joints, x: &Tensor<2>, y: &Tensor<2>, weight: &Tensor<2>) -> Tensor<1> {
    let [root_x, root_y, root_z] = root(joints, x, y, weight);
    let depth = (joints[2].clone() + root_z.clone()).clamp_min(NEAREST_M);
    let off = |joint: &Tensor<2>, root: Tensor<2>, p: &Tensor<2>| (joint.clone() + root) / depth.clone() - p.clone();
    let squared = off(&joints[0], root_x, x).powi_scalar(2) + off(&joints[1], root_y, y).powi_scalar(2);
    let distance = (squared.add_scalar(FLOOR)).sqrt() * root_z.detach();
    (distance * weight.clone()).sum() / weight.clone().sum().clamp_min(1.0)
}

#[cfg(test)]
#[path = "semi_supervised_tests.rs"]
mod tests;
