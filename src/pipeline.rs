//! The way of one image: the only place that knows the order of the stages.
//!
//! Everything the pipeline needs is handed in: image bytes, camera, stamp. It reads no clock and no file. What goes wrong
//! with one image comes back as a warning in the estimate; only an engine that fails is an error.

mod person;
mod settings;

use std::borrow::Cow;
use std::time::Duration;

use image::RgbImage;

use self::person::{Seen, person_estimate};
use self::settings::Settings;
pub use self::settings::{detect_settings, track_settings};
use crate::config::Config;
use crate::data::{
    Attitude, Detection, LevelImage, LevelView, PersonEstimate, PersonKeypoints, PoseEstimate, Stamp, TrackId, Turn,
    Upright,
};
use crate::geometry::CameraModel;
use crate::network::NetworkError;
use crate::skeleton::JOINT_COUNT;
use crate::stages::image::{EncodedImage, decode_into};
use crate::stages::lift::{LiftError, Lifter, PersonWindow};
use crate::stages::people::TwoDStages;
use crate::stages::refine::PersonRefiner;
use crate::stages::smooth::Smoother;
use crate::stages::track::{Search, TrackedPerson, Tracker};
use crate::stages::window;
use crate::warning::{Warning, WarningKind};

/// The stages whose time is worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Bytes to RGB.
    Decode,
    /// Person detector, on the images it runs on.
    Detect,
    /// Crop and 2D keypoints.
    Keypoints,
    /// Identities.
    Track,
    /// Features and temporal network.
    Lift,
    /// Inference stage optimization.
    Refine,
}

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; 6] = [Self::Decode, Self::Detect, Self::Keypoints, Self::Track, Self::Lift, Self::Refine];

    /// Name in summaries and diagnostics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Detect => "detect",
            Self::Keypoints => "keypoints",
            Self::Track => "track",
            Self::Lift => "lift",
            Self::Refine => "refine",
        }
    }
}

/// Is told when a stage begins and ends. The shell measures time here; the pipeline has no clock.
pub trait StageObserver {
    /// `stage` begins.
    fn begin(&mut self, stage: Stage);
    /// `stage` is done.
    fn end(&mut self, stage: Stage);
    /// What somebody did of `stage` ahead is used for this image.
    fn use_ahead(&mut self, _stage: Stage) {}
}

/// Watches nothing.
impl StageObserver for () {
    fn begin(&mut self, _: Stage) {}
    fn end(&mut self, _: Stage) {}
}

/// An engine that failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PipelineError {
    /// A 2D network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The lifter.
    #[error(transparent)]
    Lift(#[from] LiftError),
    /// Images were given to a pipeline that has no 2D networks.
    #[error("this pipeline has no detector and no keypoint network: give it keypoints, or build it with both")]
    NoImageNetworks,
}

/// What the pipeline says about one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimates {
    /// Everybody in this image.
    pub now: PoseEstimate,
    /// Everybody in earlier images, with look-ahead, by ascending stamp: those that this image completes. One as a rule,
    /// several after a pause or at more than the lifter's rate, none for an image between two of its samples.
    pub earlier: Vec<PoseEstimate>,
}

impl Estimates {
    /// Nobody in the image at `stamp`, and why.
    pub fn nobody(stamp: Stamp, warning: Warning) -> Self {
        Self { now: PoseEstimate { stamp, people: Vec::new(), warnings: vec![warning] }, earlier: Vec::new() }
    }
}

/// The networks of a pipeline.
pub struct Stages {
    /// People and their 2D keypoints; `None` when keypoints come from another node.
    pub two_d: Option<TwoDStages>,
    /// The lifter.
    pub lifter: Lifter,
}

/// One camera's pipeline with everybody it knows.
pub struct Pipeline {
    stages: Stages,
    settings: Settings,
    tracker: Tracker,
    /// Everybody the tracker knows by name, by ascending identity.
    people: Vec<Person>,
    /// Of the newest image.
    last_stamp: Option<Stamp>,
    /// Of the image before this one, where it came late.
    late_stamp: Option<Stamp>,
    upright: Option<Upright>,
    attitude: Attitude,
    /// How the last image was looked at.
    view: LevelView,
    rgb: RgbImage,
    searches: Vec<Search>,
    tracked: Vec<TrackedPerson>,
    /// Lists of people that were given back.
    spare: Vec<Vec<PersonEstimate>>,
    /// The list of earlier images that was given back.
    spare_earlier: Vec<PoseEstimate>,
}

