//! Whoever is not seen for a while: carried on behind an obstacle, let go where the image ends.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/standing_person.rs"]
mod standing_person;

use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::model_store::ModelStore;
use stridepose::config::Config;
use stridepose::data::{JointState, Keypoint, PersonKeypoints, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::pipeline::Pipeline;
use stridepose::skeleton::{Joint, JointArray};

const WIDTH: f32 = 640.0;

/// A standing person around column `u`, without what lies outside the image.
fn standing(u: f32) -> Vec<PersonKeypoints> {
    let keypoints: JointArray<Option<Keypoint>> = Joint::ALL.map(|joint| {
        let (offset, y) = standing_person::standing(joint)?;
        let x = u + offset;
        (x < WIDTH).then_some(Keypoint { x, y, score: 0.9, spread: None })
    });
    if keypoints.iter().flatten().count() < 4 { Vec::new() } else { vec![PersonKeypoints { keypoints, score: 0.9 }] }
}

fn pipeline() -> Pipeline {
    engine::build(&Config::default(), &ModelStore::new(&[]).unwrap(), Feed::Keypoints).unwrap().pipeline
}

/// Feeds one image after the other and gives the state of each image's first person's pelvis.
fn states(images: &[Vec<PersonKeypoints>]) -> Vec<Option<JointState>> {
    let (camera, mut pipeline) = (CameraModel::pinhole(640, 480, 500.0), pipeline());
    images
        .iter()
        .enumerate()
        .map(|(index, people)| {
            let stamp = Stamp::from_nanoseconds(1_700_000_000_000_000_000 + index as i64 * 33_333_333);
            let estimates = pipeline.process_keypoints(stamp, people, &camera, &mut ()).unwrap();
            estimates.now.people.first().map(|person| person.joints[Joint::LHip.index()].state)
        })
        .collect()
}

#[test]
fn behind_an_obstacle_a_person_is_carried_on_until_its_age_is_over() {
    let mut images: Vec<_> = (0..30).map(|_| standing(320.0)).collect();
    images.extend((0..45).map(|_| Vec::new()));
    let states = states(&images);
    assert_eq!(states[29], Some(JointState::Measured));
    // track.max_age_secs is one second.
    assert!(states[30..59].iter().all(|state| *state == Some(JointState::Predicted)), "{:?}", &states[30..59]);
    assert!(states[62..].iter().all(Option::is_none), "{:?}", &states[62..]);
}

#[test]
fn whoever_walks_out_of_the_image_is_let_go() {
    let images: Vec<_> = (0..70).map(|index| standing(320.0 + 12.0 * index as f32)).collect();
    let states = states(&images);
    let last_seen = images.iter().rposition(|people| !people.is_empty()).unwrap();
    assert!(states[last_seen].is_some());
    let carried_on = states[last_seen + 1..].iter().flatten().count();
    assert!(carried_on <= 10, "carried on over {carried_on} images outside");
}
