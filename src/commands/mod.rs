//! The commands of the `stridepose` program, one file each; `bin/stridepose.rs` only chooses between them.

pub mod inspect;
