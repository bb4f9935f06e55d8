//! Rules of a regression gate: `METRIC OP BOUND`, broken where it holds for B.
//!
//! ```text
//! mpjpe_mm > 1.02x          B's MPJPE is more than 2 % above A's
//! pck_150mm < -0.01         B's PCK is more than 0.01 below A's
//! root_mm >= +5             B's root error is at least 5 mm above A's
//! per_joint.l_wrist.mpjpe_mm > 90     absolute: A does not matter
//! ```
//! OP is `>`, `>=`, `<` or `<=`. A number with `x` is a factor of A's value, one with a sign is added to it, any other
//! stands for itself. Blanks do not matter. A rule that cannot be judged, because a side has no value, is broken: a gate
//! must not open on missing numbers.
//!
//! The unit at the end of a metric's name and the groups before it may be left out where that is clear: `mpjpe` is
//! `mpjpe_mm`, `idf1` is `identity.idf1`, `l_wrist.mpjpe` is `per_joint.l_wrist.mpjpe_mm`. A name that is there as it stands
//! means itself; of several that a short one fits, the one in the fewest groups is meant, so that `mpjpe` is the one of
//! the whole run and not of a joint; several in equally few (`mpjve` in mm and in mm/s) are refused with their names.

use std::fmt;

use crate::config::nearest::nearest;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

impl Operator {
    /// Longer signs before the shorter ones that they begin with.
    const SIGNS: [(&'static str, Self); 4] =
        [(">=", Self::AtLeast), ("<=", Self::AtMost), (">", Self::Above), ("<", Self::Below)];

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
        }
    }
}

/// What B's value is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// A number.
    Absolute(f64),
    /// A's value times this.
    Factor(f64),
    /// A's value plus this.
    Offset(f64),
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    /// Name of the metric.
    pub metric: String,
    /// Comparison.
    pub operator: Operator,
    /// Right-hand side.
    pub bound: Bound,
}

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}', character {position}: {problem}")]
pub struct RuleError {
    /// The rule.
    pub text: String,
    /// Number of the character, from 1.
    pub position: usize,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It does not hold for B.
    Kept,
    /// It holds for B; the sentence has the numbers.
    Broken(String),
}

