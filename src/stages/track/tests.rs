//! Identity on synthetic people.
#![allow(clippy::unwrap_used)]

use image::RgbImage;

use super::*;
use crate::data::Keypoint;
use crate::skeleton::Joint;

const SETTINGS: TrackSettings = TrackSettings {
    max_age_secs: 1.0,
    recognise_secs: 10.0,
    min_hits: 2,
    keypoint_score_threshold: 0.3,
    person_score_threshold: 0.3,
    detector_interval: 5,
    finds_lying: true,
    max_people: 10,
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
    tracker.associate(people, None);
    tracked(tracker).iter().map(|person| (person.id.0, person.is_seen, person.bbox_in_image_px.center().0)).collect()
}

/// Runs the keypoint network, which finds what `find` says of each search. Gives which way up they were searched for.
fn search(
    tracker: &mut Tracker,
    picture: Option<&RgbImage>,
    find: impl Fn(&Search) -> Option<PersonKeypoints>,
) -> Vec<Turn> {
    let searches: Vec<Search> = tracker.searches().collect();
    let finding = |search: &Search| Some(Finding { slot: search.slot, person: find(search)?, next_crop: None });
    let findings: Vec<Finding> = searches.iter().filter_map(finding).collect();
    tracker.update(&findings, picture.map(LevelImage::from));
    searches.iter().map(|search| search.turn).collect()
}

fn are_seen(tracker: &Tracker) -> Vec<bool> {
    tracked(tracker).iter().map(|person| person.is_seen).collect()
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
    assert_eq!(search(&mut tracker, None, |_| Some(person(101.0))).len(), 2);
    assert_eq!(are_seen(&tracker), [true, false], "the one it belongs to keeps it, the other coasts");
}

#[test]
fn no_more_are_followed_than_are_wanted_and_who_is_lost_gives_way() {
    let mut tracker = Tracker::new(TrackSettings { max_people: 3, ..SETTINGS });
    let ids = |people: Vec<(u32, bool, f32)>| people.iter().map(|person| (person.0, person.1)).collect::<Vec<_>>();
    let at_places = |places: &[f32]| places.iter().map(|x| person(*x)).collect::<Vec<_>>();
    (0..3).for_each(|image| drop(see(&mut tracker, image, &at_places(&[100.0, 400.0, 700.0]))));
    // Another node's: the second is gone, and two others have come, one of whom there is room for.
    (3..6).for_each(|image| drop(see(&mut tracker, image, &at_places(&[100.0, 700.0]))));
    let people = see(&mut tracker, 6, &at_places(&[100.0, 700.0, 1000.0]));
    assert_eq!(ids(people), [(1, true), (3, true)], "the new one is seen for the first time");
    assert_eq!(ids(see(&mut tracker, 7, &at_places(&[100.0, 700.0, 1000.0]))), [(1, true), (3, true), (4, true)]);
    // The detector's: nobody is lost, so nobody gives way.
    let boxes = |places: &[f32]| -> Vec<Detection> {
        let bbox = |x: f32| BoundingBox { x_min: x - 30.0, y_min: 90.0, x_max: x + 30.0, y_max: 270.0 };
        places.iter().map(|x| Detection { bbox_in_image_px: bbox(*x), score: 0.9 }).collect()
    };
    tracker.begin(at(8));
    assert_eq!(tracker.add_detections(&boxes(&[100.0, 1300.0, 700.0, 1000.0, 1600.0]), Turn::Upright), 2);
    assert_eq!(tracker.searches().count(), 3);
    // Then one has been lost for a while.
    for image in 8..12 {
        tracker.begin(at(image));
        search(&mut tracker, None, |search| {
            (search.bbox_in_image_px.center().0 < 900.0).then(|| person([100.0, 1000.0, 700.0][search.slot]))
        });
    }
    tracker.begin(at(12));
    assert_eq!(tracker.add_detections(&boxes(&[100.0, 1300.0, 700.0, 1600.0]), Turn::Upright), 1);
    assert_eq!(tracker.searches().count(), 3);
    assert!(tracker.searches().any(|search| search.bbox_in_image_px.center().0 == 1300.0));
}

