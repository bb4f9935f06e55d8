//! A made-up scene as a bag: what somebody else's 2D node would publish or rendered pictures, the camera, and the truth.

use std::path::Path;
use std::time::Duration;

use nalgebra::Matrix3;

use crate::adapters::bag::BagError;
use crate::adapters::bag::writer::{BagWriter, Qos};
use crate::adapters::messages::geometry_msgs::{Point, Quaternion, TransformStamped};
use crate::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, RegionOfInterestMessage};
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::stridepose::{Keypoint, KeypointArray, PersonKeypoints, SkeletonArray};
use crate::adapters::messages::tf2_msgs::TfMessage;
use crate::data::{BoundingBox, JointEstimate, JointState, KeypointsInImage, PersonEstimate, PoseEstimate, TrackId};
use crate::geometry::CameraModel;
use crate::render::encode_jpeg;
use crate::scene::{SceneImage, ScenePainter, ScenePerson, SceneSettings, make_scene};
use crate::skeleton::{Joint, KeypointLayout};

/// Topic of the truth.
pub const TRUTH_TOPIC: &str = "/truth/skeletons";
/// Topic of the pictures.
pub const PICTURE_TOPIC: &str = "/camera/image_raw/compressed";
const KEYPOINTS_TOPIC: &str = "/camera/keypoints";
const CAMERA_INFO_TOPIC: &str = "/camera/camera_info";
const TF_TOPIC: &str = "/tf";
/// Frame of the scene's world, z up: where the robot began to drive.
pub const WORLD_FRAME: &str = "odom";
const FRAME_ID: &str = "camera_optical_frame";
/// The detector's layout: as most real ones, it has no pelvis, spine, thorax and head top.
const LAYOUT: KeypointLayout = KeypointLayout::Coco17;
/// Focal length of the scene's camera over its image width.
const FOCAL_LENGTH_PER_WIDTH: f64 = 0.85;
/// Quality of the pictures.
const JPEG_QUALITY: u8 = 90;
/// Somebody of whom fewer joints are in view is not there for the truth.
const VISIBLE_JOINTS: usize = 4;

/// Makes the scene of `settings` and writes it to `output`. Returns the number of images.
///
/// # Errors
/// [`BagError`] when the folder is in use or cannot be written.
pub fn write_scene_bag(settings: &SceneSettings, output: &Path) -> Result<usize, BagError> {
    let camera = scene_camera(settings);
    let images = make_scene(settings, &|point| camera.project(point));
    let mut writer = BagWriter::create(output)?;
    let keypoints = writer.add_topic::<KeypointArray<'_>>(KEYPOINTS_TOPIC, Qos::Stream)?;
    let camera_info = writer.add_topic::<CameraInfo>(CAMERA_INFO_TOPIC, Qos::Stream)?;
    let truth = writer.add_topic::<SkeletonArray<'_>>(TRUTH_TOPIC, Qos::Stream)?;
    let frames = writer.add_topic::<TfMessage<'_>>(TF_TOPIC, Qos::Stream)?;
    for image in &images {
        writer.write(frames, image.stamp, &camera_frame(image))?;
        writer.write(camera_info, image.stamp, &info(&camera, image))?;
        writer.write(keypoints, image.stamp, &detected(image))?;
        let estimate = truth_of(image, &camera);
        writer.write(truth, image.stamp, &SkeletonArray::from_estimate(&estimate, FRAME_ID, Duration::ZERO))?;
    }
    writer.finish()?;
    Ok(images.len())
}

/// The same with rendered pictures, JPEG, instead of a detector's keypoints. In the truth are the people of whom the
/// picture shows something. `progress` is called after each image with how many are done.
///
/// # Errors
/// [`BagError`] when the folder is in use or cannot be written, or when no JPEG can be as large as the pictures.
pub fn write_scene_pictures(
    settings: &SceneSettings,
    output: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<usize, BagError> {
    let camera = scene_camera(settings);
    let mut images = make_scene(settings, &|point| camera.project(point));
    let painter = ScenePainter::new(settings, &images);
    let mut writer = BagWriter::create(output)?;
    let pictures = writer.add_topic::<CompressedImage<'_>>(PICTURE_TOPIC, Qos::Stream)?;
    let camera_info = writer.add_topic::<CameraInfo>(CAMERA_INFO_TOPIC, Qos::Stream)?;
    let truth = writer.add_topic::<SkeletonArray<'_>>(TRUTH_TOPIC, Qos::Stream)?;
    let frames = writer.add_topic::<TfMessage<'_>>(TF_TOPIC, Qos::Stream)?;
    for (index, image) in images.iter_mut().enumerate() {
        let (picture, people) = painter.paint(image, &camera);
        let data = encode_jpeg(&picture, JPEG_QUALITY).map_err(|error| {
            let reason = std::io::Error::new(std::io::ErrorKind::InvalidInput, error);
            BagError::Io { action: "write a picture of the scene to", path: output.to_owned(), reason }
        })?;
        for (person, rendered) in image.people.iter_mut().zip(people) {
            person.is_visible = rendered.is_visible;
        }
        writer.write(frames, image.stamp, &camera_frame(image))?;
        writer.write(camera_info, image.stamp, &info(&camera, image))?;
        let header = Header { stamp: image.stamp, frame_id: FRAME_ID };
        writer.write(pictures, image.stamp, &CompressedImage { header, format: "jpeg", data: &data })?;
        let estimate = truth_of(image, &camera);
        writer.write(truth, image.stamp, &SkeletonArray::from_estimate(&estimate, FRAME_ID, Duration::ZERO))?;
        progress(index + 1);
    }
    writer.finish()?;
    Ok(images.len())
}

/// The camera that the scene of `settings` is seen with.
fn scene_camera(settings: &SceneSettings) -> CameraModel {
    let focal_length_px = FOCAL_LENGTH_PER_WIDTH * f64::from(settings.width);
    CameraModel::pinhole(settings.width, settings.height, focal_length_px)
}

/// Where the robot is, and its camera with it.
fn camera_frame(image: &SceneImage) -> TfMessage<'static> {
    let world_from_camera = image.camera_from_world.inverse();
    let (at, rotation) = (world_from_camera.translation.vector, world_from_camera.rotation);
    let transform = TransformStamped {
        header: Header { stamp: image.stamp, frame_id: WORLD_FRAME },
        child_frame_id: FRAME_ID.into(),
        translation: Point { x: at.x, y: at.y, z: at.z },
        rotation: Quaternion { x: rotation.i, y: rotation.j, z: rotation.k, w: rotation.w },
    };
    TfMessage { transforms: vec![transform] }
}

