//! What is behind everybody: floor, walls or sky, and the things that stand there. World frame: z up, floor at z = 0, m.

use nalgebra::{Point3, Vector3};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::appearance::draw_colour;
use super::noise::noise;
use super::paint::{Cloth, Colour, Pattern, from_hsv, srgb};
use super::prop::{Prop, PropKind, draw_green, draw_poster};

/// Kinds of places. Training and validation use different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackgroundFamily {
    /// A furnished room.
    Room,
    /// Houses, cars, poles under the sky.
    Street,
    /// One colour, floor and wall alike.
    Studio,
    /// Textures without any place: floor and walls are anything.
    Abstract,
    /// A big hall of bricks and shelves.
    Hall,
    /// Grass, trees and bushes under the sky.
    Park,
}

impl BackgroundFamily {
    /// Places that networks are trained in.
    pub const TRAINING: [Self; 4] = [Self::Room, Self::Street, Self::Studio, Self::Abstract];
    /// Places that training never sees.
    pub const VALIDATION: [Self; 2] = [Self::Hall, Self::Park];
}

/// Floor, walls or sky, and things.
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    pub(super) floor: Cloth,
    pub(super) walls: Option<Walls>,
    pub(super) sky: Sky,
    pub(super) props: Vec<Prop>,
}

/// A room: its inside, and what each side is covered with (x low, x high, y low, y high, ceiling).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Walls {
    pub(super) low: Vector3<f32>,
    pub(super) high: Vector3<f32>,
    pub(super) cloths: [Cloth; 5],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sky {
    pub(super) zenith: Colour,
    pub(super) horizon: Colour,
    pub(super) cloud: Colour,
    pub(super) cover: f32,
}

impl Sky {
    /// Colour along a direction of the world.
    #[inline]
    pub(super) fn colour(&self, direction: &Vector3<f32>) -> Colour {
        let up = (direction.z / direction.norm()).max(0.0);
        let clear = self.horizon.lerp(&self.zenith, up.sqrt());
        if self.cover <= 0.0 {
            return clear;
        }
        let (u, v) = (direction.x / (direction.z.abs() + 0.25), direction.y / (direction.z.abs() + 0.25));
        let value = noise(u, v) + 0.5 * noise(2.7 * u, 2.7 * v) + 0.25 * noise(6.1 * v, 6.1 * u);
        clear.lerp(&self.cloud, ((value + self.cover) * 1.2).clamp(0.0, 1.0))
    }
}

impl Background {
    /// Draws a place of `family`. `keep` are the points where people and the camera are or will be: rooms hold them
    /// all, and nothing is put right on them.
    pub fn draw(family: BackgroundFamily, keep: &[Point3<f64>], rng: &mut impl Rng) -> Self {
        let mut background =
            Self { floor: draw_floor(family, rng), walls: None, sky: draw_sky(rng), props: Vec::new() };
        let (low, high) = extent(keep);
        match family {
            BackgroundFamily::Room | BackgroundFamily::Hall | BackgroundFamily::Studio => {
                let margin = match family {
                    BackgroundFamily::Room => (0.4, 3.0),
                    BackgroundFamily::Hall => (2.0, 9.0),
                    _ => (1.5, 6.0),
                };
                let mut side = || rng.random_range(margin.0..margin.1);
                let low = Vector3::new(low.x - side(), low.y - side(), 0.0);
                let high = Vector3::new(high.x + side(), high.y + side(), 0.0);
                let ceiling = high_enough(keep) + rng.random_range(0.3..margin.1);
                let high = Vector3::new(high.x, high.y, ceiling.max(2.3));
                background.furnish(family, &low, &high, keep, rng);
                let narrow = |value: f64| value as f32;
                let cloths = draw_walls(family, &background.floor, rng);
                background.walls = Some(Walls { low: low.map(narrow), high: high.map(narrow), cloths });
            }
            BackgroundFamily::Street | BackgroundFamily::Park => background.surround(family, &low, &high, keep, rng),
            BackgroundFamily::Abstract => {
                let margin = rng.random_range(0.5..4.0);
                let (low, high) = (low - Vector3::repeat(margin), high + Vector3::repeat(margin));
                let low = Vector3::new(low.x, low.y, 0.0);
                let high = Vector3::new(high.x, high.y, high_enough(keep) + margin);
                let kinds = [
                    PropKind::Box,
                    PropKind::Pole,
                    PropKind::Ball,
                    PropKind::Pillar,
                    PropKind::Board,
                    PropKind::Dummy,
                    PropKind::CoatRack,
                ];
                background.scatter(&kinds, rng.random_range(0..14), &low, &high, keep, rng);
                let narrow = |value: f64| value as f32;
                let cloths = std::array::from_fn(|_| draw_poster_wall(rng));
                background.walls = Some(Walls { low: low.map(narrow), high: high.map(narrow), cloths });
            }
        }
        background
    }