/// What is remembered of one person.
struct Person {
    id: TrackId,
    /// Which of the tracker's bodies: what is remembered goes with it.
    body: u32,
    window: PersonWindow,
    refiner: PersonRefiner,
    earlier_refiner: PersonRefiner,
    smoother: Smoother,
}

impl AsMut<PersonWindow> for Person {
    fn as_mut(&mut self) -> &mut PersonWindow {
        &mut self.window
    }
}

/// An image that is older than the newest by no more than this came late.
const LATEST_SECS: f64 = 0.2;
/// More lists than one image gives are rarely needed.
const MOST_SPARE_LISTS: usize = 3;

impl Pipeline {
    /// A pipeline that knows nobody yet.
    pub fn new(config: &Config, mut stages: Stages) -> Self {
        stages.lifter.set_judged(config.lifter.plausibility);
        let settings = Settings::from(config);
        let attitude = Attitude::new(None, settings.roll);
        Self {
            stages,
            settings,
            tracker: Tracker::new(track_settings(config)),
            people: Vec::new(),
            last_stamp: None,
            late_stamp: None,
            upright: None,
            attitude,
            view: LevelView::new((0, 0), attitude.roll),
            rgb: RgbImage::new(0, 0),
            searches: Vec::new(),
            tracked: Vec::new(),
            spare: Vec::new(),
            spare_earlier: Vec::new(),
        }
    }

    /// Takes new settings, from the next image on. Models and inputs stay what they are.
    pub fn set_config(&mut self, config: &Config) {
        self.settings = Settings::from(config);
        self.stages.lifter.set_judged(config.lifter.plausibility);
        self.tracker.set_settings(track_settings(config));
        self.set_upright(self.upright);
    }

    /// From the next image on, how the camera stands; `None` where nobody knows it. With the direction of gravity the image is
    /// looked at level and the lifter knows how the camera is tilted, with its height people's feet say how large and how far
    /// away they are.
    pub fn set_upright(&mut self, upright: Option<Upright>) {
        self.upright = upright;
        // Not told for a moment: it is turned as it was.
        let is_told = upright.is_some() || self.settings.is_gravity_told;
        let roll = if is_told { self.attitude.roll } else { self.settings.roll };
        self.attitude = Attitude::new(upright.map(|upright| upright.down), roll);
    }

    /// How the last image was looked at.
    pub const fn view(&self) -> &LevelView {
        &self.view
    }

    /// Forgets everybody and the time.
    pub fn reset(&mut self) {
        self.tracker.reset();
        self.people.clear();
        (self.last_stamp, self.late_stamp) = (None, None);
    }

    /// How far the second answer looks ahead.
    pub fn lookahead(&self) -> Duration {
        self.stages.lifter.lookahead()
    }

    /// How many images from now the detector runs next if nobody is lost until then; 0 is the next image.
    pub fn images_to_detector(&self) -> u32 {
        self.tracker.images_to_detector()
    }

    /// Takes back estimates that are no longer needed: the next image then needs no new memory.
    pub fn recycle(&mut self, estimates: Estimates) {
        let Estimates { now, mut earlier } = estimates;
        let lists = std::iter::once(now).chain(earlier.drain(..)).map(|estimate| estimate.people);
        for mut list in lists.filter(|list| list.capacity() > 0) {
            if self.spare.len() < MOST_SPARE_LISTS {
                list.clear();
                self.spare.push(list);
            }
        }
        if earlier.capacity() > self.spare_earlier.capacity() {
            self.spare_earlier = earlier;
        }
    }

    /// The image that was decoded last, for overlays.
    pub const fn last_image(&self) -> &RgbImage {
        &self.rgb
    }

    /// The way of one image.
    ///
    /// # Errors
    /// [`PipelineError`] when an engine fails.
    pub fn process_image(
        &mut self,
        stamp: Stamp,
        encoded: &EncodedImage<'_>,
        camera: &CameraModel,
        observer: &mut dyn StageObserver,
    ) -> Result<Estimates, PipelineError> {
        // 1. Bytes to RGB. A broken image is skipped; the stream goes on.
        let decoded = timed(observer, Stage::Decode, || decode_into(encoded, &mut self.rgb));
        if let Err(error) = decoded {
            return Ok(Estimates::nobody(stamp, Warning::new(WarningKind::ImageRefused, error.to_string())));
        }
        let picture = std::mem::take(&mut self.rgb);
        let estimates = self.process_picture(stamp, &picture, None, camera, observer);
        self.rgb = picture;
        estimates
    }

