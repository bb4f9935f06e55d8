//! The fuzz targets of fuzz/, which another compiler builds, compiled and run here on a few inputs, so that they do not rot
//! between two rounds of `make fuzz`; and their list of packages, which must be that of the project.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

// What the targets find where cargo-fuzz builds them.
extern crate self as libfuzzer_sys;
extern crate self as stridepose_fuzz;

macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:expr) => {
        pub fn run($data: &[u8]) {
            $body
        }
    };
}
pub(crate) use fuzz_target;

#[path = "../fuzz/src/lib.rs"]
#[allow(clippy::pedantic, reason = "not of this package")]
mod helpers;
pub use helpers::*;

macro_rules! targets {
    ($($name:ident: $path:literal),* $(,)?) => {
        $(
            #[path = $path]
            #[allow(unused_attributes, unused_imports, clippy::pedantic, reason = "a program of its own elsewhere")]
            mod $name;
        )*
        const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::run)),*];
    };
}

targets! {
    arrays: "../fuzz/fuzz_targets/arrays.rs",
    cdr: "../fuzz/fuzz_targets/cdr.rs",
    contract: "../fuzz/fuzz_targets/contract.rs",
    db3: "../fuzz/fuzz_targets/db3.rs",
    folder: "../fuzz/fuzz_targets/folder.rs",
    image: "../fuzz/fuzz_targets/image.rs",
    mcap: "../fuzz/fuzz_targets/mcap.rs",
    samples: "../fuzz/fuzz_targets/samples.rs",
    text: "../fuzz/fuzz_targets/text.rs",
    tf: "../fuzz/fuzz_targets/tf.rs",
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Numbers without rhyme, the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.next() % 64;
        (0..length).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn every_target_takes_bytes_without_rhyme() {
    let mut random = Random(2010);
    let seeds = ["config/stridepose.yaml", "models/lifter/model.yaml", "models/lifter/golden.json"].map(read);
    for (name, run) in TARGETS {
        println!("{name}");
        run(&[]);
        for _ in 0..100 {
            run(&random.bytes());
        }
        for seed in &seeds {
            let mut bytes = seed.clone().into_bytes();
            run(&bytes);
            let at = random.next() as usize % bytes.len();
            bytes[at] = random.next() as u8;
            run(&bytes);
        }
    }
}

#[test]
fn what_is_not_changed_is_read() {
    // No byte of the bases is patched.
    for make in [small_mcap, small_db3, small_compressed_db3] {
        assert_eq!(Scratch::new("whole", make).read(&[1]), 4);
    }
    let folder = FolderScratch::new();
    for kind in 0..3 {
        assert_eq!(folder.read(&[kind, 0]), 4);
    }
    assert_eq!(TfScratch::new().read(&[1]), 2);
}

#[test]
fn every_target_is_known_to_the_script_and_to_this_test() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(known, files.map(|file| stem(&file.unwrap().path())).collect());
    let manifest = read("fuzz/Cargo.toml");
    let programs = manifest.split("[[bin]]").skip(1).map(|part| part.split('"').nth(1).unwrap().to_owned());
    assert_eq!(known, programs.collect());
    let script = read("scripts/fuzz.sh");
    let list = script.split_once("|| targets=(").unwrap().1.split_once(')').unwrap().0;
    assert_eq!(known, list.split_whitespace().map(str::to_owned).collect());
}

/// Names of the packages that the project needs with its default features: those of `[dependencies]` that are not optional,
/// and those that the feature `replay` brings.
fn needed(manifest: &str) -> BTreeSet<String> {
    let section = |name: &str| manifest.split_once(name).unwrap().1.split("\n[").next().unwrap();
    let replay = section("\n[features]").lines().find(|line| line.starts_with("replay = ")).unwrap();
    let brought: BTreeSet<&str> = replay.split('"').filter_map(|part| part.strip_prefix("dep:")).collect();
    let names = section("\n[dependencies]").lines().filter_map(|line| {
        let name = line.split([' ', '.', '=']).next().filter(|name| name.starts_with(char::is_alphabetic))?;
        (!line.contains("optional = true") || brought.contains(name)).then_some(name)
    });
    // Some go by another name, said here or in `[workspace.dependencies]`.
    let package = |name: &str| {
        let mut said = manifest.lines().filter(|line| line.split(' ').next() == Some(name));
        let other = said.find_map(|line| line.split_once("package = \"")?.1.split('"').next());
        other.unwrap_or(name).to_owned()
    };
    names.map(package).collect()
}

#[test]
fn the_lock_of_the_targets_has_what_the_project_needs() {
    let lock = read("fuzz/Cargo.lock");
    let package = lock.split("[[package]]").find(|package| package.starts_with("\nname = \"stridepose\"\n")).unwrap();
    let list = package.split_once("dependencies = [").unwrap().1;
    let locked = list.lines().filter_map(|line| line.split('"').nth(1)?.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(needed(&read("Cargo.toml")), locked, "write it anew: cargo +nightly update --workspace in fuzz/");
}
