//! Figures before and after a lifter was tuned, in mm: the table, and whether the result may be written.

use std::fmt::Write;

/// One row, mm. Less is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
    /// Whether the mean of these decides if the result may be written.
    pub gates: bool,
}

/// The table, a line a figure.
pub fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
    let mut text = format!("{:<width$}  {:>8} {:>8} {:>8}\n", "", "before", "after", "change");
    for Figure { name, before, after, .. } in figures {
        let change = after - before;
        let percent = 100.0 * change / before;
        let _ = writeln!(text, "{name:<width$}  {before:>8.2} {after:>8.2} {change:>+8.2} {percent:>+6.1} %");
    }
    let _ = writeln!(text, "{}", mean_line(figures));
    text
}

/// Mean of the figures that decide, before and after.
fn means(figures: &[Figure]) -> (f64, f64) {
    let count = figures.iter().filter(|figure| figure.gates).count().max(1) as f64;
    let mean = |of: fn(&Figure) -> f64| figures.iter().filter(|figure| figure.gates).map(of).sum::<f64>() / count;
    (mean(|figure| figure.before), mean(|figure| figure.after))
}

/// The mean that decides, in words.
pub fn mean_line(figures: &[Figure]) -> String {
    let (before, after) = means(figures);
    format!("mean MPJPE of the validation rows {before:.2} -> {after:.2} mm")
}

/// Why the result may not be written: the validation persons got worse on the mean. Names what got worse.
pub fn refusal(figures: &[Figure]) -> Option<String> {
    let (before, after) = means(figures);
    // Not `after > before`: what is not a number is no improvement.
    if after <= before {
        return None;
    }
    let worse = |figure: &&Figure| !(figure.after <= figure.before);
    let worse: Vec<String> = figures
        .iter()
        .filter(|figure| figure.gates)
        .filter(worse)
        .map(|figure| format!("{} {:+.2} mm", figure.name, figure.after - figure.before))
        .collect();
    Some(format!("no model was written, for it got worse: {}; worse are {}", mean_line(figures), worse.join("; ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn figure(name: &str, before: f64, after: f64, gates: bool) -> Figure {
        Figure { name: name.to_owned(), before, after, gates }
    }

    #[test]
    fn the_mean_decides_and_what_got_worse_is_named() {
        let worse = [figure("a", 70.0, 69.0, true), figure("b", 80.0, 82.0, true), figure("own", 20.0, 10.0, false)];
        let reason = refusal(&worse).unwrap();
        assert!(reason.contains("75.00 -> 75.50 mm") && reason.contains("b +2.00 mm"), "{reason}");
        assert!(!reason.contains("a -1") && !reason.contains("own"), "{reason}");
        let better = [figure("a", 70.0, 71.0, true), figure("b", 80.0, 78.0, true), figure("own", 20.0, 90.0, false)];
        assert_eq!(refusal(&better), None);
        assert_eq!(refusal(&[figure("same", 70.0, 70.0, true)]), None);
        assert!(refusal(&[figure("broken", 70.0, f64::NAN, true)]).unwrap().contains("broken"));
    }

    #[test]
    fn the_table_has_every_figure_with_its_change() {
        let text = table(&[figure("one", 50.0, 45.0, true), figure("another", 20.0, 21.0, false)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].contains("50.00    45.00    -5.00  -10.0 %"), "{text}");
        assert!(lines[2].contains("+1.00   +5.0 %"), "{text}");
        assert!(lines[3].contains("50.00 -> 45.00"), "{text}");
    }
}