    /// The way of one image that is decoded already. `ahead` is what the detector found in it, and how it looked at it, where
    /// somebody has run it on this image ahead; that is used if the detector is wanted here.
    ///
    /// # Errors
    /// [`PipelineError`] when an engine fails.
    pub fn process_picture(
        &mut self,
        stamp: Stamp,
        picture: &RgbImage,
        ahead: Option<(&[Detection], LevelView)>,
        camera: &CameraModel,
        observer: &mut dyn StageObserver,
    ) -> Result<Estimates, PipelineError> {
        let (width, height) = picture.dimensions();
        if let Err(error) = camera.check_image_size(width, height) {
            return Ok(Estimates::nobody(stamp, Warning::new(WarningKind::CameraInfoRefused, error.to_string())));
        }
        // 2. Time must advance.
        let mut warnings = match self.advance(stamp) {
            Ok(warnings) => warnings,
            Err(warning) => return Ok(Estimates::nobody(stamp, warning)),
        };
        let view = self.view.next((width, height), self.attitude.roll);
        if view != self.view {
            self.tracker.change_view(&self.view, &view);
            self.view = view;
        }
        let level = LevelImage { image: picture, view };
        let most = self.settings.max_people;
        let two_d = self.stages.two_d.as_mut().ok_or(PipelineError::NoImageNetworks)?;
        self.tracker.begin(stamp);
        match two_d {
            TwoDStages::TopDown(detector, keypoints) => {
                // 3. Where everybody should be by now; on some images, who else is there.
                for turn in self.tracker.detector_runs() {
                    let found;
                    let ahead = ahead.filter(|(_, ahead)| turn == Turn::Upright && *ahead == view);
                    let detections = if let Some((detections, _)) = ahead {
                        observer.use_ahead(Stage::Detect);
                        detections
                    } else {
                        let settings = &self.settings.detect;
                        found = timed(observer, Stage::Detect, || detector.detect_turned(level, turn, settings))?;
                        &found
                    };
                    let left_out = self.tracker.add_detections(detections, turn);
                    if left_out > 0 {
                        let message = format!(
                            "detector.max_people is {most}, and as many are followed: {left_out} more are left out"
                        );
                        warnings.push(Warning::new(WarningKind::TooManyPeople, message));
                    }
                }
                // 4. Keypoints of each, and with them who is who.
                self.searches.clear();
                self.searches.extend(self.tracker.searches());
                let findings = timed(observer, Stage::Keypoints, || keypoints.find(level, &self.searches))?;
                timed(observer, Stage::Track, || {
                    self.tracker.update(&findings, Some(level));
                    self.tracker.write_people(&mut self.tracked);
                });
            }
            TwoDStages::SingleStage(network) => {
                // 3. and 4. Everybody with their keypoints, then who is who.
                let people = timed(observer, Stage::Keypoints, || network.find(level, &self.settings.detect))?;
                let people = best_people(&people, most, &mut warnings);
                timed(observer, Stage::Track, || {
                    self.tracker.associate(&people, Some(level));
                    self.tracker.write_people(&mut self.tracked);
                });
            }
        }
        for person in &mut self.tracked {
            person.keypoints = view.keypoints_in_image(&person.keypoints);
            person.bbox_in_image_px = view.box_in_image(&person.bbox_in_image_px);
        }
        // 5. From 2D to 3D.
        self.estimate(stamp, camera, warnings, observer)
    }

    /// The way of one image's keypoints that another node found. Of more people than `detector.max_people` those with the
    /// highest scores are kept.
    ///
    /// # Errors
    /// [`PipelineError`] when the engine fails.
    pub fn process_keypoints(
        &mut self,
        stamp: Stamp,
        people: &[PersonKeypoints],
        camera: &CameraModel,
        observer: &mut dyn StageObserver,
    ) -> Result<Estimates, PipelineError> {
        let mut warnings = match self.advance(stamp) {
            Ok(warnings) => warnings,
            Err(warning) => return Ok(Estimates::nobody(stamp, warning)),
        };
        let people = best_people(people, self.settings.max_people, &mut warnings);
        timed(observer, Stage::Track, || {
            self.tracker.begin(stamp);
            self.tracker.associate(&people, None);
            self.tracker.write_people(&mut self.tracked);
        });
        self.estimate(stamp, camera, warnings, observer)
    }

