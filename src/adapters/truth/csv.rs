//! Truth as CSV: one joint of one person in one image a line, in the camera optical frame.
//!
//! The first line names the columns, in any order. Needed: `joint` (name in the internal set), `x_m`, `y_m`, `z_m`, and
//! which image it is: `stamp_ns` (integer), `stamp` (seconds, decimal, exact to the nanosecond) or `image_index` (place
//! in the recording, from 0); where several are there, the first of these counts. `person` tells people apart; without
//! it there is one. `action` says what the person does in that image, the same in all its lines; empty is unknown. Other
//! columns are not used. A line with x, y and z all empty is a joint without truth.
//!
//! `reprojection_px` may say how far the point, projected, lies from what its maker saw in the image. Where the caller
//! sets a limit, lines above it, or without a value, are joints without truth, and counted.
//!
//! Nothing is repaired: the first line that cannot be meant is refused with its number.

use std::fmt;
use std::path::Path;

use nalgebra::Point3;

use crate::data::Stamp;
use crate::metrics::{ImageReference, TruthPerson, TruthSequence};
use crate::skeleton::{JOINT_COUNT, Joint};

/// A truth file that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TruthCsvError {
    /// It cannot be read.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// What the system said.
        reason: String,
    },
    /// There is no line of column names.
    #[error("is empty: the first line must name the columns ({COLUMNS})")]
    Empty,
    /// Columns are missing or twice there.
    #[error("line 1: column {column} {problem} (columns are {found}; needed are {COLUMNS})")]
    Column {
        /// Which one.
        column: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What the file has.
        found: String,
    },
    /// A line that cannot be meant.
    #[error("line {line}: {problem}")]
    Line {
        /// Number of the line from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// All joints are foreign.
    #[error("has no joint of ours: it has {found}; ours are {}", ours())]
    NoJoint {
        /// What it has.
        found: String,
    },
    /// The limit leaves nothing.
    #[error("has no line left: all {lines} reproject too far away; raise the limit")]
    AllLeftOut {
        /// Lines left out.
        lines: usize,
    },
}

/// The column that a truth must not have: `export` names another frame than the camera's in it.
pub const FRAME_COLUMN: &str = "in_frame";

const COLUMNS: &str = "image_index or stamp or stamp_ns, joint, x_m, y_m, z_m; person where there are several, action";

fn ours() -> String {
    Joint::ALL.map(Joint::name).join(", ")
}

/// A truth and what of the file was not used.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthCsv {
    /// The truth.
    pub truth: TruthSequence,
    /// Names of joints that are not ours, each once.
    pub foreign_joints: Vec<String>,
    /// Lines with a joint of ours that reproject too far away, or do not say how far.
    pub left_out: usize,
}

/// Reads the file at `path`; lines whose `reprojection_px` exceeds `max_reprojection_px` are left out.
///
/// # Errors
/// [`TruthCsvError`] with the line.
pub fn read_truth_csv(path: &Path, max_reprojection_px: Option<f64>) -> Result<TruthCsv, TruthCsvError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| TruthCsvError::Unreadable { reason: error.to_string() })?;
    parse_truth_csv(&text, max_reprojection_px)
}

/// Reads the text of a CSV file.
///
/// # Errors
/// [`TruthCsvError`] with the line.
pub fn parse_truth_csv(text: &str, max_reprojection_px: Option<f64>) -> Result<TruthCsv, TruthCsvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let (_, header) = lines.next().filter(|(_, line)| !line.is_empty()).ok_or(TruthCsvError::Empty)?;
    let columns = Columns::of(header, max_reprojection_px)?;
    let mut read = TruthCsv { truth: TruthSequence::default(), foreign_joints: Vec::new(), left_out: 0 };
    for (line, text) in lines.filter(|(_, text)| !text.is_empty()) {
        columns.add_line(text, &mut read).map_err(|problem| TruthCsvError::Line { line, problem })?;
    }
    if read.truth.images.is_empty() {
        if read.left_out > 0 {
            return Err(TruthCsvError::AllLeftOut { lines: read.left_out });
        }
        let found =
            if read.foreign_joints.is_empty() { "none at all".to_owned() } else { read.foreign_joints.join(", ") };
        return Err(TruthCsvError::NoJoint { found });
    }
    Ok(read)
}

