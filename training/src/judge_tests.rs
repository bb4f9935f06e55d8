//! The logistic function is the one of greatest likelihood, the area under the curve is what it is called, and a short
//! training tells broken movements from whole ones without touching the lifter.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::scene::SceneSettings;
use crate::test_people;
use nalgebra::Vector3;
use rand_distr::StandardNormal;

#[test]
fn the_area_under_the_curve_counts_pairs() {
    assert_eq!(auc(&[1.0, 2.0], &[0.0, -1.0]), 1.0);
    assert_eq!(auc(&[0.0], &[1.0, 2.0]), 0.0);
    assert_eq!(auc(&[1.0, 3.0], &[2.0, 0.0]), 0.75);
    assert_eq!(auc(&[1.0, 1.0], &[1.0]), 0.5);
}

/// Two normal distributions of one width: the odds are logistic, with the scale (m1 - m0) / s² and the offset half-way.
#[test]
fn the_logistic_function_gives_the_true_odds() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw =
        |mean: f32| -> Vec<f32> { (0..20_000).map(|_| mean + 0.3 * rng.sample::<f32, _>(StandardNormal)).collect() };
    // Three times as many of one side change nothing.
    let (whole, broken) = ([draw(0.8), draw(0.8), draw(0.8)].concat(), draw(0.2));
    let found = logistic(&whole, &broken);
    assert!((found.scale - 0.6 / 0.09).abs() < 0.2 && (found.offset - 0.5).abs() < 0.01, "{found:?}");
    let separated = logistic(&[0.9, 1.0], &[0.0, 0.1]);
    assert!(separated.scale.is_finite() && separated.of(1.0) > 0.9 && separated.of(0.0) < 0.1, "{separated:?}");
}

fn clips() -> Vec<Clip> {
    (0..8)
        .map(|index| Clip {
            source: "test".to_owned(),
            subject: format!("p{index}"),
            split: if index < 2 { Split::Validation } else { Split::Train },
            poses: (0..200)
                .map(|time| {
                    std::array::from_fn(|joint| {
                        let swing = 0.1 * (f64::from(time) * 0.1 + joint as f64 + 0.3 * f64::from(index)).sin();
                        Vector3::new(swing, 0.05 * joint as f64, 0.1 * joint as f64 + 0.2)
                    })
                })
                .collect(),
        })
        .collect()
}

#[test]
fn a_short_training_tells_broken_movements_from_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.json");
    let text = r#"{"joints":{"thorax":{"median":0.03,"outlier_gt_half_torso":0.0},"leg_left_right_swap_rate":0.0}}"#;
    std::fs::write(&path, text).unwrap();
    let noise = DetectorNoise::load(&path).unwrap();
    let clips = clips();
    let size =
        LifterSize { image_strides: vec![1, 2], encoder: 16, branch: 8, fuse: 16, fuse_residuals: 2, hindsight: 8 };
    let lifter = LifterNetwork::new(&size, &Device::flex());
    let scene = SceneSettings { speed: (0.8, 1.2), ..test_people::unchanged() };
    let batch = BatchSettings { samples: 24 * 16, occluded_share: 0.0, ..test_people::batch(scene) };
    let settings = JudgeSettings {
        kind: DiscriminatorKind::SpatioTemporal,
        batch,
        // The first weights are drawn from burn's one random state of the whole process, which other tests draw from too: the
        // worst of 40 seeds has 0.98 after so many steps, 0.94 after 120, 0.90 after 60.
        steps: 200,
        learning_rate: 2e-3,
        seed: 3,
        measured_batches: 2,
    };
    let data = JudgeData { clips: &clips, noise: &noise, network: &lifter, size: &size };
    let judge = train(&settings, &data).unwrap();
    let scores = |made| &judge.judged.iter().find(|judged| judged.made == made).unwrap().scores;
    let jitter = auc(scores(Made::True), scores(Made::Broken(Fault::Jitter)));
    assert!(jitter > 0.9, "{jitter}: {}", table(&judge));
    assert_eq!(judge.judged.len(), 2 + Fault::ALL.len());
    assert_eq!(scores(Made::True).len(), 2 * 16 * 4);
    assert_eq!(judge.judged[0].windows.len(), 16 * 4 * 5 * POSE_VALUES);
    assert_eq!(table(&judge).lines().count(), 10);
    let nobody = JudgeData { clips: &[], ..data };
    assert!(train(&settings, &nobody).err().unwrap().to_string().contains("no training clip"));
}