    /// When no more images come: what is still to be said of the last ones with look-ahead, by ascending stamp. They look ahead
    /// as far as there are images, and take what would come after as hidden. Everybody is forgotten.
    ///
    /// # Errors
    /// [`PipelineError`] when the lifter fails.
    pub fn finish(&mut self, camera: &CameraModel) -> Result<Vec<PoseEstimate>, PipelineError> {
        let mut earlier = Vec::new();
        let Some(last) = self.last_stamp.filter(|_| self.settings.is_refined_wanted) else {
            self.reset();
            return Ok(earlier);
        };
        let period_secs = 1.0 / window::MODEL_RATE_HZ;
        // One sample more than the lifter looks ahead: for images between the last sample and the next.
        let samples = (self.lookahead().as_secs_f64() / period_secs).round() as i64 + 1;
        for sample in 1..=samples {
            let after = (sample as f64 * period_secs * 1e9) as i64;
            let stamp = Stamp::from_nanoseconds(last.nanoseconds() + after);
            self.people.iter_mut().for_each(|person| person.window.see([None; JOINT_COUNT]));
            self.stages.lifter.lift(stamp, self.attitude, &mut self.people)?;
            for (tracked, person) in self.tracked.iter().zip(&mut self.people) {
                person.look_back(&self.settings, f64::from(tracked.score), camera, &mut earlier, Vec::new);
            }
        }
        earlier.retain(|estimate| estimate.stamp <= last);
        self.reset();
        Ok(earlier)
    }

    /// Refuses a stamp that stands still and an image that came late, starts anew when time went back: by far, or for more than
    /// one image.
    fn advance(&mut self, stamp: Stamp) -> Result<Vec<Warning>, Warning> {
        let refuse = |message: String| Err(Warning::new(WarningKind::ImageRefused, message));
        if stamp == Stamp::default() {
            return refuse("the stamp is zero: the camera driver does not stamp its images; skipped".to_owned());
        }
        if stamp < Stamp::default() {
            let (sec, nanosec) = (stamp.sec(), stamp.nanosec());
            return refuse(format!(
                "the stamp {sec}.{nanosec:09} is before 1970: the clock of who stamps it is wrong; skipped"
            ));
        }
        let (last, late) = (self.last_stamp, self.late_stamp.take());
        if last == Some(stamp) || late == Some(stamp) {
            self.late_stamp = late;
            let message = format!("two images at {}.{:09}; the second is skipped", stamp.sec(), stamp.nanosec());
            return refuse(message);
        }
        let behind_secs = last.map_or(0.0, |last| last.seconds_since(stamp));
        if behind_secs > 0.0 && behind_secs <= LATEST_SECS && late.is_none() {
            self.late_stamp = Some(stamp);
            return refuse(format!("an image came {behind_secs:.3} s after a newer one; it is skipped"));
        }
        let mut warnings = Vec::new();
        if behind_secs > 0.0 {
            self.reset();
            let message =
                format!("time went back by {behind_secs:.3} s: everybody is forgotten and tracking starts anew");
            warnings.push(Warning::new(WarningKind::TimeWentBack, message));
        }
        self.last_stamp = Some(stamp);
        Ok(warnings)
    }

    /// From tracked keypoints to metric skeletons: undistort, lift everybody at once, refine each.
    fn estimate(
        &mut self,
        stamp: Stamp,
        camera: &CameraModel,
        mut warnings: Vec<Warning>,
        observer: &mut dyn StageObserver,
    ) -> Result<Estimates, PipelineError> {
        self.remember_tracked();
        // Tracked people and remembered people are both sorted by identity: they pair up one to one.
        let lifted = timed(observer, Stage::Lift, || {
            for (tracked, person) in self.tracked.iter().zip(&mut self.people) {
                person.window.see(window::on_plane(&tracked.keypoints, camera));
            }
            self.stages.lifter.lift(stamp, self.attitude, &mut self.people)
        })?;
        observer.begin(Stage::Refine);
        let count = self.people.len();
        let mut now = list_for(&mut self.spare, count);
        let mut earlier = std::mem::take(&mut self.spare_earlier);
        for ((tracked, lifted), person) in self.tracked.iter().zip(lifted).zip(&mut self.people) {
            let keypoints = person.window.keypoints();
            let Some(lifted) = lifted else {
                if tracked.is_seen {
                    let message =
                        format!("the lifter gave no finite answer for person {}; it starts anew", tracked.id.0);
                    warnings.push(Warning::new(WarningKind::NetworkOutputRefused, message));
                }
                continue;
            };
            let score = f64::from(tracked.score);
            person.refiner.set_upright(self.upright);
            let refined = self.settings.refine(&mut person.refiner, &lifted.now, keypoints, stamp);
            if let Some(refined) = refined {
                let seen = Seen { keypoints: &tracked.keypoints, score, plausibility: lifted.plausibility };
                let bbox = Some(tracked.bbox_in_image_px);
                now.extend(person_estimate(tracked.id, &refined, &seen, bbox, camera));
                if self.settings.smooths() {
                    person.smoother.see(stamp, refined.positions());
                }
            } else if tracked.is_seen {
                let seen = keypoints.iter().flatten().count();
                let message = format!(
                    "person {} has {seen} keypoints and cannot be placed yet, or the lifter's answer is no body: left out",
                    tracked.id.0
                );
                warnings.push(Warning::new(WarningKind::PersonNotPlaced, message));
            }
            person.look_back(&self.settings, score, camera, &mut earlier, || list_for(&mut self.spare, count));
        }
        observer.end(Stage::Refine);
        Ok(Estimates { now: PoseEstimate { stamp, people: now, warnings }, earlier })
    }

