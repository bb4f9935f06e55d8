//! Colours of surfaces: patterns in the plane of the surface, and where they lie on it.
//!
//! Colours are linear light, 0 to 1. A pattern fades to its mean colour where it is finer than a pixel.

use nalgebra::{Matrix3, Vector3};
use rand::{Rng, RngExt};

use super::head::Face;
use super::noise::{hash, noise, rough_noise, split};

/// Linear light, red, green, blue.
pub(super) type Colour = Vector3<f32>;

/// From the usual 8-bit colour.
pub(super) fn srgb(red: u8, green: u8, blue: u8) -> Colour {
    Vector3::new(red, green, blue).map(|value| linear(f32::from(value) / 255.0))
}

fn linear(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// A colour from hue in turns, saturation and value, each 0 to 1.
pub(super) fn from_hsv(hue: f32, saturation: f32, value: f32) -> Colour {
    let part = |offset: f32| {
        let k = (offset + hue * 6.0).rem_euclid(6.0);
        let channel = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        linear(channel)
    };
    Vector3::new(part(5.0), part(3.0), part(1.0))
}

/// How a surface is patterned; lengths in m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pattern {
    /// One colour.
    Plain,
    /// Bands of the second colour, `share` of each `period`.
    Stripes { period: f32, share: f32 },
    /// A chessboard.
    Checks { period: f32 },
    /// Crossed translucent bands.
    Plaid { period: f32, share: f32 },
    /// Round dots of the second colour.
    Dots { period: f32, share: f32 },
    /// Patches of three colours.
    Patches { period: f32 },
    /// Smooth mottling.
    Mottled { period: f32, contrast: f32 },
    /// Second colour below a height.
    Block { height: f32 },
    /// Courses of bricks or tiles of two shades, with joints of the third colour.
    Bricks { width: f32, height: f32, joint: f32, shift: f32 },
    /// Each cell another colour between the first two.
    Cells { width: f32, height: f32 },
}

/// A pattern with its colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cloth {
    pub(super) pattern: Pattern,
    pub(super) colours: [Colour; 3],
    /// Direction of the pattern's first axis.
    pub(super) turn: (f32, f32),
    /// Where the pattern starts.
    pub(super) offset: (f32, f32),
    /// Unevenness of the brightness, as a share, and how often it changes per m.
    pub(super) grain: f32,
    pub(super) grain_rate: f32,
    pub(super) salt: u32,
}

impl Cloth {
    pub(super) fn plain(colour: Colour) -> Self {
        Self {
            pattern: Pattern::Plain,
            colours: [colour; 3],
            turn: (1.0, 0.0),
            offset: (0.0, 0.0),
            grain: 0.0,
            grain_rate: 20.0,
            salt: 0,
        }
    }

    /// With uneven brightness, in patches of about `period` m.
    pub(super) fn with_grain(self, grain: f32, period: f32) -> Self {
        Self { grain, grain_rate: 1.0 / period, ..self }
    }

    /// A pattern with any direction and start.
    pub(super) fn draw(rng: &mut impl Rng, pattern: Pattern, colours: [Colour; 3], turns: bool) -> Self {
        let angle = if turns { rng.random_range(0.0..std::f32::consts::TAU) } else { 0.0 };
        Self {
            pattern,
            colours,
            turn: (angle.cos(), angle.sin()),
            offset: (rng.random_range(0.0..10.0), rng.random_range(0.0..10.0)),
            grain: rng.random_range(0.0..0.25),
            grain_rate: 10.0_f32.powf(rng.random_range(0.0..1.7)),
            salt: rng.random(),
        }
    }

