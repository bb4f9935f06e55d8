//! How a person looks: girth, skin, hair, clothes and what is carried.
//!
//! Drawn once per person; equal draws give equal looks in every image.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::head::Face;
use super::paint::{Cloth, Colour, Pattern, Print, PrintKind, from_hsv, srgb};

/// How a person looks; drawn with [`Appearance::draw`].
#[derive(Clone, Debug, PartialEq)]
pub struct Appearance {
    /// Girth of trunk and limbs, 1 for the average.
    pub(super) girth: f32,
    /// Girth of the belly beyond that.
    pub(super) belly: f32,
    /// Width of hips and of shoulders, 1 for the average.
    pub(super) hips: f32,
    pub(super) shoulders: f32,
    /// Size of the breasts, m; zero for none.
    pub(super) breasts: f32,
    /// Size of the head, 1 for the average.
    pub(super) head: f32,
    pub(super) skin: Cloth,
    pub(super) face: Face,
    pub(super) hair: Hair,
    pub(super) hat: Option<(Hat, Cloth)>,
    pub(super) top: Top,
    pub(super) bottom: Bottom,
    pub(super) shoes: Shoes,
    pub(super) backpack: Option<Cloth>,
    pub(super) scarf: Option<Cloth>,
    pub(super) gloves: Option<Cloth>,
}

