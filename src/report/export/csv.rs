//! CSV: a line for each joint that is there; absent joints have none. Columns as the truth of `stridepose evaluate` has
//! them, so that a file may serve as one; numbers in their shortest exact form. Joints in another frame than the camera's
//! have its name in a last column, `in_frame`, and are no truth.

use std::fmt::Write;

use super::{PlacedSequence, state_name};
use crate::adapters::truth::csv::FRAME_COLUMN;
use crate::skeleton::Joint;

/// The first line.
const HEADER: &str = "image_index,stamp_ns,person,joint,x_m,y_m,z_m,confidence,state,\
                      cov_xx_m2,cov_xy_m2,cov_xz_m2,cov_yy_m2,cov_yz_m2,cov_zz_m2";

/// The file.
pub fn to_csv(placed: &PlacedSequence) -> String {
    let mut text = HEADER.to_owned();
    let mut frame = String::new();
    if placed.is_moved() {
        let _ = write!(text, ",{FRAME_COLUMN}");
        frame = format!(",{}", placed.frame_id.as_deref().unwrap_or_default().replace([',', '"', '\n', '\r'], "_"));
    }
    text.push('\n');
    for (index, image) in placed.sequence().images.iter().enumerate() {
        let number = placed.number(index).map_or_else(String::new, |number| number.to_string());
        for person in &image.people {
            for (joint, estimate) in Joint::ALL.into_iter().zip(&person.joints) {
                let Some(estimate) = estimate else { continue };
                let at = placed.position(index, &estimate.position_in_camera);
                let confidence = estimate.confidence.map_or_else(String::new, |value| value.to_string());
                // Writing to a string cannot fail.
                let _ = write!(
                    text,
                    "{number},{},{},{},{},{},{},{confidence},{}",
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
                        let c = placed.covariance(index, &c);
                        for value in [c.m11, c.m12, c.m13, c.m22, c.m23, c.m33] {
                            let _ = write!(text, ",{value}");
                        }
                    }
                    None => text.push_str(",,,,,,"),
                }
                text.push_str(&frame);
                text.push('\n');
            }
        }
    }
    text
}
