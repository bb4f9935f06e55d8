//! Labels are withheld where they are to be, and nothing of them leaks.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::mocap::WorldPose;
use std::io::Write;

fn clips(count: usize) -> Vec<Clip> {
    (0..count)
        .map(|index| {
            let pose = |time: usize| -> WorldPose {
                std::array::from_fn(|joint| {
                    let swing = 0.1 * (time as f64 * 0.1 + joint as f64 + index as f64).sin();
                    Vector3::new(swing, 0.05 * joint as f64, 0.1 * joint as f64 + 0.2)
                })
            };
            let (source, subject) = ("test".to_owned(), format!("p{}", index / 2));
            Clip { source, subject, split: Split::Train, poses: (0..100).map(pose).collect() }
        })
        .collect()
}

fn noise() -> DetectorNoise {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = r#"{"joints":{"thorax":{"median":0.03,"outlier_gt_half_torso":0.0},"leg_left_right_swap_rate":0.0}}"#;
    file.write_all(text.as_bytes()).unwrap();
    DetectorNoise::load(file.path()).unwrap()
}

fn settings(semi_supervised: bool) -> BatchSettings {
    let scene =
        SceneSettings { speed: (0.5, 2.0), retarget_share: 0.5, stamp_jitter: 0.3, posture_share: 0.5, mirror: true };
    let noise = NoiseSettings { scale: (0.5, 1.0), definition_offset: 0.0, strange_scores: 0.0 };
    BatchSettings { samples: 120, lengths: vec![24], scene, noise, standing_share: 0.0, occlude: true, semi_supervised }
}

#[test]
fn persons_keep_or_lose_their_labels_as_a_whole() {
    let clips = clips(20);
    let corpus = Corpus::partly_labelled(&clips, 0.3, &[], 1);
    assert_eq!(corpus.poses(), (600, 1400));
    let persons: BTreeSet<&str> = corpus.moving.iter().map(|(clip, _)| clip.subject.as_str()).collect();
    let unlabelled = corpus.unlabelled.as_ref().unwrap();
    assert!(unlabelled.moving.iter().all(|(clip, _)| !persons.contains(clip.subject.as_str())));
    assert_eq!(Corpus::partly_labelled(&clips, 1e-6, &[], 1).poses().0, 200, "at least one person");
    assert_eq!(Corpus::partly_labelled(&clips, 1.0, &[], 1).poses(), (2000, 0));
    assert_eq!(Corpus::partly_labelled(&clips, 1.0, &clips, 1).poses(), (2000, 2000));
}

#[test]
fn half_of_a_batch_has_keypoints_in_the_place_of_labels() {
    let clips = clips(20);
    let corpus = Corpus::partly_labelled(&clips, 0.3, &[], 1);
    let batch = draw(&corpus, &noise(), &settings(true), 0.5, 3, 0);
    assert_eq!((batch.clips, batch.labelled), (5, 3));
    let (mut labels, mut seen) = (0, 0);
    for (row, weights) in batch.weights.chunks_exact(LOOKAHEADS.len()).enumerate() {
        let labelled = row % batch.clips < batch.labelled;
        for (head, &weight) in weights.iter().enumerate() {
            let at = row * LOOKAHEADS.len() + head;
            let values = |of: &[f32]| of[at * POSE_VALUES..(at + 1) * POSE_VALUES].to_vec();
            if labelled {
                labels += weight as usize;
                assert_eq!(batch.keypoint_weights[at], 0.0);
                assert!(values(&batch.keypoints).iter().all(|value| *value == 0.0));
            } else {
                assert_eq!(weight, 0.0);
                assert!(values(&batch.targets).iter().all(|value| *value == 0.0), "a label leaks");
                let scores = values(&batch.keypoints).chunks_exact(3).filter(|keypoint| keypoint[2] > 0.0).count();
                seen += usize::from(batch.keypoint_weights[at] == 1.0 && scores >= 10);
            }
        }
    }
    assert!(labels > 30 && seen > 15, "{labels} labels, {seen} poses with keypoints");
    for (row, pose) in batch.tail_targets.chunks_exact(POSE_VALUES).enumerate() {
        let labelled = row % batch.clips < batch.labelled;
        assert_eq!(pose.iter().any(|value| *value != 0.0), labelled);
    }
}

#[test]
fn without_semi_supervision_a_batch_is_what_it_was() {
    let clips = clips(20);
    let (all, part) = (Corpus::new(&clips, Split::Train), Corpus::partly_labelled(&clips, 1.0, &clips, 1));
    let (a, b) =
        (draw(&all, &noise(), &settings(false), 0.5, 3, 0), draw(&part, &noise(), &settings(false), 0.5, 3, 0));
    assert_eq!((a.features, a.targets, a.labelled), (b.features, b.targets, 5));
    assert!(b.keypoints.is_empty());
}

/// Keypoints, virtual cameras and targets belong together: true poses project onto what the detector saw.
#[test]
fn the_truth_projects_onto_the_keypoints() {
    use crate::network::HEAD_VALUES;
    use crate::semi_supervised::{UnlabelledWeights, unlabelled_loss};
    use burn::prelude::*;

    let clips = clips(8);
    let corpus = Corpus::partly_labelled(&clips, 0.3, &[], 1);
    let mut settings = settings(true);
    settings.noise.scale = (1e-6, 1e-6 + 1e-12);
    let batch = draw(&corpus, &noise(), &settings, 0.0, 3, 0);
    let mut untouched = batch.clone();
    // The same scenes with their labels: the draw of a clip does not depend on whether they are withheld.
    for clip in batch.labelled..batch.clips {
        let mut rng = ChaCha8Rng::seed_from_u64(3 ^ ((clip as u64) << 48));
        let drawn = corpus.unlabelled.as_ref().unwrap().draw(0.0, &mut rng);
        let scene = scene::draw(drawn, batch.length, &unlabelled_scene(&settings.scene), &mut rng);
        let mut seen = noise::detect(&scene, &noise(), &settings.noise, &mut rng);
        occlusion::mask_layout(&mut seen, draw_layout(&mut rng));
        occlusion::occlude(&mut seen, 0.0, &mut rng);
        write_clip(&mut untouched, clip, &observe(&scene, &seen));
    }
    let rows = batch.weights.len() / LOOKAHEADS.len();
    let answers: Vec<f32> = untouched
        .targets
        .chunks_exact(POSE_VALUES)
        .flat_map(|pose| pose.iter().copied().chain(std::iter::repeat_n(0.0, HEAD_VALUES - POSE_VALUES)))
        .collect();
    let tensor = |values: &[f32]| {
        let width = values.len() / rows;
        Tensor::<1>::from_data(TensorData::from(values), &Device::flex()).reshape([rows, width])
    };
    let loss = unlabelled_loss(
        &tensor(&answers),
        &tensor(&batch.keypoints),
        &tensor(&batch.keypoint_weights),
        batch.clips,
        &UnlabelledWeights::default(),
    );
    let reprojection = loss.reprojection.into_scalar::<f32>();
    assert!(batch.keypoint_weights.iter().sum::<f32>() > 30.0);
    assert!(reprojection < 5e-3, "the truth is {reprojection} m off its own keypoints");
}
