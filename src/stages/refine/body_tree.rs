//! Normal equations of the whole body, solved exactly along the skeleton.
//!
//! Unknowns: 17 joints × 3. Terms couple a joint with itself, with its parent (bones) and with the root (lifter),
//! so eliminating the joints from the leaves to the root fills in nothing new: 17 steps with 3×3 blocks instead
//! of a 51×51 factorisation, without heap. The covariance of every joint follows on the way back (Takahashi's
//! recursion: the blocks of the inverse that lie on the pattern need no others).
//! Guarantee: [`BodyNormal::factor`] answers `None` unless every pivot block is positive definite and finite.

use nalgebra::{Matrix3, Vector3};

use super::symmetric::inverse_of_positive_definite;
use crate::skeleton::{BONES, JOINT_COUNT, JointArray};

/// Parent of each joint; the root is its own. Parents come before their children.
pub(super) const PARENT: JointArray<usize> = {
    let mut parent = [0; JOINT_COUNT];
    let mut bone = 0;
    while bone < BONES.len() {
        parent[BONES[bone].1.index()] = BONES[bone].0.index();
        bone += 1;
    }
    parent
};

/// Symmetric normal matrix and gradient of half the cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyNormal {
    /// Blocks (joint, joint).
    pub diagonal: JointArray<Matrix3<f64>>,
    /// Blocks (joint, parent); unused where the parent is the root.
    to_parent: JointArray<Matrix3<f64>>,
    /// Blocks (joint, root).
    to_root: JointArray<Matrix3<f64>>,
    /// Gradient.
    pub gradient: JointArray<Vector3<f64>>,
}

/// The factored normal matrix.
pub(super) struct BodyFactor {
    /// Inverse of each pivot block.
    pivot_inverse: JointArray<Matrix3<f64>>,
    gain_parent: JointArray<Matrix3<f64>>,
    gain_root: JointArray<Matrix3<f64>>,
    /// What each joint moves when parent and root stay.
    own_step: JointArray<Vector3<f64>>,
}

impl BodyNormal {
    /// No information at all.
    pub(super) fn zero() -> Self {
        Self {
            diagonal: [Matrix3::zeros(); JOINT_COUNT],
            to_parent: [Matrix3::zeros(); JOINT_COUNT],
            to_root: [Matrix3::zeros(); JOINT_COUNT],
            gradient: [Vector3::zeros(); JOINT_COUNT],
        }
    }

    /// Adds information about `joint - root`.
    pub(super) fn add_from_root(&mut self, joint: usize, information: &Matrix3<f64>) {
        self.diagonal[joint] += information;
        self.diagonal[0] += information;
        self.to_root[joint] -= information;
    }

    /// Adds information about `joint - parent`.
    pub(super) fn add_bone(&mut self, joint: usize, information: &Matrix3<f64>) {
        if PARENT[joint] == 0 {
            return self.add_from_root(joint, information);
        }
        self.diagonal[joint] += information;
        self.diagonal[PARENT[joint]] += information;
        self.to_parent[joint] -= information;
    }

    /// Eliminates from the leaves to the root, with `damping` on the diagonal.
    pub(super) fn factor(&self, damping: f64) -> Option<BodyFactor> {
        let mut diagonal = self.diagonal.map(|block| block + Matrix3::from_diagonal_element(damping));
        let (mut to_root, mut gradient) = (self.to_root, self.gradient);
        let mut factor = BodyFactor {
            pivot_inverse: [Matrix3::zeros(); JOINT_COUNT],
            gain_parent: [Matrix3::zeros(); JOINT_COUNT],
            gain_root: [Matrix3::zeros(); JOINT_COUNT],
            own_step: [Vector3::zeros(); JOINT_COUNT],
        };
        for joint in (0..JOINT_COUNT).rev() {
            let inverse = inverse_of_positive_definite(&diagonal[joint])?;
            factor.pivot_inverse[joint] = inverse;
            factor.own_step[joint] = -(inverse * gradient[joint]);
            if joint == 0 {
                break;
            }
            let (of_root, of_parent) = (to_root[joint], &self.to_parent[joint]);
            factor.gain_root[joint] = inverse * of_root;
            diagonal[0] -= of_root.transpose() * factor.gain_root[joint];
            gradient[0] += of_root.transpose() * factor.own_step[joint];
            let parent = PARENT[joint];
            if parent != 0 {
                factor.gain_parent[joint] = inverse * of_parent;
                diagonal[parent] -= of_parent.transpose() * factor.gain_parent[joint];
                to_root[parent] -= of_parent.transpose() * factor.gain_root[joint];
                gradient[parent] += of_parent.transpose() * factor.own_step[joint];
            }
        }
        Some(factor)
    }
}

