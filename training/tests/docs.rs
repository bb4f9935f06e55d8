//! The documents against the trainer: it takes every call that they show.
#![allow(clippy::unwrap_used)]

use std::path::Path;

#[path = "../../tests/common/documented.rs"]
mod documented;

#[test]
fn every_call_in_the_documents_is_taken() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    documented::assert_calls_are_taken(project, "stridepose-train", env!("CARGO_BIN_EXE_stridepose-train"), 12);
}
