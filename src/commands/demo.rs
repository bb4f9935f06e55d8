//! `stridepose demo`: people who walk in front of a moving camera, made by the project itself: rendered pictures, in which its own
//! networks find the people, or 2D keypoints of a detector that errs; lifted, refined and compared with the truth. Needs no
//! camera, no ROS, no GPU and no foreign weights.

use std::path::PathBuf;

use super::evaluate::{self, ComparisonArgs, EvaluateArgs};
use super::replay::{self, Overlap, SHEET_FILE, SUMMARY_FILE};
use super::truth::TruthArgs;
use super::{ConsoleArgs, Outcome, SetupArgs, print, refuse_bag};
use crate::adapters::scene_bag::{TRUTH_TOPIC, WORLD_FRAME, write_scene_bag, write_scene_pictures};
use crate::scene::SceneSettings;

const SCENE_FOLDER: &str = "scene";
const RESULT_FOLDER: &str = "result";
const REPORT_FILE: &str = "report.json";
const PAGE_FILE: &str = "report.html";

/// The project's own 2D networks, which pictures are shown to unless others are asked for.
const OWN_NETWORKS: [&str; 2] = ["detector.model:=stridepose_person", "keypoints.model:=stridepose_pose_small"];

/// What the scene is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DemoInput {
    /// Rendered pictures: the whole pipeline.
    Images,
    /// Keypoints of a made-up detector in the layout of COCO: lifting and refinement alone.
    Keypoints,
}

/// Arguments of `stridepose demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder for the scene, the result and the report; an earlier demo in it is replaced
    #[arg(long, short, value_name = "DIR", default_value = "stridepose-demo")]
    pub output: PathBuf,

    /// What the scene is given as
    #[arg(long, value_enum, default_value_t = DemoInput::Images)]
    pub input: DemoInput,

    /// How many people walk about
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub people: u8,

    /// How long, s
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub duration_secs: u16,

    /// Seed of everything that is drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Parameters and models.
    #[command(flatten)]
    pub setup: SetupArgs,
}

/// Makes the scene, replays it, evaluates the result.
///
/// # Errors
/// [`super::Refused`] when the folder or the parameters cannot be used, any other error when the work failed.
pub fn run(args: &DemoArgs, console: ConsoleArgs) -> anyhow::Result<Outcome> {
    let (scene, result) = (args.output.join(SCENE_FOLDER), args.output.join(RESULT_FOLDER));
    replay::remove_result(&scene)?;
    replay::remove_result(&result)?;
    let settings = SceneSettings {
        seed: args.seed,
        people: usize::from(args.people),
        duration_secs: f64::from(args.duration_secs),
        ..SceneSettings::default()
    };
    let mut setup = args.setup.clone();
    match args.input {
        DemoInput::Images => {
            let style = "rendering {bar:40} {pos}/{len} images  {per_sec}  {eta} left";
            let bar = console.progress_bar(Some(settings.image_count() as u64), style)?;
            write_scene_pictures(&settings, &scene, &mut |done| bar.set_position(done as u64)).map_err(refuse_bag)?;
            bar.finish_and_clear();
        }
        DemoInput::Keypoints => {
            write_scene_bag(&settings, &scene).map_err(refuse_bag)?;
        }
    }
    if setup.config.is_none() {
        let networks = if args.input == DemoInput::Images { &OWN_NETWORKS[..] } else { &[] };
        let networks = networks.iter().map(|&network| network.to_owned());
        let upright = ["input.gravity:=tf", "input.floor:=frame"].map(str::to_owned);
        let frame = format!("input.gravity_frame:={WORLD_FRAME}");
        setup.parameters.splice(0..0, upright.into_iter().chain([frame]).chain(networks));
    }
    let (config, store) = (setup.config()?, setup.store()?);
    let progress = replay::Progress::of_one(console)?;
    let summary = replay::replay(&scene, &result, &config, &store, &progress, Overlap::WhereThereIsACore)?;
    print(&format!("{}\n", summary.text()))?;
    let report = args.output.join(REPORT_FILE);
    let page = args.output.join(PAGE_FILE);
    let evaluation = EvaluateArgs {
        results: vec![result.clone()],
        truth: Some(scene.clone()),
        json: Some(report.clone()),
        samples: None,
        report: Some(page.clone()),
        comparison: ComparisonArgs {
            truth_options: TruthArgs { truth_topic: Some(TRUTH_TOPIC.to_owned()), ..TruthArgs::default() },
            ..ComparisonArgs::default()
        },
    };
    let outcome = evaluate::run(&evaluation, console)?;
    print(&format!(
        "\nscene    {}\nresult   {}\nsummary  {}\nreport   {}\n         {}\npicture  {}\n",
        scene.display(),
        result.display(),
        result.join(SUMMARY_FILE).display(),
        report.display(),
        page.display(),
        result.join(SHEET_FILE).display(),
    ))?;
    Ok(outcome)
}