impl BodyFactor {
    /// The Gauss–Newton step.
    pub(super) fn step(&self) -> JointArray<Vector3<f64>> {
        let mut step = self.own_step;
        for joint in 1..JOINT_COUNT {
            step[joint] -= self.gain_parent[joint] * step[PARENT[joint]] + self.gain_root[joint] * step[0];
        }
        step
    }

    /// Diagonal blocks of the inverse of the normal matrix.
    pub(super) fn covariances(&self) -> JointArray<Matrix3<f64>> {
        let mut own = self.pivot_inverse;
        let mut with_root = self.pivot_inverse;
        let root = own[0];
        for joint in 1..JOINT_COUNT {
            let (parent, gain_parent, gain_root) = (PARENT[joint], self.gain_parent[joint], self.gain_root[joint]);
            // Covariance of (joint, parent) and (joint, root).
            let with_parent = -(gain_parent * own[parent] + gain_root * with_root[parent].transpose());
            with_root[joint] = -(gain_parent * with_root[parent] + gain_root * root);
            own[joint] -= with_parent * gain_parent.transpose() + with_root[joint] * gain_root.transpose();
        }
        own
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use nalgebra::{DMatrix, DVector};

    use super::*;

    #[test]
    fn step_and_covariances_equal_the_dense_solution() {
        let mut normal = BodyNormal::zero();
        let mut dense = DMatrix::<f64>::zeros(51, 51);
        let mut gradient = DVector::<f64>::zeros(51);
        for (joint, parent) in PARENT.into_iter().enumerate() {
            assert!(parent <= joint);
            let vector = |seed: f64| Vector3::new(seed.sin(), (2.3 * seed).cos(), (1.7 * seed).sin());
            let information = |seed: f64| {
                let (a, b) = (vector(seed), vector(seed + 0.4));
                a * a.transpose() * 30.0 + b * b.transpose() + Matrix3::identity() * 0.2
            };
            let seed = joint as f64;
            let mut dense_add = |other: Option<usize>, information: &Matrix3<f64>, slope: &Vector3<f64>| {
                let signs: Vec<_> = std::iter::once((joint, 1.0)).chain(other.map(|other| (other, -1.0))).collect();
                for &(row, row_sign) in &signs {
                    for &(column, column_sign) in &signs {
                        let mut block = dense.view_mut((3 * row, 3 * column), (3, 3));
                        block += information * (row_sign * column_sign);
                    }
                    let mut part = gradient.rows_mut(3 * row, 3);
                    part += slope * row_sign;
                }
            };
            normal.diagonal[joint] += information(seed);
            normal.gradient[joint] += vector(seed + 9.0);
            dense_add(None, &information(seed), &vector(seed + 9.0));
            if joint > 0 {
                normal.add_from_root(joint, &information(seed + 20.0));
                normal.gradient[joint] += vector(seed + 2.0);
                normal.gradient[0] -= vector(seed + 2.0);
                dense_add(Some(0), &information(seed + 20.0), &vector(seed + 2.0));
                normal.add_bone(joint, &information(seed + 40.0));
                normal.gradient[joint] += vector(seed + 5.0);
                normal.gradient[parent] -= vector(seed + 5.0);
                dense_add(Some(parent), &information(seed + 40.0), &vector(seed + 5.0));
            }
        }
        let factor = normal.factor(0.0).unwrap();
        let inverse = dense.try_inverse().unwrap();
        let step = -&inverse * gradient;
        let (found_step, found_covariances) = (factor.step(), factor.covariances());
        for joint in 0..JOINT_COUNT {
            assert!((found_step[joint] - step.rows(3 * joint, 3)).norm() < 1e-10);
            assert!((found_covariances[joint] - inverse.view((3 * joint, 3 * joint), (3, 3))).norm() < 1e-10);
        }
    }

    #[test]
    fn no_information_or_nan_is_refused() {
        assert!(BodyNormal::zero().factor(0.0).is_none());
        let mut normal = BodyNormal::zero();
        for joint in 0..JOINT_COUNT {
            normal.diagonal[joint] += Matrix3::identity();
        }
        normal.diagonal[7][(1, 1)] = f64::NAN;
        assert!(normal.factor(0.0).is_none());
    }
}
