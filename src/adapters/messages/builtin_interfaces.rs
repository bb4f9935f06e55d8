//! `builtin_interfaces`: `Time` is the core's [`Stamp`], `Duration` is a [`std::time::Duration`].

use std::time::Duration;

use super::{Decode, Encode};
use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};
use crate::data::Stamp;

impl Decode<'_> for Stamp {
    const MINIMUM_BYTES: usize = 8;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let sec = reader.i32("sec")?;
        let nanosec = reader.u32("nanosec")?;
        Ok(Self::from_sec_nanosec(sec, nanosec))
    }
}

impl Encode for Stamp {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.i32(self.sec());
        writer.u32(self.nanosec());
    }
}

impl Decode<'_> for Duration {
    const MINIMUM_BYTES: usize = 8;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let sec = reader.i32("sec")?;
        let nanosec = reader.u32("nanosec")?;
        let sec = u64::try_from(sec).map_err(|_| CdrError::Value {
            field: "sec",
            offset: reader.offset(),
            value: u64::from(sec.unsigned_abs()),
            expected: "a duration that is not negative",
        })?;
        Ok(Self::from_secs(sec) + Self::from_nanos(u64::from(nanosec)))
    }
}

impl Encode for Duration {
    /// Durations beyond the 68 years that the message holds are written as its maximum.
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        let (sec, nanosec) =
            i32::try_from(self.as_secs()).map_or((i32::MAX, 999_999_999), |sec| (sec, self.subsec_nanos()));
        writer.i32(sec);
        writer.u32(nanosec);
    }
}
