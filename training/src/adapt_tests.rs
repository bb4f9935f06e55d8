//! A lifter that learns is written whole, one that got worse is not; recordings are measured as they are.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;
use crate::calibrate;
use crate::test_people::{self, clips, noise};
use nalgebra::Point2;
use stridepose::stages::window::KeypointOnPlane;

fn recording(samples: usize) -> KeypointsOnly {
    let keypoints = |time: usize| {
        std::array::from_fn(|joint| {
            let point = Point2::new(0.02 * (joint % 4) as f64 + 0.001 * (time as f64 * 0.2).sin(), 0.02 * joint as f64);
            Some(KeypointOnPlane { point, score: 0.8, spread: None })
        })
    };
    let samples = (0..samples).map(|time| (keypoints(time), 1.0 / 30.0)).collect();
    let sequences = vec![KeypointSequence { source: "own.mcap".to_owned(), samples }];
    KeypointsOnly { clips: Vec::new(), sequences }
}

fn settings(folder: &Path, lifter: &Path) -> AdaptSettings {
    let batch = BatchSettings { samples: 96, ..test_people::batch(test_people::unchanged()) };
    AdaptSettings {
        lifter: lifter.to_owned(),
        folder: folder.to_owned(),
        batch,
        steps: 40,
        learning_rate: 3e-3,
        seed: 1,
        scenes_per_clip: 2,
        hardware: Hardware::cpu(0),
    }
}

fn write_lifter(folder: &Path) {
    let size =
        LifterSize { image_strides: vec![1, 2], encoder: 16, branch: 8, fuse: 16, fuse_residuals: 2, hindsight: 8 };
    let network = LifterNetwork::new(&size, &Device::flex());
    export::export(&network, &size, &calibrate::unit(), "a test", &[0.5; FEATURE_COUNT], folder).unwrap();
}

#[test]
fn what_got_better_is_written_whole_and_what_got_worse_is_not() {
    let temporary = tempfile::tempdir().unwrap();
    let (lifter, folder) = (temporary.path().join("before"), temporary.path().join("out"));
    write_lifter(&lifter);
    let (clips, noise, recordings) = (clips(160), noise(temporary.path()), recording(90));
    let features = vec![0.5; 3 * FEATURE_COUNT];
    let data = AdaptData { clips: &clips, noise: &noise, recordings: &recordings, golden_features: &features };
    let adapted = adapt(&settings(&folder, &lifter), &data).unwrap();
    let model = adapted.outcome.unwrap();
    // A network that has learnt nothing is easily made better.
    assert_eq!(model, folder.join("lifter"));
    assert_eq!(adapted.figures.iter().filter(|figure| figure.gates).count(), 3, "nobody stands");
    assert_eq!(adapted.figures.len(), 9);
    assert!(adapted.figures.iter().all(|figure| figure.before.is_finite() && figure.after.is_finite()));
    let imported = import::lifter(&model, &Device::flex()).unwrap();
    assert!(imported.origin.starts_with("a test; then stridepose-train adapt --steps 40"), "{}", imported.origin);
    assert!(imported.origin.contains("own.mcap"));
    assert!(!folder.join("lifter.partial").exists());
    // The written model is the measured one.
    let settings_again = settings(&temporary.path().join("again"), &model);
    let again = measure(&imported.network, &imported.size, &settings_again, &data);
    for (written, figure) in again.iter().zip(&adapted.figures) {
        assert_eq!(written.before, figure.after, "{}", figure.name);
    }
    // The folder is taken.
    let error = adapt(&settings(&folder, &lifter), &data).err().unwrap().to_string();
    assert!(error.contains("exists"), "{error}");
    // Such steps lead astray.
    let astray = AdaptSettings { steps: 3, learning_rate: 0.5, ..settings_again };
    let adapted = adapt(&astray, &data).unwrap();
    let reason = adapted.outcome.unwrap_err();
    assert!(reason.contains("no model was written") && reason.contains("validation, moving"), "{reason}");
    // What went astray is not gone on from: the next run begins anew, as in a folder of its own.
    let model_of = |folder: &Path| import::lifter(&folder.join("lifter"), &Device::flex()).unwrap();
    let next = AdaptSettings { steps: 30, learning_rate: 1e-4, lifter: lifter.clone(), ..astray.clone() };
    let apart = AdaptSettings { folder: temporary.path().join("apart"), ..next.clone() };
    let outcomes = [&next, &apart].map(|settings| adapt(settings, &data).unwrap());
    assert_eq!(outcomes[0].figures, outcomes[1].figures);
    assert_eq!(model_of(&next.folder).sha256, model_of(&apart.folder).sha256);
    std::fs::remove_dir_all(next.folder.join("lifter")).unwrap();
    assert!(!astray.folder.join("lifter").exists() && !astray.folder.join("lifter.partial").exists());
}

