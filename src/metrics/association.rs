//! Who is who and which image is which.
//!
//! **People** of one image: the assignment of least total cost (Hungarian method, Kuhn and Munkres, in the form with
//! potentials of Jonker and Volgenant, O(n³)). The cost of a pair is the mean over the joints both have of their
//! distance across the line of sight, at the depth of the truth, plus a tenth of their difference in depth: one camera
//! knows directions far better than depths, and a skeleton in the right place but at the wrong depth shall count as an
//! error, not as a miss and a false person. Pairs that cost more than [`MATCH_DISTANCE`] are never matched.
//!
//! **Images** with stamps: nearest stamp within a tolerance, each used once.

use crate::data::Stamp;
use crate::metrics::pose_error::JointPositions;

/// Highest cost of a pair of people, m.
pub const MATCH_DISTANCE: f64 = 0.5;

/// Weight of the difference in depth.
const DEPTH_WEIGHT: f64 = 0.1;

/// Cost of taking `predicted` for `truth`, m; `None` where they have no joint in common or cost too much.
pub fn person_cost(predicted: &JointPositions, truth: &JointPositions) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for (p, t) in predicted.iter().zip(truth).filter_map(|(p, t)| (*p).zip(*t)) {
        if !(p.z > 0.0 && t.z > 0.0) {
            return None;
        }
        let across = ((p.x / p.z - t.x / t.z) * t.z).hypot((p.y / p.z - t.y / t.z) * t.z);
        sum += across + DEPTH_WEIGHT * (p.z - t.z).abs();
        count += 1;
    }
    let cost = sum / f64::from(count);
    // NaN for no joint in common.
    (cost <= MATCH_DISTANCE).then_some(cost)
}

/// For each truth the index of its prediction, or `None`: most pairs first, then least total cost.
pub fn match_people(predicted: &[JointPositions], truth: &[JointPositions]) -> Vec<Option<usize>> {
    /// More than any set of allowed pairs can cost, so that a pair is never given up to make others cheaper.
    const FORBIDDEN: f64 = 1e6;
    let size = predicted.len().max(truth.len());
    let costs: Vec<Vec<Option<f64>>> =
        truth.iter().map(|t| predicted.iter().map(|p| person_cost(p, t)).collect()).collect();
    let cost = |row: usize, column: usize| {
        costs.get(row).and_then(|row| row.get(column)).copied().flatten().unwrap_or(FORBIDDEN)
    };
    let column_of_row = assign(size, size, cost);
    (0..truth.len())
        .map(|row| column_of_row[row])
        .enumerate()
        .map(|(row, column)| costs[row].get(column).copied().flatten().map(|_| column))
        .collect()
}

