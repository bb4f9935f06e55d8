//! What was read of motion capture, in words, and what is probably not meant.

use std::collections::{BTreeMap, BTreeSet};

use crate::bvh_clip::UpAxis;
use crate::mocap::{Clip, MOCAP_RATE_HZ, Split};
use crate::mocap_bvh::BvhFile;

/// Most persons that a warning names.
const NAMED: usize = 5;

/// A line for each split: clips, persons and poses.
pub(crate) fn of_clips(clips: &[Clip]) -> Vec<String> {
    let line = |(split, name): (Split, &str)| {
        let of_split = || clips.iter().filter(|clip| clip.split == split);
        let poses: usize = of_split().map(|clip| clip.poses.len()).sum();
        let standing = of_split().filter(|clip| !clip.is_moving()).count();
        let standing = if standing > 0 { format!(", {standing} of the clips mostly standing") } else { String::new() };
        format!(
            "{name}: {} clips of {} persons, {poses} poses ({:.1} min){standing}",
            of_split().count(),
            persons(clips, split).len(),
            poses as f64 / MOCAP_RATE_HZ / 60.0
        )
    };
    [(Split::Train, "train"), (Split::Validation, "val")].map(line).into()
}

/// A line for each unit and up axis that BVH files were read with.
pub(crate) fn of_bvh(files: &[BvhFile]) -> Vec<String> {
    let mut counts = BTreeMap::<(String, &str), usize>::new();
    for file in files {
        let up = match file.up {
            UpAxis::Y => "y",
            UpAxis::Z => "z",
        };
        *counts.entry((format!("{:.4}", file.metres_per_unit), up)).or_default() += 1;
    }
    let line = |((metres, up), count): ((String, &str), usize)| {
        format!("{count} BVH files with {} m a unit and {up} up", metres.trim_end_matches('0').trim_end_matches('.'))
    };
    counts.into_iter().map(line).collect()
}

/// A warning where persons to train on are measured on too.
pub(crate) fn persons_of_both_splits(clips: &[Clip]) -> Option<String> {
    let (train, validation) = (persons(clips, Split::Train), persons(clips, Split::Validation));
    let both: Vec<String> =
        train.intersection(&validation).map(|(source, subject)| format!("{source} {subject}")).collect();
    let named = both.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if both.len() > NAMED { ", …" } else { "" };
    (!both.is_empty()).then(|| {
        format!(
            "{} persons are in train and in val, so that figures of val are too good ({named}{more}); give each one split",
            both.len()
        )
    })
}

fn persons(clips: &[Clip], split: Split) -> BTreeSet<(&str, &str)> {
    let of_split = clips.iter().filter(|clip| clip.split == split);
    of_split.map(|clip| (clip.source.as_str(), clip.subject.as_str())).collect()
}
