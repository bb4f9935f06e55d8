//! Every parameter of stridepose: the one place. Bag tool, node, `config/stridepose.yaml` and README's table all
//! come from here.
//!
//! A line reads `name: type in range, default …, unit "…", Live | ReadOnly;`, its doc comment is the description that
//! users see. `in` counts characters for a `String`; `bool` and choices have none. After a change run
//! `make parameters`, which rewrites the parameter file and README's table.

use super::macros::{choices, parameters};

choices! {
    /// How the refinement weighs the keypoints.
    RefineMode {
        /// No refinement: the root is placed by least squares, the body pose is the lifter's.
        Off = "off",
        /// Every keypoint above the threshold counts the same.
        Unweighted = "unweighted",
        /// Every keypoint counts as far as its confidence deserves.
        Confidence = "confidence",
    }
}

choices! {
    /// Which ONNX Runtime execution provider runs the networks.
    Provider {
        /// The fastest one that really works: TensorRT, then CUDA, then the CPU.
        Auto = "auto",
        /// The CPU.
        Cpu = "cpu",
        /// NVIDIA CUDA; refuses to start where it does not work.
        Cuda = "cuda",
        /// NVIDIA TensorRT; refuses to start where it does not work.
        TensorRt = "tensorrt",
    }
}

choices! {
    /// Who says where down is in the camera.
    Gravity {
        /// Nobody.
        Unknown = "unknown",
        /// TF, by a frame whose z axis points up.
        Tf = "tf",
        /// Two angles: the camera does not move.
        Fixed = "fixed",
    }
}

choices! {
    /// A side of the image.
    Side {
        /// The first row.
        Top = "top",
        /// The last column.
        Right = "right",
        /// The last row.
        Bottom = "bottom",
        /// The first column.
        Left = "left",
    }
}

choices! {
    /// Who says how high the camera is over the floor.
    Floor {
        /// Nobody.
        Unknown = "unknown",
        /// TF: the floor is z = 0 of the gravity frame.
        Frame = "frame",
        /// One number.
        Camera = "camera",
    }
}

choices! {
    /// What the live node processes.
    Source {
        /// Images of the camera.
        Images = "images",
        /// 2D keypoints of another node.
        Keypoints = "keypoints",
    }
}

choices! {
    /// How images reach the live node.
    Transport {
        /// sensor_msgs/Image on `image`.
        Raw = "raw",
        /// sensor_msgs/CompressedImage on `image/compressed`.
        Compressed = "compressed",
    }
}

choices! {
    /// Reliability of the live node's subscriptions.
    Reliability {
        /// Takes what arrives: matches every publisher.
        BestEffort = "best_effort",
        /// Has lost messages sent again: matches reliable publishers only.
        Reliable = "reliable",
    }
}

