//! Skeletons in another frame than the camera's.

use std::collections::BTreeMap;

use nalgebra::{Isometry3, Matrix3, Point3, Vector3};

use crate::data::{Covariance, Stamp};
use crate::metrics::ResultSequence;

/// Which way is up in the frame of the skeletons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Up {
    /// Against y: a camera's optical frame.
    MinusY,
    /// Along z: a frame of a robot or a map (REP 103).
    Z,
}

/// The skeletons of a recording and the frame in which they are wanted.
#[derive(Clone, Debug)]
pub struct PlacedSequence {
    sequence: ResultSequence,
    /// Number of each image in the recording, where the skeletons are not of all.
    numbers: Option<Vec<Option<usize>>>,
    /// Name of the frame.
    pub frame_id: Option<String>,
    up: Up,
    /// From the camera's optical frame, for each image; `None` where the skeletons stay in that one.
    from_camera: Option<Vec<Isometry3<f64>>>,
}

impl PlacedSequence {
    /// As the camera sees them.
    pub const fn in_camera(sequence: ResultSequence, frame_id: Option<String>) -> Self {
        Self { sequence, numbers: None, frame_id, up: Up::MinusY, from_camera: None }
    }

    /// In the frame `frame_id`, into which `from_camera` takes each image's. Who is in an image of which nobody knows that is
    /// left out.
    pub fn in_frame(
        mut sequence: ResultSequence,
        frame_id: String,
        up: Up,
        from_camera: impl IntoIterator<Item = Option<Isometry3<f64>>>,
    ) -> Self {
        let mut placed = from_camera.into_iter().chain(std::iter::repeat(None));
        let from_camera = sequence.images.iter_mut().map(|image| {
            placed.next().flatten().unwrap_or_else(|| {
                image.people.clear();
                Isometry3::identity()
            })
        });
        let from_camera = Some(from_camera.collect());
        Self { sequence, numbers: None, frame_id: Some(frame_id), up, from_camera }
    }

    /// With images counted as those of the recording at `image_stamps`.
    #[must_use]
    pub fn counted_in(mut self, image_stamps: &[Stamp]) -> Self {
        let numbers: BTreeMap<Stamp, usize> = image_stamps.iter().enumerate().map(|(at, stamp)| (*stamp, at)).collect();
        self.numbers = Some(self.sequence.images.iter().map(|image| numbers.get(&image.stamp).copied()).collect());
        self
    }

    /// The number in the recording of one of the sequence's images, where it is known.
    pub fn number(&self, image: usize) -> Option<usize> {
        self.numbers.as_ref().map_or(Some(image), |numbers| numbers.get(image).copied().flatten())
    }

    /// The skeletons, their joints as the camera sees them.
    pub const fn sequence(&self) -> &ResultSequence {
        &self.sequence
    }

    /// Whether they are in another frame than the camera's.
    pub const fn is_moved(&self) -> bool {
        self.from_camera.is_some()
    }

    /// A place of the image with this number, m.
    pub fn position(&self, image: usize, in_camera: &Point3<f64>) -> Point3<f64> {
        self.motion(image).map_or(*in_camera, |from_camera| from_camera * in_camera)
    }

    /// A covariance of the image with this number, m².
    pub fn covariance(&self, image: usize, in_camera: &Covariance) -> Covariance {
        self.motion(image).map_or(*in_camera, |from_camera| {
            let rotation = from_camera.rotation.to_rotation_matrix();
            let turned: Matrix3<f64> = rotation.matrix() * in_camera * rotation.matrix().transpose();
            (turned + turned.transpose()) * 0.5
        })
    }

    /// A place of the image with this number where y is up, m.
    pub fn y_up(&self, image: usize, in_camera: &Point3<f64>) -> Vector3<f64> {
        let at = self.position(image, in_camera);
        match self.up {
            Up::MinusY => Vector3::new(at.x, -at.y, -at.z),
            Up::Z => Vector3::new(at.x, at.z, -at.y),
        }
    }

    fn motion(&self, image: usize) -> Option<&Isometry3<f64>> {
        self.from_camera.as_ref()?.get(image)
    }
}
