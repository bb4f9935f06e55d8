//! Labels are withheld where they are to be, and nothing of them leaks.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::corpus::{KeypointsOnly, unlabelled_scene};
use crate::keypoint_sequence::KeypointSequence;
use crate::mocap::{Clip, Split, WorldPose};
use crate::scene::Cast;
use crate::test_people;
use std::collections::BTreeSet;
use std::io::Write;

fn none() -> &'static KeypointsOnly {
    const { &KeypointsOnly { clips: Vec::new(), sequences: Vec::new() } }
}

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
    BatchSettings { samples: 120, semi_supervised, ..test_people::batch(test_people::changed()) }
}

#[test]
fn persons_keep_or_lose_their_labels_as_a_whole() {
    let clips = clips(20);
    let more = KeypointsOnly { clips: clips.clone(), ..KeypointsOnly::default() };
    let corpus = Corpus::partly_labelled(&clips, 0.3, none(), 1);
    assert_eq!(corpus.poses(), (600, 1400));
    let persons = |corpus: &Corpus<'_>| -> BTreeSet<String> {
        (0..500).map(|seed| corpus.draw(0.0, &mut ChaCha8Rng::seed_from_u64(seed)).subject.clone()).collect()
    };
    let (labelled, unlabelled) = (persons(&corpus), persons(&corpus.unlabelled.as_ref().unwrap().clips));
    assert_eq!((labelled.len(), unlabelled.len()), (3, 7));
    assert!(labelled.is_disjoint(&unlabelled));
    assert_eq!(Corpus::partly_labelled(&clips, 1e-6, none(), 1).poses().0, 200, "at least one person");
    assert_eq!(Corpus::partly_labelled(&clips, 1.0, none(), 1).poses(), (2000, 0));
    assert_eq!(Corpus::partly_labelled(&clips, 1.0, &more, 1).poses(), (2000, 2000));
}

#[test]
fn half_of_a_batch_has_keypoints_in_the_place_of_labels() {
    let clips = clips(20);
    let corpus = Corpus::partly_labelled(&clips, 0.3, none(), 1);
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
fn sequences_of_keypoints_are_unlabelled_people() {
    let clips = clips(4);
    let row = std::array::from_fn(|joint| {
        let point = nalgebra::Point2::new(0.02 * joint as f64, 0.3 - 0.03 * joint as f64);
        Some(window::KeypointOnPlane { point, score: 0.7, spread: None })
    });
    let sequence = KeypointSequence { source: "bag".into(), samples: vec![(row, 1.0 / 30.0); 40] };
    let more = KeypointsOnly { clips: Vec::new(), sequences: vec![sequence] };
    let corpus = Corpus::partly_labelled(&clips, 1.0, &more, 1);
    assert_eq!(corpus.poses(), (400, 40));
    let batch = draw(&corpus, &noise(), &settings(true), 0.0, 3, 0);
    assert_eq!((batch.clips, batch.labelled), (5, 3));
    let row = (batch.loss_rows() - 1) * batch.clips + 4;
    let at = row * LOOKAHEADS.len();
    assert_eq!((batch.weights[at], batch.keypoint_weights[at]), (0.0, 1.0));
    let scores: Vec<f32> =
        batch.keypoints[at * POSE_VALUES..(at + 1) * POSE_VALUES].chunks_exact(3).map(|keypoint| keypoint[2]).collect();
    assert!(scores.iter().all(|score| (score - 0.7).abs() < 1e-6), "{scores:?}");
}

#[test]
fn without_semi_supervision_a_batch_is_what_it_was() {
    let clips = clips(20);
    let more = KeypointsOnly { clips: clips.clone(), ..KeypointsOnly::default() };
    let (all, part) = (Corpus::new(&clips, Split::Train), Corpus::partly_labelled(&clips, 1.0, &more, 1));
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
    let corpus = Corpus::partly_labelled(&clips, 0.3, none(), 1);
    let mut settings = settings(true);
    settings.noise.scale = (1e-6, 1e-6 + 1e-12);
    let batch = draw(&corpus, &noise(), &settings, 0.0, 3, 0);
    let mut untouched = batch.clone();
    // The same scenes with their labels: the draw of a clip does not depend on whether they are withheld.
    for clip in batch.labelled..batch.clips {
        let mut rng = ChaCha8Rng::seed_from_u64(3 ^ ((clip as u64) << 48));
        let unlabelled = corpus.unlabelled.as_ref().unwrap();
        let drawn = unlabelled.clips.draw(0.0, &mut rng);
        let scene = scene::draw(&Cast::alone(drawn), batch.length, &unlabelled_scene(&settings.scene), &mut rng);
        let mut seen = detect(&scene, &noise(), &settings, &mut rng);
        if rng.random_bool(settings.occluded_share) {
            occlusion::occlude(&mut seen, 0.0, &mut rng);
        }
        write_targets(&mut untouched, clip, &observe(&scene, &seen, None));
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
