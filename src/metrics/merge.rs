//! Several recordings as one: every error counts the same, whichever recording it is of.
//!
//! People of different recordings are different people (`recording/person`), and images are counted on from recording
//! to recording. Counts add up; jitter is the mean over the images. Errors *per image* need one rate: where the
//! recordings' median intervals differ by more than [`SAME_RATE`], there is none, and those per second remain.

use crate::metrics::evaluation::Evaluation;
use crate::metrics::identity::Identity;

/// Intervals this close are one rate.
const SAME_RATE: f64 = 0.05;

/// One recording and its name.
pub type NamedEvaluation = (String, Evaluation);

impl Evaluation {
    /// All `recordings` as one.
    pub fn merged(recordings: &[NamedEvaluation]) -> Self {
        let mut all = Self::default();
        let (mut jitter, mut truth_jitter) = (Mean::default(), Mean::default());
        for (name, part) in recordings {
            let before = all.observation.images;
            all.samples.extend(part.samples.iter().cloned().map(|mut sample| {
                let person = if sample.person.is_empty() { "person" } else { &sample.person };
                sample.person = format!("{name}/{person}");
                sample.image_index += before;
                sample
            }));
            all.observation.join(name, &part.observation);
            all.truth_images += part.truth_images;
            all.compared_images += part.compared_images;
            all.matched_images += part.matched_images;
            all.missed += part.missed;
            all.false_people += part.false_people;
            all.identity = sum(all.identity, part.identity);
            all.covariances_refused += part.covariances_refused;
            jitter.add(part.observation.jitter_m_per_s3, part.observation.images);
            truth_jitter.add(part.truth_jitter_m_per_s3, part.compared_images);
        }
        all.observation.jitter_m_per_s3 = jitter.mean();
        all.observation.image_interval = common_interval(recordings);
        all.truth_jitter_m_per_s3 = truth_jitter.mean();
        all
    }
}

fn common_interval(recordings: &[NamedEvaluation]) -> Option<f64> {
    let mut intervals: Vec<f64> =
        recordings.iter().map(|(_, part)| part.observation.image_interval).collect::<Option<Vec<f64>>>()?;
    intervals.sort_by(f64::total_cmp);
    let (low, high) = (*intervals.first()?, *intervals.last()?);
    (high <= low * (1.0 + SAME_RATE)).then(|| intervals[intervals.len() / 2])
}

fn sum(a: Identity, b: Identity) -> Identity {
    Identity {
        true_people: a.true_people + b.true_people,
        predicted_people: a.predicted_people + b.predicted_people,
        matched: a.matched + b.matched,
        id_true_positives: a.id_true_positives + b.id_true_positives,
        switches: a.switches + b.switches,
        fragmentations: a.fragmentations + b.fragmentations,
    }
}

/// A weighted mean of what is there.
#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>, weight: usize) {
        if let Some(value) = value {
            self.sum += value * weight as f64;
            self.weight += weight as f64;
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Observation;

    fn part(interval: f64, images: usize, jitter: Option<f64>) -> Evaluation {
        let observation =
            Observation { image_interval: Some(interval), images, jitter_m_per_s3: jitter, ..Observation::default() };
        Evaluation {
            observation,
            missed: 2,
            identity: Identity { true_people: images, matched: images - 2, ..Identity::default() },
            ..Evaluation::default()
        }
    }

    #[test]
    fn counts_add_up_and_jitter_is_weighed_by_images() {
        let parts = [("a".to_owned(), part(0.1, 10, Some(4.0))), ("b".to_owned(), part(0.102, 30, Some(8.0)))];
        let all = Evaluation::merged(&parts);
        assert_eq!(
            (all.observation.images, all.missed, all.identity.true_people, all.identity.matched),
            (40, 4, 40, 36)
        );
        assert_eq!(all.observation.jitter_m_per_s3, Some(7.0));
        assert_eq!(all.observation.image_interval, Some(0.102));
    }

    #[test]
    fn different_rates_have_no_common_interval_and_nothing_has_no_mean() {
        let parts = [("a".to_owned(), part(0.1, 10, None)), ("b".to_owned(), part(0.033, 30, None))];
        let all = Evaluation::merged(&parts);
        let all = all.observation;
        assert_eq!((all.image_interval, all.jitter_m_per_s3), (None, None));
        assert_eq!(Evaluation::merged(&[]), Evaluation::default());
    }
}
