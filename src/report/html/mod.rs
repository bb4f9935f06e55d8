//! An evaluation as one HTML file that needs nothing else: no network, no second file. The page forbids itself to load
//! anything (Content-Security-Policy), every text from outside is escaped.
//!
//! Sections: numbers, plots, parts, pictures, the 3D view, what was run on what. A section without data is not there.
//! Several recordings have an [`Index`]: all of them as one, and a link to the page of each.

mod index;
mod markup;
mod pictures;
mod plots;
mod scene;
mod tables;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::data::Stamp;
use crate::metrics::{Evaluation, ResultSequence, Summary, TruthPerson};
use crate::report::machine::Machine;
use crate::report::overlay;
pub use index::{Index, IndexEntry};
use markup::{base64, escape, facts, script_json};
pub use pictures::{RankedImage, Ranking, Strips};
pub use plots::PlotError;
use scene::Scene;

const STYLE: &str = include_str!("style.css");
const VIEWER: &str = include_str!("viewer.js");
/// Nothing is loaded from anywhere.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
/// Width of a picture in the page at most, px.
const PICTURE_WIDTH_PX: u32 = 480;
const JPEG_QUALITY: u8 = 78;

/// A report that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A plot failed.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// Data of the 3D view.
    #[error("the 3D view's data cannot be written: {0}")]
    Scene(#[from] serde_json::Error),
}

/// What a report is made of.
pub struct Report<'a> {
    /// The result, as the user named it.
    pub result: String,
    /// The truth, as the user named it; `None` for a result that is looked at by itself.
    pub truth: Option<String>,
    /// How they were compared: name and value.
    pub options: Vec<(&'static str, String)>,
    /// Every error; without a truth only what the result says itself.
    pub evaluation: &'a Evaluation,
    /// The numbers.
    pub summary: &'a Summary,
    /// The skeletons of the run.
    pub sequence: &'a ResultSequence,
    /// The true people of each image, by its place in the run.
    pub true_people: &'a [(usize, &'a [TruthPerson])],
    /// `summary.json` of the run, where it lies beside the bag.
    pub run: Option<&'a Value>,
    /// Which images to show.
    pub strips: Strips,
    /// Their pictures, JPEG.
    pub pictures: BTreeMap<Stamp, Vec<u8>>,
    /// Where the evaluation ran.
    pub machine: Machine,
}

impl Report<'_> {
    /// The page.
    ///
    /// # Errors
    /// [`ReportError`] when a plot or the 3D data cannot be made.
    pub fn to_html(&self) -> Result<String, ReportError> {
        let mut html = page_start(&self.result, self.truth.as_deref());
        if self.truth.is_some() {
            html += &tables::cards(self.evaluation, self.summary);
            html += &tables::numbers(self.evaluation, self.summary);
            html += &plots(self.evaluation, self.summary, Over::Time)?;
            html += &tables::parts(self.evaluation, self.summary);
        } else {
            html += &tables::observed_cards(&self.evaluation.observation);
            html += &tables::observed(&self.evaluation.observation);
        }
        html += &self.strips();
        html += &self.view()?;
        html += &comparison(
            [("result", Some(self.result.clone())), ("truth", self.truth.clone())],
            &self.options,
            &self.machine,
        );
        html += &self.origin();
        html += &page_end();
        Ok(html)
    }

    fn strips(&self) -> String {
        let mut body = String::new();
        for (name, images) in
            self.strips.ranking.names().into_iter().zip([&self.strips.best, &self.strips.median, &self.strips.worst])
        {
            let figures: String = images.iter().filter_map(|image| self.picture(name, image)).collect();
            if !figures.is_empty() {
                let _ = writeln!(body, "<h3>{name}</h3>\n<div class=\"strip\">{figures}</div>");
            }
        }
        if body.is_empty() { body } else { section("pictures", "Pictures", &body) }
    }

    /// A picture with its error; `None` where there is none that can be decoded.
    fn picture(&self, strip: &str, image: &RankedImage) -> Option<String> {
        let jpeg = shrunk(self.pictures.get(&image.stamp)?)?;
        let start = self.sequence.images.first()?.stamp;
        let text = format!(
            "image {}, {:.2} s: {}",
            image.index,
            image.stamp.seconds_since(start),
            self.strips.ranking.in_words(image.value)
        );
        Some(format!(
            "<figure><img alt=\"{} image, {}\" src=\"data:image/jpeg;base64,{}\"><figcaption>{}</figcaption></figure>\n",
            strip.to_lowercase(),
            escape(&text),
            base64(&jpeg),
            escape(&text)
        ))
    }

    fn view(&self) -> Result<String, ReportError> {
        let scene = Scene::new(self.sequence, self.true_people);
        let every = match scene.step {
            1 => String::new(),
            step => format!(" Every {step}th image is here."),
        };
        let (who, hidden) = match self.truth {
            Some(_) => ("estimate and truth", ""),
            None => ("the estimate", " hidden"),
        };
        let body = format!(
            "<canvas id=\"view\" role=\"img\" aria-label=\"Skeletons of {who} in three dimensions\"></canvas>\n\
             <div class=\"controls\"><button id=\"play\" type=\"button\">Play</button>\
             <input id=\"slider\" type=\"range\" min=\"0\" max=\"0\" value=\"0\" aria-label=\"Image\">\
             <span id=\"when\"></span>\
             <label class=\"estimate\"><input id=\"show-estimate\" type=\"checkbox\" checked> estimate</label>\
             <label class=\"truth\"{hidden}><input id=\"show-truth\" type=\"checkbox\" checked> truth</label>\
             <button id=\"reset\" type=\"button\">Reset view</button></div>\n\
             <p>Drag to turn, wheel to zoom. The grid is 1 m wide and lies at the lowest points; the small pyramid is the \
             camera.{every}</p>\n\
             <script type=\"application/json\" id=\"scene\">{}</script>\n<script>\n{VIEWER}</script>\n",
            script_json(&scene)?
        );
        Ok(section("view3d", "In three dimensions", &body))
    }

    /// Settings and models.
    fn origin(&self) -> String {
        match self.run {
            Some(run) => tables::run(run),
            None => section(
                "run",
                "Run",
                "<p>There is no summary.json beside the result: models and settings are not known.</p>\n",
            ),
        }
    }
}

