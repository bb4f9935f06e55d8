//! Forward kinematics against values worked out by hand, and text that is damaged in every place.
#![allow(clippy::unwrap_used)]

use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ARM: &str = "HIERARCHY
ROOT Hips {
  OFFSET 5 5 5
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Left Arm
  {
    OFFSET 0 1 0
    CHANNELS 3 Xrotation Zrotation Yrotation
    End Site
    {
      OFFSET 0 2 0
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.01
1 2 3 0 0 0 0 0 0
1 2 3 90 90 0 0 0 0
0 0 0 0 0 90 90 90 0
";

fn close(a: Vector3<f64>, x: f64, y: f64, z: f64) {
    assert!((a - Vector3::new(x, y, z)).norm() < 1e-12, "{a:?} is not {x} {y} {z}");
}

#[test]
fn rotations_apply_in_the_order_of_the_channels() {
    let bvh = Bvh::parse(ARM).unwrap();
    assert_eq!(Bvh::parse(&format!("\u{feff}{}", ARM.replace('\n', "\r\n"))).unwrap(), bvh);
    assert_eq!(bvh.joints[1].name, "Left Arm");
    assert_eq!((bvh.joints[2].name.as_str(), bvh.joints[2].parent), ("Left Arm_End", Some(1)));
    assert_eq!((bvh.frame_count(), bvh.frame_secs), (3, 0.01));
    // Nothing turned: the position channels take the offset's place.
    let rest = bvh.positions(0);
    close(rest[0], 1.0, 2.0, 3.0);
    close(rest[2], 1.0, 5.0, 3.0);
    // Rz(90) Rx(90) takes y to z: Rx first takes it to z, which Rz leaves. The other order would give -x.
    let turned = bvh.positions(1);
    close(turned[1], 1.0, 2.0, 4.0);
    close(turned[2], 1.0, 2.0, 6.0);
    // Ry(90) leaves y; the arm's Rx(90) Rz(90) takes y to -x, which Ry(90) takes to z.
    let both = bvh.positions(2);
    close(both[1], 0.0, 1.0, 0.0);
    close(both[2], 0.0, 1.0, 2.0);
}

#[test]
fn bones_keep_their_lengths_whatever_the_angles() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..50 {
        let row: Vec<String> = (0..9).map(|_| format!("{:.4}", rng.random_range(-400.0..400.0))).collect();
        let head = ARM.replace("Frames: 3", "Frames: 1");
        let text = format!("{}{}\n", &head[..head.find("1 2 3 0").unwrap()], row.join(" "));
        let at = Bvh::parse(&text).unwrap().positions(0);
        assert!(((at[1] - at[0]).norm() - 1.0).abs() < 1e-12 && ((at[2] - at[1]).norm() - 2.0).abs() < 1e-12);
    }
}

#[test]
fn damage_is_named_with_its_line() {
    for (from, to, line, reason) in [
        ("HIERARCHY", "HEIRARCHY", 1, "expected \"HIERARCHY\""),
        ("OFFSET 0 1 0", "OFFSET 0 nan 0", 7, "\"nan\" is no finite number"),
        ("OFFSET 0 2 0", "OFFSET 0 2", 12, "\"}\" is no finite number"),
        ("CHANNELS 3 X", "CHANNELS 9 X", 8, "expected 0 to 6"),
        ("CHANNELS 3 X", "CHANNELS 3 W", 8, "\"Wrotation\""),
        ("Xrotation Zrotation Yrotation", "Xrotation Zrotation Xrotation", 8, "twice"),
        ("Frames: 3", "Frames: 0", 16, "no number of frames"),
        ("Frames: 3", "Frames: 2", 20, "more than the 2 frames"),
        ("Frames: 3", "Frames: 99999999999999", 20, "it is cut"),
        ("Time: 0.01", "Time: 0", 17, "frame time of 0 s"),
        ("Time: 0.01", "Time: 33.3", 17, "in seconds, not in ms"),
        ("1 2 3 90 90 0 0 0 0", "1 2 3 90 90 0 0 0 0 0", 19, "10 values; the skeleton has 9 channels"),
        ("1 2 3 90 90 0 0 0 0", "1 2 3 90 90 0 0 0", 19, "8 values; the skeleton has 9 channels"),
        ("0 0 0 0 0 90 90 90 0\n", "0 0 0 0", 20, "2 frames and 4 values"),
        ("  }\n}\nMOTION", "  }\nMOTION", 14, "\"Hips\" is closed"),
        ("}\nMOTION", "}\n}\nMOTION", 15, "without a joint"),
        ("MOTION", "ROOT Other {", 15, "a second \"ROOT\""),
    ] {
        assert!(ARM.contains(from), "the test's own \"{from}\"");
        let error = Bvh::parse(&ARM.replacen(from, to, 1)).unwrap_err();
        assert!(error.line == line && error.reason.contains(reason), "{from} -> {to}: {error}");
    }
}

#[test]
fn no_cut_and_no_change_of_the_text_panics() {
    for end in 0..ARM.len() {
        let whole = Bvh::parse(&ARM[..end]);
        // Only the last newline and digits of the last number may be missing.
        assert!(whole.is_err() || end + 2 > ARM.len(), "cut at {end}");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = ARM.as_bytes().to_vec();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..bytes.len());
            match rng.random_range(0..4) {
                0 => bytes[at] = rng.random(),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b" {}\n-9"[rng.random_range(0..6)]),
                _ => {
                    let other = rng.random_range(0..bytes.len());
                    bytes.swap(at, other);
                }
            }
        }
        match Bvh::parse(&String::from_utf8_lossy(&bytes)) {
            Ok(bvh) => {
                for frame in 0..bvh.frame_count() {
                    assert_eq!(bvh.positions(frame).len(), bvh.joints.len());
                }
            }
            Err(error) => {
                assert!(error.line >= 1);
                refused += 1;
            }
        }
    }
    assert!(refused > 5_000, "{refused} of 20000 damaged files were refused");
}

#[test]
fn deep_nesting_is_no_stack_overflow() {
    let joint = "JOINT a {\nOFFSET 0 0 0\nCHANNELS 0\n";
    let text = format!("HIERARCHY\nROOT a {{\nOFFSET 0 0 0\nCHANNELS 0\n{}", joint.repeat(20_000));
    assert!(Bvh::parse(&text).unwrap_err().reason.contains("joints"));
}