#[test]
fn half_a_run_is_gone_on_with_as_it_began_or_not_at_all() {
    let temporary = tempfile::tempdir().unwrap();
    let (lifter, folder) = (temporary.path().join("before"), temporary.path().join("out"));
    write_lifter(&lifter);
    let (clips, noise, recordings) = (clips(160), noise(temporary.path()), recording(90));
    let data = AdaptData { clips: &clips, noise: &noise, recordings: &recordings, golden_features: &[] };
    let settings = AdaptSettings { steps: 2, ..settings(&folder, &lifter) };
    let before = import::lifter(&lifter, &Device::flex()).unwrap();
    let run = train_settings(&settings, &before.size);
    train::train::<LifterNetwork>(&run, &train_data(&data)).unwrap();
    let way = |settings: &AdaptSettings, data: &AdaptData<'_>, lifter: &str| {
        make_way(&train_settings(settings, &before.size), &train_data(data), lifter).map_err(|error| error.to_string())
    };
    // As if it had been killed: two steps of more are done.
    let longer = AdaptSettings { steps: 9, ..settings.clone() };
    RunSettings::of(&train_settings(&longer, &before.size), &train_data(&data)).write(&run.folder).unwrap();
    assert_eq!(way(&longer, &data, &before.sha256), Ok(()));
    let others = super::tests::recording(80);
    let other_data = AdaptData { recordings: &others, ..data };
    let seed = AdaptSettings { seed: 2, ..longer.clone() };
    for (refused, wanted) in [
        (way(&seed, &data, &before.sha256), "seed 1, now 2"),
        (way(&longer, &other_data, &before.sha256), "unlabelled (fingerprint)"),
        (way(&longer, &data, "abc"), "now abc"),
        (adapt(&seed, &data).map(|_| ()).map_err(|error| error.to_string()), "stopped at step 2"),
    ] {
        let error = refused.unwrap_err();
        assert!(error.contains(wanted) && error.contains("another folder"), "{error}");
    }
    assert!(run.folder.exists());
    std::fs::remove_file(run.folder.join("settings.json")).unwrap();
    assert!(way(&longer, &data, &before.sha256).unwrap_err().contains("an earlier version"));
}

#[test]
fn without_validation_persons_nothing_begins() {
    let temporary = tempfile::tempdir().unwrap();
    let lifter = temporary.path().join("before");
    write_lifter(&lifter);
    let mut clips = clips(160);
    clips.retain(|clip| clip.split == Split::Train);
    let (noise, recordings) = (noise(temporary.path()), recording(90));
    let data = AdaptData { clips: &clips, noise: &noise, recordings: &recordings, golden_features: &[] };
    let error = adapt(&settings(&temporary.path().join("out"), &lifter), &data).err().unwrap().to_string();
    assert!(error.contains("no validation clip"), "{error}");
    assert!(!temporary.path().join("out").exists());
}

/// A network that always answers the same pose: its bones are constant, and as long as their halves say.
#[test]
fn recordings_are_measured_in_mm() {
    let size = LifterSize { image_strides: vec![1], encoder: 8, branch: 8, fuse: 8, fuse_residuals: 2, hindsight: 8 };
    let mut network = LifterNetwork::new(&size, &Device::flex());
    let mut bias = vec![0.0_f32; LOOKAHEADS.len() * crate::network::HEAD_VALUES];
    // Every joint at its own height, the left wrist 16 mm out to the side.
    for joint in 0..17 {
        bias[joint * 3 + 1] = 0.1 * joint as f32;
    }
    let wrist = stridepose::skeleton::Joint::LWrist.index();
    bias[wrist * 3] = 0.016;
    let bias = Tensor::from_data(TensorData::from(bias.as_slice()), &Device::flex());
    network.head.bias = Some(burn::module::Param::from_tensor(bias));
    let own = own(&network, &size, &recording(200).sequences).unwrap();
    assert!(own.constancy_mm.abs() < 1e-2, "{own:?}");
    assert!(own.symmetry_mm > 0.0 && own.reprojection_mm > 1.0 && own.reprojection_mm < 2000.0, "{own:?}");
    assert!(super::own(&network, &size, &recording(WARM_UP).sequences).is_none());
}
