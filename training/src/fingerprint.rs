//! Short names of what is learnt from and measured on, to tell one from another: the first digits of a SHA-256.

use sha2::{Digest, Sha256};
use stridepose::adapters::model_store::hexadecimal;

use crate::keypoint_sequence::KeypointSequence;
use crate::mocap::{Clip, Split};
use crate::noise::DetectorNoise;

/// Digits of a name.
const DIGITS: usize = 16;

/// Of motion capture: persons, splits and every pose.
pub(crate) fn of_clips(clips: &[Clip]) -> String {
    let mut hash = Sha256::new();
    for clip in clips {
        hash.update([u8::from(clip.split == Split::Validation)]);
        texts(&mut hash, [&clip.source, &clip.subject]);
        hash.update(clip.poses.len().to_le_bytes());
        numbers(&mut hash, clip.poses.iter().flatten().flat_map(|joint| [joint.x, joint.y, joint.z]));
    }
    digits(hash)
}

/// Of a detector's errors.
pub(crate) fn of_noise(noise: &DetectorNoise) -> String {
    let mut hash = Sha256::new();
    numbers(&mut hash, noise.numbers());
    digits(hash)
}

/// Of recordings without truth: every keypoint.
pub(crate) fn of_sequences(sequences: &[KeypointSequence]) -> String {
    let mut hash = Sha256::new();
    for sequence in sequences {
        texts(&mut hash, [&sequence.source]);
        hash.update(sequence.samples.len().to_le_bytes());
        for (keypoints, step_secs) in &sequence.samples {
            numbers(&mut hash, [*step_secs]);
            for keypoint in keypoints {
                hash.update([u8::from(keypoint.is_some())]);
                numbers(
                    &mut hash,
                    keypoint.iter().flat_map(|keypoint| [keypoint.point.x, keypoint.point.y, keypoint.score]),
                );
            }
        }
    }
    digits(hash)
}

fn texts<'a>(hash: &mut Sha256, texts: impl IntoIterator<Item = &'a String>) {
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    }
}

fn numbers(hash: &mut Sha256, numbers: impl IntoIterator<Item = f64>) {
    numbers.into_iter().for_each(|number| hash.update(number.to_le_bytes()));
}

fn digits(hash: Sha256) -> String {
    hexadecimal(&hash.finalize()).chars().take(DIGITS).collect()
}
