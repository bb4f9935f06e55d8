//! A lifter that knows one posture is put right by what is seen.
#![allow(clippy::unwrap_used)]

use burn::module::Param;
use burn::prelude::*;

use super::*;
use crate::calibrate;
use crate::mocap::Split;
use crate::network::{HEAD_VALUES, LOOKAHEADS, LifterNetwork, LifterSize, TemporalNetwork};
use crate::test_people;
use crate::validate::Hidden;

/// A network that always answers somebody who stands upright, and says that it may be off by 0.1 m.
fn upright(size: &LifterSize) -> LifterNetwork {
    let mut network = LifterNetwork::new(size, &Device::flex());
    let pose = test_people::standing(0.0);
    let mut bias = vec![0.1_f32.ln(); LOOKAHEADS.len() * HEAD_VALUES];
    for head in bias.chunks_exact_mut(HEAD_VALUES) {
        for (values, joint) in head.chunks_exact_mut(3).zip(pose.map(|joint| joint - pose[0])) {
            // The world's z is up, the camera's y is down; whoever faces the world's +y looks away from this camera.
            values.copy_from_slice(&[joint.x as f32, -joint.z as f32, joint.y as f32]);
        }
    }
    network.head.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::from(bias.as_slice()), &Device::flex())));
    network
}

#[test]
fn what_is_seen_puts_a_lifter_right_that_knows_one_posture() {
    let folder = tempfile::tempdir().unwrap();
    let noise = test_people::noise(folder.path());
    let person = |subject: &str, swing: f64| Clip {
        source: "cmu".to_owned(),
        subject: subject.to_owned(),
        split: Split::Validation,
        poses: (0..150)
            .map(|time| test_people::standing(swing * (0.5 + 0.5 * (f64::from(time) * 0.1).sin())))
            .collect(),
    };
    let clips = [person("still", 0.05), person("waving", 0.4), person("also still", 0.0)];
    let size = LifterSize { image_strides: vec![1], encoder: 8, branch: 8, fuse: 8, fuse_residuals: 2, hindsight: 8 };
    let network = upright(&size);
    let validation = Validation { network: &network, size: &size, clips: &clips, noise: &noise, scenes_per_clip: 6 };
    let condition = Condition::hiding(Hidden::Share(0.0));
    let found = study(&validation, |clip| clip.subject != "also still", &condition, &calibrate::unit()[0]);

    let names: Vec<&str> = found.persons.keys().map(|(_, subject)| subject.as_str()).collect();
    assert_eq!(names, ["still", "waving"]);
    let [off, unweighted, by_confidence] = &found.scores;
    assert!(off.poses > 900 && off.poses == by_confidence.poses, "{} of 1080 poses", off.poses);
    let lifted = validation.score(|clip| clip.subject != "also still", &condition).unwrap().mpjpe_mm[0];
    assert!((off.mpjpe_mm[0] / lifted - 1.0).abs() < 0.1, "off {:?} beside the lifter's own {lifted}", off.mpjpe_mm);
    for refined in [unweighted, by_confidence] {
        assert!(refined.mpjpe_mm[0] < 0.95 * off.mpjpe_mm[0], "{:?} after {:?}", refined.mpjpe_mm, off.mpjpe_mm);
    }
    let (change, (_, worst)) = found.worst_change().unwrap();
    let of = |subject: &str| {
        let [off, _, by_confidence] = found.persons[&("cmu".to_owned(), subject.to_owned())];
        100.0 * (by_confidence / off - 1.0)
    };
    assert!((change - of("still").max(of("waving"))).abs() < 1e-9 && (change - of(worst)).abs() < 1e-9);
    assert!(found.root_mm.iter().all(|error| error.is_finite() && *error > 0.0));
}
