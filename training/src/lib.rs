//! `stridepose-train`: trains the multi-stride lifter of stridepose on motion capture and exports it to ONNX.
//!
//! ```text
//! mocap      motion capture on disk -> clips of joints in the world
//! bvh        BVH files; bvh_clip  their names, units and axes -> clips
//! body       one body -> another: limb directions kept, bone lengths drawn
//! posture    recorded postures turned into others; recombine  trunk and arms of one above the legs of another
//! scene      clip + body + camera -> joints in the camera frame, true keypoints on the z = 1 plane
//! noise      true keypoints -> keypoints of a real detector (jitter, jumps, swaps, scores)
//! occlusion  keypoints hidden from minor to severe
//! corpus     who is drawn, with labels and without; keypoint_sequence  people of whom there is no truth;
//!            bag_keypoints  those of a bag
//! batch      all of these -> tensors, through the very `window` stage that the pipeline uses
//! network    multi-stride temporal convolutional network
//! loss       position, velocity and likelihood of the stated scale
//! semi_supervised  reprojection and bones of people without labels
//! discriminator  is this a body, and does it move as bodies do; adversary  how it is trained
//! trainer    what is trained, and one step of it
//! average    exponential moving average of the weights
//! checkpoint weights, optimiser and how far a run has come, on disk
//! hardware   the cores or the GPU that it computes on
//! train      the loop
//! progress   bar, log and curves of a run that goes on
//! say        what a command says
//! log        log.jsonl, written and read; curves  the same as SVG
//! validate   error tables on the validation persons, calibration of the stated scale
//! look_ahead what waiting for more images is worth
//! ablate     what each part is worth: runs; ablate_table  their tables
//! adapt      a shipped lifter tuned to recordings without truth; adapt_table  what it brought
//! judge      a discriminator trained beside a finished lifter; implausible  movements that no body makes
//! pictures   whole rendered pictures with known people, for the 2D networks; labelled_picture  what is known of them
//! multi_scale  multi-scale network: keypoints of a crop, or people of a whole picture
//! keypoint_crop  pictures -> crops and targets; keypoint_task  the loss; person_task  both for the person detector
//! ahead      batches drawn while those before are learnt
//! picture_trainer  what is trained there, and one step of it; picture_train  the loop; picture_log  its log, picture_curves  drawn
//! keypoint_score, person_score  how good they are; score_calibration  raw score -> probability
//! export_multi_scale  their graphs; export_model  their model folders
//! onnx       protobuf of the graphs; export  streaming and whole-sequence graphs and their contract;
//!            export_discriminator  the discriminator's graph
//! export_int8  the streaming graph in 8 bits; runtime  exported graphs as the program runs them
//! onnx_reader constants back out of a graph; import  a lifter out of its model folder
//! import_multi_scale  weights that a 2D network starts from
//! mix        the mean of the weights of two networks
//! ```

pub mod ablate;
pub mod ablate_table;
pub mod adapt;
pub mod adapt_table;
pub mod adversary;
mod ahead;
pub mod average;
pub mod bag_keypoints;
pub mod batch;
pub mod body;
mod bone_terms;
pub mod bvh;
pub mod bvh_clip;
pub mod calibrate;
pub mod checkpoint;
pub mod convolution;
pub mod corpus;
pub mod curves;
mod detector_variety;
pub mod discriminator;
pub mod export;
pub mod export_discriminator;
pub mod export_int8;
pub mod export_model;
pub mod export_multi_scale;
mod fingerprint;
mod finite;
pub mod hardware;
pub mod implausible;
pub mod import;
pub mod import_multi_scale;
pub mod judge;
pub mod keypoint_crop;
pub mod keypoint_score;
pub mod keypoint_sequence;
pub mod keypoint_task;
pub mod labelled_picture;
pub mod log;
pub mod look_ahead;
pub mod loss;
pub mod mix;
pub mod mocap;
mod mocap_array;
mod mocap_bvh;
mod mocap_summary;
pub mod model_folder;
pub mod multi_scale;
pub mod network;
pub mod noise;
pub mod occlusion;
pub mod onnx;
pub mod onnx_reader;
pub mod person_score;
pub mod person_task;
pub mod picture_curves;
pub mod picture_echo;
pub mod picture_log;
pub mod picture_train;
pub mod picture_trainer;
pub mod pictures;
pub mod posture;
mod product;
mod progress;
pub mod recombine;
pub mod refinement;
mod run_settings;
pub mod runtime;
pub mod say;
pub mod scene;
pub mod score_calibration;
pub mod semi_supervised;
#[cfg(test)]
mod test_people;
pub mod train;
pub mod trainer;
pub mod validate;
pub mod video_pose_3d;
mod workers;
