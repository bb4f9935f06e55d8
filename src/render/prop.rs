//! Things that stand about: furniture, poles, trees, boxes. Behind people they are clutter, before them they hide.
//!
//! World frame: z up, the floor at z = 0, m.

use nalgebra::{Isometry3, Matrix3, Point3, Rotation3, Vector3};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::appearance::{draw_cloth, draw_colour};
use super::body::Geometry;
use super::paint::{Cloth, Colour, Lay, Paint, Pattern, What, from_hsv, srgb};
use super::primitive::{Primitive, Shape};

/// What a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum PropKind {
    Box,
    Pole,
    Pillar,
    Table,
    Chair,
    Shelf,
    Ball,
    Lamp,
    /// A pole with coats on it, about as tall as a person.
    CoatRack,
    Plant,
    Tree,
    Bin,
    Bench,
    Board,
    Car,
    Sofa,
    Fence,
    /// A bush or hedge.
    Bush,
    /// A dress on a stand: a trunk without a person.
    Dummy,
}

impl PropKind {
    /// What hides people from a camera on a robot.
    pub const OCCLUDERS: [Self; 12] = [
        Self::Box,
        Self::Pole,
        Self::Pillar,
        Self::Table,
        Self::Chair,
        Self::Shelf,
        Self::Bin,
        Self::Bench,
        Self::Board,
        Self::Plant,
        Self::Fence,
        Self::Bush,
    ];
}

/// One thing in the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Prop {
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) shape: Shape,
    /// Local axes in the world, as columns.
    pub(super) axes: Matrix3<f64>,
    pub(super) center: Point3<f64>,
    pub(super) cloth: Cloth,
    pub(super) lay: Lay,
    pub(super) glow: f32,
    pub(super) gloss: f32,
}

/// Places parts relative to a foot, turned about the vertical.
struct Assembly {
    foot: Point3<f64>,
    turn: Rotation3<f64>,
    parts: Vec<Part>,
}

impl Assembly {
    fn cuboid(&mut self, center: [f64; 3], half: [f64; 3], cloth: Cloth) {
        let axes = self.turn.matrix() * Matrix3::from_diagonal(&Vector3::from(half));
        self.push(Shape::Cube, axes, center, cloth, Lay::Faces);
    }

    fn rod(&mut self, from: [f64; 3], to: [f64; 3], (ra, rb): (f64, f64), cloth: Cloth) {
        let axis = Vector3::from(to) - Vector3::from(from);
        let length = axis.norm();
        let Some(along) = axis.try_normalize(1e-6) else { return };
        let helper = if along.x.abs() < 0.7 { Vector3::x() } else { Vector3::y() };
        let first = helper.cross(&along).normalize();
        let axes = self.turn.matrix() * Matrix3::from_columns(&[first, along.cross(&first), along]);
        let shape = Shape::RoundCone { length: length as f32, ra: ra as f32, rb: rb as f32 };
        self.push(shape, axes, from, cloth, Lay::Around { radius: (0.5 * (ra + rb)) as f32 });
    }

    fn ball(&mut self, center: [f64; 3], half: [f64; 3], cloth: Cloth) {
        let axes = self.turn.matrix() * Matrix3::from_diagonal(&Vector3::from(half));
        self.push(Shape::Sphere, axes, center, cloth, Lay::Around { radius: half[0] as f32 });
    }

    fn push(&mut self, shape: Shape, axes: Matrix3<f64>, center: [f64; 3], cloth: Cloth, lay: Lay) {
        let center = self.foot + self.turn * Vector3::from(center);
        self.parts.push(Part { shape, axes, center, cloth, lay, glow: 0.0, gloss: 0.0 });
    }

    fn glow(&mut self, glow: f32) {
        if let Some(part) = self.parts.last_mut() {
            part.glow = glow;
        }
    }
}

impl Prop {
    /// Draws a thing of this kind that stands at `foot`, turned any way.
    pub fn draw(kind: PropKind, foot: Point3<f64>, rng: &mut impl Rng) -> Self {
        let yaw = rng.random_range(0.0..std::f64::consts::TAU);
        Self::draw_turned(kind, foot, yaw, rng)
    }

