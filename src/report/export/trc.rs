//! TRC, the marker file of OpenSim: a tab-separated table of marker positions in mm, y up, a row for each image in which
//! the person is there. An absent joint is an empty cell, as OpenSim takes a missing marker. Markers have our joints'
//! names: a model needs virtual markers at its joint centres to be scaled and moved by them.

use std::fmt::Write;

use super::TrackSeries;
use crate::skeleton::{JOINT_COUNT, Joint};

/// The file called `name`; `interval` is the median time between images, s.
pub fn to_trc(series: &TrackSeries, interval: f64, name: &str) -> String {
    let rate = 1.0 / interval;
    let count = series.times.len();
    // A name with a tab or a line break would break the table.
    let name: String = name.chars().map(|character| if character.is_control() { '_' } else { character }).collect();
    let mut text = format!(
        "PathFileType\t4\t(X/Y/Z)\t{name}\n\
         DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n\
         {rate:.6}\t{rate:.6}\t{count}\t{JOINT_COUNT}\tmm\t{rate:.6}\t1\t{count}\nFrame#\tTime"
    );
    for joint in Joint::ALL {
        // Writing to a string cannot fail.
        let _ = write!(text, "\t{}\t\t", joint.name());
    }
    text.push_str("\n\t");
    for number in 1..=JOINT_COUNT {
        let _ = write!(text, "\tX{number}\tY{number}\tZ{number}");
    }
    text.push_str("\n\n");
    for (row, (time, joints)) in series.times.iter().zip(&series.joints).enumerate() {
        let _ = write!(text, "{}\t{time:.6}", row + 1);
        for joint in joints {
            match joint {
                Some(at) => {
                    let _ = write!(text, "\t{:.4}\t{:.4}\t{:.4}", at.x * 1000.0, at.y * 1000.0, at.z * 1000.0);
                }
                None => text.push_str("\t\t\t"),
            }
        }
        text.push('\n');
    }
    text
}
