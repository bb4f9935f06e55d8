//! Forward kinematics against bvhio, see `goldens/bvh_positions.py`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde::Deserialize;
use stridepose_train::bvh::Bvh;

#[derive(Deserialize)]
struct Golden {
    bvh: String,
    positions: BTreeMap<String, Vec<[f64; 3]>>,
}

#[test]
fn positions_are_those_of_an_independent_reader() {
    let golden: Golden = serde_json::from_str(include_str!("goldens/bvh_positions.json")).unwrap();
    let bvh = Bvh::parse(&golden.bvh).unwrap();
    let mut compared = 0;
    for frame in 0..bvh.frame_count() {
        for (joint, found) in bvh.joints.iter().zip(bvh.positions(frame)) {
            let Some(expected) = golden.positions.get(&joint.name) else { continue };
            for (axis, expected) in expected[frame].iter().enumerate() {
                assert!((found[axis] - expected).abs() < 1e-4, "{} in frame {frame}: {found:?}", joint.name);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, bvh.frame_count() * golden.positions.len());
}