fn info(camera: &CameraModel, image: &SceneImage) -> CameraInfo {
    let (width, height) = camera.image_size();
    let intrinsics = camera.intrinsics();
    let k = [intrinsics.fx, 0.0, intrinsics.cx, 0.0, intrinsics.fy, intrinsics.cy, 0.0, 0.0, 1.0];
    let [fx, _, cx, _, fy, cy, ..] = k;
    CameraInfo {
        stamp: image.stamp,
        frame_id: FRAME_ID.to_owned(),
        height,
        width,
        distortion_model: "plumb_bob".to_owned(),
        d: vec![0.0; 5],
        k,
        r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p: [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        binning_x: 1,
        binning_y: 1,
        roi: RegionOfInterestMessage::default(),
    }
}

fn detected(image: &SceneImage) -> KeypointArray<'static> {
    let people = image
        .people
        .iter()
        .filter(|person| person.bbox_in_image_px.is_some())
        .map(|person| PersonKeypoints { score: 0.9, keypoints: in_layout(&person.keypoints) })
        .collect();
    KeypointArray { header: Header { stamp: image.stamp, frame_id: FRAME_ID }, layout: LAYOUT.name(), people }
}

/// The keypoints in the detector's own order; what was not found has no score and no place.
fn in_layout(keypoints: &KeypointsInImage) -> Vec<Keypoint> {
    let mut listed = vec![Keypoint::NOT_FOUND; LAYOUT.keypoint_count()];
    for joint in Joint::ALL {
        if let Some(index) = LAYOUT.index_of(joint) {
            listed[index] = keypoints[joint.index()].into();
        }
    }
    listed
}

fn truth_of(image: &SceneImage, camera: &CameraModel) -> PoseEstimate {
    let is_there =
        |person: &&ScenePerson| person.is_visible.iter().filter(|&&is_visible| is_visible).count() >= VISIBLE_JOINTS;
    let people = image.people.iter().filter(is_there).map(|person| true_person(person, camera)).collect();
    PoseEstimate { stamp: image.stamp, people, warnings: Vec::new() }
}

fn true_person(person: &ScenePerson, camera: &CameraModel) -> PersonEstimate {
    let in_image = person.joints_in_camera.iter().filter_map(|joint| camera.project(joint));
    let bbox = BoundingBox::around(in_image.map(|at| (at.x as f32, at.y as f32)));
    PersonEstimate {
        track_id: TrackId(person.identity),
        joints: person.joints_in_camera.map(|position_in_camera| JointEstimate {
            position_in_camera,
            covariance: Matrix3::zeros(),
            confidence: 1.0,
            state: JointState::Inferred,
            keypoint: None,
        }),
        score: 1.0,
        plausibility: None,
        reprojection_error_px: None,
        bbox_in_image_px: bbox,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::adapters::bag::Bag;
    use crate::adapters::messages::from_cdr;
    use std::ops::ControlFlow;

    #[test]
    fn pictures_come_with_their_camera_and_the_people_who_can_be_seen() {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            SceneSettings { duration_secs: 2.0, rate_hz: 2.0, width: 160, height: 120, ..SceneSettings::default() };
        let path = folder.path().join("scene");
        let mut done = Vec::new();
        assert_eq!(write_scene_pictures(&settings, &path, &mut |count| done.push(count)).unwrap(), 4);
        assert_eq!(done, [1, 2, 3, 4]);
        let topics = [PICTURE_TOPIC, CAMERA_INFO_TOPIC, TRUTH_TOPIC].map(str::to_owned);
        let (mut pictures, mut cameras, mut truths) = (Vec::new(), 0, 0);
        let mut bag = Bag::open(&path).unwrap();
        bag.read::<BagError>(&topics, &mut |message| {
            if let Ok(camera) = from_cdr::<CameraInfo>(message.data)
                && camera.width == 160
            {
                cameras += 1;
            } else if let Ok(image) = from_cdr::<CompressedImage<'_>>(message.data)
                && let Ok(picture) = image::load_from_memory(image.data)
            {
                assert_eq!((picture.width(), picture.height()), (160, 120));
                pictures.push(picture.into_rgb8());
            } else {
                truths += 1;
            }
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_eq!((pictures.len(), cameras, truths), (4, 4, 4));
        assert_ne!(pictures[0], pictures[3], "people walk and the camera drives");
    }
}