#[test]
fn poor_findings_are_nobody() {
    let mut tracker = Tracker::new(SETTINGS);
    for image in 0..5 {
        tracker.begin(at(image));
        let bbox = BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 50.0, y_max: 100.0 };
        for turn in tracker.detector_runs() {
            tracker.add_detections(&[Detection { bbox_in_image_px: bbox, score: 0.5 }], turn);
        }
        let mut poor = person(30.0);
        for keypoint in poor.keypoints.iter_mut().flatten() {
            keypoint.score = 0.1;
        }
        search(&mut tracker, None, |_| Some(poor));
        assert!(tracked(&tracker).is_empty());
    }
}

/// What somebody wears.
#[derive(Clone, Copy, PartialEq)]
enum Clothes {
    Red,
    Green,
    White,
}

/// Somebody who stands around column `x`, with the trunk from row 20 to 60 and the legs down to 140.
pub(super) fn standing(x: f32) -> PersonKeypoints {
    let mut keypoints = [None; 17];
    for (joint, dx, y) in [
        (Joint::Pelvis, 0.0, 60.0),
        (Joint::LShoulder, 12.0, 20.0),
        (Joint::RShoulder, -12.0, 20.0),
        (Joint::LHip, 7.0, 60.0),
        (Joint::RHip, -7.0, 60.0),
        (Joint::LKnee, 7.0, 100.0),
        (Joint::RKnee, -7.0, 100.0),
        (Joint::LAnkle, 7.0, 140.0),
        (Joint::RAnkle, -7.0, 140.0),
    ] {
        keypoints[joint.index()] = Some(Keypoint { x: x + dx, y, score: 0.9, spread: None });
    }
    PersonKeypoints { keypoints, score: 0.9 }
}

/// A grey wall with people, the first in front.
fn painted(people: &[(f32, Clothes)]) -> RgbImage {
    RgbImage::from_fn(640, 160, |x, y| {
        let here = people.iter().find(|(at, _)| (x as f32 - at).abs() < 16.0 && y > 10);
        image::Rgb(match (here.map(|(_, clothes)| clothes), y < 60) {
            (Some(Clothes::Red), true) => [180, 40, 40],
            (Some(Clothes::Green), true) => [40, 120, 50],
            (Some(Clothes::White), true) => [220, 220, 215],
            (Some(Clothes::White), false) => [120, 90, 60],
            (Some(_), false) => [40, 45, 80],
            (None, _) => [128; 3],
        })
    })
}

/// Identity and place of each person who is seen, with or without a look at the picture.
fn look(tracker: &mut Tracker, image: i64, people: &[(f32, Clothes)], looks: bool) -> Vec<(u32, f32)> {
    tracker.begin(at(image));
    let found: Vec<PersonKeypoints> = people.iter().map(|(x, _)| standing(*x)).collect();
    let picture = looks.then(|| painted(people));
    tracker.associate(&found, picture.as_ref().map(LevelImage::from));
    let people = tracked(tracker);
    let seen = people.iter().filter(|person| person.is_seen);
    seen.map(|person| (person.id.0, person.bbox_in_image_px.center().0)).collect()
}

#[test]
fn who_meets_behind_somebody_is_told_by_the_clothes() {
    // They walk towards each other; while they are near, one is hidden for nearly a second. Then each goes on, or turns round.
    let mut blind_errors = 0;
    for turns in [false, true] {
        let on_the_left = |looks: bool| {
            let mut tracker = Tracker::new(SETTINGS);
            let mut last = Vec::new();
            for image in 0..70_i64 {
                let way = 6.0 * (image - 35) as f32;
                let way = if turns { -way.abs() } else { way };
                let people = [(310.0 + way, Clothes::Red), (310.0 - way, Clothes::Green)];
                let shown = if way.abs() < 84.0 { &people[..1] } else { &people[..] };
                last = look(&mut tracker, image, shown, looks);
            }
            last.iter().find(|person| person.1 < 310.0).map(|person| person.0)
        };
        let (red, green) = (Some(1), Some(2));
        let expected = if turns { red } else { green };
        assert_eq!(on_the_left(true), expected, "turns {turns}");
        blind_errors += u32::from(on_the_left(false) != expected);
    }
    assert!(blind_errors > 0, "places and movements alone tell them apart: this shows nothing");
}