/// How a line names its image.
#[derive(Clone, Copy)]
enum ImageColumn {
    StampNanoseconds(usize),
    StampSeconds(usize),
    Index(usize),
}

/// Where what is.
struct Columns {
    count: usize,
    image: ImageColumn,
    joint: usize,
    xyz: [usize; 3],
    person: Option<usize>,
    action: Option<usize>,
    /// Column and limit.
    max_reprojection_px: Option<(usize, f64)>,
}

impl Columns {
    fn of(header: &str, max_reprojection_px: Option<f64>) -> Result<Self, TruthCsvError> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let refuse = |column: &str, problem| {
            let column = if column.is_empty() { "without a name" } else { column };
            TruthCsvError::Column { column: column.to_owned(), problem, found: names.join(", ") }
        };
        if let Some(name) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
            return Err(refuse(name, "is there twice"));
        }
        let find = |name: &str| names.iter().position(|&column| column == name);
        if find(FRAME_COLUMN).is_some() {
            return Err(refuse(
                FRAME_COLUMN,
                "says that the joints are not in the camera's frame: export them without --frame",
            ));
        }
        let need = |name: &'static str| find(name).ok_or_else(|| refuse(name, "is missing"));
        let image = find("stamp_ns")
            .map(ImageColumn::StampNanoseconds)
            .or_else(|| find("stamp").map(ImageColumn::StampSeconds))
            .or_else(|| find("image_index").map(ImageColumn::Index))
            .ok_or_else(|| refuse("image_index", "is missing"))?;
        Ok(Self {
            count: names.len(),
            image,
            joint: need("joint")?,
            xyz: [need("x_m")?, need("y_m")?, need("z_m")?],
            person: find("person"),
            action: find("action"),
            max_reprojection_px: match max_reprojection_px {
                Some(limit) => Some((need("reprojection_px")?, limit)),
                None => None,
            },
        })
    }

    fn add_line(&self, line: &str, read: &mut TruthCsv) -> Result<(), String> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        if fields.len() != self.count {
            return Err(format!("{} fields, the first line has {} columns", fields.len(), self.count));
        }
        let image = self.image(&fields)?;
        let person = self.person.map_or("", |at| fields[at]);
        let action = self.action.map(|at| fields[at]).filter(|action| !action.is_empty());
        let name = fields[self.joint];
        let point = self.point(&fields)?;
        let Some(joint) = Joint::from_name(name) else {
            if !read.foreign_joints.iter().any(|known| known == name) {
                read.foreign_joints.push(name.to_owned());
            }
            return Ok(());
        };
        // Lines without a point make no person and no image: nobody is claimed to be there, or not to be.
        let Some(point) = point else { return Ok(()) };
        if !self.is_near_enough(&fields)? {
            read.left_out += 1;
            return Ok(());
        }
        let people = read.truth.images.entry(image).or_default();
        let known = people.iter().position(|known| known.person == person).unwrap_or_else(|| {
            people.push(TruthPerson {
                person: person.to_owned(),
                action: action.map(str::to_owned),
                joints: [None; JOINT_COUNT],
            });
            people.len() - 1
        });
        if people[known].action.as_deref() != action {
            let before = people[known].action.as_deref().unwrap_or_default();
            return Err(format!(
                "action \"{}\", but \"{before}\" before, of the same person and image",
                action.unwrap_or_default()
            ));
        }
        let slot = &mut people[known].joints[joint.index()];
        if slot.replace(point).is_some() {
            return Err(format!("{name} is there twice for this image and person"));
        }
        Ok(())
    }

    fn image(&self, fields: &[&str]) -> Result<ImageReference, String> {
        let parsed = match self.image {
            ImageColumn::StampNanoseconds(at) => fields[at]
                .parse()
                .ok()
                .map(Stamp::from_nanoseconds)
                .map(ImageReference::Stamp)
                .ok_or((at, "stamp_ns is no integer")),
            ImageColumn::StampSeconds(at) => {
                seconds(fields[at]).map(ImageReference::Stamp).ok_or((at, "stamp is no time in seconds"))
            }
            ImageColumn::Index(at) => {
                fields[at].parse().ok().map(ImageReference::Index).ok_or((at, "image_index is no whole number from 0"))
            }
        };
        parsed.map_err(|(at, problem)| format!("{problem}: \"{}\"", fields[at]))
    }

    /// Whether the line keeps the limit; without a value it does not.
    fn is_near_enough(&self, fields: &[&str]) -> Result<bool, String> {
        let Some((at, limit)) = self.max_reprojection_px else { return Ok(true) };
        if fields[at].is_empty() {
            return Ok(false);
        }
        let distance = fields[at].parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
        distance
            .map(|distance| distance <= limit)
            .ok_or_else(|| format!("reprojection_px is no number of pixels: \"{}\"", fields[at]))
    }

    /// `None` where all three are empty.
    fn point(&self, fields: &[&str]) -> Result<Option<Point3<f64>>, String> {
        if self.xyz.iter().all(|&at| fields[at].is_empty()) {
            return Ok(None);
        }
        let mut point = Point3::origin();
        for (axis, (&at, name)) in self.xyz.iter().zip(["x_m", "y_m", "z_m"]).enumerate() {
            point[axis] =
                fields[at].parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| {
                    format!("{name} of {} is no finite number: \"{}\"", fields[self.joint], fields[at])
                })?;
        }
        Ok(Some(point))
    }
}

