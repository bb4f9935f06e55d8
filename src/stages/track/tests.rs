//! Identity on synthetic people.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::Keypoint;

const SETTINGS: TrackSettings = TrackSettings {
    max_age_secs: 1.0,
    min_hits: 2,
    keypoint_score_threshold: 0.3,
    person_score_threshold: 0.3,
    detector_interval: 5,
};

fn person(x: f32) -> PersonKeypoints {
    let keypoints = std::array::from_fn(|joint| {
        let joint = joint as f32;
        Some(Keypoint { x: x + 20.0 * (joint * 2.4).sin(), y: 100.0 + 10.0 * joint, score: 0.9, spread: None })
    });
    PersonKeypoints { keypoints, score: 0.9 }
}

fn at(image: i64) -> Stamp {
    Stamp::from_nanoseconds(1_000_000_000 + image * 33_333_333)
}

fn tracked(tracker: &Tracker) -> Vec<TrackedPerson> {
    let mut people = Vec::new();
    tracker.write_people(&mut people);
    people
}

fn see(tracker: &mut Tracker, image: i64, people: &[PersonKeypoints]) -> Vec<(u32, bool, f32)> {
    tracker.begin(at(image));
    tracker.associate(people);
    tracked(&tracker).iter().map(|person| (person.id.0, person.is_seen, person.bbox_in_image_px.center().0)).collect()
}

#[test]
fn an_identity_is_given_after_the_second_sight_and_kept() {
    let mut tracker = Tracker::new(SETTINGS);
    assert!(see(&mut tracker, 0, &[person(50.0)]).is_empty());
    for image in 1..30 {
        let people = see(&mut tracker, image, &[person(50.0 + 3.0 * image as f32)]);
        assert_eq!(people.len(), 1);
        assert_eq!((people[0].0, people[0].1), (1, true));
    }
}

#[test]
fn people_who_cross_keep_their_identities() {
    let mut tracker = Tracker::new(SETTINGS);
    let mut last = Vec::new();
    for image in 0..60 {
        let (left, right) = (100.0 + 8.0 * image as f32, 560.0 - 8.0 * image as f32);
        // Hidden by the other while they overlap.
        let people = if (left - right).abs() < 40.0 { vec![person(left)] } else { vec![person(right), person(left)] };
        last = see(&mut tracker, image, &people);
    }
    let ids: Vec<u32> = last.iter().map(|person| person.0).collect();
    assert_eq!(ids, [1, 2]);
    let walker = i32::from(last[0].2 <= 400.0);
    // Person 1 was listed first, at the right, and has walked to the left.
    assert_eq!(walker, 1, "{last:?}");
}

#[test]
fn somebody_hidden_coasts_and_comes_back_as_the_same() {
    let mut tracker = Tracker::new(SETTINGS);
    for image in 0..10 {
        see(&mut tracker, image, &[person(100.0 + 4.0 * image as f32)]);
    }
    for image in 10..25 {
        let people = see(&mut tracker, image, &[]);
        assert_eq!((people[0].0, people[0].1), (1, false));
    }
    assert_eq!(see(&mut tracker, 25, &[person(150.0)])[0].0, 1);
    assert!(see(&mut tracker, 80, &[]).is_empty(), "after more than a second the person is forgotten");
    see(&mut tracker, 81, &[person(150.0)]);
    assert_eq!(see(&mut tracker, 82, &[person(150.0)])[0].0, 2, "and an identity is never used again");
}

#[test]
fn two_searches_that_end_on_one_person_leave_one() {
    let mut tracker = Tracker::new(SETTINGS);
    for image in 0..3 {
        see(&mut tracker, image, &[person(100.0), person(220.0)]);
    }
    tracker.begin(at(3));
    let findings: Vec<Finding> = tracker
        .searches()
        .map(|search| Finding { slot: search.slot, person: person(101.0), next_crop: None })
        .collect();
    assert_eq!(findings.len(), 2);
    tracker.update(&findings);
    let seen: Vec<bool> = tracked(&tracker).iter().map(|person| person.is_seen).collect();
    assert_eq!(seen, [true, false], "the one it belongs to keeps it, the other coasts");
}

#[test]
fn poor_findings_are_nobody() {
    let mut tracker = Tracker::new(SETTINGS);
    for image in 0..5 {
        tracker.begin(at(image));
        let bbox = BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 50.0, y_max: 100.0 };
        if tracker.wants_detector() {
            tracker.add_detections(&[Detection { bbox_in_image_px: bbox, score: 0.5 }]);
        }
        let mut poor = person(30.0);
        for keypoint in poor.keypoints.iter_mut().flatten() {
            keypoint.score = 0.1;
        }
        let findings: Vec<Finding> =
            tracker.searches().map(|search| Finding { slot: search.slot, person: poor, next_crop: None }).collect();
        tracker.update(&findings);
        assert!(tracked(&tracker).is_empty());
    }
}
