//! CSV: a line for each joint that is there; absent joints have none. Columns as the truth of `stridepose evaluate` has
//! them, so that a file may serve as one; numbers in their shortest exact form.

use std::fmt::Write;

use super::state_name;
use crate::metrics::ResultSequence;
use crate::skeleton::Joint;

/// The first line.
const HEADER: &str = "image_index,stamp_ns,person,joint,x_m,y_m,z_m,confidence,state,\
                      cov_xx_m2,cov_xy_m2,cov_xz_m2,cov_yy_m2,cov_yz_m2,cov_zz_m2\n";

/// The file.
pub fn to_csv(sequence: &ResultSequence) -> String {
    let mut text = HEADER.to_owned();
    for (index, image) in sequence.images.iter().enumerate() {
        for person in &image.people {
            for (joint, estimate) in Joint::ALL.into_iter().zip(&person.joints) {
                let Some(estimate) = estimate else { continue };
                let at = &estimate.position_in_camera;
                let confidence = estimate.confidence.map_or_else(String::new, |value| value.to_string());
                // Writing to a string cannot fail.
                let _ = write!(
                    text,
                    "{index},{},{},{},{},{},{},{confidence},{}",
                    image.stamp.nanoseconds(),
                    person.track_id.0,
                    joint.name(),
                    at.x,
                    at.y,
                    at.z,
                    state_name(estimate.state)
                );
                match estimate.covariance {
                    Some(c) => {
                        for value in [c.m11, c.m12, c.m13, c.m22, c.m23, c.m33] {
                            let _ = write!(text, ",{value}");
                        }
                    }
                    None => text.push_str(",,,,,,"),
                }
                text.push('\n');
            }
        }
    }
    text
}
