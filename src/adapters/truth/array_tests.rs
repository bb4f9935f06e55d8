#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::adapters::truth::camera::CameraFile;

/// Two people in two images, standing 4 m away, mm, Human3.6M's order; the second is not in the second image.
fn array() -> PoseArray {
    let joint = |joint: Joint, x: f64| {
        let (across, up): (f64, f64) = match joint {
            Joint::Pelvis => (0.0, 950.0),
            Joint::RHip => (-130.0, 950.0),
            Joint::LHip => (130.0, 950.0),
            Joint::RKnee => (-130.0, 510.0),
            Joint::LKnee => (130.0, 510.0),
            Joint::Thorax => (0.0, 1440.0),
            other => (10.0 * other.index() as f64, 900.0),
        };
        [x + across, 1000.0 - up, 4000.0]
    };
    let pose = |x: f64| Joint::ALL.map(|at| joint(at, x));
    PoseArray { people: 2, poses: vec![pose(0.0), pose(900.0), pose(20.0), [[f64::NAN; 3]; JOINT_COUNT]] }
}

fn meaning() -> Meaning {
    Meaning {
        layout: DatasetLayout::H36m17,
        unit: Unit::Millimetre,
        camera: TruthCamera::default(),
        stamps_ns: None,
        persons: None,
        action: None,
    }
}

fn refusal(array: &PoseArray, meaning: Meaning) -> String {
    truth_of_array(array, meaning).unwrap_err().to_string()
}

#[test]
fn an_array_is_people_in_images() {
    let read = truth_of_array(&array(), meaning()).unwrap();
    let images = &read.truth.images;
    assert_eq!(images.keys().copied().collect::<Vec<_>>(), [0, 1].map(ImageReference::Index));
    let names = |index| images[&ImageReference::Index(index)].iter().map(|person| &*person.person).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec!["0", "1"], vec!["0"]));
    let knee = images[&ImageReference::Index(0)][1].joints[Joint::RKnee.index()].unwrap();
    assert!((knee - Point3::new(0.77, 0.49, 4.0)).norm() < 1e-12, "{knee}");
    assert!(read.notes.is_empty());
}

#[test]
fn stamps_names_and_actions_belong_to_images_and_people() {
    let named = Meaning {
        stamps_ns: Some(vec![5, 9]),
        persons: Some(vec!["anna".to_owned(), "ben".to_owned()]),
        action: Some(Action::PerImage(vec![Some("sit".to_owned()), None])),
        ..meaning()
    };
    let read = truth_of_array(&array(), named.clone()).unwrap();
    let at = |ns| &read.truth.images[&ImageReference::Stamp(Stamp::from_nanoseconds(ns))];
    assert_eq!((at(5)[1].person.as_str(), at(5)[1].action.as_deref()), ("ben", Some("sit")));
    assert_eq!(at(9)[0].action, None);
    let with = |change: &dyn Fn(&mut Meaning)| {
        let mut changed = named.clone();
        change(&mut changed);
        refusal(&array(), changed)
    };
    assert_eq!(with(&|m| m.stamps_ns = Some(vec![5])), "has 1 stamps_ns for 2 images");
    assert_eq!(with(&|m| m.stamps_ns = Some(vec![5, 5])), "stamps_ns has 5 twice");
    assert_eq!(with(&|m| m.persons = Some(vec![String::new()])), "has 1 persons for 2 people");
    assert_eq!(with(&|m| m.action = Some(Action::PerImage(Vec::new()))), "has 0 actions for 2 images");
}

#[test]
fn a_wrong_unit_or_layout_is_told_by_the_bones() {
    let metres = Meaning { unit: Unit::Metre, ..meaning() };
    let text = refusal(&array(), metres.clone());
    assert_eq!(
        text,
        "with unit m the thigh is 440.0000 m long (median): in mm it would be that of a person; is the unit mm?"
    );
    let scaled = |factor: f64| {
        let mut scaled = array();
        scaled.poses.iter_mut().flatten().flatten().for_each(|value| *value *= factor);
        scaled
    };
    assert!(refusal(&scaled(1e-3), meaning()).contains("is the unit m?"));
    assert!(refusal(&scaled(0.1), meaning()).contains("in cm it would be"));
    assert!(refusal(&scaled(1e6), metres.clone()).contains("are the layout and the numbers right?"));
    assert!(truth_of_array(&scaled(1e-3), metres).is_ok());
    // Where there is no yardstick, it is said that nothing was checked.
    let mut heads = array();
    for pose in &mut heads.poses {
        for joint in Joint::ALL.into_iter().filter(|joint| *joint != Joint::Head) {
            pose[joint.index()] = [f64::NAN; 3];
        }
    }
    let read = truth_of_array(&heads, meaning()).unwrap();
    assert!(read.notes[0].contains("could not be checked"), "{:?}", read.notes);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let with = |change: &dyn Fn(&mut PoseArray)| {
        let mut changed = array();
        change(&mut changed);
        refusal(&changed, meaning())
    };
    let text = with(&|array| array.poses[2][4][1] = f64::NAN);
    assert!(text.starts_with("image 1, person 0, l_hip: (150, NaN, 4000) is no place"), "{text}");
    assert!(with(&|array| array.poses[1][0][0] = f64::INFINITY).contains("image 0, person 1, pelvis"));
    let zeros = with(&|array| array.poses[3] = [[0.0; 3]; JOINT_COUNT]);
    assert_eq!(zeros, "image 1, person 1: all joints are at 0, 0, 0; who is not there is NaN");
    let relative = with(&|array| {
        for pose in &mut array.poses {
            let root = pose[0];
            for (axis, joint) in pose.iter_mut().flat_map(|joint| joint.iter_mut().enumerate()) {
                *joint -= root[axis];
            }
        }
    });
    assert!(relative.contains("relative to it"), "{relative}");
    let behind = with(&|array| array.poses.iter_mut().flatten().for_each(|joint| joint[2] -= 9000.0));
    assert!(behind.starts_with("3 of 3 people are behind the camera: if the joints are in the world"), "{behind}");
    let nobody = PoseArray { people: 1, poses: vec![[[f64::NAN; 3]; JOINT_COUNT]] };
    assert_eq!(refusal(&nobody, meaning()), "has not one joint");
    assert_eq!(refusal(&PoseArray::default(), meaning()), "has not one joint");
}

#[test]
fn the_world_is_moved_into_the_camera() {
    // The camera stands 4 m before the world's origin, 1 m up, and looks along the world's y.
    let file = r#"{"extrinsics": {"R": [[1,0,0],[0,0,-1],[0,1,0]], "t": [0, 1000, 4000]}}"#;
    let file: CameraFile = serde_json::from_str(file).unwrap();
    let camera = file.checked(Unit::Millimetre).unwrap();
    let mut world = array();
    for joint in world.poses.iter_mut().flatten() {
        let [x, y, z] = *joint;
        *joint = [x, z - 4000.0, 1000.0 - y];
    }
    let moved = truth_of_array(&world, Meaning { camera: camera.clone(), ..meaning() }).unwrap();
    let plain = truth_of_array(&array(), meaning()).unwrap();
    for (moved, plain) in moved.truth.images.values().flatten().zip(plain.truth.images.values().flatten()) {
        for (a, b) in moved.joints.iter().flatten().zip(plain.joints.iter().flatten()) {
            assert!((a - b).norm() < 1e-9, "{a} {b}");
        }
    }
    for joint in world.poses.iter_mut().flatten() {
        joint[1] -= 9000.0;
    }
    assert!(refusal(&world, Meaning { camera, ..meaning() }).contains("x_camera = R x_world + t?"));
}