    fn furnish(
        &mut self,
        family: BackgroundFamily,
        low: &Vector3<f64>,
        high: &Vector3<f64>,
        keep: &[Point3<f64>],
        rng: &mut impl Rng,
    ) {
        let (kinds, count): (&[PropKind], _) = match family {
            BackgroundFamily::Hall => (
                &[PropKind::Shelf, PropKind::Shelf, PropKind::Box, PropKind::Pillar, PropKind::Bin, PropKind::Fence],
                rng.random_range(6..20),
            ),
            BackgroundFamily::Studio => {
                (&[PropKind::Box, PropKind::Ball, PropKind::Chair, PropKind::Lamp], rng.random_range(0..4))
            }
            _ => (
                &[
                    PropKind::Table,
                    PropKind::Chair,
                    PropKind::Chair,
                    PropKind::Shelf,
                    PropKind::Lamp,
                    PropKind::CoatRack,
                    PropKind::Plant,
                    PropKind::Box,
                    PropKind::Sofa,
                    PropKind::Board,
                    PropKind::Dummy,
                    PropKind::Ball,
                ],
                rng.random_range(3..14),
            ),
        };
        self.scatter(kinds, count, low, high, keep, rng);
        if family == BackgroundFamily::Studio {
            return;
        }
        // Pictures, windows and doors on the walls.
        for _ in 0..rng.random_range(2..14) {
            let half = (rng.random_range(0.15..0.9), rng.random_range(0.15..0.8));
            let height = rng.random_range(0.8..high.z.min(2.8)).max(half.1);
            let share = rng.random_range(0.03..0.97);
            let (x, y) = (low.x + share * (high.x - low.x), low.y + share * (high.y - low.y));
            let quarter = std::f64::consts::FRAC_PI_2;
            let (center, yaw) = match rng.random_range(0..4) {
                0 => (Point3::new(low.x, y, height), 0.0),
                1 => (Point3::new(high.x, y, height), 0.0),
                2 => (Point3::new(x, low.y, height), quarter),
                _ => (Point3::new(x, high.y, height), quarter),
            };
            let panel = match rng.random_range(0..4) {
                0 => {
                    let glass = Cloth::plain(from_hsv(rng.random_range(0.5..0.65), 0.1, rng.random_range(0.6..1.0)));
                    Prop::panel(center, half, yaw, glass, rng.random_range(0.3..1.5))
                }
                1 => {
                    let center = Point3::new(center.x, center.y, 1.0);
                    Prop::panel(center, (0.45, 1.02), yaw, Cloth::plain(draw_colour(rng)), 0.0)
                }
                _ => Prop::panel(center, half, yaw, draw_poster(rng), 0.0),
            };
            self.props.push(panel);
        }
    }

    fn surround(
        &mut self,
        family: BackgroundFamily,
        low: &Vector3<f64>,
        high: &Vector3<f64>,
        keep: &[Point3<f64>],
        rng: &mut impl Rng,
    ) {
        let middle = (low + high) * 0.5;
        let reach = 0.5 * (high - low).norm();
        let is_street = family == BackgroundFamily::Street;
        for _ in 0..rng.random_range(4..14) {
            let angle = rng.random_range(0.0..std::f64::consts::TAU);
            let half: [f64; 3] = [rng.random_range(2.0..8.0), rng.random_range(2.0..8.0), rng.random_range(1.5..9.0)];
            let far = reach + half[0].hypot(half[1]) + rng.random_range(1.0..25.0);
            let foot = Point3::new(middle.x + far * angle.cos(), middle.y + far * angle.sin(), 0.0);
            if is_street {
                let yaw = rng.random_range(0.0..1.6);
                self.props.push(Prop::house(foot, half, yaw, rng));
            } else {
                self.props.push(Prop::draw(PropKind::Tree, foot, rng));
            }
        }
        let around = Vector3::new(6.0, 6.0, 0.0);
        let (low, high) = (low - around, high + around);
        let kinds: &[PropKind] = if is_street {
            &[
                PropKind::Pole,
                PropKind::Pole,
                PropKind::Car,
                PropKind::Bin,
                PropKind::Bench,
                PropKind::Board,
                PropKind::Box,
                PropKind::Ball,
                PropKind::Fence,
                PropKind::Pillar,
            ]
        } else {
            &[PropKind::Tree, PropKind::Tree, PropKind::Bush, PropKind::Bush, PropKind::Bench, PropKind::Fence]
        };
        self.scatter(kinds, rng.random_range(4..14), &low, &high, keep, rng);
    }

