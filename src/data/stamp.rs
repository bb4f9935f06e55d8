//! Capture time of an image, as ROS 2 writes it (`builtin_interfaces/Time`).

/// Capture time in nanoseconds since the epoch of the recording's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

impl Stamp {
    /// A stamp from nanoseconds since the epoch.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// A stamp from the two fields of `builtin_interfaces/Time`.
    pub const fn from_sec_nanosec(sec: i32, nanosec: u32) -> Self {
        Self(sec as i64 * NANOSECONDS_PER_SECOND + nanosec as i64)
    }

    /// Nanoseconds since the epoch.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// Whole seconds, the `sec` field of `builtin_interfaces/Time`.
    pub const fn sec(self) -> i32 {
        self.0.div_euclid(NANOSECONDS_PER_SECOND) as i32
    }

    /// The remainder in nanoseconds, the `nanosec` field of `builtin_interfaces/Time`.
    pub const fn nanosec(self) -> u32 {
        self.0.rem_euclid(NANOSECONDS_PER_SECOND) as u32
    }

    /// Seconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 * 1e-9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_and_nanosec_round_trip() {
        let stamp = Stamp::from_sec_nanosec(1_700_000_000, 999_999_999);
        assert_eq!((stamp.sec(), stamp.nanosec()), (1_700_000_000, 999_999_999));
        assert_eq!(Stamp::from_nanoseconds(stamp.nanoseconds()), stamp);
    }

    #[test]
    fn seconds_since_is_signed() {
        let (early, late) = (Stamp::from_nanoseconds(1_000_000_000), Stamp::from_nanoseconds(1_500_000_000));
        assert!((late.seconds_since(early) - 0.5).abs() < 1e-12);
        assert!((early.seconds_since(late) + 0.5).abs() < 1e-12);
    }
}