/// A decimal number of seconds, without the loss of a float; digits beyond the nanosecond are cut.
fn seconds(text: &str) -> Option<Stamp> {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_decimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_decimal(whole) || !is_decimal(fraction) {
        return None;
    }
    let nanoseconds: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let total = whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanoseconds.parse().ok()?)?;
    Some(Stamp::from_nanoseconds(if is_negative { -total } else { total }))
}

impl fmt::Display for TruthCsv {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joints: usize =
            self.truth.images.values().flatten().map(|person| person.joints.iter().flatten().count()).sum();
        write!(formatter, "{joints} joints in {} images", self.truth.images.len())?;
        if !self.foreign_joints.is_empty() {
            write!(formatter, "; not ours and left out: {}", self.foreign_joints.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    fn refusal(text: &str) -> String {
        parse_truth_csv(text, None).unwrap_err().to_string()
    }

    #[test]
    fn lines_become_people_and_joints() {
        let text = "\u{feff}person,joint,z_m,y_m,x_m,image_index,note\r\nanna,l_hip,3,0.5,-1e-1,4,\r\n\
                    ben,l_hip,4,0,0,4,x\r\nanna,r_hip,,,,4,\r\nanna,tail,1,1,1,4,\r\n\r\nanna,nose,2,0,0,0,\n";
        let read = parse_truth_csv(text, None).unwrap();
        let images = &read.truth.images;
        assert_eq!(images.keys().copied().collect::<Vec<_>>(), [ImageReference::Index(0), ImageReference::Index(4)]);
        let [anna, ben] = images[&ImageReference::Index(4)].as_slice() else { panic!("not two people") };
        assert_eq!((anna.person.as_str(), ben.person.as_str()), ("anna", "ben"));
        assert_eq!(anna.joints[Joint::LHip.index()], Some(Point3::new(-0.1, 0.5, 3.0)));
        assert_eq!(anna.joints.iter().flatten().count(), 1);
        assert_eq!(read.to_string(), "3 joints in 2 images; not ours and left out: tail");
    }

    #[test]
    fn an_action_is_of_a_person_in_an_image() {
        let header = "image_index,person,action,joint,x_m,y_m,z_m\n";
        let read = parse_truth_csv(
            &format!("{header}0,a,sit,nose,0,0,1\n0,a,sit,head,0,0,1\n1,a,,nose,0,0,1\n0,b,walk,nose,0,0,1"),
            None,
        );
        let images = read.unwrap().truth.images;
        let actions = |index| {
            images[&ImageReference::Index(index)].iter().map(|person| person.action.as_deref()).collect::<Vec<_>>()
        };
        assert_eq!((actions(0), actions(1)), (vec![Some("sit"), Some("walk")], vec![None]));
        let mixed = refusal(&format!("{header}0,a,sit,nose,0,0,1\n0,a,walk,head,0,0,1"));
        assert_eq!(mixed, "line 3: action \"walk\", but \"sit\" before, of the same person and image");
    }

    #[test]
    fn stamps_are_exact() {
        let read =
            parse_truth_csv("stamp,joint,x_m,y_m,z_m\n1700000000.123456789,nose,0,0,1\n12.5,nose,0,0,1", None).unwrap();
        let stamps =
            [12_500_000_000, 1_700_000_000_123_456_789].map(Stamp::from_nanoseconds).map(ImageReference::Stamp);
        assert_eq!(read.truth.images.keys().copied().collect::<Vec<_>>(), stamps);
        let read = parse_truth_csv("image_index,stamp_ns,joint,x_m,y_m,z_m\n0,-7,nose,0,0,1", None).unwrap();
        assert!(read.truth.images.contains_key(&ImageReference::Stamp(Stamp::from_nanoseconds(-7))));
        assert_eq!(seconds("-0.000000001"), Some(Stamp::from_nanoseconds(-1)));
        for text in ["", ".", ".5", "1e9", "+1", "1.2.3", "nan", "99999999999999999999"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line() {
        let header = "image_index,joint,x_m,y_m,z_m\n";
        let with = |lines: &str| refusal(&format!("{header}{lines}"));
        assert!(with("0,nose,0,0,1\n1,nose,0,NaN,1").starts_with("line 3: y_m of nose is no finite number: \"NaN\""));
        assert!(with("0,nose,0,0").starts_with("line 2: 4 fields"));
        assert!(with("0,nose,0,0,1\n0,nose,0,0,1").starts_with("line 3: nose is there twice"));
        assert!(with("-1,nose,0,0,1").contains("image_index is no whole number from 0: \"-1\""));
        assert!(with("0,nose,,0,1").contains("x_m of nose"));
        assert!(with("0,tail,0,0,1").contains("has no joint of ours: it has tail; ours are pelvis"));
        assert!(with("").contains("none at all"));
        assert!(refusal("").contains("is empty"));
        assert!(refusal("image_index,joint,x_m,y_m\n").contains("column z_m is missing"));
        assert!(refusal("joint,x_m,y_m,z_m\n").contains("column image_index is missing"));
        assert!(refusal("joint,joint,x_m,y_m,z_m,stamp\n").contains("joint is there twice"));
    }

    #[test]
    fn lines_beyond_the_limit_are_left_out_and_counted() {
        let text = "image_index,joint,x_m,y_m,z_m,reprojection_px\n0,nose,0,0,1,2.5\n0,head,0,0,1,2.6\n\
                    1,nose,0,0,1,\n1,tail,0,0,1,9\n1,head,,,,9\n";
        let all = parse_truth_csv(text, None).unwrap();
        assert_eq!((all.truth.images.len(), all.left_out), (2, 0));
        let some = parse_truth_csv(text, Some(2.5)).unwrap();
        assert_eq!((some.truth.images.len(), some.left_out), (1, 2));
        let refused = |limit, text: &str| parse_truth_csv(text, Some(limit)).unwrap_err().to_string();
        assert!(refused(1.0, text).contains("all 3 reproject too far away"));
        assert!(
            refused(1.0, "image_index,joint,x_m,y_m,z_m\n0,nose,0,0,1").contains("column reprojection_px is missing")
        );
        assert!(
            refused(1.0, &text.replace("2.6", "-1")).contains("line 3: reprojection_px is no number of pixels: \"-1\"")
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(image_index|stamp|joint|x_m|,|\n|[0-9]|nose|.){0,60}") {
            let _ = parse_truth_csv(&text, None);
            let _ = parse_truth_csv(&format!("stamp,joint,x_m,y_m,z_m\n{text}"), Some(3.0));
        }
    }
}