    /// The same, turned by `yaw` about the vertical, rad.
    pub fn draw_turned(kind: PropKind, foot: Point3<f64>, yaw: f64, rng: &mut impl Rng) -> Self {
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), yaw);
        let mut made = Assembly { foot, turn, parts: Vec::new() };
        let cloth = draw_cloth(rng, 0.6);
        let other = draw_cloth(rng, 0.8);
        let wood = draw_wood(rng);
        match kind {
            PropKind::Box => {
                let mut level = 0.0;
                for _ in 0..rng.random_range(1..4) {
                    let half =
                        [rng.random_range(0.12..0.45), rng.random_range(0.12..0.45), rng.random_range(0.1..0.35)];
                    let card = if rng.random_bool(0.4) { draw_card(rng) } else { draw_cloth(rng, 0.7) };
                    let aside = rng.random_range(-0.1..0.1);
                    made.cuboid([aside, -aside, level + half[2]], half, card);
                    level += 2.0 * half[2];
                }
            }
            PropKind::Pole => {
                let (radius, height) = (rng.random_range(0.02..0.1), rng.random_range(1.5..4.5));
                made.rod([0.0, 0.0, -radius], [0.0, 0.0, height], (radius, radius), cloth);
                if rng.random_bool(0.5) {
                    let half = [rng.random_range(0.15..0.4), 0.02, rng.random_range(0.15..0.4)];
                    made.cuboid([0.0, radius + 0.02, height - half[2]], half, other);
                }
            }
            PropKind::Pillar => {
                let radius = rng.random_range(0.12..0.35);
                if rng.random_bool(0.5) {
                    made.rod([0.0, 0.0, -radius], [0.0, 0.0, 6.0], (radius, radius), cloth);
                } else {
                    made.cuboid([0.0, 0.0, 3.0], [radius, radius, 3.0], cloth);
                }
            }
            PropKind::Table => {
                let (x, y, z) = (rng.random_range(0.4..1.1), rng.random_range(0.3..0.6), rng.random_range(0.45..1.0));
                made.cuboid([0.0, 0.0, z], [x, y, 0.02], wood);
                for (sx, sy) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                    made.rod([sx * 0.9 * x, sy * 0.9 * y, 0.0], [sx * 0.9 * x, sy * 0.9 * y, z], (0.025, 0.03), other);
                }
                for _ in 0..rng.random_range(0..5) {
                    let at = [rng.random_range(-x..x) * 0.8, rng.random_range(-y..y) * 0.8];
                    let half = [rng.random_range(0.03..0.2), rng.random_range(0.03..0.15), rng.random_range(0.02..0.2)];
                    let item = draw_cloth(rng, 0.7);
                    if rng.random_bool(0.5) {
                        made.cuboid([at[0], at[1], z + 0.02 + half[2]], half, item);
                    } else {
                        made.rod([at[0], at[1], z + 0.05], [at[0], at[1], z + 0.05 + half[2]], (0.04, 0.03), item);
                    }
                }
            }
            PropKind::Chair => {
                let (half, seat) = (rng.random_range(0.18..0.25), rng.random_range(0.4..0.5));
                made.cuboid([0.0, 0.0, seat], [half, half, 0.03], cloth);
                made.cuboid([0.0, -half, seat + 0.3], [half, 0.025, rng.random_range(0.15..0.3)], cloth);
                for (sx, sy) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                    made.rod(
                        [sx * half, sy * half, 0.0],
                        [sx * 0.9 * half, sy * 0.9 * half, seat],
                        (0.018, 0.02),
                        wood,
                    );
                }
            }
            PropKind::Shelf => {
                let (x, y, z) = (rng.random_range(0.35..0.9), rng.random_range(0.15..0.25), rng.random_range(0.5..1.1));
                for side in [-1.0, 1.0] {
                    made.cuboid([side * x, 0.0, z], [0.02, y, z], wood);
                }
                made.cuboid([0.0, -y, z], [x, 0.01, z], wood);
                let boards = rng.random_range(3..6);
                for board in 0..=boards {
                    let height = 2.0 * z * f64::from(board) / f64::from(boards);
                    made.cuboid([0.0, 0.0, height], [x, y, 0.015], wood);
                    let mut at = -x + 0.05;
                    while board < boards && at < x - 0.1 {
                        let half =
                            [rng.random_range(0.02..0.12), rng.random_range(0.06..0.14), rng.random_range(0.06..0.14)];
                        if rng.random_bool(0.75) {
                            made.cuboid([at + half[0], 0.0, height + half[2]], half, draw_cloth(rng, 0.8));
                        }
                        at += 2.0 * half[0] + 0.01;
                    }
                }
            }
            PropKind::Ball => {
                let radius = rng.random_range(0.08..0.45);
                made.ball([0.0, 0.0, radius], [radius; 3], cloth);
            }
            PropKind::Lamp => {
                let height = rng.random_range(1.2..2.4);
                made.rod([0.0; 3], [0.0, 0.0, height], (0.02, 0.02), wood);
                made.ball([0.0, 0.0, 0.02], [0.16, 0.16, 0.03], wood);
                let shade = Cloth::plain(from_hsv(rng.random_range(0.08..0.16), rng.random_range(0.0..0.5), 0.95));
                made.rod([0.0, 0.0, height - 0.1], [0.0, 0.0, height + 0.1], (0.16, 0.11), shade);
                made.glow(rng.random_range(0.2..1.2));
            }
            PropKind::CoatRack => {
                let height = rng.random_range(1.5..1.95);
                made.rod([0.0; 3], [0.0, 0.0, height], (0.02, 0.02), wood);
                if rng.random_bool(0.7) {
                    made.ball([0.0, 0.0, height], [0.11, 0.12, 0.1], other);
                }
                for _ in 0..rng.random_range(1..4) {
                    let angle = rng.random_range(0.0..std::f64::consts::TAU);
                    let (x, y) = (0.12 * angle.cos(), 0.12 * angle.sin());
                    let low = rng.random_range(0.5..1.0);
                    let coat = draw_cloth(rng, 0.6);
                    made.rod([x, y, height - 0.25], [1.3 * x, 1.3 * y, low], (0.1, rng.random_range(0.12..0.2)), coat);
                }
                for foot in 0..4 {
                    let angle = f64::from(foot) * 1.57;
                    made.rod([0.0, 0.0, 0.15], [0.3 * angle.cos(), 0.3 * angle.sin(), 0.02], (0.02, 0.02), wood);
                }
            }
            PropKind::Dummy => {
                let height = rng.random_range(1.2..1.45);
                made.rod([0.0; 3], [0.0, 0.0, height], (0.025, 0.025), wood);
                made.ball([0.0, 0.0, 0.02], [0.2, 0.2, 0.03], wood);
                made.ball([0.0, 0.0, height], [0.19, 0.12, 0.24], cloth);
                made.ball([0.0, 0.0, height - 0.3], [0.17, 0.13, 0.2], cloth);
                if rng.random_bool(0.5) {
                    made.rod([0.0, 0.0, height - 0.35], [0.0, 0.0, 0.45], (0.16, 0.3), cloth);
                }
            }
            PropKind::Plant => {
                let pot = rng.random_range(0.12..0.25);
                made.rod([0.0, 0.0, 0.1], [0.0, 0.0, 2.0 * pot], (0.8 * pot, pot), cloth);
                let height = rng.random_range(0.5..1.6);
                for _ in 0..rng.random_range(5..16) {
                    let leaf = draw_green(rng);
                    let angle = rng.random_range(0.0..std::f64::consts::TAU);
                    let out = rng.random_range(0.1..0.45);
                    let from = [0.0, 0.0, 2.0 * pot];
                    let to = [out * angle.cos(), out * angle.sin(), 2.0 * pot + height * rng.random_range(0.3..1.0)];
                    made.rod(from, to, (0.015, rng.random_range(0.02..0.09)), leaf);
                }
            }
            PropKind::Tree => {
                let height = rng.random_range(2.0..4.5);
                let bark = Cloth { grain: 0.4, ..draw_wood(rng) };
                let radius = rng.random_range(0.08..0.25);
                made.rod([0.0, 0.0, -radius], [0.1, 0.0, height], (radius, 0.6 * radius), bark);
                for _ in 0..rng.random_range(4..10) {
                    let size = rng.random_range(0.5..1.3);
                    let at = [
                        rng.random_range(-1.2..1.2),
                        rng.random_range(-1.2..1.2),
                        height + rng.random_range(-0.3..1.8),
                    ];
                    made.ball(at, [size, size, 0.8 * size], draw_green(rng));
                }
            }
            PropKind::Bush => {
                for _ in 0..rng.random_range(3..8) {
                    let size = rng.random_range(0.25..0.6);
                    let at = [rng.random_range(-0.8..0.8), rng.random_range(-0.3..0.3), rng.random_range(0.2..0.6)];
                    made.ball(at, [size, size, 0.9 * size], draw_green(rng));
                }
            }
            PropKind::Bin => {
                let (radius, height) = (rng.random_range(0.15..0.35), rng.random_range(0.4..1.0));
                made.rod([0.0, 0.0, -radius], [0.0, 0.0, height], (radius, radius), cloth);
                made.ball([0.0, 0.0, height + 0.6 * radius], [1.05 * radius, 1.05 * radius, 0.1], other);
            }
            PropKind::Bench => {
                let half = rng.random_range(0.6..1.0);
                for row in 0..4 {
                    made.cuboid([0.0, -0.18 + 0.12 * f64::from(row), 0.45], [half, 0.05, 0.02], wood);
                }
                for row in 0..3 {
                    made.cuboid([0.0, -0.28, 0.58 + 0.14 * f64::from(row)], [half, 0.02, 0.05], wood);
                }
                for side in [-0.8, 0.8] {
                    made.cuboid([side * half, 0.0, 0.22], [0.03, 0.22, 0.22], other);
                }
            }
            PropKind::Board => {
                let half = [rng.random_range(0.3..0.9), 0.02, rng.random_range(0.3..0.8)];
                let foot = rng.random_range(0.0..0.6);
                made.cuboid([0.0, 0.0, foot + half[2]], half, draw_poster(rng));
                for side in [-0.9, 0.9] {
                    made.rod([side * half[0], 0.0, 0.0], [side * half[0], 0.0, foot + half[2]], (0.02, 0.02), other);
                }
            }
            PropKind::Car => {
                let paint = Cloth { grain: 0.03, ..Cloth::plain(draw_colour(rng)) };
                let glass = Cloth::plain(srgb(30, 36, 44));
                made.cuboid([0.0, 0.0, 0.55], [2.1, 0.85, 0.3], paint);
                made.ball([0.0, 0.0, 0.85], [1.4, 0.8, 0.6], glass);
                made.ball([0.0, 0.0, 1.0], [1.2, 0.78, 0.5], paint);
                for (x, y) in [(1.3, 0.8), (1.3, -0.8), (-1.3, 0.8), (-1.3, -0.8)] {
                    made.ball([x, y, 0.32], [0.32, 0.12, 0.32], Cloth::plain(srgb(25, 25, 25)));
                }
                for part in &mut made.parts {
                    part.gloss = 0.2;
                }
            }
            PropKind::Sofa => {
                let half = rng.random_range(0.5..1.1);
                made.cuboid([0.0, 0.0, 0.25], [half, 0.4, 0.18], cloth);
                made.cuboid([0.0, -0.38, 0.5], [half, 0.12, 0.4], cloth);
                for side in [-1.0, 1.0] {
                    made.rod([side * half, -0.35, 0.5], [side * half, 0.35, 0.5], (0.12, 0.12), cloth);
                }
                if rng.random_bool(0.6) {
                    made.ball([0.4 * half, -0.15, 0.58], [0.22, 0.08, 0.2], other);
                }
            }
            PropKind::Fence => {
                let half = rng.random_range(0.6..1.5);
                let height = rng.random_range(0.6..1.2);
                for level in [0.4, 0.9] {
                    made.cuboid([0.0, 0.0, level * height], [half, 0.015, 0.035], wood);
                }
                let mut at = -half;
                while at <= half {
                    made.cuboid([at, 0.02, 0.5 * height], [0.03, 0.012, 0.5 * height], wood);
                    at += rng.random_range(0.1..0.3);
                }
            }
        }
        Self { parts: made.parts }
    }

    /// A plain upright cylinder, rounded at the top: a pillar of the made-up scene.
    pub fn cylinder(foot: Point3<f64>, radius: f64, height: f64, rng: &mut impl Rng) -> Self {
        let mut made = Assembly { foot, turn: Rotation3::identity(), parts: Vec::new() };
        made.rod([0.0; 3], [0.0, 0.0, height], (radius, radius), draw_cloth(rng, 0.5));
        Self { parts: made.parts }
    }

    /// An upright box with the middle of its floor at `foot` and these half sizes (x, y, z), m.
    pub fn cuboid(foot: Point3<f64>, half: [f64; 3], yaw: f64, rng: &mut impl Rng) -> Self {
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), yaw);
        let mut made = Assembly { foot, turn, parts: Vec::new() };
        made.cuboid([0.0, 0.0, half[2]], half, draw_cloth(rng, 0.5));
        Self { parts: made.parts }
    }

    /// Sheets, prints, mats, packets and sticks that lie about on the floor within `reach` of `middle`, m.
    pub fn litter(middle: Point3<f64>, reach: f64, rng: &mut impl Rng) -> Vec<Self> {
        let largest = 10.0_f64.powf(rng.random_range(-0.9..0.0));
        (0..rng.random_range(3..24))
            .map(|_| {
                let aside = Vector3::new(rng.random_range(-reach..reach), rng.random_range(-reach..reach), 0.0);
                let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), rng.random_range(0.0..std::f64::consts::TAU));
                let mut made = Assembly { foot: middle + aside, turn, parts: Vec::new() };
                let (x, y) = (largest * rng.random_range(0.3..1.0), largest * rng.random_range(0.2..1.0));
                match rng.random_range(0..8) {
                    // A print with a border.
                    0..=2 => {
                        let paper = Cloth::plain(from_hsv(0.1, 0.05, rng.random_range(0.7..1.0)));
                        made.cuboid([0.0, 0.0, 0.004], [0.5 * x, 0.5 * y, 0.004], paper);
                        let inner = rng.random_range(0.3..0.48);
                        made.cuboid([0.0, 0.0, 0.008], [inner * x, inner * y, 0.004], draw_print(x.min(y), rng));
                    }
                    // A sheet or a mat.
                    3 | 4 => made.cuboid([0.0, 0.0, 0.005], [0.5 * x, 0.5 * y, 0.005], draw_print(x.min(y), rng)),
                    5 | 6 => {
                        let z = 0.5 * x.min(y) * rng.random_range(0.05..0.6);
                        let cloth = if rng.random_bool(0.5) { draw_card(rng) } else { draw_print(x.min(y), rng) };
                        made.cuboid([0.0, 0.0, z], [0.5 * x, 0.5 * y, z], cloth);
                    }
                    _ => {
                        let radius = rng.random_range(0.004..0.03);
                        made.rod([0.0, 0.0, radius], [x, 0.0, radius], (radius, radius), draw_cloth(rng, 0.8));
                    }
                }
                Self { parts: made.parts }
            })
            .collect()
    }

    /// A flat picture, window or door: `half` sizes across and up, at `center`, facing along `yaw`.
    pub(super) fn panel(center: Point3<f64>, half: (f64, f64), yaw: f64, cloth: Cloth, glow: f32) -> Self {
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), yaw);
        let mut made = Assembly { foot: center, turn, parts: Vec::new() };
        made.cuboid([0.0; 3], [0.03, half.0, half.1], cloth);
        made.glow(glow);
        Self { parts: made.parts }
    }

    /// A house far off.
    pub(super) fn house(foot: Point3<f64>, half: [f64; 3], yaw: f64, rng: &mut impl Rng) -> Self {
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), yaw);
        let mut made = Assembly { foot, turn, parts: Vec::new() };
        let wall = draw_colour(rng);
        let windows = [wall, wall * 0.8, srgb(60, 70, 85) * rng.random_range(0.4..2.0)];
        let pattern = if rng.random_bool(0.6) {
            Pattern::Bricks {
                width: rng.random_range(1.0..2.5),
                height: rng.random_range(1.5..3.2),
                joint: rng.random_range(0.25..0.6),
                shift: 0.0,
            }
        } else {
            Pattern::Cells { width: rng.random_range(0.8..2.0), height: rng.random_range(1.0..3.0) }
        };
        made.cuboid([0.0, 0.0, half[2]], half, Cloth::draw(rng, pattern, windows, false));
        Self { parts: made.parts }
    }

    pub(super) fn add_to(&self, camera_from_world: &Isometry3<f64>, geometry: &mut Geometry) {
        let rotation = camera_from_world.rotation.to_rotation_matrix();
        for part in &self.parts {
            let axes = rotation.matrix() * part.axes;
            let center = (camera_from_world * part.center).coords;
            let narrow = |value: f64| value as f32;
            let primitive = Primitive::new(part.shape, axes.map(narrow), center.map(narrow)).map(|primitive| {
                // Nothing shows below the floor.
                let down = -part.axes.row(2).transpose();
                Primitive { clip: Some((down.map(narrow), part.center.z as f32)), ..primitive }
            });
            // Lengths of the pattern are metres: unit axes.
            let mut unit = axes;
            for mut column in unit.column_iter_mut() {
                let norm = column.norm().max(1e-9);
                column /= norm;
            }
            let paint = Paint {
                texture_from_camera: unit.transpose().map(narrow),
                texture_origin: center.map(narrow),
                what: What::Cloth(part.cloth, part.lay),
                glow: part.glow,
                gloss: part.gloss,
            };
            geometry.add(primitive, paint);
        }
    }
}

