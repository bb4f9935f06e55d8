//! The page of several recordings: all of them as one, and each with a link to its own page.

use super::markup::{Table, address_part};
use super::{Over, ReportError, comparison, page_end, page_start, plots, section, tables};
use crate::data::JointState;
use crate::metrics::{Evaluation, Summary};
use crate::report::machine::Machine;

/// One recording.
pub struct IndexEntry<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its numbers, or why there are none.
    pub evaluation: Result<(&'a Evaluation, &'a Summary), &'a str>,
    /// The way from the index to its page, folder by folder.
    pub page: Vec<String>,
}

/// What the page is made of.
pub struct Index<'a> {
    /// The results, as the user named them.
    pub results: String,
    /// The truths, as the user named them; `None` without a truth.
    pub truth: Option<String>,
    /// How they were compared: name and value.
    pub options: Vec<(&'static str, String)>,
    /// All recordings as one.
    pub evaluation: &'a Evaluation,
    /// Their numbers.
    pub summary: &'a Summary,
    /// Each of them.
    pub recordings: &'a [IndexEntry<'a>],
    /// Where the evaluation ran.
    pub machine: Machine,
}

impl Index<'_> {
    /// The page.
    ///
    /// # Errors
    /// [`ReportError`] when a plot cannot be made.
    pub fn to_html(&self) -> Result<String, ReportError> {
        let mut html = page_start(&self.results, self.truth.as_deref());
        if self.truth.is_some() {
            html += &tables::cards(self.evaluation, self.summary);
        } else {
            html += &tables::observed_cards(&self.evaluation.observation);
        }
        html += &self.recordings();
        if self.truth.is_some() {
            html += &tables::numbers(self.evaluation, self.summary);
            html += &plots(self.evaluation, self.summary, Over::Recordings)?;
            html += &tables::parts(self.evaluation, self.summary);
        } else {
            html += &tables::observed(&self.evaluation.observation);
        }
        html += &comparison(
            [("results", Some(self.results.clone())), ("truth", self.truth.clone())],
            &self.options,
            &self.machine,
        );
        html += &page_end();
        Ok(html)
    }

    fn recordings(&self) -> String {
        const AGAINST: [&str; 8] =
            ["recording", "compared", "MPJPE mm", "PA mm", "root mm", "in 90 %", "IDF1 %", "missed"];
        const ALONE: [&str; 7] =
            ["recording", "images", "people", "tracks", "measured %", "confidence %", "jitter m/s³"];
        let headings = if self.truth.is_some() { &AGAINST[..] } else { &ALONE[..] };
        let mut table = Table::new(headings);
        let mut failures = Table::new(&["recording", "why there are no numbers"]);
        let mut failed = 0;
        for entry in self.recordings {
            match &entry.evaluation {
                Ok((evaluation, summary)) => {
                    let href = entry.page.iter().map(|part| address_part(part)).collect::<Vec<_>>().join("/");
                    table.linked_row(entry.name, &href, &self.cells(evaluation, summary));
                }
                Err(reason) => {
                    failed += 1;
                    failures.row(entry.name, &[(*reason).to_owned()]);
                }
            }
        }
        table.row("together", &self.cells(self.evaluation, self.summary));
        let mut html = section("recordings", "Each recording", &tables::scroll(table));
        if failed > 0 {
            html += &section("failed", "Failed", &tables::scroll(failures));
        }
        html
    }

    fn cells(&self, evaluation: &Evaluation, summary: &Summary) -> Vec<String> {
        use tables::{number, percent};
        let observation = &evaluation.observation;
        let joints = observation.joints();
        if self.truth.is_none() {
            return vec![
                observation.images.to_string(),
                observation.people().to_string(),
                observation.per_track.len().to_string(),
                percent(joints.share(JointState::Measured)),
                percent(joints.confidence()),
                number(observation.jitter_m_per_s3, 1),
            ];
        }
        vec![
            evaluation.compared_images.to_string(),
            number(summary.overall.mpjpe_mm, 1),
            number(summary.overall.pa_mpjpe_mm, 1),
            number(summary.root_mm, 1),
            percent(summary.overall.coverage.map(|shares| shares[2])),
            percent(evaluation.identity.idf1()),
            evaluation.missed.to_string(),
        ]
    }
}
