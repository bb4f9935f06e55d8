//! What a command says.

/// A line on the console; lost where nobody reads it any more (`stridepose-train … | head`), for training goes on without.
#[macro_export]
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($part)*);
    }};
}