fn draw_wood(rng: &mut impl Rng) -> Cloth {
    let tones = [srgb(90, 60, 35), srgb(150, 110, 70), srgb(200, 170, 130), srgb(50, 35, 25), srgb(225, 222, 215)];
    let tone = tones.choose(rng).copied().unwrap_or(tones[0]);
    if rng.random_bool(0.25) {
        return Cloth::plain(draw_colour(rng));
    }
    let pattern = Pattern::Mottled { period: rng.random_range(0.03..0.2), contrast: 0.35 };
    Cloth::draw(rng, pattern, [tone, tone * 0.7, tone], false)
}

fn draw_card(rng: &mut impl Rng) -> Cloth {
    let tone = srgb(170, 130, 90) * rng.random_range(0.7..1.2);
    let pattern = Pattern::Stripes { period: 0.3, share: 0.15 };
    Cloth::draw(rng, pattern, [tone, tone * 1.2, tone], false)
}

/// What is printed on a sheet that is `size` wide, m.
fn draw_print(size: f64, rng: &mut impl Rng) -> Cloth {
    let dark = from_hsv(rng.random(), rng.random_range(0.0..0.3), rng.random_range(0.02..0.3));
    let light = from_hsv(rng.random(), rng.random_range(0.0..0.2), rng.random_range(0.6..1.0));
    let size = size as f32;
    let pattern = match rng.random_range(0..7) {
        0 => Pattern::Checks { period: size * rng.random_range(0.15..0.6) },
        1 => Pattern::Stripes { period: size * rng.random_range(0.05..0.3), share: rng.random_range(0.2..0.8) },
        2 => Pattern::Plain,
        3 | 4 => Pattern::Patches { period: size * rng.random_range(0.1..0.6) },
        5 => Pattern::Mottled { period: size * rng.random_range(0.1..0.6), contrast: 0.8 },
        _ => return draw_poster(rng),
    };
    let colours = if rng.random_bool(0.6) { [dark, light, light * 0.5] } else { [light, dark, draw_colour(rng)] };
    Cloth::draw(rng, pattern, colours, true)
}

