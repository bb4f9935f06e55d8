//! Where a user's own files lie (XDG Base Directory Specification).

use std::path::PathBuf;

/// The folder that the environment variable names; `None` where it is unset or empty.
pub fn from_variable(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The program's folder below the one that an XDG variable names, e.g. `XDG_DATA_HOME`, else below `in_home` of the user's home,
/// e.g. `.local/share`; `None` where neither is known.
pub fn of_program(variable: &str, in_home: &str) -> Option<PathBuf> {
    // A relative folder is void.
    let named = from_variable(variable).filter(|path| path.is_absolute());
    named.or_else(|| Some(from_variable("HOME")?.join(in_home))).map(|path| path.join("stridepose"))
}