/// Volume of the hair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hair {
    pub(super) style: HairStyle,
    /// Thickness over the skull, as a share of the skull.
    pub(super) thickness: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HairStyle {
    /// None, or shaved: painted only.
    Painted,
    Short,
    /// Down to the neck or the back, as a share of 0.35 m in percent.
    Long(u8),
    Bun,
    Tail,
    Afro,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hat {
    Beanie,
    /// With a peak in front.
    Cap,
    /// With a brim all around.
    Brimmed,
    Helmet,
    /// Around the head and onto the shoulders.
    Hood,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Top {
    pub(super) cloth: Cloth,
    pub(super) sleeve_cloth: Cloth,
    pub(super) print: Option<Print>,
    /// 0 for none, 1 to the elbow, 2 to the wrist.
    pub(super) sleeve: f32,
    /// Thickness and width beyond the body, m.
    pub(super) loose: f32,
    /// How far below the hips it hangs, m; negative: tucked in.
    pub(super) hem: f32,
    pub(super) collar: Option<Cloth>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bottom {
    pub(super) cloth: Cloth,
    /// 1 to the knee, 2 to the ankle.
    pub(super) length: f32,
    pub(super) loose: f32,
    /// Skirt or dress: one tube around both legs, and how much it widens.
    pub(super) skirt: Option<f32>,
    /// Stockings or bare legs below.
    pub(super) legs: Cloth,
    pub(super) belt: Option<Cloth>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shoes {
    pub(super) cloth: Cloth,
    pub(super) sole: Cloth,
    /// How far up the shank they reach, as a share of it.
    pub(super) shaft: f32,
    pub(super) socks: Cloth,
    /// How far up the socks reach.
    pub(super) socks_height: f32,
}

impl Appearance {
    /// Draws a person's looks.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let is_female = rng.random_bool(0.5);
        let skin_colour = draw_skin(rng);
        let skin = Cloth::plain(skin_colour).with_grain(0.06, 0.04);
        let hair_colour = draw_hair(rng);
        let (face, hair) = draw_face(rng, is_female, skin_colour, hair_colour);
        let hat_cloth = Cloth { grain: 0.15, ..draw_cloth(rng, 0.75) };
        let hat = rng.random_bool(0.22).then(|| {
            let hats = [Hat::Beanie, Hat::Cap, Hat::Cap, Hat::Brimmed, Hat::Helmet, Hat::Hood];
            (hats.choose(rng).copied().unwrap_or(Hat::Cap), hat_cloth)
        });
        let girth = rng.random_range(0.86..1.22) * if is_female { 0.95 } else { 1.0 };
        let top = draw_top(rng);
        let bottom = draw_bottom(rng, is_female, &skin, &top.cloth);
        Self {
            girth,
            belly: if rng.random_bool(0.3) { rng.random_range(0.0..0.08) } else { 0.0 },
            hips: rng.random_range(0.94..1.06) * if is_female { 1.06 } else { 0.97 },
            shoulders: rng.random_range(0.94..1.06) * if is_female { 0.95 } else { 1.03 },
            breasts: if is_female { rng.random_range(0.03..0.075) } else { 0.0 },
            head: rng.random_range(0.93..1.1),
            skin,
            face,
            hair,
            hat,
            top,
            bottom,
            shoes: draw_shoes(rng, &skin),
            backpack: rng.random_bool(0.12).then(|| draw_cloth(rng, 0.8)),
            scarf: rng.random_bool(0.08).then(|| draw_cloth(rng, 0.4)),
            gloves: rng.random_bool(0.06).then(|| draw_cloth(rng, 0.9)),
        }
    }

    /// The same person without a shirt; somebody with breasts keeps it.
    #[must_use]
    pub fn without_shirt(self) -> Self {
        if self.breasts > 0.0 {
            return self;
        }
        let top = Top {
            cloth: self.skin,
            sleeve_cloth: self.skin,
            print: None,
            sleeve: 0.0,
            loose: 0.0,
            hem: -0.1,
            collar: None,
        };
        Self { top, scarf: None, ..self }
    }
}

fn draw_skin(rng: &mut impl Rng) -> Colour {
    const TONES: [(u8, u8, u8); 8] = [
        (255, 222, 200),
        (244, 205, 178),
        (233, 188, 155),
        (216, 166, 130),
        (190, 138, 100),
        (155, 105, 72),
        (112, 72, 48),
        (72, 46, 34),
    ];
    let at = rng.random_range(0.0..(TONES.len() - 1) as f32);
    let tone = |index: usize| srgb(TONES[index].0, TONES[index].1, TONES[index].2);
    let between = tone(at as usize).lerp(&tone(at as usize + 1), at.fract());
    between.map(|value| value * rng.random_range(0.92..1.08))
}

fn draw_hair(rng: &mut impl Rng) -> Colour {
    const TONES: [(u8, u8, u8); 9] = [
        (20, 17, 16),
        (34, 26, 22),
        (54, 38, 28),
        (84, 58, 38),
        (122, 86, 52),
        (176, 138, 88),
        (214, 184, 134),
        (120, 54, 30),
        (168, 166, 162),
    ];
    if rng.random_bool(0.05) {
        return from_hsv(rng.random(), rng.random_range(0.4..0.9), rng.random_range(0.3..0.8));
    }
    let (red, green, blue) = TONES.choose(rng).copied().unwrap_or(TONES[0]);
    srgb(red, green, blue) * rng.random_range(0.8..1.2)
}

fn draw_face(rng: &mut impl Rng, is_female: bool, skin: Colour, hair_colour: Colour) -> (Face, Hair) {
    let style = if is_female {
        match rng.random_range(0..10) {
            0..=4 => HairStyle::Long(rng.random_range(35..100)),
            5 => HairStyle::Bun,
            6 | 7 => HairStyle::Tail,
            8 => HairStyle::Short,
            _ => HairStyle::Afro,
        }
    } else {
        match rng.random_range(0..10) {
            0 | 1 => HairStyle::Painted,
            2..=7 => HairStyle::Short,
            8 => HairStyle::Long(rng.random_range(20..60)),
            _ => HairStyle::Afro,
        }
    };
    let is_bald = style == HairStyle::Painted && rng.random_bool(0.5);
    let face = Face {
        skin,
        lips: skin.lerp(&srgb(170, 50, 55), rng.random_range(0.25..0.7)),
        iris: *[srgb(40, 24, 16), srgb(60, 40, 24), srgb(60, 90, 130), srgb(60, 90, 60)]
            .choose(rng)
            .unwrap_or(&srgb(40, 24, 16)),
        hair: hair_colour,
        brows: hair_colour * 0.7,
        hairline: if is_bald { 9.0 } else { rng.random_range(0.62..0.85) },
        hair_slope: rng.random_range(0.75..1.05),
        beard: (!is_female && rng.random_bool(0.35)).then(|| rng.random_range(-0.3..-0.02)),
        mouth: rng.random_range(0.035..0.075),
        glasses: rng.random_bool(0.15).then(|| srgb(25, 22, 24) * rng.random_range(0.3..4.0)),
    };
    let thickness = if style == HairStyle::Afro { rng.random_range(0.2..0.5) } else { rng.random_range(0.04..0.12) };
    (face, Hair { style, thickness })
}

/// A colour as clothes have it: many are grey, dark or pale, some bright.
pub(super) fn draw_colour(rng: &mut impl Rng) -> Colour {
    match rng.random_range(0..10) {
        0..=2 => {
            let value = rng.random_range(0.05..0.95);
            from_hsv(rng.random(), rng.random_range(0.0..0.08), value)
        }
        3 | 4 => from_hsv(rng.random_range(0.52..0.72), rng.random_range(0.2..0.9), rng.random_range(0.12..0.6)),
        5..=7 => from_hsv(rng.random(), rng.random_range(0.1..0.6), rng.random_range(0.15..0.85)),
        _ => from_hsv(rng.random(), rng.random_range(0.6..1.0), rng.random_range(0.4..1.0)),
    }
}

/// Cloth, plain with this chance.
pub(super) fn draw_cloth(rng: &mut impl Rng, plain: f64) -> Cloth {
    let colours = [draw_colour(rng), draw_colour(rng), draw_colour(rng)];
    let pattern = if rng.random_bool(plain) {
        Pattern::Plain
    } else {
        let period = 10.0_f32.powf(rng.random_range(-1.75..-0.75));
        match rng.random_range(0..8) {
            0..=2 => Pattern::Stripes { period, share: rng.random_range(0.15..0.6) },
            3 => Pattern::Checks { period },
            4 | 5 => Pattern::Plaid { period: 1.5 * period, share: rng.random_range(0.3..0.6) },
            6 => Pattern::Dots { period, share: rng.random_range(0.3..0.8) },
            _ => Pattern::Patches { period },
        }
    };
    let turn = match rng.random_range(0..4) {
        0 => (0.0, 1.0),
        _ => (1.0, 0.0),
    };
    let grain = rng.random_range(0.03..0.3);
    let grain_rate = 10.0_f32.powf(rng.random_range(0.8..1.5));
    Cloth { turn, grain, grain_rate, ..Cloth::draw(rng, pattern, colours, false) }
}

fn draw_top(rng: &mut impl Rng) -> Top {
    let cloth = draw_cloth(rng, 0.5);
    let sleeve_cloth = if rng.random_bool(0.8) { cloth } else { draw_cloth(rng, 0.7) };
    let print = rng.random_bool(0.5).then(|| {
        let kind = *[PrintKind::Figure, PrintKind::Disc, PrintKind::Open, PrintKind::Open, PrintKind::Buttons]
            .choose(rng)
            .unwrap_or(&PrintKind::Open);
        let is_behind = matches!(kind, PrintKind::Figure | PrintKind::Disc) && rng.random_bool(0.2);
        let (half_width, low, high) = match kind {
            PrintKind::Figure | PrintKind::Disc => {
                let half = rng.random_range(0.05..0.13);
                let middle = rng.random_range(-0.25..-0.1);
                (half, middle - half * rng.random_range(0.6..1.3), middle + half * rng.random_range(0.6..1.2))
            }
            PrintKind::Open => (rng.random_range(0.015..0.09), -0.9, 0.2),
            PrintKind::Buttons => (0.02, -0.9, 0.2),
        };
        Print {
            colour: draw_colour(rng),
            other: draw_colour(rng),
            half_width,
            low,
            high,
            is_behind,
            kind,
            salt: rng.random(),
        }
    });
    let sleeve = match rng.random_range(0..10) {
        0 => rng.random_range(0.0..0.15),
        1..=4 => rng.random_range(0.45..0.95),
        5 => rng.random_range(1.0..1.8),
        _ => 1.95,
    };
    let loose = rng.random_range(0.004..0.03);
    let hem = if rng.random_bool(0.25) { -0.1 } else { rng.random_range(0.0..0.16) };
    let collar = rng.random_bool(0.35).then(|| if rng.random_bool(0.5) { cloth } else { draw_cloth(rng, 1.0) });
    Top { cloth, sleeve_cloth, print, sleeve, loose, hem, collar }
}

fn draw_bottom(rng: &mut impl Rng, is_female: bool, skin: &Cloth, top: &Cloth) -> Bottom {
    let mut cloth = draw_cloth(rng, 0.82);
    if cloth.pattern == Pattern::Plain && rng.random_bool(0.35) {
        // Jeans.
        cloth.colours[0] =
            from_hsv(rng.random_range(0.57..0.65), rng.random_range(0.25..0.7), rng.random_range(0.15..0.6));
        cloth.grain = rng.random_range(0.1..0.35);
    }
    let skirt = (is_female && rng.random_bool(0.25)).then(|| rng.random_range(0.0..0.12));
    if skirt.is_some() && rng.random_bool(0.4) {
        cloth = *top;
    }
    let length = match (skirt, rng.random_range(0..10)) {
        (Some(_), 0..=6) => rng.random_range(0.6..1.2),
        (Some(_), _) => rng.random_range(1.2..1.9),
        (None, 0..=6) => 1.97,
        (None, _) => rng.random_range(0.35..1.4),
    };
    let legs = if rng.random_bool(0.8) { *skin } else { draw_cloth(rng, 0.9) };
    let belt = rng.random_bool(0.4).then(|| draw_cloth(rng, 1.0));
    Bottom { cloth, length, loose: rng.random_range(0.003..0.03), skirt, legs, belt }
}

fn draw_shoes(rng: &mut impl Rng, skin: &Cloth) -> Shoes {
    let socks = if rng.random_bool(0.3) { *skin } else { draw_cloth(rng, 0.8) };
    let cloth = if rng.random_bool(0.07) { *skin } else { draw_cloth(rng, 0.9) };
    let sole = if rng.random_bool(0.5) { Cloth::plain(srgb(225, 225, 222)) } else { Cloth::plain(draw_colour(rng)) };
    let shaft = if rng.random_bool(0.2) { rng.random_range(0.2..0.9) } else { rng.random_range(0.0..0.15) };
    Shoes { cloth, sole, shaft, socks, socks_height: rng.random_range(0.05..0.5) }
}