    /// Puts things about, mostly out of the lines of sight between the points to keep.
    fn scatter(
        &mut self,
        kinds: &[PropKind],
        count: usize,
        low: &Vector3<f64>,
        high: &Vector3<f64>,
        keep: &[Point3<f64>],
        rng: &mut impl Rng,
    ) {
        for _ in 0..count {
            let kind = kinds.choose(rng).copied().unwrap_or(PropKind::Box);
            let foot = Point3::new(rng.random_range(low.x..=high.x), rng.random_range(low.y..=high.y), 0.0);
            let clearance = if matches!(kind, PropKind::Car | PropKind::Tree) { 2.2 } else { 0.9 };
            let prop = Prop::draw(kind, foot, rng);
            let is_free = (0..keep.len())
                .all(|one| (one..keep.len()).all(|other| from_segment(&foot, &keep[one], &keep[other]) > clearance));
            if is_free {
                self.props.push(prop);
            }
        }
    }
}

/// Distance on the floor from a point to a segment, m.
fn from_segment(at: &Point3<f64>, from: &Point3<f64>, to: &Point3<f64>) -> f64 {
    let (at, from, to) = (at.xy(), from.xy(), to.xy());
    let along = to - from;
    let share = ((at - from).dot(&along) / along.norm_squared().max(1e-9)).clamp(0.0, 1.0);
    (at - (from + along * share)).norm()
}

fn extent(keep: &[Point3<f64>]) -> (Vector3<f64>, Vector3<f64>) {
    let (mut low, mut high) = (Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY));
    for point in keep {
        (low, high) = (low.inf(&point.coords), high.sup(&point.coords));
    }
    if low.x.is_finite() { (low, high) } else { (Vector3::repeat(-2.0), Vector3::repeat(2.0)) }
}

fn high_enough(keep: &[Point3<f64>]) -> f64 {
    keep.iter().map(|point| point.z).fold(2.2, f64::max)
}

fn draw_floor(family: BackgroundFamily, rng: &mut impl Rng) -> Cloth {
    let grey = |rng: &mut dyn FnMut() -> f32| from_hsv(0.1, 0.1, rng());
    let colours = match family {
        BackgroundFamily::Room | BackgroundFamily::Hall => {
            let tones =
                [srgb(140, 100, 65), srgb(190, 160, 120), srgb(110, 110, 112), srgb(200, 196, 188), srgb(70, 50, 40)];
            let tone = if rng.random_bool(0.6) { *tones.choose(rng).unwrap_or(&tones[0]) } else { draw_colour(rng) };
            [tone, tone * rng.random_range(0.6..0.95), tone * rng.random_range(0.3..0.8)]
        }
        BackgroundFamily::Street => {
            let mut value = || rng.random_range(0.25..0.7);
            [grey(&mut value), grey(&mut value), grey(&mut value)]
        }
        BackgroundFamily::Park => {
            let cloth = draw_green(rng);
            return cloth.with_grain(0.5, rng.random_range(0.05..0.5));
        }
        BackgroundFamily::Studio => [draw_colour(rng); 3],
        BackgroundFamily::Abstract => return draw_poster_wall(rng),
    };
    let size: f32 = rng.random_range(0.08..0.7);
    let pattern = match (family, rng.random_range(0..6)) {
        (BackgroundFamily::Studio, _) => Pattern::Plain,
        (_, 0 | 1) => {
            Pattern::Bricks { width: rng.random_range(0.5..2.0), height: size.min(0.25), joint: 0.003, shift: 0.37 }
        }
        (_, 2) => Pattern::Bricks { width: size, height: size, joint: rng.random_range(0.002..0.01), shift: 0.0 },
        (_, 3) => Pattern::Checks { period: 2.0 * size },
        (_, 4) => Pattern::Mottled { period: size, contrast: rng.random_range(0.2..0.6) },
        _ => Pattern::Plain,
    };
    Cloth::draw(rng, pattern, colours, true)
}

