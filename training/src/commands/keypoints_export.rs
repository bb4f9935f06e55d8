//! `stridepose-train export-keypoints`.

use std::path::PathBuf;

use stridepose::report::overlay::{contact_sheet, draw_disc, draw_line, thumbnail};
use stridepose::skeleton::{BONES, KeypointLayout};
use stridepose_train::export_model;
use stridepose_train::keypoint_score::{self, Counted, FoundPerson};
use stridepose_train::labelled_picture::PictureSource;
use stridepose_train::model_folder;
use stridepose_train::picture_curves;
use stridepose_train::score_calibration::ScoreCalibration;

use super::picture_measure::{MeasuredNetwork, PictureMeasureArguments};
use super::values;

#[derive(clap::Args)]
pub struct KeypointsExportArguments {
    #[command(flatten)]
    measure: PictureMeasureArguments,
    /// Pictures of the measurement; the confidence is calibrated on as many others.
    #[arg(long, default_value_t = 500, value_parser = values::at_least_one::<usize>)]
    pictures: usize,
    /// File for pictures with what was found drawn on them.
    #[arg(long)]
    overlay: Option<PathBuf>,
}

/// Seeds of the pictures that the figures and the calibration come from.
pub const MEASURED: u64 = 0x1001;
pub const CALIBRATED: u64 = 0x2002;

/// Measures a network, and writes its model folder.
pub fn keypoints_export(arguments: &KeypointsExportArguments) -> anyhow::Result<()> {
    let MeasuredNetwork { network, size, output } = arguments.measure.network()?;
    let size = &size;
    let clips = arguments.measure.clips()?;
    let source = arguments.measure.source(&clips)?;
    if let Some(path) = &arguments.overlay {
        let pictures: Vec<_> = (0..12)
            .map(|index| {
                let picture = PictureSource::draw(&source, 77 + index);
                let found = keypoint_score::find_in(&network, size, &picture, 0);
                let mut image = picture.image.clone();
                for person in &found {
                    draw(&mut image, person);
                }
                thumbnail(&image, 1800)
            })
            .collect();
        contact_sheet(&pictures, 4).save(path)?;
    }
    let people = keypoint_score::find(&network, size, &source, arguments.pictures, MEASURED);
    let ap = |counted| keypoint_score::oks_ap(&people, counted, KeypointLayout::H36m17);
    let (visible, in_picture, pck) =
        (ap(Counted::Visible), ap(Counted::InPicture), keypoint_score::pck(&people, KeypointLayout::H36m17));
    stridepose_train::say!(
        "{} pictures, {} people: OKS-AP {visible:.3} of visible joints, {in_picture:.3} with hidden ones, PCK@0.1 {pck:.3}",
        arguments.pictures,
        people.len()
    );
    stridepose_train::say!(
        "of the joints that COCO has: OKS-AP {:.3} of visible ones, PCK@0.1 {:.3}",
        keypoint_score::oks_ap(&people, Counted::Visible, KeypointLayout::Coco17),
        keypoint_score::pck(&people, KeypointLayout::Coco17)
    );
    let Some((output, state)) = output else { return Ok(()) };
    let others = keypoint_score::find(&network, size, &source, arguments.pictures, CALIBRATED);
    let ScoreCalibration { confidence, raw, calibrated } =
        ScoreCalibration::of(&keypoint_score::hits(&others), &keypoint_score::hits(&people))?;
    stridepose_train::say!(
        "expected calibration error {:.3} raw, {:.3} calibrated; probabilities {confidence:.3?}",
        raw.expected_error,
        calibrated.expected_error
    );
    let origin = format!(
        "stridepose-train keypoints, {} steps, {:.0} minutes{}, rendered people alone; OKS-AP {visible:.3}, PCK@0.1 {pck:.3} on rendered people",
        state.step,
        state.secs / 60.0,
        arguments.measure.mix_in_words()
    );
    model_folder::replace(&output, |folder| {
        export_model::keypoints(folder, &network, size, &confidence, &origin)?;
        picture_curves::write(&arguments.measure.run, folder)?;
        export_model::reliability(folder, &raw, &calibrated)
    })
}

/// Draws what was found; the fainter, the lower the score.
fn draw(image: &mut image::RgbImage, person: &FoundPerson) {
    let at = person
        .found
        .keypoints
        .map(|found| found.map(|found| (nalgebra::Point2::new(f64::from(found.x), f64::from(found.y)), found.score)));
    for (parent, child) in BONES {
        if let (Some(a), Some(b)) = (at[parent.index()], at[child.index()]) {
            draw_line(image, a.0, b.0, 1.2, [86, 180, 233], f64::from(a.1.min(b.1)));
        }
    }
    for (index, at) in at.into_iter().enumerate() {
        let Some((at, score)) = at else { continue };
        draw_disc(image, at, 2.4, [230, 159, 0], f64::from(score));
        if person.truth.is_visible[index] {
            draw_disc(image, person.truth.joints_in_image_px[index], 1.5, [0, 158, 115], 1.0);
        }
    }
}