#[test]
fn who_comes_back_in_the_same_clothes_is_the_same_person() {
    let cases = [
        (true, Clothes::Red, 10.0, 1),
        (true, Clothes::White, 10.0, 2),
        (true, Clothes::Red, 1.0, 2),
        (true, Clothes::Red, 0.0, 2),
        (false, Clothes::Red, 10.0, 2),
    ];
    for (looks, clothes, recognise_secs, expected) in cases {
        let mut tracker = Tracker::new(TrackSettings { recognise_secs, ..SETTINGS });
        (0..20).for_each(|image| drop(look(&mut tracker, image, &[(100.0, Clothes::Red)], looks)));
        (20..110).for_each(|image| drop(look(&mut tracker, image, &[], looks)));
        look(&mut tracker, 110, &[(500.0, clothes)], looks);
        let back = look(&mut tracker, 111, &[(500.0, clothes)], looks);
        assert_eq!(back[0].0, expected, "with a picture {looks}, remembered for {recognise_secs} s");
    }
}

#[test]
fn of_two_in_equal_clothes_neither_is_recognised() {
    let mut tracker = Tracker::new(SETTINGS);
    (0..20).for_each(|image| drop(look(&mut tracker, image, &[(100.0, Clothes::Red), (400.0, Clothes::Red)], true)));
    (20..110).for_each(|image| drop(look(&mut tracker, image, &[], true)));
    look(&mut tracker, 110, &[(250.0, Clothes::Red)], true);
    assert_eq!(look(&mut tracker, 111, &[(250.0, Clothes::Red)], true)[0].0, 3);
}

