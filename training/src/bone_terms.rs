//! What bones do, whoever the person is: keep their length, and left ones are as long as right ones. As losses, for answers with a
//! truth and without.

use burn::prelude::*;
use stridepose::skeleton::{BONES, JOINT_COUNT};

/// Added under roots, m².
pub(crate) const FLOOR: f32 = 1e-8;

/// Places of the joints, one tensor `[n, 17]` per axis.
pub(crate) type Joints = [Tensor<2>; 3];

/// `[n, 51]` to one tensor an axis.
pub(crate) fn axes(pose: &Tensor<2>) -> Joints {
    let rows = pose.dims()[0];
    let joints = pose.clone().reshape([rows, JOINT_COUNT, 3]);
    std::array::from_fn(|axis| {
        joints.clone().slice([0..rows, 0..JOINT_COUNT, axis..axis + 1]).reshape([rows, JOINT_COUNT])
    })
}

/// `[n, 16]`, m.
pub(crate) fn bone_lengths(joints: &Joints) -> Tensor<2> {
    let rows = joints[0].dims()[0];
    let lengths = BONES
        .iter()
        .map(|(parent, child)| {
            let at = |axis: usize, joint: usize| joints[axis].clone().slice([0..rows, joint..joint + 1]);
            (0..3)
                .map(|axis| (at(axis, child.index()) - at(axis, parent.index())).powi_scalar(2))
                .fold(Tensor::zeros([rows, 1], &joints[0].device()), |sum, square| sum + square)
        })
        .collect();
    Tensor::cat(lengths, 1).add_scalar(FLOOR).sqrt()
}

/// Mean distance of each bone from its mean in the clip, m. `weight` is `[rows, 1]`.
pub(crate) fn constancy(lengths: &Tensor<2>, weight: &Tensor<2>, clips: usize) -> Tensor<1> {
    let times = lengths.dims()[0] / clips;
    let by_clip = |values: Tensor<2>| {
        let width = values.dims()[1];
        values.reshape([times, clips, width])
    };
    let (lengths, weight) = (by_clip(lengths.clone()), by_clip(weight.clone()));
    let mean = (lengths.clone() * weight.clone()).sum_dim(0) / weight.clone().sum_dim(0).clamp_min(1.0);
    let off = (lengths - mean).abs().mean_dim(2);
    (off * weight.clone()).sum() / weight.sum().clamp_min(1.0)
}

/// Mean difference between left and right bones, m.
pub(crate) fn symmetry(lengths: &Tensor<2>, weight: &Tensor<2>) -> Tensor<1> {
    let rows = lengths.dims()[0];
    let differences = BONES
        .iter()
        .enumerate()
        .filter_map(|(bone, (_, child))| {
            let twin = BONES.iter().position(|(_, other)| *other == child.mirrored())?;
            let length = |bone: usize| lengths.clone().slice([0..rows, bone..bone + 1]);
            (twin > bone).then(|| (length(bone) - length(twin)).abs())
        })
        .collect();
    let difference = Tensor::cat(differences, 1).mean_dim(1);
    (difference * weight.clone()).sum() / weight.clone().sum().clamp_min(1.0)
}
