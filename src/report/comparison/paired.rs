//! The difference of two runs over the same people in the same images: what one run finds hard, the other finds hard as
//! well, so that the mean of the differences is far surer than the difference of the means. Pairs are found by stamp
//! and person; a joint counts where both runs have its error. B minus A, with the 95 % interval of
//! [`interval_of_mean`](crate::metrics::interval_of_mean).

use std::collections::{BTreeMap, HashMap};

use super::Side;
use crate::metrics::{
    AUC_THRESHOLD_COUNT, ELLIPSOIDS, ImageSum, Interval, PCK_THRESHOLD_MM, block_length, interval_of_mean,
};
use crate::report::evaluation::Samples;

/// Seed of the intervals.
const SEED: u64 = 1;

/// Mean difference of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// Values that both have.
    pub pairs: usize,
    /// Mean of B minus A.
    pub mean: f64,
    /// Where it lies with 95 % probability; `None` where the recording is too short to say.
    pub interval: Option<Interval>,
}

impl PairedDifference {
    /// Whether the interval leaves out 0.
    pub fn is_clear(&self) -> bool {
        self.interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0)
    }
}

/// Metrics whose difference is also given joint by joint.
const OF_EACH_JOINT: [&str; 2] = ["mpjpe_mm", "pa_mpjpe_mm"];

/// A value of one joint of one sample.
type OfJoint = dyn Fn(&Samples, usize, usize) -> Option<f64>;

fn at(column: &[Vec<Option<f32>>], sample: usize, joint: usize) -> Option<f64> {
    column[sample][joint].map(f64::from)
}

/// Metrics that are means over joints, by their path in the numbers.
fn metrics_of_joints() -> Vec<(String, Box<OfJoint>)> {
    let mut metrics: Vec<(String, Box<OfJoint>)> = vec![
        ("mpjpe_mm".to_owned(), Box::new(|s, i, j| at(&s.mpjpe_mm, i, j))),
        ("pa_mpjpe_mm".to_owned(), Box::new(|s, i, j| at(&s.pa_mpjpe_mm, i, j))),
        ("n_mpjpe_mm".to_owned(), Box::new(|s, i, j| at(&s.n_mpjpe_mm, i, j))),
        ("position_error_mm".to_owned(), Box::new(|s, i, j| at(&s.position_error_mm, i, j))),
        ("mpjve_mm_per_s".to_owned(), Box::new(|s, i, j| at(&s.velocity_error_mm_per_s, i, j))),
        ("acceleration_error_mm_per_s2".to_owned(), Box::new(|s, i, j| at(&s.acceleration_error_mm_per_s2, i, j))),
        (
            "pck_150mm".to_owned(),
            Box::new(|s, i, j| at(&s.mpjpe_mm, i, j).map(|error| f64::from(u8::from(error < PCK_THRESHOLD_MM)))),
        ),
        ("auc".to_owned(), Box::new(|s, i, j| at(&s.mpjpe_mm, i, j).map(share_of_thresholds))),
    ];
    for (percent, quantile) in ELLIPSOIDS {
        metrics.push((
            format!("coverage.{percent}"),
            Box::new(move |s, i, j| {
                at(&s.squared_mahalanobis, i, j).map(|squared| f64::from(u8::from(squared <= quantile)))
            }),
        ));
    }
    metrics
}

/// Share of the thresholds 0, 5, … 150 mm that are above the error.
fn share_of_thresholds(error_mm: f64) -> f64 {
    let step_mm = PCK_THRESHOLD_MM / f64::from(AUC_THRESHOLD_COUNT - 1);
    let above = (0..AUC_THRESHOLD_COUNT).filter(|&index| error_mm < f64::from(index) * step_mm).count();
    above as f64 / f64::from(AUC_THRESHOLD_COUNT)
}

/// One person in one image of both runs.
struct Pair {
    image: usize,
    a: usize,
    b: usize,
}

/// The differences of all metrics that both sides have samples for, by path; empty without samples or without an image
/// in common.
pub fn paired_differences(a: &Side, b: &Side) -> BTreeMap<String, PairedDifference> {
    let (Some(a_samples), Some(b_samples)) = (&a.samples, &b.samples) else { return BTreeMap::new() };
    let pairs = pairs(a_samples, b_samples);
    let interval_secs = a.number("image_interval_s");
    let mut found = BTreeMap::new();
    let mut add = |name: String, values: &dyn Fn(&Pair) -> ImageSum| {
        if let Some(difference) = difference(&pairs, interval_secs, values) {
            found.insert(name, difference);
        }
    };
    let joints: Vec<(usize, usize)> = a_samples
        .joints
        .iter()
        .enumerate()
        .filter_map(|(in_a, name)| Some((in_a, b_samples.joints.iter().position(|joint| joint == name)?)))
        .collect();
    for (name, of) in metrics_of_joints() {
        let joint_difference = |pair: &Pair, (in_a, in_b): (usize, usize)| {
            Some(of(b_samples, pair.b, in_b)? - of(a_samples, pair.a, in_a)?)
        };
        add(name.clone(), &|pair| sum(joints.iter().filter_map(|&joint| joint_difference(pair, joint))));
        // Of single joints only what the table shows: an interval takes time.
        for &joint in joints.iter().filter(|_| OF_EACH_JOINT.contains(&name.as_str())) {
            let path = format!("per_joint.{}.{name}", a_samples.joints[joint.0]);
            add(path, &|pair| sum(joint_difference(pair, joint).into_iter()));
        }
    }
    let root = |samples: &Samples, sample: usize| {
        samples.root_mm[sample].map(|root| root.into_iter().map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt())
    };
    add("root_mm".to_owned(), &|pair| {
        sum(root(b_samples, pair.b).zip(root(a_samples, pair.a)).map(|(b, a)| b - a).into_iter())
    });
    found
}

fn sum(differences: impl Iterator<Item = f64>) -> ImageSum {
    differences
        .fold(ImageSum::default(), |total, difference| ImageSum { count: total.count + 1, sum: total.sum + difference })
}

/// Who is in both, in the order of A's images.
fn pairs(a: &Samples, b: &Samples) -> Vec<Pair> {
    let in_b: HashMap<(i64, &str), usize> = b
        .stamp_ns
        .iter()
        .zip(&b.person)
        .enumerate()
        .map(|(index, (&stamp, person))| ((stamp, person.as_str()), index))
        .collect();
    let mut pairs: Vec<Pair> = (0..a.stamp_ns.len())
        .filter_map(|index| {
            let b = *in_b.get(&(a.stamp_ns[index], a.person[index].as_str()))?;
            Some(Pair { image: a.image_index[index], a: index, b })
        })
        .collect();
    pairs.sort_by_key(|pair| pair.image);
    pairs
}

fn difference(
    pairs: &[Pair],
    interval_secs: Option<f64>,
    values: &dyn Fn(&Pair) -> ImageSum,
) -> Option<PairedDifference> {
    let (first, last) = (pairs.first()?.image, pairs.last()?.image);
    let mut images = vec![ImageSum::default(); last - first + 1];
    for pair in pairs {
        let ImageSum { count, sum } = values(pair);
        let image = &mut images[pair.image - first];
        image.count += count;
        image.sum += sum;
    }
    let pairs: usize = images.iter().map(|image| image.count).sum();
    let mean = images.iter().map(|image| image.sum).sum::<f64>() / pairs as f64;
    let interval = block_length(images.len(), interval_secs).and_then(|block| interval_of_mean(&images, block, SEED));
    (pairs > 0).then_some(PairedDifference { pairs, mean, interval })
}
