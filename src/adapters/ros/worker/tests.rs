#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use super::*;
use crate::adapters::bag::{Bag, BagError};
use crate::adapters::engine;
use crate::adapters::messages::stridepose::KeypointArray;
use crate::adapters::model_store::ModelStore;
use crate::adapters::scene_bag::write_scene_bag;
use crate::config::{Floor, Gravity, Value};
use crate::scene::SceneSettings;

/// A message and where it went.
type Sent = (Output, Vec<u8>);

/// Keeps what is published, and which bodies have topics.
#[derive(Clone, Default)]
struct Kept {
    sent: Arc<Mutex<Vec<Sent>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Publish for Kept {
    fn is_wanted(&self, _: Output) -> bool {
        true
    }

    fn publish(&self, output: Output, data: &[u8]) {
        self.sent.lock().unwrap().push((output, data.to_vec()));
    }

    fn set_bodies(&mut self, ids: &[String]) {
        *self.bodies.lock().unwrap() = ids.to_vec();
    }

    fn publish_body(&self, id: &str, output: BodyOutput, data: &[u8]) {
        assert!(self.bodies.lock().unwrap().iter().any(|known| known == id), "{output:?} of an unknown body");
        // Header (4 bytes of CDR, stamp, frame name with its length and end, padded), then floats.
        let floats = if output == BodyOutput::Skeleton { 54 } else { 5 };
        assert_eq!(data.len(), 4 + 8 + 4 + 24 + 4 * floats);
    }
}

/// A worker for keypoints, the messages of a scene with one person, and where its answers go.
struct Bench {
    worker: Worker<Kept>,
    shared: Arc<Shared>,
    kept: Kept,
    parcels: Vec<Parcel>,
}

fn bench(change: impl Fn(&mut Config)) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("scene");
    let settings = SceneSettings { people: 1, duration_secs: 1.0, pillar: None, seed: 2, ..SceneSettings::default() };
    write_scene_bag(&settings, &bag).unwrap();
    let topics = ["/camera/camera_info".to_owned(), "/camera/keypoints".to_owned()];
    let (mut parcels, mut info) = (Vec::new(), None);
    Bag::open(&bag)
        .unwrap()
        .read::<BagError>(&topics, &mut |message| {
            if message.topic == topics[0] {
                info = Some(from_cdr::<CameraInfo>(message.data).unwrap());
            } else {
                parcels.push(Parcel { data: message.data.to_vec(), camera_info: info.clone().unwrap() });
            }
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    let mut config = Config::default();
    change(&mut config);
    let shared = Arc::new(Shared::default());
    shared.set_config(&config);
    let engine = engine::build(&config, &ModelStore::new(&[]).unwrap(), Feed::Keypoints).unwrap();
    let kept = Kept::default();
    let now = Box::new(|| Stamp::from_sec_nanosec(1_700_000_001, 0));
    let worker = Worker::new(shared.clone(), engine, Feed::Keypoints, kept.clone(), now);
    Bench { worker, shared, kept, parcels }
}

impl Bench {
    fn process(&mut self, range: std::ops::Range<usize>) {
        for parcel in &self.parcels[range] {
            self.worker.process(parcel).unwrap();
        }
    }

    /// What went to `output`, as it was sent.
    fn sent(&self, output: Output) -> Vec<Vec<u8>> {
        self.kept.sent.lock().unwrap().iter().filter(|(to, _)| *to == output).map(|(_, data)| data.clone()).collect()
    }
}

/// A camera that looks along the x axis of the frame `parent`, one metre up.
fn level_camera(parent: &str) -> Vec<u8> {
    let header = Header { stamp: Stamp::default(), frame_id: parent };
    let rotation = geometry_msgs::Quaternion { x: -0.5, y: 0.5, z: -0.5, w: 0.5 };
    let translation = Point { x: 0.0, y: 0.0, z: 1.0 };
    let child_frame_id = "camera_optical_frame".into();
    let message = TfMessage { transforms: vec![TransformStamped { header, child_frame_id, translation, rotation }] };
    let mut data = Vec::new();
    to_cdr(&message, &mut data);
    data
}

#[test]
fn every_message_is_answered_at_its_own_stamp() {
    let mut bench = bench(|_| {});
    bench.process(0..30);
    let skeletons = bench.sent(Output::Skeletons);
    assert_eq!(skeletons.len(), 30);
    for (answer, parcel) in skeletons.iter().zip(&bench.parcels) {
        let answer: SkeletonArray<'_> = from_cdr(answer).unwrap();
        let question: KeypointArray<'_> = from_cdr(&parcel.data).unwrap();
        assert_eq!(answer.header, question.header);
    }
    let last: SkeletonArray<'_> = from_cdr(&skeletons[29]).unwrap();
    assert_eq!(last.skeletons.len(), 1);
    // Look-ahead of twelve samples: the first answer belongs to the first image.
    let refined = bench.sent(Output::Refined);
    let first: SkeletonArray<'_> = from_cdr(&refined[0]).unwrap();
    assert!(refined.len() >= 15 && first.skeletons[0].lookahead >= Duration::from_millis(390), "{}", refined.len());
    assert_eq!(bench.sent(Output::Markers).len(), 30);
    assert!(bench.sent(Output::Tf).is_empty(), "TF is published on request only");
    let facts = bench.shared.take_facts();
    assert_eq!((facts.processed, facts.people, facts.new_warnings), (30, 1, 0));
    assert!(facts.stages_ms["lift"][0] > 0.0 && facts.age_secs.unwrap() > 0.0);
    assert_eq!(bench.shared.take_facts().processed, 0, "counted anew");
}

#[test]
fn garbage_and_bad_calibrations_are_counted_and_the_rest_goes_on() {
    let mut bench = bench(|_| {});
    bench.parcels[3].data.truncate(20);
    bench.parcels[4].camera_info.k = [0.0; 9];
    bench.process(0..10);
    let facts = bench.shared.take_facts();
    assert_eq!(facts.warnings["keypoints_refused"].count, 1);
    assert_eq!(facts.warnings["camera_info_refused"].count, 1);
    assert_eq!((facts.processed, facts.camera_problem), (9, None));
    let skeletons = bench.sent(Output::Skeletons);
    let last: SkeletonArray<'_> = from_cdr(&skeletons[8]).unwrap();
    assert_eq!(last.skeletons.len(), 1);
}

#[test]
fn settings_change_from_the_next_image_on() {
    let mut bench = bench(|_| {});
    bench.process(0..10);
    let mut config = Config::default();
    config.set("output.markers", &Value::Bool(false)).unwrap();
    config.set("node.publish_tf", &Value::Bool(true)).unwrap();
    config.set("node.tf_prefix", &Value::Text("robot/".into())).unwrap();
    bench.shared.set_config(&config);
    bench.process(10..12);
    assert_eq!(bench.sent(Output::Markers).len(), 10);
    let frames = bench.sent(Output::Tf);
    assert_eq!(frames.len(), 2);
    let frames: TfMessage<'_> = from_cdr(&frames[0]).unwrap();
    assert_eq!(frames.transforms.len(), 17);
    assert_eq!(frames.transforms[0].child_frame_id, "robot/body_1");
    assert_eq!(frames.transforms[1].header.frame_id, "robot/body_1");
    assert!(
        frames.transforms[1..]
            .iter()
            .all(|frame| frame.child_frame_id.starts_with("robot/") && frame.child_frame_id.ends_with("_1"))
    );
}

#[test]
fn skeletons_move_into_the_target_frame_or_stay_and_say_so() {
    let mut bench = bench(|config| {
        config.node.target_frame = "map".into();
        config.node.tf_timeout_secs = 0.0;
    });
    bench.process(0..5);
    let facts = bench.shared.take_facts();
    assert_eq!(facts.tf_failures, 5);
    assert!(facts.tf_problem.unwrap().contains("\"camera_optical_frame\" is not known"));
    let stayed: Vec<_> = bench.sent(Output::Skeletons);
    let stayed: SkeletonArray<'_> = from_cdr(&stayed[4]).unwrap();
    assert_eq!(stayed.header.frame_id, "camera_optical_frame");

    bench.shared.frames.take_in(&level_camera("map"), true);
    let mut untouched = self::bench(|_| {});
    bench.process(5..6);
    untouched.process(0..6);
    let (moved, plain) = (bench.sent(Output::Skeletons), untouched.sent(Output::Skeletons));
    let (moved, plain): (SkeletonArray<'_>, SkeletonArray<'_>) =
        (from_cdr(&moved[5]).unwrap(), from_cdr(&plain[5]).unwrap());
    assert_eq!(moved.header.frame_id, "map");
    for (moved, plain) in moved.skeletons[0].joints.iter().zip(&plain.skeletons[0].joints) {
        let (at, from) = (moved.position, plain.position);
        let apart = (at.x - from.z).abs() + (at.y + from.x).abs() + (at.z - 1.0 + from.y).abs();
        assert!(apart < 1e-9, "{at:?} from {from:?}");
        // Depth is the map's x.
        assert!((moved.covariance[0] - plain.covariance[5]).abs() < 1e-6);
    }
    assert_eq!(bench.shared.take_facts().tf_problem, None);
}

#[test]
fn the_lifter_is_told_where_down_is_or_the_node_says_why_not() {
    let upright = |config: &mut Config| {
        config.input.gravity = Gravity::Tf;
        config.node.tf_timeout_secs = 0.0;
    };
    let on_floor = |config: &mut Config| {
        upright(config);
        config.input.floor = Floor::Frame;
    };
    let (mut told, mut untold, mut unasked) = (bench(upright), bench(upright), bench(|_| {}));
    let mut floor_told = bench(on_floor);
    for bench in [&told, &floor_told] {
        bench.shared.frames.take_in(&level_camera("base_link"), true);
    }
    for bench in [&mut told, &mut untold, &mut unasked, &mut floor_told] {
        bench.process(0..10);
    }
    for bench in [&told, &unasked, &floor_told] {
        assert!(bench.shared.take_facts().warnings.is_empty());
    }
    let warned = untold.shared.take_facts().warnings["gravity_unknown"].clone();
    assert!(warned.count == 10 && warned.first.contains("\"base_link\" is not known"), "{warned:?}");
    let [told, untold, unasked, floor_told] =
        [told, untold, unasked, floor_told].map(|bench| bench.sent(Output::Skeletons));
    assert_eq!(untold, unasked);
    assert!(told != unasked && floor_told != told);
}

#[test]
fn a_transform_that_comes_late_is_waited_for() {
    let frames = Arc::new(Frames::default());
    let header = Header { stamp: Stamp::from_sec_nanosec(7, 0), frame_id: "a" };
    let transform = TransformStamped {
        header,
        child_frame_id: "b".into(),
        translation: Point { x: 1.0, y: 2.0, z: 3.0 },
        rotation: geometry_msgs::Quaternion::default(),
    };
    let mut data = Vec::new();
    to_cdr(&TfMessage { transforms: vec![transform] }, &mut data);
    let sender = std::thread::spawn({
        let frames = frames.clone();
        move || {
            std::thread::sleep(Duration::from_millis(50));
            frames.take_in(&[1, 2, 3], false);
            frames.take_in(&data, false);
        }
    });
    let found = frames.wait_for("a", "b", header.stamp, Duration::from_secs(20)).unwrap();
    sender.join().unwrap();
    assert_eq!(found.translation.vector.as_slice(), [1.0, 2.0, 3.0]);
}

#[test]
fn closing_the_inbox_ends_the_thread_and_gives_the_engine_back() {
    let Bench { worker, shared, kept, parcels } = bench(|_| {});
    let thread = std::thread::spawn(move || worker.run());
    shared.inbox.put_info(parcels[0].camera_info.clone());
    for parcel in &parcels[..3] {
        let answered = kept.sent.lock().unwrap().len();
        shared.inbox.put(None, parcel.data.clone());
        while kept.sent.lock().unwrap().len() == answered {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    shared.inbox.close();
    assert!(thread.join().unwrap().is_some());
    assert_eq!(shared.failure(), None);
}

#[test]
fn people_are_bodies_of_rep_155_on_request() {
    let mut bench = bench(|config| config.node.humans = true);
    bench.process(0..5);
    assert_eq!(bench.sent(Output::Bodies).len(), 5);
    assert_eq!(*bench.kept.bodies.lock().unwrap(), ["p1"]);
    let mut without = self::bench(|_| {});
    without.process(0..5);
    assert!(without.sent(Output::Bodies).is_empty());
}