/// Whether the images are one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// One recording.
    Time,
    /// Several, each with its own time.
    Recordings,
}

fn plots(evaluation: &Evaluation, summary: &Summary, over: Over) -> Result<String, ReportError> {
    let mut html = String::new();
    if let (Over::Time, Some(svg)) = (over, plots::error_over_time(evaluation)?) {
        html += &section(
            "time",
            "Error over time",
            &figure(
                &svg,
                "Mean joint error with the roots on each other, and distance of the root; each image's mean over the people in it.",
            ),
        );
    }
    if let Some(svg) = plots::joint_bars(summary)? {
        html += &section("joints", "Error of each joint", &figure(&svg, "MPJPE and PA-MPJPE, mm."));
    }
    let mut pair = String::new();
    if let Some(calibration) = &summary.calibration {
        let text = format!(
            "Confidence: dots on the line are true to their word, below it too sure. Grey: share of joints. Expected \
             calibration error {:.1} %.",
            100.0 * calibration.expected_error
        );
        pair += &figure(&plots::reliability(calibration)?, &text);
    }
    if let Some(shares) = &summary.overall.coverage {
        let text =
            "Covariance: share of joints inside the stated ellipsoid; below the line the ellipsoids are too small.";
        pair += &figure(&plots::coverage(shares)?, text);
    }
    if !pair.is_empty() {
        html += &section("calibration", "Is it as sure as it may be?", &format!("<div class=\"pair\">{pair}</div>\n"));
    }
    Ok(html)
}

/// Everything before the first section.
fn page_start(result: &str, truth: Option<&str>) -> String {
    let mut html = String::with_capacity(1 << 20);
    // Writing to a string cannot fail.
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>stridepose: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Evaluation of {title}</h1>\n<p>{against}</p>\n",
        title = escape(result),
        against = truth.map_or_else(
            || "without a truth: no errors, only what the result says itself".to_owned(),
            |truth| format!("against {}", escape(truth))
        ),
    );
    html
}

/// Everything behind the last section.
fn page_end() -> String {
    format!(
        "</main>\n<footer>Made by stridepose {}. Definitions and sources of the metrics: README, section \
         Evaluation.</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// What was compared with what, and how.
fn comparison(
    compared: [(&'static str, Option<String>); 2],
    options: &[(&'static str, String)],
    machine: &Machine,
) -> String {
    let compared = compared.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let options = options.iter().map(|(name, value)| (*name, value.clone()));
    let machine = [("machine of this evaluation", machine_text(machine))];
    section("comparison", "Comparison", &facts(compared.chain(options).chain(machine)))
}

/// A machine in one line.
fn machine_text(machine: &Machine) -> String {
    let cores = machine.cores.map(|cores| format!("{cores} cores"));
    let memory = machine.memory_gib.map(|memory| format!("{memory} GiB"));
    let parts = [machine.processor.clone(), cores, memory, Some(machine.system.clone())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A section with an anchor.
fn section(id: &str, title: &str, body: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{body}</section>\n", escape(title))
}

fn figure(svg: &str, text: &str) -> String {
    format!("<figure>{svg}<figcaption>{}</figcaption></figure>\n", escape(text))
}

/// The picture, smaller where it is large; `None` when it is none.
fn shrunk(jpeg: &[u8]) -> Option<Vec<u8>> {
    let picture = image::load_from_memory(jpeg).ok()?;
    if picture.width() <= PICTURE_WIDTH_PX {
        return Some(jpeg.to_vec());
    }
    let small = picture.resize(PICTURE_WIDTH_PX, u32::MAX, image::imageops::FilterType::Triangle).to_rgb8();
    overlay::jpeg(&small, JPEG_QUALITY)
}
