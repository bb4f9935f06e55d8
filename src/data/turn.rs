//! Which way up somebody is in the image.

use std::f64::consts::FRAC_PI_2;

/// Which way the head of somebody points in the image, to a quarter of a turn: how the image is looked at by networks that know
/// people who stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// Up.
    #[default]
    Upright,
    /// To the right.
    HeadRight,
    /// To the left.
    HeadLeft,
}

impl Turn {
    /// Clockwise turn in the image that brings somebody upright to lie like this, rad.
    pub const fn angle(self) -> f64 {
        match self {
            Self::Upright => 0.0,
            Self::HeadRight => FRAC_PI_2,
            Self::HeadLeft => -FRAC_PI_2,
        }
    }

    /// What is (`wide`, `high`) in the image, as it is in the image looked at in this way.
    pub fn size<T>(self, (wide, high): (T, T)) -> (T, T) {
        match self {
            Self::Upright => (wide, high),
            Self::HeadRight | Self::HeadLeft => (high, wide),
        }
    }
}