    /// Forgets whoever the tracker forgot, and starts whoever is new.
    fn remember_tracked(&mut self) {
        let Self { people, tracked, stages, .. } = self;
        people.retain(|person| tracked.iter().any(|tracked| tracked.body == person.body));
        for tracked in tracked {
            match people.iter_mut().find(|person| person.body == tracked.body) {
                // The tracker may have found out who it is.
                Some(person) => person.id = tracked.id,
                None => people.push(Person::new(tracked, &stages.lifter)),
            }
        }
        people.sort_unstable_by_key(|person| person.id);
    }
}

impl Person {
    fn new(tracked: &TrackedPerson, lifter: &Lifter) -> Self {
        Self {
            id: tracked.id,
            body: tracked.body,
            window: lifter.new_person(),
            refiner: PersonRefiner::default(),
            earlier_refiner: PersonRefiner::default(),
            smoother: Smoother::default(),
        }
    }

    /// What this image told of the person in earlier ones goes to `earlier`, by ascending stamp.
    fn look_back(
        &mut self,
        settings: &Settings,
        score: f64,
        camera: &CameraModel,
        earlier: &mut Vec<PoseEstimate>,
        mut new_list: impl FnMut() -> Vec<PersonEstimate>,
    ) {
        let looked_back = if settings.is_refined_wanted { self.window.looked_back() } else { &[] };
        self.earlier_refiner.take_stature_of(&self.refiner);
        for then in looked_back {
            let refined = settings.refine(&mut self.earlier_refiner, &then.pose, &then.keypoints, then.stamp);
            let Some(mut refined) = refined else { continue };
            if settings.smooths() {
                let sigma_secs = settings.lookahead_smoothing_secs;
                refined.place(self.smoother.smooth(then.stamp, refined.positions(), sigma_secs));
            }
            let in_image = window::in_image(&then.keypoints, camera);
            let seen = Seen { keypoints: &in_image, score, plausibility: then.plausibility };
            let person = person_estimate(self.id, &refined, &seen, None, camera);
            estimate_at(earlier, then.stamp, &mut new_list).people.extend(person);
        }
    }
}

/// The `most` people with the highest scores, in their order, of equal scores the first; with a warning where there are more.
fn best_people<'a>(
    people: &'a [PersonKeypoints],
    most: usize,
    warnings: &mut Vec<Warning>,
) -> Cow<'a, [PersonKeypoints]> {
    if people.len() <= most {
        return Cow::Borrowed(people);
    }
    let message = format!("{} people in one image, detector.max_people is {most}: the best are kept", people.len());
    warnings.push(Warning::new(WarningKind::TooManyPeople, message));
    let mut best: Vec<usize> = (0..people.len()).collect();
    best.sort_by(|&a, &b| people[b].score.total_cmp(&people[a].score));
    best.truncate(most);
    best.sort_unstable();
    best.into_iter().map(|index| people[index]).collect()
}

/// An empty list with room for `count` people, one that was given back where there is one.
fn list_for(spare: &mut Vec<Vec<PersonEstimate>>, count: usize) -> Vec<PersonEstimate> {
    let mut list = spare.pop().unwrap_or_default();
    list.reserve(count);
    list
}

/// The estimate of the image at `stamp` among `earlier`, by ascending stamp; one with a new list where there is none.
fn estimate_at(
    earlier: &mut Vec<PoseEstimate>,
    stamp: Stamp,
    new_list: impl FnOnce() -> Vec<PersonEstimate>,
) -> &mut PoseEstimate {
    let place = earlier.binary_search_by_key(&stamp, |estimate| estimate.stamp).unwrap_or_else(|place| {
        earlier.insert(place, PoseEstimate { stamp, people: new_list(), warnings: Vec::new() });
        place
    });
    &mut earlier[place]
}

fn timed<T>(observer: &mut dyn StageObserver, stage: Stage, work: impl FnOnce() -> T) -> T {
    observer.begin(stage);
    let result = work();
    observer.end(stage);
    result
}
