//! Where the light comes from, and how much the camera lets in.

use nalgebra::{UnitVector3, Vector3};
use rand::{Rng, RngExt};

use super::paint::Colour;

/// One distant lamp with a soft edge, and light from the sky and off the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Unit vector towards the lamp, world frame.
    pub(super) towards: UnitVector3<f64>,
    pub(super) lamp: Colour,
    pub(super) sky: Colour,
    pub(super) ground: Colour,
    /// How far the light reaches around the edge of a body, 0 to 1.
    pub(super) softness: f32,
    /// How dark a cast shadow is, 0 to 1.
    pub(super) shadow: f32,
    pub(super) exposure: f32,
}

impl Light {
    /// Draws an hour of the day, or lamps under a ceiling.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let azimuth = rng.random_range(0.0..std::f64::consts::TAU);
        let elevation: f64 = rng.random_range(0.35..1.5);
        let direction = Vector3::new(azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin());
        let warmth = rng.random_range(-1.0..1.0_f32);
        let tint = |strength: f32| Vector3::new(1.0 + 0.15 * strength, 1.0, 1.0 - 0.2 * strength);
        let share = rng.random_range(0.25..0.85_f32);
        let sky = tint(-warmth * rng.random_range(0.0..0.8)) * (1.0 - share);
        Self {
            towards: UnitVector3::new_normalize(direction),
            lamp: tint(warmth) * (1.3 * share),
            sky: sky * 0.95,
            ground: sky.component_mul(&tint(rng.random_range(-0.3..0.8))) * rng.random_range(0.35..0.8),
            softness: rng.random_range(0.05..0.6),
            shadow: rng.random_range(0.3..0.95),
            exposure: 2.0_f32.powf(rng.random_range(-0.45..0.8)),
        }
    }

    /// Light on a surface, before its colour; `up` is the world's in the frame of the normal.
    #[inline]
    pub(super) fn on(&self, normal: &Vector3<f32>, towards: &Vector3<f32>, up: &Vector3<f32>) -> Colour {
        let facing = ((normal.dot(towards) + self.softness) / (1.0 + self.softness)).max(0.0);
        let upward = 0.5 + 0.5 * normal.dot(up);
        self.ground.lerp(&self.sky, upward) + self.lamp * facing
    }
}
