//! What the tests of faults share: what the program must do with one, and what nothing that leaves it may be.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use stridepose::adapters::result_bag::read_result_bag;
use stridepose::data::{JointState, Stamp};
use stridepose::metrics::{ResultPerson, ResultSequence};
use stridepose::skeleton::{Joint, JointArray};

/// What the program must do with a fault.
pub struct Expected {
    pub exit: i32,
    /// Images that were used.
    pub images: usize,
    /// Least images with a skeleton.
    pub skeletons: usize,
    /// Every kind of warning, with its count.
    pub warnings: &'static [(&'static str, u64)],
}

pub const fn expect(exit: i32, images: usize, skeletons: usize, warnings: &'static [(&'static str, u64)]) -> Expected {
    Expected { exit, images, skeletons, warnings }
}

/// What the program did.
pub struct Ran {
    pub exit: i32,
    pub summary: Value,
    pub sequence: ResultSequence,
    /// The result's MCAP file.
    pub file: PathBuf,
}

impl Ran {
    pub fn images(&self) -> usize {
        self.summary["images"].as_u64().unwrap() as usize
    }

    pub fn images_with_skeleton(&self) -> usize {
        self.summary["images_with_skeleton"].as_u64().unwrap() as usize
    }

    /// Every kind of warning, with its count.
    pub fn warnings(&self) -> Vec<(String, u64)> {
        let warnings = self.summary["warnings"].as_object().unwrap().iter();
        warnings.map(|(kind, warning)| (kind.clone(), warning["count"].as_u64().unwrap())).collect()
    }

    /// What differs from `expected`, for people; `None` where nothing does.
    pub fn difference(&self, name: &str, expected: &Expected) -> Option<String> {
        let wanted: Vec<(String, u64)> =
            expected.warnings.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        let is_as_expected = (self.exit, self.images(), self.warnings()) == (expected.exit, expected.images, wanted)
            && self.images_with_skeleton() >= expected.skeletons;
        (!is_as_expected).then(|| {
            let (exit, images, skeletons) = (self.exit, self.images(), self.images_with_skeleton());
            format!("{name}: exit {exit}, {images} images, {skeletons} with a skeleton, {:?}", self.warnings())
        })
    }
}

/// Replays `bag` into `output`, without overlay pictures, and checks that nothing in the result is worse than unknown.
pub fn replay(name: &str, bag: &Path, output: &Path, more: &[&str]) -> Ran {
    let _ = fs::remove_dir_all(output);
    let ran = Command::new(env!("CARGO_BIN_EXE_stridepose"))
        .args(["--quiet", "replay"])
        .arg(bag)
        .arg("-o")
        .arg(output)
        .args(["-p", "output.overlay:=false"])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!said.contains("panicked"), "{name}: {said}");
    let summary = fs::read_to_string(output.join("summary.json")).unwrap_or_else(|_| panic!("{name}: {said}"));
    let sequence = read_result_bag(output, None).unwrap().sequence;
    check_sane(name, &sequence);
    let folder = output.file_name().unwrap().to_str().unwrap();
    let file = output.join(format!("{folder}_0.mcap"));
    Ran { exit: ran.status.code().unwrap(), summary: serde_json::from_str(&summary).unwrap(), sequence, file }
}

/// Nothing that leaves the program may be worse than unknown.
fn check_sane(name: &str, sequence: &ResultSequence) {
    for image in &sequence.images {
        assert!(image.people.len() <= 50, "{name}: {} people", image.people.len());
        for person in &image.people {
            for joint in Joint::ALL {
                let joint = person.joints[joint.index()].expect("every joint has a place");
                assert!(joint.position_in_camera.coords.iter().all(|value| value.is_finite()), "{name}");
                assert!(joint.position_in_camera.z > 0.0, "{name}: a joint behind the camera");
                let covariance = joint.covariance.expect("every joint has a covariance");
                let eigenvalues = covariance.symmetric_eigenvalues();
                assert!(eigenvalues.iter().all(|value| value.is_finite() && *value > 0.0), "{name}: {eigenvalues}");
                let confidence = joint.confidence.expect("every joint has a confidence");
                assert!((0.0..=1.0).contains(&confidence), "{name}: confidence {confidence}");
            }
        }
    }
}

/// A person's joints as bits and states.
type Bits = JointArray<Option<([u64; 3], JointState)>>;

/// What was said of every image, but for the people's numbers, which are never given twice in a run.
pub fn without_identities(sequence: &ResultSequence) -> Vec<(Stamp, Vec<Bits>)> {
    let bits = |person: &ResultPerson| {
        person.joints.map(|joint| {
            joint.map(|joint| {
                let at = joint.position_in_camera;
                ([at.x, at.y, at.z].map(f64::to_bits), joint.state)
            })
        })
    };
    sequence.images.iter().map(|image| (image.stamp, image.people.iter().map(bits).collect())).collect()
}
