//! What a number on the command line has to be.

/// A positive finite number.
pub fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("must be above 0 and finite".to_owned()) }
}

/// A whole number of at least 1.
pub fn at_least_one<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    let number: u64 = text.parse().map_err(|_| "must be a whole number of at least 1".to_owned())?;
    if number == 0 {
        return Err("must be at least 1".to_owned());
    }
    N::try_from(number).map_err(|_| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_can_be_done_with_is_refused() {
        for text in ["0", "-1", "nan", "inf", "-inf", "x", ""] {
            assert!(positive(text).is_err(), "{text}");
        }
        assert!(positive("2e-3").is_ok());
        for text in ["0", "-1", "1.5", "nan", "99999999999999999999"] {
            assert!(at_least_one::<usize>(text).is_err(), "{text}");
        }
        assert_eq!((at_least_one::<u64>("1"), at_least_one::<u32>("7")), (Ok(1), Ok(7)));
        assert!(at_least_one::<u32>("4294967296").is_err());
    }
}