parameters! {
    /// What is read
    input: InputConfig {
        /// Topic of the images; empty: the only one of type Image or CompressedImage
        image_topic: String in 0..=255, default "", unit "", ReadOnly;
        /// Topic of the CameraInfo; empty: the only one of that type
        camera_info_topic: String in 0..=255, default "", unit "", ReadOnly;
        /// Topic of 2D keypoints from another node, read instead of images; empty: images are read
        keypoints_topic: String in 0..=255, default "", unit "", ReadOnly;
        /// Who says how the camera is tilted, which makes poses more exact: nobody, TF, or the two angles of a camera that stays
        gravity: Gravity, default Unknown, unit "", ReadOnly;
        /// Frame of TF whose z axis points up, as that of base_link on level ground and of odom do
        gravity_frame: String in 1..=255, default "base_link", unit "", ReadOnly;
        /// How far a camera that stays looks down
        tilt_deg: f64 in -90.0..=90.0, default 0.0, unit "deg", Live;
        /// How far a camera that stays is turned clockwise about its line of sight, seen from behind: its right side is lower
        roll_deg: f64 in -180.0..=180.0, default 0.0, unit "deg", Live;
        /// Side of the image that is up where gravity is unknown: for a camera that is mounted on its side or on its head
        up_side: Side, default Top, unit "", Live;
        /// Who says how high the camera is over a level floor on which people stand, and so how far away: nobody, TF (the gravity frame stands on it), or a number
        floor: Floor, default Unknown, unit "", ReadOnly;
        /// How high the camera is over the floor
        camera_height: f64 in 0.0..=100.0, default 0.0, unit "m", Live;
    }

    /// Finding people in an image
    detector: DetectorConfig {
        /// Model that finds people, a folder name under the model directories
        model: String in 1..=100, default "yolox_nano", unit "", ReadOnly;
        /// Images from one detector run to the next, but no longer than a second; in between people are followed by their keypoints
        interval: u32 in 1..=100, default 10, unit "images", Live;
        /// Look for people who lie on the floor as well, with the image turned by a quarter: one more detector run an interval
        lying: bool, default true, unit "", Live;
        /// Detections with a lower score are dropped
        score_threshold: f64 in 0.05..=0.95, default 0.4, unit "", Live;
        /// Of two detections that overlap more than this (intersection over union) the lower score is dropped
        nms_iou: f64 in 0.1..=0.9, default 0.45, unit "", Live;
        /// At most this many people at once: those followed already, then the highest scores; of another node's keypoints the highest scores
        max_people: u32 in 1..=50, default 10, unit "people", ReadOnly;
    }

    /// 2D keypoints of each person
    keypoints: KeypointsConfig {
        /// Model that finds the keypoints, a folder name under the model directories
        model: String in 1..=100, default "blazepose_full", unit "", ReadOnly;
        /// Keypoints with a lower score count as not seen
        score_threshold: f64 in 0.0..=1.0, default 0.3, unit "", Live;
    }

    /// Which person is which
    track: TrackConfig {
        /// A person not seen for longer is no longer published and searched for
        max_age_secs: f64 in 0.0..=10.0, default 1.0, unit "s", Live;
        /// A person who comes back within this time gets the same identity, if the clothes say who it is; 0 for never
        recognise_secs: f64 in 0.0..=3600.0, default 30.0, unit "s", Live;
        /// Images on which a person must be seen before it is published
        min_hits: u32 in 1..=20, default 2, unit "images", Live;
    }

    /// From 2D keypoints over time to a 3D body pose
    lifter: LifterConfig {
        /// Model that lifts, a folder name under the model directories
        model: String in 1..=100, default "lifter", unit "", ReadOnly;
        /// Judge how plausible each movement is, where the lifter comes with a discriminator
        plausibility: bool, default true, unit "", Live;
    }

    /// Moving the 3D joints so that they project onto the keypoints
    refine: RefineConfig {
        /// Whether, and how keypoints are weighed
        mode: RefineMode, default Confidence, unit "", Live;
        /// Gauss-Newton steps a person and image
        iterations: u32 in 0..=20, default 3, unit "", Live;
        /// Weight of constant bone lengths
        bone_weight: f64 in 0.0..=100_000.0, default 1000.0, unit "1/m²", Live;
        /// Weight of small accelerations of the joints
        smoothness_weight: f64 in 0.0..=100_000.0, default 100.0, unit "1/m²", Live;
        /// Standard deviation of a good keypoint, as a fraction of the person's size in the image
        keypoint_sigma: f64 in 0.001..=0.2, default 0.03, unit "", Live;
        /// Standard deviation in time of what smooths the answers with look-ahead; 0 for none
        lookahead_smoothing_secs: f64 in 0.0..=0.2, default 0.06, unit "s", Live;
    }

    /// ONNX Runtime
    inference: InferenceConfig {
        /// Execution provider
        provider: Provider, default Auto, unit "", ReadOnly;
        /// CPU threads inside one network run; more than there are idle cores is slower
        intra_threads: u32 in 1..=64, default 1, unit "threads", ReadOnly;
    }

    /// What is written
    output: OutputConfig {
        /// Publish markers for RViz
        markers: bool, default true, unit "", Live;
        /// Publish pictures with the skeletons drawn on them
        overlay: bool, default true, unit "", Live;
        /// Images from one overlay picture to the next
        overlay_interval: u32 in 1..=1000, default 1, unit "images", Live;
        /// Publish each stamp a second time, refined with the images that came after it
        refined: bool, default true, unit "", Live;
    }

    /// The live node; the bag tool has no use for these
    node: NodeConfig {
        /// Whether the node configures and activates itself; else a lifecycle manager does
        autostart: bool, default true, unit "", ReadOnly;
        /// What is processed: images, or keypoints of another node
        source: Source, default Images, unit "", ReadOnly;
        /// Whether images come on image (raw) or on image/compressed
        transport: Transport, default Raw, unit "", ReadOnly;
        /// Reliability of the subscriptions to images and keypoints
        reliability: Reliability, default BestEffort, unit "", ReadOnly;
        /// Folders with networks, separated by colons, searched before the package's own
        model_folders: String in 0..=4000, default "", unit "", ReadOnly;
        /// Frame the skeletons are published in; empty: the camera's
        target_frame: String in 0..=255, default "", unit "", ReadOnly;
        /// How long an image waits for the transform into the target frame, and for that of the gravity frame
        tf_timeout_secs: f64 in 0.0..=1.0, default 0.05, unit "s", Live;
        /// Publish each person's joints as TF frames
        publish_tf: bool, default false, unit "", Live;
        /// What the names of TF frames begin with
        tf_prefix: String in 0..=100, default "", unit "", Live;
        /// Publish people as REP-155 bodies below /humans; needs hri_msgs where the package is built
        humans: bool, default false, unit "", ReadOnly;
    }
}