    /// Colour at (u, v) m on the surface, of which a pixel covers `footprint` m.
    #[inline]
    pub(super) fn colour(&self, u: f32, v: f32, footprint: f32) -> Colour {
        let (cosine, sine) = self.turn;
        let (x, y) = (u * cosine - v * sine + self.offset.0, u * sine + v * cosine + self.offset.1);
        let [first, second, third] = self.colours;
        let colour = match self.pattern {
            Pattern::Plain => first,
            Pattern::Stripes { period, share } => first.lerp(&second, band(y, period, share, footprint)),
            Pattern::Checks { period } => {
                let (a, b) = (band(x, period, 0.5, footprint), band(y, period, 0.5, footprint));
                first.lerp(&second, a + b - 2.0 * a * b)
            }
            Pattern::Plaid { period, share } => {
                let (a, b) = (band(x, period, share, footprint), band(y, period, share, footprint));
                let thin = band(x + 0.3 * period, period, 0.06, footprint).max(band(
                    y + 0.3 * period,
                    period,
                    0.06,
                    footprint,
                ));
                first.lerp(&second, 0.5 * (a + b)).lerp(&third, 0.7 * thin)
            }
            Pattern::Dots { period, share } => {
                let (a, b) = (split(x / period).1 - 0.5, split(y / period).1 - 0.5);
                let radius = (a * a + b * b).sqrt() - 0.5 * share;
                let edge = (footprint / period).max(0.02);
                let inside = (0.5 - radius / edge).clamp(0.0, 1.0);
                let mean = 0.785 * share * share;
                first.lerp(&second, fade(inside, mean, period, footprint))
            }
            Pattern::Patches { period } => {
                let one = noise(x / period, y / period);
                let other = noise(y / period + 17.3, x / period + 5.1);
                let sharp = |value: f32, from: f32| (0.5 + (value - from) * 8.0).clamp(0.0, 1.0);
                let a = fade(sharp(one, 0.1), 0.4, period, footprint);
                let b = fade(sharp(other, 0.2), 0.35, period, footprint);
                first.lerp(&second, a).lerp(&third, b)
            }
            Pattern::Mottled { period, contrast } => {
                let fine = if footprint < 0.5 * period { 0.5 * noise(3.7 * x / period, 3.7 * y / period) } else { 0.0 };
                let value = 0.5 + contrast * (noise(x / period, y / period) + fine);
                first.lerp(&second, value.clamp(0.0, 1.0))
            }
            Pattern::Block { height } => {
                first.lerp(&second, (0.5 + (height - v) / footprint.max(1e-3)).clamp(0.0, 1.0))
            }
            Pattern::Bricks { width, height, joint, shift } => {
                let (row, fy) = split(y / height);
                let (brick, fx) = split(x / width + shift * row as f32);
                let shade = hash(brick, row, self.salt);
                let edge = footprint.max(1e-3);
                let to_joint = (fx.min(1.0 - fx) * width).min(fy.min(1.0 - fy) * height);
                let is_joint = (0.5 + (joint - to_joint) / edge).clamp(0.0, 1.0);
                let is_joint = fade(is_joint, 2.0 * joint / height.min(width), height.min(width), footprint);
                first.lerp(&second, fade(shade, 0.5, height, footprint)).lerp(&third, is_joint)
            }
            Pattern::Cells { width, height } => {
                let (column, row) = (split(x / width).0, split(y / height).0);
                let shade = hash(column, row, self.salt);
                let which = hash(column, row, self.salt ^ 0x55);
                first.lerp(&second, shade).lerp(&third, fade(f32::from(which > 0.7), 0.3, width, footprint))
            }
        };
        if self.grain > 0.0 {
            let (along, across) = (x * self.grain_rate, y * self.grain_rate);
            let value =
                if footprint * self.grain_rate < 0.3 { rough_noise(along, across) } else { noise(along, across) };
            let grain = 1.0 + self.grain * value;
            return colour * grain.max(0.05);
        }
        colour
    }
}

/// Share of the pixel within a band that covers `share` of each `period`.
#[inline]
fn band(at: f32, period: f32, share: f32, footprint: f32) -> f32 {
    let phase = at / period;
    let from_middle = (split(phase).1 - 0.5).abs();
    let inside = (0.5 + (0.5 * share - from_middle) * period / footprint.max(1e-4)).clamp(0.0, 1.0);
    fade(inside, share, period, footprint)
}

/// `value`, or `mean` where the pixel covers a whole period.
#[inline]
fn fade(value: f32, mean: f32, period: f32, footprint: f32) -> f32 {
    let seen = (2.0 - 2.5 * footprint / period).clamp(0.0, 1.0);
    mean + (value - mean) * seen
}

/// How the pattern is laid onto a primitive. `texture_from_camera` maps a point of the camera frame to (x, y, z), m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Lay {
    /// Around the z axis, the seam at -y; a turn is as long as the circumference of this radius.
    Around {
        /// m
        radius: f32,
    },
    /// On the face that the surface shows most: boxes.
    Faces,
}

/// What a primitive is painted with.
#[derive(Clone, Debug)]
pub(super) struct Paint {
    pub(super) texture_from_camera: Matrix3<f32>,
    pub(super) texture_origin: Vector3<f32>,
    pub(super) what: What,
    /// Light that it gives off itself, as a share of the colour.
    pub(super) glow: f32,
    /// Strength of the highlight.
    pub(super) gloss: f32,
}

