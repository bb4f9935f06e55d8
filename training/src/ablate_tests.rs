//! Variants differ in what they say, studies go on where they were, tables hold what was scored.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::ablate_table;
use crate::batch::BatchSettings;
use crate::corpus::KeypointsOnly;
use crate::hardware::Hardware;
use crate::loss::LossWeights;
use crate::test_people::{self, clips, noise};
use crate::trainer::LearnSettings;

fn settings(folder: &Path, seeds: &[u64], questions: &[&str]) -> AblateSettings {
    let batch = BatchSettings { samples: 48, ..test_people::batch(test_people::changed()) };
    let learn = LearnSettings {
        size: LifterSize {
            image_strides: vec![1, 2, 4, 8],
            encoder: 8,
            branch: 8,
            fuse: 8,
            fuse_residuals: 2,
            hindsight: 8,
        },
        loss: LossWeights::default(),
        is_orthogonalised: true,
        average_decay: 0.9,
        cycles: 1,
        discriminator: None,
        adversarial_weight: 0.0,
        start_from: None,
    };
    let base = TrainSettings {
        folder: PathBuf::new(),
        learn,
        batch,
        steps: 4,
        learning_rate: 1e-3,
        seed: 0,
        checkpoint_every: 2,
        validate_every: 0,
        hardware: Hardware::cpu(0),
    };
    AblateSettings {
        folder: folder.to_owned(),
        base,
        seeds: seeds.to_vec(),
        scenes_per_clip: 1,
        questions: questions.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_variant_is_known_and_every_column_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let base = settings(folder.path(), &[1], &[]).base;
    let mut names: Vec<String> = conditions().into_iter().map(|(name, _)| name.to_owned()).collect();
    for condition in REFINED {
        assert!(names.iter().any(|name| name == condition), "{condition}");
        names.extend(refinement::MODES.map(|(_, mode)| refined_name(condition, mode)));
    }
    for question in QUESTIONS {
        for (variant, _) in question.variants {
            assert!(varied(&base, variant).is_ok(), "{variant}");
        }
        assert!(question.columns.iter().all(|(name, _)| names.iter().any(|known| known == name)), "{}", question.name);
    }
    assert!(chosen(&["strides".to_owned()]).is_ok_and(|questions| questions.len() == 1));
    let error = chosen(&["stride".to_owned()]).err().unwrap().to_string();
    assert!(error.contains("strides, architecture, discriminator"), "{error}");
}

#[test]
fn other_strides_have_as_many_parameters() {
    let size = LifterSize::default();
    for strides in [vec![1], vec![8], vec![1, 2]] {
        let other = with_equal_parameters(&size, &strides);
        let ratio = other.parameters() as f64 / size.parameters() as f64;
        assert!((ratio - 1.0).abs() < 0.005, "{strides:?}: {} channels, {ratio}", other.branch);
    }
    assert_eq!(with_equal_parameters(&size, &size.image_strides), size);
}

#[test]
fn a_study_goes_on_where_it_was_and_refuses_to_become_another() {
    let folder = tempfile::tempdir().unwrap();
    let (clips, noise) = (clips(80), noise(folder.path()));
    let data = TrainData { clips: &clips, label_share: 1.0, keypoints_only: &KeypointsOnly::default(), noise: &noise };
    let settings = |seeds: &[u64]| settings(folder.path(), seeds, &["occlusion", "semi-supervised"]);
    let ran = |seeds: &[u64]| {
        ablate(&settings(seeds), &data).unwrap();
        done(&settings(seeds), &data).unwrap()
    };
    let first = ran(&[1]);
    assert_eq!(first.len(), 5, "{:?}", first.keys());
    assert!(first["base"][0]["nothing hidden"].poses > 0);
    assert_ne!(first["base"], first["occlusion-off"]);
    assert_ne!(first["semi-off"], first["semi"]);
    // Tables of what is done can be had before everything is.
    let early = done(&settings(&[1, 2]), &data).unwrap();
    assert_eq!(early, first);
    let table = ablate_table::markdown(&settings(&[1, 2]), &early, "").unwrap();
    assert!(table.contains("| off (1 of 2 runs) | "), "{table}");
    // A run that is done is not run again: its checkpoint may be gone.
    std::fs::remove_file(folder.path().join("base/seed-1/state.json")).unwrap();
    // A run that was killed before it was scored is.
    std::fs::remove_file(folder.path().join("semi/seed-1/scores.json")).unwrap();
    let again = ran(&[1, 2]);
    assert!(!folder.path().join("base/seed-1/state.json").exists());
    assert_eq!((&again["base"][0], &again["semi"][0]), (&first["base"][0], &first["semi"][0]));
    assert_eq!(again["base"].len(), 2);

    let table = ablate_table::markdown(&settings(&[1, 2]), &again, "stridepose-train ablate").unwrap();
    assert!(table.contains("seeds 1, 2") && table.contains("stridepose-train ablate"));
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.iter().any(|row| row.starts_with("| off | ") && row.matches(" ± ").count() == 16), "{rows:#?}");
    assert!(!table.contains('–') && !table.contains("NaN"), "{table}");

    let mut other = settings(&[1]);
    other.base.steps = 5;
    let error = ablate(&other, &data).err().unwrap().to_string();
    assert!(error.contains("steps: 4") && error.contains("steps: 5"), "{error}");

    let refusal = |settings: &AblateSettings, data: &TrainData<'_>| done(settings, data).unwrap_err().to_string();
    let others = test_people::clips(81);
    let other_data = TrainData { clips: &others, ..data };
    let error = refusal(&settings(&[1]), &other_data);
    assert!(error.contains("data: Some(") && error.contains("fingerprints"), "{error}");
    let error = refusal(&settings(&[1, 2, 1]), &data);
    assert!(error.contains("seeds [1, 2, 1]") && error.contains("each once"), "{error}");
    // A study of an earlier version is taken, and belongs to its data from then on.
    let path = folder.path().join(STUDY_FILE);
    let mut study: serde_json::Value = read_json(&path).unwrap();
    study.as_object_mut().unwrap().remove("data").unwrap();
    std::fs::write(&path, study.to_string()).unwrap();
    done(&settings(&[1]), &data).unwrap();
    assert!(refusal(&settings(&[1]), &other_data).contains("fingerprints"));
}

#[test]
fn where_nobody_is_measured_no_study_begins_and_no_figure_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (mut clips, noise) = (clips(80), noise(folder.path()));
    clips[0].source = "reactidle".to_owned();
    let data = TrainData { clips: &clips, label_share: 1.0, keypoints_only: &KeypointsOnly::default(), noise: &noise };
    let settings = settings(folder.path(), &[1], &["occlusion"]);
    let error = ablate(&settings, &data).err().unwrap().to_string();
    assert!(error.contains("no validation person moves"), "{error}");
    let nobody = Score { poses: 0, mpjpe_mm: vec![0.0; 3], pa_mpjpe_mm: 0.0, mpjve_mm: vec![0.0; 3] };
    let names =
        QUESTIONS.iter().flat_map(|question| question.columns).map(|(name, _)| ((*name).to_owned(), nobody.clone()));
    let scores = BTreeMap::from([("base", vec![names.collect()])]);
    let table = ablate_table::markdown(&settings, &scores, "").unwrap();
    assert!(!table.contains("0.0 "), "{table}");
}
