//! The face and the hair on a skull, as a function of the place on it.
//!
//! Head space: origin at the nose tip, x to the person's left, y forward, z up; unit: the distance from the nose to the
//! head joint (about 0.125 m).

use nalgebra::Vector3;

use super::noise::noise;
use super::paint::Colour;

/// How a face looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Face {
    pub(super) skin: Colour,
    pub(super) lips: Colour,
    pub(super) iris: Colour,
    pub(super) hair: Colour,
    pub(super) brows: Colour,
    /// Height of the hairline over the forehead, and its slope towards the back: hair is where
    /// `z > line - slope * depth behind the face`.
    pub(super) hairline: f32,
    pub(super) hair_slope: f32,
    /// Beard: hair below this height on the front.
    pub(super) beard: Option<f32>,
    /// Half-open mouth, glasses and their colour.
    pub(super) mouth: f32,
    pub(super) glasses: Option<Colour>,
}

impl Face {
    /// Colour at a place of the head.
    #[inline]
    pub(super) fn colour(&self, at: &Vector3<f32>, footprint: f32) -> Colour {
        let (x, behind, z) = (at.x.abs(), -at.y, at.z);
        let edge = footprint.max(0.02);
        let inside = |distance: f32| (0.5 - distance / edge).clamp(0.0, 1.0);
        let mut colour = self.skin;
        if behind < 0.62 {
            // Cheeks a little redder.
            let cheek = (1.0 - length(x - 0.32, z + 0.05) * 3.0).clamp(0.0, 1.0);
            colour = colour.lerp(&self.lips, 0.25 * cheek);
            if let Some(height) = self.beard
                && z < height
            {
                let around_mouth = inside(0.17 - length(x * 0.8, z + 0.30));
                colour = colour.lerp(&self.brows, 0.85 * around_mouth);
            }
            let mouth = (length(x / 0.22, (z + 0.32) / self.mouth) - 1.0) * self.mouth;
            colour = colour.lerp(&self.lips, inside(mouth));
            if z > -0.34 && z < -0.30 && x < 0.2 {
                colour *= 0.55;
            }
            // Eye sockets, eyes, brows.
            let socket = (1.0 - length((x - 0.27) / 0.2, (z - 0.28) / 0.16)).clamp(0.0, 1.0);
            colour *= 1.0 - 0.35 * socket;
            let eye = (length((x - 0.27) / 0.12, (z - 0.27) / 0.06) - 1.0) * 0.06;
            colour = colour.lerp(&Colour::new(0.75, 0.75, 0.75), inside(eye));
            let iris = length(x - 0.27, z - 0.27) - 0.055;
            colour = colour.lerp(&self.iris, inside(iris) * inside(eye));
            let brow = ((x - 0.28).abs() - 0.15).max((z - 0.46 + 0.25 * (x - 0.28).abs()).abs() - 0.035);
            colour = colour.lerp(&self.brows, 0.9 * inside(brow));
            // Nostrils and the shade under the nose.
            let nostril = length(x - 0.06, (z + 0.10) * 1.5) - 0.045;
            colour *= 1.0 - 0.6 * inside(nostril);
            if let Some(frame) = self.glasses {
                let rim = (length((x - 0.27) / 0.20, (z - 0.26) / 0.17) - 1.0).abs() * 0.18 - 0.035;
                let bridge = (x - 0.07).max((z - 0.28).abs() - 0.03);
                colour = colour.lerp(&frame, inside(rim.min(bridge)));
            }
        }
        let strand = 0.06 * noise(9.0 * at.x, 9.0 * at.y);
        let over_line = z + strand - (self.hairline - self.hair_slope * (behind - 0.2).max(0.0));
        let hair = inside(-over_line);
        let streaks = 1.0 + 0.25 * noise(14.0 * at.x, 3.0 * at.z);
        colour.lerp(&(self.hair * streaks), hair)
    }
}

#[inline]
fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}