fn draw_walls(family: BackgroundFamily, floor: &Cloth, rng: &mut impl Rng) -> [Cloth; 5] {
    let ceiling = Cloth::plain(from_hsv(rng.random(), 0.04, rng.random_range(0.6..1.0)));
    if family == BackgroundFamily::Studio {
        let wall = Cloth { colours: floor.colours.map(|colour| colour * rng.random_range(0.8..1.1)), ..*floor };
        return [wall; 5];
    }
    let shared = draw_wall(family, rng);
    std::array::from_fn(|side| match side {
        4 => ceiling,
        _ if rng.random_bool(0.6) => shared,
        _ => draw_wall(family, rng),
    })
}

fn draw_wall(family: BackgroundFamily, rng: &mut impl Rng) -> Cloth {
    let pale = from_hsv(rng.random(), rng.random_range(0.0..0.3), rng.random_range(0.55..1.0));
    let tone = if rng.random_bool(0.65) { pale } else { draw_colour(rng) };
    let colours = [tone, tone * rng.random_range(0.6..0.95), draw_colour(rng)];
    if family == BackgroundFamily::Hall {
        let brick = srgb(150, 80, 60) * rng.random_range(0.5..1.3);
        let colours = [brick, brick * 0.7, srgb(180, 175, 165)];
        let pattern = Pattern::Bricks { width: 0.24, height: 0.075, joint: 0.006, shift: 0.5 };
        return Cloth::draw(rng, pattern, colours, false);
    }
    let pattern = match rng.random_range(0..8) {
        0..=2 => Pattern::Plain,
        3 => Pattern::Stripes { period: rng.random_range(0.05..0.5), share: rng.random_range(0.1..0.6) },
        4 => Pattern::Mottled { period: rng.random_range(0.1..1.5), contrast: rng.random_range(0.1..0.6) },
        5 => Pattern::Block { height: rng.random_range(0.3..1.5) },
        6 => Pattern::Bricks {
            width: rng.random_range(0.1..0.6),
            height: rng.random_range(0.1..0.4),
            joint: rng.random_range(0.002..0.01),
            shift: if rng.random_bool(0.5) { 0.5 } else { 0.0 },
        },
        _ => Pattern::Dots { period: rng.random_range(0.05..0.3), share: rng.random_range(0.2..0.6) },
    };
    let mut cloth = Cloth::draw(rng, pattern, colours, false);
    if matches!(pattern, Pattern::Stripes { .. }) && rng.random_bool(0.7) {
        cloth.turn = (0.0, 1.0);
    }
    if matches!(pattern, Pattern::Block { .. }) {
        cloth.offset = (0.0, 0.0);
    }
    cloth
}

fn draw_poster_wall(rng: &mut impl Rng) -> Cloth {
    let colours = [draw_colour(rng), draw_colour(rng), draw_colour(rng)];
    let size = 10.0_f32.powf(rng.random_range(-1.3..0.3));
    let pattern = match rng.random_range(0..10) {
        0 => Pattern::Patches { period: size },
        1 => Pattern::Cells { width: size, height: size * rng.random_range(0.3..3.0) },
        2 => Pattern::Plaid { period: size, share: rng.random_range(0.2..0.7) },
        3 => Pattern::Checks { period: size },
        4 => Pattern::Dots { period: size, share: rng.random_range(0.2..0.9) },
        5 => Pattern::Stripes { period: size, share: rng.random_range(0.2..0.8) },
        6 | 7 => Pattern::Mottled { period: size, contrast: rng.random_range(0.3..1.0) },
        8 => Pattern::Bricks { width: size, height: size * rng.random_range(0.2..1.0), joint: 0.02 * size, shift: 0.5 },
        _ => Pattern::Plain,
    };
    Cloth::draw(rng, pattern, colours, true)
}

fn draw_sky(rng: &mut impl Rng) -> Sky {
    let grey = rng.random_range(0.0..1.0_f32);
    let value = rng.random_range(0.5..1.0);
    let blue = from_hsv(rng.random_range(0.54..0.62), rng.random_range(0.2..0.7), value);
    let zenith = blue.lerp(&from_hsv(0.6, 0.05, value), grey);
    Sky {
        zenith,
        horizon: zenith.lerp(&from_hsv(rng.random_range(0.05..0.6), 0.1, 0.95), 0.7),
        cloud: from_hsv(0.6, 0.02, rng.random_range(0.6..1.0)),
        cover: rng.random_range(-0.8..0.8),
    }
}