impl Rule {
    /// Reads a rule about one of the metrics `known`.
    ///
    /// # Errors
    /// [`RuleError`] with the place.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, RuleError> {
        let refuse = |at: usize, problem: String| RuleError {
            text: text.to_owned(),
            position: text[..at].chars().count() + 1,
            problem,
        };
        let start = text.len() - text.trim_start().len();
        let sign_at = text[start..].find(['<', '>', '=']).map(|at| start + at);
        let metric = text[start..sign_at.unwrap_or(text.len())].trim_end();
        if metric.is_empty() {
            return Err(refuse(start, format!("a metric is missing; known are {}", listed(known))));
        }
        let metric = match meant_by(metric, known).as_slice() {
            [only] => *only,
            [] => {
                let close = nearest(metric, known.iter().copied());
                let known = listed(known);
                return Err(refuse(
                    start,
                    format!("there is no metric \"{metric}\"; did you mean {close}? known are {known}"),
                ));
            }
            several => {
                let problem = format!("\"{metric}\" may be {}: write which", several.join(" or "));
                return Err(refuse(start, problem));
            }
        };
        let operator_at = sign_at.unwrap_or(text.len());
        let sign = Operator::SIGNS.into_iter().find(|(sign, _)| text[operator_at..].starts_with(sign));
        let Some((sign, operator)) = sign else {
            return Err(refuse(operator_at, "expected >, >=, < or <= after the metric".to_owned()));
        };
        let rest = &text[operator_at + sign.len()..];
        let bound_at = operator_at + sign.len() + (rest.len() - rest.trim_start().len());
        let bound = bound(rest.trim()).ok_or_else(|| {
            refuse(
                bound_at,
                format!(
                    "\"{}\" is no bound: expected a number such as 60, 1.02x (of A), +5 or -0.01 (from A)",
                    rest.trim()
                ),
            )
        })?;
        Ok(Self { text: text.trim().to_owned(), metric: metric.to_owned(), operator, bound })
    }

    /// Judges B's value against A's.
    pub fn judge(&self, a: Option<f64>, b: Option<f64>) -> Verdict {
        let bound = match self.bound {
            Bound::Absolute(bound) => Some(bound),
            Bound::Factor(factor) => a.map(|a| a * factor),
            Bound::Offset(offset) => a.map(|a| a + offset),
        };
        match (b, bound) {
            (Some(b), Some(bound)) if self.operator.holds(b, bound) => {
                Verdict::Broken(format!("'{self}' is broken: B has {}, the bound is {}", short(b), short(bound)))
            }
            (Some(_), Some(_)) => Verdict::Kept,
            (None, _) => Verdict::Broken(format!("'{self}' cannot be judged: B has no {}", self.metric)),
            (_, None) => Verdict::Broken(format!("'{self}' cannot be judged: A has no {}", self.metric)),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A number in the digits that matter.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn bound(text: &str) -> Option<Bound> {
    // `parse` would take "inf" and "nan".
    let number = |digits: &str| -> Option<f64> {
        let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
        digits.parse().ok().filter(|value: &f64| is_number && value.is_finite())
    };
    if let Some(factor) = text.strip_suffix('x') {
        return number(factor.trim_end()).map(Bound::Factor);
    }
    if let Some(offset) = text.strip_prefix('+') {
        return number(offset.trim_start()).map(Bound::Offset);
    }
    if let Some(offset) = text.strip_prefix('-') {
        return number(offset.trim_start()).map(|value| Bound::Offset(-value));
    }
    number(text).map(Bound::Absolute)
}

/// Units at the end of names, longer ones before those they end with.
const UNITS: [&str; 6] = ["_mm_per_s2", "_mm_per_s", "_m_per_s3", "_150mm", "_mm", "_s"];

/// The known names that `name` may mean: itself, or those with the fewest groups of which only groups and unit are left out.
fn meant_by<'a>(name: &str, known: &[&'a str]) -> Vec<&'a str> {
    if let Some(itself) = known.iter().find(|&&candidate| candidate == name) {
        return vec![itself];
    }
    let groups = |candidate: &str| candidate.matches('.').count();
    let fits = |candidate: &str| {
        let without_unit = UNITS.iter().find_map(|unit| candidate.strip_suffix(unit));
        [Some(candidate), without_unit]
            .into_iter()
            .flatten()
            .any(|whole| whole.strip_suffix(name).is_some_and(|groups| groups.is_empty() || groups.ends_with('.')))
    };
    let fitting: Vec<&str> = known.iter().copied().filter(|candidate| fits(candidate)).collect();
    let fewest = fitting.iter().map(|candidate| groups(candidate)).min();
    fitting.into_iter().filter(|candidate| Some(groups(candidate)) == fewest).collect()
}

