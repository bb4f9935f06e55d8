//! The known name that a misspelled one most probably means.
//!
//! Distance: Levenshtein with transposition of neighbours (optimal string alignment), over characters. A name without
//! its group (`nms_iou` for `detector.nms_iou`) counts as one edit.

/// The candidate nearest to `name`, the first of several equally near ones; empty when there are no candidates.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> &'a str {
    candidates.min_by_key(|candidate| distance_to(name, candidate)).unwrap_or_default()
}

fn distance_to(name: &str, candidate: &str) -> usize {
    let whole = edit_distance(name, candidate);
    match candidate.split_once('.') {
        Some((_, field)) => whole.min(1 + edit_distance(name, field)),
        None => whole,
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_previous = vec![0; b.len() + 1];
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut current = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            current[j] = replaced.min(previous[j] + 1).min(current[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                current[j] = current[j].min(before_previous[j - 2] + 1);
            }
        }
        before_previous = std::mem::replace(&mut previous, current);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn textbook_distances() {
        for (a, b, edits) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("flaw", "lawn", 2)]
        {
            assert_eq!(edit_distance(a, b), edits, "{a} -> {b}");
            assert_eq!(edit_distance(b, a), edits, "{b} -> {a}");
        }
    }

    #[test]
    fn a_field_without_its_group_is_found() {
        let known = ["input.image_topic", "detector.nms_iou", "track.min_hits"];
        assert_eq!(nearest("nms_iou", known.into_iter()), "detector.nms_iou");
        assert_eq!(nearest("detector.nsm_iou", known.into_iter()), "detector.nms_iou");
        assert_eq!(nearest("trak.minhits", known.into_iter()), "track.min_hits");
    }
}