/// The kinds of paint.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A pattern all over.
    Cloth(Cloth, Lay),
    /// A pattern with a print in front, laid around the trunk.
    Printed(Cloth, Print, f32),
    /// A face on the front of a head.
    /// With the length of the unit of head space, m.
    Face(Face, f32),
}

/// A patch on the front or the back of a garment, m from the middle of the chest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Print {
    pub(super) colour: Colour,
    pub(super) other: Colour,
    pub(super) half_width: f32,
    pub(super) low: f32,
    pub(super) high: f32,
    /// On the back rather than the front.
    pub(super) is_behind: bool,
    pub(super) kind: PrintKind,
    pub(super) salt: u32,
}

/// What the print looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrintKind {
    /// A random figure of cells, mirrored: like a logo or a number.
    Figure,
    /// A disc.
    Disc,
    /// An open jacket: the shirt below shows.
    Open,
    /// A row of buttons.
    Buttons,
}

impl Print {
    /// Paints over `base` at `u` m around from the front and height `v`.
    #[inline]
    fn over(&self, base: Colour, u: f32, v: f32, circumference: f32, footprint: f32) -> Colour {
        let mut across = u;
        if self.is_behind {
            across = if u > 0.0 { u - 0.5 * circumference } else { u + 0.5 * circumference };
        }
        if across.abs() > self.half_width || v < self.low || v > self.high {
            return base;
        }
        match self.kind {
            PrintKind::Figure => {
                let (columns, rows) = (3.0, 5.0);
                let x = (across / self.half_width).abs() * columns;
                let y = (v - self.low) / (self.high - self.low) * rows;
                let on = hash(x as i32, y as i32, self.salt);
                if on > 0.45 { if on > 0.8 { self.other } else { self.colour } } else { base }
            }
            PrintKind::Disc => {
                let middle = 0.5 * (self.low + self.high);
                let half = 0.5 * (self.high - self.low);
                let radius = (across / self.half_width).hypot((v - middle) / half);
                let inside = ((1.0 - radius) * self.half_width / footprint.max(1e-3)).clamp(0.0, 1.0);
                base.lerp(if radius < 0.55 { &self.other } else { &self.colour }, inside)
            }
            PrintKind::Open => {
                let edge = (self.half_width - across.abs()) / footprint.max(1e-3);
                base.lerp(&self.colour, edge.clamp(0.0, 1.0))
            }
            PrintKind::Buttons => {
                let down = split(v / 0.09).1 - 0.5;
                if across.abs() < 0.004 || (across.hypot(down * 0.09) < 0.012) { self.colour } else { base }
            }
        }
    }
}

impl Paint {
    /// Colour at a point of the camera frame whose surface normal is `normal_in_camera`.
    #[inline]
    pub(super) fn colour(&self, point: &Vector3<f32>, normal_in_camera: &Vector3<f32>, footprint: f32) -> Colour {
        let at = self.texture_from_camera * (point - self.texture_origin);
        match &self.what {
            What::Cloth(cloth, Lay::Around { radius }) => cloth.colour(angle(at.x, at.y) * radius, at.z, footprint),
            What::Cloth(cloth, Lay::Faces) => {
                let normal = (self.texture_from_camera * normal_in_camera).abs();
                if normal.x > normal.y && normal.x > normal.z {
                    cloth.colour(at.y, at.z, footprint)
                } else if normal.y > normal.z {
                    cloth.colour(at.x, at.z, footprint)
                } else {
                    cloth.colour(at.x, at.y, footprint)
                }
            }
            What::Printed(cloth, print, radius) => {
                let u = angle(at.x, at.y) * radius;
                let base = cloth.colour(u, at.z, footprint);
                print.over(base, u, at.z, std::f32::consts::TAU * radius, footprint)
            }
            What::Face(face, unit) => face.colour(&at, footprint / unit),
        }
    }
}

/// Angle from +y towards +x, rad, to about 0.005.
#[inline]
fn angle(x: f32, y: f32) -> f32 {
    let (wide, high) = (x.abs(), y.abs());
    let ratio = wide.min(high) / wide.max(high).max(1e-12);
    let squared = ratio * ratio;
    let mut angle = ratio
        * (0.999_866
            + squared * (-0.330_299_5 + squared * (0.180_141 + squared * (-0.085_133 + squared * 0.020_835_1))));
    if wide > high {
        angle = std::f32::consts::FRAC_PI_2 - angle;
    }
    if y < 0.0 {
        angle = std::f32::consts::PI - angle;
    }
    angle.copysign(x)
}
