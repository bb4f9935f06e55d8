//! The size of one person: running robust means of the bone lengths.

use nalgebra::Vector3;

use crate::skeleton::{BONES, JOINT_COUNT, JointArray};

/// Images over which the lengths are averaged.
const MEMORY: f64 = 150.0;
/// The lengths are known after so many images.
const KNOWN_AFTER: f64 = 10.0;
/// A length that is known moves by at most this share of itself towards one image's.
const LARGEST_CHANGE: f64 = 0.5;
/// A body whose bones together are shorter than this is none, m.
const SMALLEST_BODY_M: f64 = 0.1;

/// Running means of bone lengths, equal on both sides of the body.
#[derive(Clone, Debug, Default)]
pub(super) struct BoneMemory {
    lengths: [f64; JOINT_COUNT - 1],
    weight: f64,
}

impl BoneMemory {
    /// Takes the bones of one image's pose into the means.
    pub(super) fn update(&mut self, joints: &JointArray<Vector3<f64>>) {
        let lengths = symmetric_lengths(joints);
        if lengths.iter().sum::<f64>() < SMALLEST_BODY_M {
            return;
        }
        let share = 1.0 / (self.weight + 1.0);
        for (mean, length) in self.lengths.iter_mut().zip(lengths) {
            let most = if self.weight >= KNOWN_AFTER { LARGEST_CHANGE * *mean } else { f64::INFINITY };
            *mean += (length - *mean).clamp(-most, most) * share;
        }
        self.weight = (self.weight + 1.0).min(MEMORY);
    }

    /// What brings a pose to this person's mean size; 1 where nothing is known.
    pub(super) fn scale_of(&self, joints: &JointArray<Vector3<f64>>) -> f64 {
        let total: f64 = symmetric_lengths(joints).iter().sum();
        if self.weight > 0.0 && total > SMALLEST_BODY_M { self.lengths.iter().sum::<f64>() / total } else { 1.0 }
    }

    /// The lengths in the order of [`BONES`], once enough images were seen.
    pub(super) fn known(&self) -> Option<&[f64; JOINT_COUNT - 1]> {
        (self.weight >= KNOWN_AFTER).then_some(&self.lengths)
    }
}

fn symmetric_lengths(joints: &JointArray<Vector3<f64>>) -> [f64; JOINT_COUNT - 1] {
    BONES.map(|(parent, child)| {
        let length = |parent: usize, child: usize| (joints[child] - joints[parent]).norm();
        let mirrored = length(parent.mirrored().index(), child.mirrored().index());
        0.5 * (length(parent.index(), child.index()) + mirrored)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_settles_and_one_absurd_image_hardly_moves_it() {
        let pose: JointArray<Vector3<f64>> =
            std::array::from_fn(|joint| Vector3::new((joint as f64).sin(), 0.2 * joint as f64, 0.0));
        let mut memory = BoneMemory::default();
        assert!((memory.scale_of(&pose) - 1.0).abs() < 1e-12 && memory.known().is_none());
        for _ in 0..20 {
            memory.update(&pose);
        }
        assert!((memory.scale_of(&pose.map(|joint| joint * 2.0)) - 0.5).abs() < 1e-12);
        memory.update(&pose.map(|joint| joint * 100.0));
        assert!((memory.scale_of(&pose) - 1.0).abs() < 0.03);
        memory.update(&[Vector3::zeros(); JOINT_COUNT]);
        assert!(memory.known().is_some_and(|lengths| lengths.iter().all(|&length| length > 0.0)));
    }
}