/// The names that people want most: those without dots; the others are counted by their first part.
fn listed(known: &[&str]) -> String {
    let (deep, flat): (Vec<&str>, Vec<&str>) = known.iter().partition(|name| name.contains('.'));
    let mut parts: Vec<&str> = deep.iter().filter_map(|name| name.split('.').next()).collect();
    parts.dedup();
    let deep = parts.iter().map(|part| format!("{part}.…"));
    flat.iter().map(|name| (*name).to_owned()).chain(deep).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const KNOWN: [&str; 9] = [
        "auc",
        "coverage.90",
        "identity.idf1",
        "jitter_m_per_s3",
        "mpjpe_mm",
        "mpjve_mm",
        "mpjve_mm_per_s",
        "per_joint.l_wrist.mpjpe_mm",
        "per_joint.r_wrist.mpjpe_mm",
    ];

    fn parse(text: &str) -> Rule {
        Rule::parse(text, &KNOWN).unwrap()
    }

    fn refusal(text: &str) -> String {
        Rule::parse(text, &KNOWN).unwrap_err().to_string()
    }

    #[test]
    fn every_form_is_read() {
        for (text, metric, operator, bound) in [
            ("mpjpe_mm > 1.02x", "mpjpe_mm", Operator::Above, Bound::Factor(1.02)),
            ("  mpjpe_mm>=60 ", "mpjpe_mm", Operator::AtLeast, Bound::Absolute(60.0)),
            ("auc<-0.01", "auc", Operator::Below, Bound::Offset(-0.01)),
            ("coverage.90 <= + .5", "coverage.90", Operator::AtMost, Bound::Offset(0.5)),
            ("per_joint.l_wrist.mpjpe_mm > 1e2 x", "per_joint.l_wrist.mpjpe_mm", Operator::Above, Bound::Factor(100.0)),
        ] {
            let rule = parse(text);
            assert_eq!((rule.metric.as_str(), rule.operator, rule.bound), (metric, operator, bound), "{text}");
            assert_eq!(rule.to_string(), text.trim());
        }
    }

    #[test]
    fn groups_and_units_may_be_left_out_where_that_is_clear() {
        for (short, whole) in [
            ("mpjpe", "mpjpe_mm"),
            ("idf1", "identity.idf1"),
            ("jitter", "jitter_m_per_s3"),
            ("90", "coverage.90"),
            ("mpjve_mm", "mpjve_mm"),
            ("l_wrist.mpjpe", "per_joint.l_wrist.mpjpe_mm"),
            ("per_joint.l_wrist.mpjpe", "per_joint.l_wrist.mpjpe_mm"),
            ("r_wrist.mpjpe_mm", "per_joint.r_wrist.mpjpe_mm"),
        ] {
            assert_eq!(parse(&format!("{short} > 1.02x")).metric, whole, "{short}");
        }
        assert_eq!(parse("mpjpe > 1.02x").to_string(), "mpjpe > 1.02x", "as it was written");
        let several = refusal(" mpjve > 1");
        assert!(several.contains("character 2: \"mpjve\" may be mpjve_mm or mpjve_mm_per_s: write which"), "{several}");
        let wrists = Rule::parse("mpjpe > 1", &KNOWN[7..]).unwrap_err().to_string();
        assert!(wrists.contains("may be per_joint.l_wrist.mpjpe_mm or per_joint.r_wrist.mpjpe_mm"), "{wrists}");
        // Parts of words are no groups, and groups alone no metric.
        for wrong in ["pjpe", "wrist.mpjpe", "l_wrist", "identity", "df1", "_mm"] {
            assert!(refusal(&format!("{wrong} > 1")).contains("there is no metric"), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_read_names_the_place_and_what_there_is() {
        let text = refusal("  mpjpa > 1");
        assert!(text.contains("character 3: there is no metric \"mpjpa\"; did you mean mpjpe_mm?"), "{text}");
        let known =
            "known are auc, jitter_m_per_s3, mpjpe_mm, mpjve_mm, mpjve_mm_per_s, coverage.…, identity.…, per_joint.…";
        assert!(text.contains(known), "{text}");
        assert!(refusal("mpjpe_mm = 3").contains("character 10: expected >, >=, < or <="));
        assert!(refusal("mpjpe_mm").contains("character 9: expected >"));
        assert!(refusal("auc > ").contains("character 7: \"\" is no bound"));
        assert!(refusal("").contains("character 1: a metric is missing"));
        assert!(refusal("> 3").contains("character 1: a metric is missing"));
        for bound in ["nan", "inf", "--1", "1.0y", "1 2", "x", "+", ">1", "1e999"] {
            assert!(refusal(&format!("auc > {bound}")).contains("character 7"), "{bound}");
        }
        // Characters, not bytes.
        assert!(refusal("\u{a0}auc ≥ 1").contains("character 2: there is no metric \"auc ≥ 1\""));
    }

    #[test]
    fn rules_are_judged_against_a() {
        let judge = |text: &str, a, b| parse(text).judge(Some(a), Some(b));
        assert_eq!(judge("mpjpe_mm > 1.02x", 100.0, 102.0), Verdict::Kept);
        assert!(matches!(judge("mpjpe_mm > 1.02x", 100.0, 102.1), Verdict::Broken(_)));
        assert!(matches!(judge("mpjpe_mm >= +2", 100.0, 102.0), Verdict::Broken(_)));
        assert!(matches!(judge("auc < -0.1", 0.5, 0.3), Verdict::Broken(_)));
        assert_eq!(judge("auc < -0.1", 0.5, 0.4), Verdict::Kept);
        let broken = Verdict::Broken("'mpjpe_mm > 60' is broken: B has 60.5, the bound is 60".to_owned());
        assert_eq!(judge("mpjpe_mm > 60", 1.0, 60.5), broken);
    }

    #[test]
    fn missing_numbers_break_a_rule_that_needs_them() {
        let rule = parse("auc < 1x");
        for (a, b, side) in
            [(None, Some(0.5), "A has no auc"), (Some(0.5), None, "B has no auc"), (None, None, "B has")]
        {
            assert!(matches!(rule.judge(a, b), Verdict::Broken(text) if text.contains(side)));
        }
        assert_eq!(parse("auc < 0.1").judge(None, Some(0.5)), Verdict::Kept);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(mpjpe_mm|auc|[<>=x+-]|[0-9.]|\\PC| ){0,12}") {
            if let Err(error) = Rule::parse(&text, &KNOWN) {
                prop_assert!(error.position <= text.chars().count() + 1);
            }
        }
    }
}