#[test]
fn who_comes_in_clothes_that_somebody_far_away_wears_too_is_somebody_new() {
    let mut tracker = Tracker::new(SETTINGS);
    let stays = (60.0, Clothes::Red);
    (0..20).for_each(|image| drop(look(&mut tracker, image, &[stays, (560.0, Clothes::Red)], true)));
    (20..110).for_each(|image| drop(look(&mut tracker, image, &[stays], true)));
    look(&mut tracker, 110, &[stays, (560.0, Clothes::Red)], true);
    let people = look(&mut tracker, 111, &[stays, (560.0, Clothes::Red)], true);
    assert_eq!(people.iter().map(|person| person.0).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn two_who_came_together_are_two_whatever_they_wear() {
    let mut tracker = Tracker::new(SETTINGS);
    let both = [(100.0, Clothes::Red), (190.0, Clothes::Red)];
    (0..10).for_each(|image| drop(look(&mut tracker, image, &both, true)));
    // For a moment only one is seen, who is still new.
    let alone = look(&mut tracker, 10, &both[..1], true);
    assert_eq!(alone.iter().map(|person| person.0).collect::<Vec<_>>(), [1]);
    let again = look(&mut tracker, 11, &both, true);
    assert_eq!(again.iter().map(|person| person.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_stranger_where_somebody_was_lost_is_somebody_new() {
    for (looks, expected) in [(true, 2), (false, 1)] {
        let mut tracker = Tracker::new(SETTINGS);
        (0..20).for_each(|image| drop(look(&mut tracker, image, &[(100.0, Clothes::Red)], looks)));
        (20..24).for_each(|image| drop(look(&mut tracker, image, &[], looks)));
        look(&mut tracker, 24, &[(104.0, Clothes::White)], looks);
        assert_eq!(look(&mut tracker, 25, &[(104.0, Clothes::White)], looks)[0].0, expected);
    }
}

#[test]
fn whoever_was_taken_for_somebody_who_left_gets_the_own_identity_again() {
    // Green leaves, white stands there, and then white's search ends on green.
    let mut tracker = Tracker::new(TrackSettings { max_age_secs: 0.2, ..SETTINGS });
    (0..20).for_each(|image| drop(look(&mut tracker, image, &[(100.0, Clothes::Green)], true)));
    (20..40).for_each(|image| drop(look(&mut tracker, image, &[], true)));
    (40..60).for_each(|image| drop(look(&mut tracker, image, &[(100.0, Clothes::White)], true)));
    // Step by step, as where a search slides from one person onto another.
    let mut last = Vec::new();
    for image in 60..70 {
        last = look(&mut tracker, image, &[(101.0, Clothes::Green)], true);
    }
    assert_eq!(last[0].0, 1, "{last:?}");
    assert_eq!(look(&mut tracker, 70, &[(101.0, Clothes::Green), (300.0, Clothes::White)], true).len(), 1);
    assert_eq!(look(&mut tracker, 71, &[(101.0, Clothes::Green), (300.0, Clothes::White)], true)[1].0, 2);
}

/// Somebody who lies from column `x`, the feet, with the head to the right, or to the left.
fn lying(x: f32, turn: Turn) -> PersonKeypoints {
    let side = if turn == Turn::HeadLeft { -1.0 } else { 1.0 };
    let lain = |keypoint: Keypoint| Keypoint { x: x + side * (140.0 - keypoint.y), y: 120.0 + keypoint.x, ..keypoint };
    PersonKeypoints { keypoints: standing(0.0).keypoints.map(|keypoint| keypoint.map(lain)), score: 0.9 }
}

fn box_of(person: &PersonKeypoints) -> BoundingBox {
    box_around(&person.keypoints).unwrap()
}

#[test]
fn a_slow_camera_is_looked_at_once_a_second() {
    // Images a second, and on how many of 24 the detector looks: on every tenth, but for the slow ones.
    for (rate, wanted) in [(30.0, 3), (10.0, 3), (5.0, 5), (2.0, 12), (0.5, 24)] {
        let mut tracker = Tracker::new(TrackSettings { detector_interval: 10, finds_lying: false, ..SETTINGS });
        let mut runs = 0;
        for image in 0..24 {
            tracker.begin(Stamp::from_nanoseconds(1_000_000_000 + (f64::from(image) / rate * 1e9) as i64));
            runs += tracker.detector_runs().count();
        }
        assert_eq!(runs, wanted, "at {rate} Hz");
    }
}

#[test]
fn the_detector_looks_for_people_who_lie_in_between_on_either_side_by_turns() {
    for (interval, finds_lying) in [(10, true), (1, true), (10, false)] {
        let mut tracker = Tracker::new(TrackSettings { detector_interval: interval, finds_lying, ..SETTINGS });
        let mut runs = Vec::new();
        for image in 0..40 {
            tracker.begin(at(image));
            runs.extend(tracker.detector_runs().map(|turn| (image, turn)));
        }
        let of = |wanted: Turn| -> Vec<i64> {
            runs.iter().filter(|(_, turn)| *turn == wanted).map(|(image, _)| *image).collect()
        };
        let upright: Vec<i64> = (0..40).step_by(interval as usize).collect();
        assert_eq!(of(Turn::Upright), upright, "{interval}");
        let expected = match (interval, finds_lying) {
            (_, false) => [vec![], vec![]],
            (1, true) => [vec![6, 18, 30], vec![12, 24, 36]],
            _ => [vec![5, 25], vec![15, 35]],
        };
        assert_eq!([of(Turn::HeadRight), of(Turn::HeadLeft)], expected, "{interval}");
    }
}

#[test]
fn who_falls_is_searched_for_lying_and_who_gets_up_upright() {
    for turn in [Turn::HeadRight, Turn::HeadLeft] {
        let mut tracker = Tracker::new(SETTINGS);
        let detection = |person: &PersonKeypoints, score| [Detection { bbox_in_image_px: box_of(person), score }];
        tracker.begin(at(0));
        tracker.add_detections(&detection(&standing(100.0), 0.9), Turn::Upright);
        search(&mut tracker, None, |_| Some(standing(100.0)));
        for image in 1..10 {
            tracker.begin(at(image));
            assert_eq!(search(&mut tracker, None, |_| Some(standing(100.0))), [Turn::Upright]);
        }
        // Nobody is found upright; the turned image shows somebody where they fell, and something high that nobody lies in.
        let fallen = lying(100.0, turn);
        tracker.begin(at(10));
        search(&mut tracker, None, |_| None);
        tracker.begin(at(11));
        tracker.add_detections(&detection(&fallen, 0.6), turn);
        tracker.add_detections(&detection(&standing(400.0), 0.9), turn);
        assert_eq!(search(&mut tracker, None, |_| Some(fallen)), [turn]);
        assert_eq!(
            tracked(&tracker).iter().map(|person| (person.id.0, person.is_seen)).collect::<Vec<_>>(),
            [(1, true)]
        );
        // As long as they lie the detector need not see them upright, and a box around them in the turned image is not somebody else.
        for image in 12..40 {
            tracker.begin(at(image));
            tracker.add_detections(&[], Turn::Upright);
            if image % 10 == 0 {
                tracker.add_detections(&detection(&fallen, 0.6), turn);
            }
            assert_eq!(search(&mut tracker, None, |_| Some(fallen)), [turn]);
        }
        tracker.begin(at(40));
        search(&mut tracker, None, |_| Some(standing(120.0)));
        tracker.begin(at(41));
        tracker.add_detections(&detection(&standing(120.0), 0.9), Turn::Upright);
        search(&mut tracker, None, |_| Some(standing(120.0)));
        tracker.begin(at(42));
        assert_eq!(search(&mut tracker, None, |_| Some(standing(120.0))), [Turn::Upright]);
        assert_eq!(tracked(&tracker)[0].id.0, 1);
    }
}

#[test]
fn who_is_seen_upright_does_not_lie() {
    let mut tracker = Tracker::new(SETTINGS);
    for image in 0..3 {
        see(&mut tracker, image, &[standing(100.0), standing(150.0)]);
    }
    tracker.begin(at(3));
    // Both in one box that is wider than high, as the turned image may show them.
    let both = BoundingBox { x_min: 60.0, y_min: 20.0, x_max: 240.0, y_max: 150.0 };
    tracker.add_detections(&[Detection { bbox_in_image_px: both, score: 0.9 }], Turn::HeadLeft);
    assert_eq!(search(&mut tracker, None, |_| None), [Turn::Upright; 2]);
}

#[test]
fn who_was_seen_twice_only_is_not_kept_for_long() {
    let lasting = |images: i64| {
        let mut tracker = Tracker::new(SETTINGS);
        (0..images).for_each(|image| drop(see(&mut tracker, image, &[person(100.0)])));
        (images..100).find(|&image| see(&mut tracker, image, &[]).is_empty()).unwrap() - images
    };
    assert_eq!((lasting(2), lasting(10)), (8, 30));
}

#[test]
fn a_person_with_a_limb_of_somebody_else_is_not_two() {
    // Green is behind red, and both searches end on red: one of them with an arm and a leg of nobody. Only the clothes tell that this
    // is not green in part.
    for (looks, expected) in [(true, [true, false]), (false, [true, true])] {
        let mut tracker = Tracker::new(SETTINGS);
        let both = [(100.0, Clothes::Red), (150.0, Clothes::Green)];
        (0..20).for_each(|image| drop(look(&mut tracker, image, &both, looks)));
        tracker.begin(at(20));
        let mut mixed = standing(100.0);
        for joint in [Joint::LShoulder, Joint::LHip, Joint::LKnee, Joint::LAnkle] {
            mixed.keypoints[joint.index()].as_mut().unwrap().x += 50.0;
        }
        let picture = looks.then(|| painted(&both[..1]));
        search(&mut tracker, picture.as_ref(), |search| Some(if search.slot == 0 { standing(100.0) } else { mixed }));
        assert_eq!(are_seen(&tracker), expected, "with a picture {looks}");
    }
}

#[test]
fn who_is_known_stays_known_when_the_image_is_looked_at_in_another_way() {
    let size = (640, 480);
    let (mut as_it_is, mut turned) = (Tracker::new(SETTINGS), Tracker::new(SETTINGS));
    let seen = |image: i64| person(100.0 + 4.0 * image as f32);
    for image in 0..10 {
        see(&mut as_it_is, image, &[seen(image)]);
        see(&mut turned, image, &[seen(image)]);
    }
    let (from, to) = (LevelView::as_it_is(size), LevelView::new(size, std::f64::consts::FRAC_PI_2));
    turned.change_view(&from, &to);
    for image in 10..20 {
        // It goes on as fast as it went, which is now upwards.
        let next = |tracker: &mut Tracker| {
            tracker.begin(at(image));
            tracker.searches().next().unwrap().bbox_in_image_px
        };
        let (expected, found) = (next(&mut as_it_is), to.box_in_image(&next(&mut turned)));
        assert!(expected.iou(&found) > 0.999, "{found:?} instead of {expected:?} at image {image}");
        let mut person = seen(image);
        as_it_is.associate(&[person], None);
        person.keypoints = to.keypoints_in_level(&person.keypoints);
        turned.associate(&[person], None);
        let people = tracked(&turned);
        assert_eq!((people.len(), people[0].id.0, people[0].is_seen), (1, 1, true));
    }
}