pub(super) fn draw_green(rng: &mut impl Rng) -> Cloth {
    let mut green = || from_hsv(rng.random_range(0.18..0.42), rng.random_range(0.3..0.8), rng.random_range(0.15..0.6));
    let colours: [Colour; 3] = [green(), green(), green()];
    let pattern = Pattern::Mottled { period: rng.random_range(0.05..0.3), contrast: 0.6 };
    Cloth::draw(rng, pattern, colours, true).with_grain(0.5, 0.1)
}

pub(super) fn draw_poster(rng: &mut impl Rng) -> Cloth {
    let colours = [draw_colour(rng), draw_colour(rng), draw_colour(rng)];
    let period = rng.random_range(0.05..0.6);
    let pattern = match rng.random_range(0..6) {
        0 => Pattern::Patches { period },
        1 => Pattern::Cells { width: period, height: rng.random_range(0.05..0.6) },
        2 => Pattern::Dots { period, share: rng.random_range(0.3..0.9) },
        3 => Pattern::Stripes { period, share: rng.random_range(0.2..0.8) },
        4 => Pattern::Mottled { period, contrast: 0.8 },
        _ => Pattern::Plain,
    };
    let turns = rng.random_bool(0.3);
    Cloth::draw(rng, pattern, colours, turns)
}