/// Least-cost assignment of a cost matrix with no more rows than columns: the column of each row.
pub(super) fn assign(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    debug_assert!(rows <= columns);
    // Index 0 stands for "none"; rows and columns count from 1.
    let mut row_potential = vec![0.0; rows + 1];
    let mut column_potential = vec![0.0; columns + 1];
    let mut row_of_column = vec![0_usize; columns + 1];
    for row in 1..=rows {
        let mut way = vec![0_usize; columns + 1];
        let mut smallest = vec![f64::INFINITY; columns + 1];
        let mut used = vec![false; columns + 1];
        row_of_column[0] = row;
        let mut column = 0;
        while row_of_column[column] != 0 {
            used[column] = true;
            let current = row_of_column[column];
            let mut delta = f64::INFINITY;
            let mut next = 0;
            for candidate in (1..=columns).filter(|&candidate| !used[candidate]) {
                let reduced = cost(current - 1, candidate - 1) - row_potential[current] - column_potential[candidate];
                if reduced < smallest[candidate] {
                    smallest[candidate] = reduced;
                    way[candidate] = column;
                }
                if smallest[candidate] < delta {
                    delta = smallest[candidate];
                    next = candidate;
                }
            }
            for candidate in 0..=columns {
                if used[candidate] {
                    row_potential[row_of_column[candidate]] += delta;
                    column_potential[candidate] -= delta;
                } else {
                    smallest[candidate] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of_column[column] = row_of_column[way[column]];
            column = way[column];
        }
    }
    let mut column_of_row = vec![0; rows];
    for column in (1..=columns).filter(|&column| row_of_column[column] > 0) {
        column_of_row[row_of_column[column] - 1] = column - 1;
    }
    column_of_row
}

/// For each truth stamp the index of the result with the nearest stamp, if it is within `tolerance_ns` and no other
/// truth is nearer to that result. Results need not be sorted.
pub fn match_stamps(results: &[Stamp], truth: &[Stamp], tolerance_ns: u64) -> Vec<Option<usize>> {
    let mut by_stamp: Vec<(i64, usize)> =
        results.iter().enumerate().map(|(index, stamp)| (stamp.nanoseconds(), index)).collect();
    by_stamp.sort_unstable();
    let nearest = |stamp: Stamp| {
        let at = by_stamp.partition_point(|&(result, _)| result < stamp.nanoseconds());
        by_stamp[at.saturating_sub(1)..by_stamp.len().min(at + 1)]
            .iter()
            .map(|&(result, index)| (result.abs_diff(stamp.nanoseconds()), index))
            .min()
            .filter(|&(distance, _)| distance <= tolerance_ns)
    };
    let found: Vec<Option<(u64, usize)>> = truth.iter().map(|&stamp| nearest(stamp)).collect();
    let mut owner: Vec<Option<(u64, usize)>> = vec![None; results.len()];
    for (row, &(distance, index)) in found.iter().enumerate().filter_map(|(row, found)| Some((row, found.as_ref()?))) {
        if owner[index].is_none_or(|owner| (distance, row) < owner) {
            owner[index] = Some((distance, row));
        }
    }
    found
        .iter()
        .enumerate()
        .map(|(row, found)| {
            found.map(|(_, index)| index).filter(|&index| owner[index].is_some_and(|(_, by)| by == row))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skeleton::JOINT_COUNT;
    use nalgebra::Point3;
    use proptest::prelude::*;

    fn person(x: f64, z: f64) -> JointPositions {
        std::array::from_fn(|joint| Some(Point3::new(x, 0.1 * joint as f64, z)))
    }

    fn permutations(size: usize) -> Vec<Vec<usize>> {
        if size == 0 {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for shorter in permutations(size - 1) {
            for at in 0..size {
                let mut longer = shorter.clone();
                longer.insert(at, size - 1);
                all.push(longer);
            }
        }
        all
    }

    proptest! {
        #[test]
        fn the_assignment_is_the_best_of_all(
            columns in 1..6_usize, more in 0..3_usize, costs in prop::collection::vec(-1.0..1.0_f64, 25),
        ) {
            let rows = columns.saturating_sub(more).max(1);
            let cost = |row: usize, column: usize| costs[row * 5 + column];
            let total = |columns: &[usize]| {
                columns.iter().take(rows).enumerate().map(|(row, &column)| cost(row, column)).sum::<f64>()
            };
            let best = permutations(columns).iter().map(|columns| total(columns)).fold(f64::INFINITY, f64::min);
            let ours = assign(rows, columns, cost);
            prop_assert_eq!(ours.iter().collect::<std::collections::BTreeSet<_>>().len(), rows);
            prop_assert!((total(&ours) - best).abs() < 1e-12);
        }
    }

    #[test]
    fn people_are_matched_by_place_and_the_far_one_is_nobody() {
        let truth = [person(0.0, 3.0), person(1.0, 3.0), person(-5.0, 3.0)];
        let predicted = [person(1.1, 3.3), person(8.0, 3.0), person(0.05, 2.9), person(0.3, 3.0)];
        assert_eq!(match_people(&predicted, &truth), [Some(2), Some(0), None]);
        assert_eq!(match_people(&[], &truth), [None; 3]);
        assert!(match_people(&predicted, &[]).is_empty());
    }

    #[test]
    fn a_wrong_depth_is_an_error_not_a_miss() {
        let cost = person_cost(&person(0.0, 4.0), &person(0.0, 3.0));
        assert!(cost.is_some_and(|cost| cost < MATCH_DISTANCE), "{cost:?}");
        assert_eq!(person_cost(&person(0.0, -3.0), &person(0.0, 3.0)), None);
        assert_eq!(person_cost(&[None; JOINT_COUNT], &person(0.0, 3.0)), None);
    }

    #[test]
    fn each_result_serves_one_stamp_the_nearest() {
        let stamps = |all: &[i64]| all.iter().map(|&ns| Stamp::from_nanoseconds(ns)).collect::<Vec<_>>();
        let results = stamps(&[1000, 2000, 3000]);
        let found = match_stamps(&results, &stamps(&[990, 1020, 2500, 3100, 9000]), 200);
        assert_eq!(found, [Some(0), None, None, Some(2), None]);
        assert_eq!(match_stamps(&[], &stamps(&[1]), 200), [None]);
        assert_eq!(match_stamps(&stamps(&[3000, 1000]), &stamps(&[1001, 3001]), 5), [Some(1), Some(0)]);
    }
}
