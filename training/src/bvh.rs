//! Biovision hierarchy files: skeleton, motion, forward kinematics.
//!
//! A joint's channels apply in the order in which the file lists them: rotations multiply from the left,
//! `parent_from_joint = R(first) R(second) R(third)`, and a position channel takes the place of that
//! coordinate of the joint's offset. Lengths are in the file's unit, angles in degrees. An end site is a joint
//! called after its parent with `_End`.
//!
//! Whatever is wrong with a file is an error with its line; no text makes the parser panic.

use nalgebra::{Rotation3, Unit, Vector3};

/// Frames further apart than this are no movement, s.
const SLOWEST_FRAME_SECS: f64 = 0.2;
/// A file nests joints no deeper than this.
const MAX_JOINTS: usize = 10_000;

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BvhError {
    /// Line, from 1.
    pub line: usize,
    /// What was found, and what was expected.
    pub reason: String,
}

/// One degree of freedom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Position along an axis (0, 1, 2).
    Position(usize),
    /// Rotation about an axis (0, 1, 2).
    Rotation(usize),
}

/// One joint or end site.
#[derive(Clone, Debug, PartialEq)]
pub struct BvhJoint {
    /// Name.
    pub name: String,
    /// Index of the parent, lower than the joint's own; `None` for the root.
    pub parent: Option<usize>,
    /// Place in the parent's frame.
    pub offset: Vector3<f64>,
    /// Degrees of freedom in the order of the motion's columns.
    pub channels: Vec<Channel>,
}

/// A skeleton and its motion.
#[derive(Clone, Debug, PartialEq)]
pub struct Bvh {
    /// Joints, parents first.
    pub joints: Vec<BvhJoint>,
    /// Time between two frames, s.
    pub frame_secs: f64,
    /// `[frame_count, channels]`.
    motion: Vec<f64>,
    frame_count: usize,
}

impl Bvh {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`BvhError`] names the line, what was found and what was expected.
    pub fn parse(text: &str) -> Result<Self, BvhError> {
        // Some programs write a byte order mark.
        let mut reader = Reader::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        let joints = hierarchy(&mut reader)?;
        let channels = joints.iter().map(|joint| joint.channels.len()).sum();
        reader.keyword("Frames:")?;
        let (line, count) = reader.token("the number of frames")?;
        let frame_count: usize = count
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| refuse(line, format!("\"{count}\" is no number of frames")))?;
        reader.keyword("Frame")?;
        reader.keyword("Time:")?;
        let (line, frame_secs) = reader.number("the frame time")?;
        if !(frame_secs > 0.0 && frame_secs <= SLOWEST_FRAME_SECS) {
            let reason = format!(
                "a frame time of {frame_secs} s; expected more than 0 and at most {SLOWEST_FRAME_SECS} (it is in seconds, not in ms \
                 or frames a second)"
            );
            return Err(refuse(line, reason));
        }
        let motion = motion(reader, frame_count, channels)?;
        Ok(Self { joints, frame_secs, motion, frame_count })
    }

    /// Frames of the motion, at least one.
    pub fn frame_count(&self) -> usize {
        self.frame_count
    }

    /// Where every joint is in frame `frame`, in the file's axes and unit.
    pub fn positions(&self, frame: usize) -> Vec<Vector3<f64>> {
        let width = self.motion.len() / self.frame_count;
        let mut values = self.motion[frame * width..(frame + 1) * width].iter();
        let mut world: Vec<(Rotation3<f64>, Vector3<f64>)> = Vec::with_capacity(self.joints.len());
        for joint in &self.joints {
            let mut place = joint.offset;
            let mut turn = Rotation3::identity();
            for (channel, value) in joint.channels.iter().zip(values.by_ref()) {
                match channel {
                    Channel::Position(axis) => place[*axis] = *value,
                    Channel::Rotation(axis) => {
                        turn *= Rotation3::from_axis_angle(&unit(*axis), value.to_radians());
                    }
                }
            }
            let placed = match joint.parent {
                Some(parent) => {
                    let (world_from_parent, origin) = world[parent];
                    (world_from_parent * turn, origin + world_from_parent * place)
                }
                None => (turn, place),
            };
            world.push(placed);
        }
        world.into_iter().map(|(_, position)| position).collect()
    }
}

fn unit(axis: usize) -> Unit<Vector3<f64>> {
    [Vector3::x_axis(), Vector3::y_axis(), Vector3::z_axis()][axis]
}

fn refuse(line: usize, reason: impl Into<String>) -> BvhError {
    BvhError { line, reason: reason.into() }
}

/// Words with their lines.
struct Reader<'a> {
    words: std::iter::Peekable<Box<dyn Iterator<Item = (usize, &'a str)> + 'a>>,
    last_line: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let words: Box<dyn Iterator<Item = (usize, &'a str)> + 'a> = Box::new(
            text.lines()
                .enumerate()
                .flat_map(|(index, line)| line.split_whitespace().map(move |word| (index + 1, word))),
        );
        Self { words: words.peekable(), last_line: 1 }
    }

    fn token(&mut self, expected: &str) -> Result<(usize, &'a str), BvhError> {
        let (line, word) = self
            .words
            .next()
            .ok_or_else(|| refuse(self.last_line, format!("the file ends here; expected {expected}")))?;
        self.last_line = line;
        Ok((line, word))
    }

    fn keyword(&mut self, keyword: &str) -> Result<usize, BvhError> {
        let (line, word) = self.token(&format!("\"{keyword}\""))?;
        if word.eq_ignore_ascii_case(keyword) {
            Ok(line)
        } else {
            Err(refuse(line, format!("\"{word}\"; expected \"{keyword}\"")))
        }
    }

    fn number(&mut self, expected: &str) -> Result<(usize, f64), BvhError> {
        let (line, word) = self.token(expected)?;
        Ok((line, number(line, word)?))
    }

    /// The rest of the line up to an opening brace, as a name.
    fn name(&mut self) -> Result<String, BvhError> {
        let (line, word) = self.token("the joint's name")?;
        let mut name = word.to_owned();
        while let Some((_, word)) = self.words.next_if(|(at, word)| *at == line && *word != "{") {
            name.push(' ');
            name.push_str(word);
        }
        Ok(name)
    }
}

fn number(line: usize, word: &str) -> Result<f64, BvhError> {
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(refuse(line, format!("\"{word}\" is no finite number"))),
    }
}

/// From `HIERARCHY` to `MOTION`.
fn hierarchy(reader: &mut Reader<'_>) -> Result<Vec<BvhJoint>, BvhError> {
    reader.keyword("HIERARCHY")?;
    reader.keyword("ROOT")?;
    let mut joints = Vec::new();
    let mut open = Vec::new();
    let name = reader.name()?;
    begin_joint(reader, &mut joints, &mut open, name, true)?;
    loop {
        let (line, word) = reader.token("\"JOINT\", \"End Site\", \"}\" or \"MOTION\"")?;
        if joints.len() >= MAX_JOINTS {
            return Err(refuse(line, format!("more than {MAX_JOINTS} joints")));
        }
        match word.to_ascii_uppercase().as_str() {
            "}" => {
                open.pop().ok_or_else(|| refuse(line, "\"}\" without a joint that it closes"))?;
            }
            "JOINT" if !open.is_empty() => {
                let name = reader.name()?;
                begin_joint(reader, &mut joints, &mut open, name, true)?;
            }
            "END" => {
                reader.keyword("Site")?;
                let Some(&parent) = open.last() else {
                    return Err(refuse(line, "\"End Site\" outside of a joint"));
                };
                let parent: &BvhJoint = &joints[parent];
                let name = format!("{}_End", parent.name);
                begin_joint(reader, &mut joints, &mut open, name, false)?;
            }
            "MOTION" if open.is_empty() => return Ok(joints),
            "MOTION" => {
                let unclosed = open.last().map_or("", |&joint: &usize| joints[joint].name.as_str());
                return Err(refuse(line, format!("\"MOTION\" before joint \"{unclosed}\" is closed by \"}}\"")));
            }
            "ROOT" => return Err(refuse(line, "a second \"ROOT\"; give each person a file of their own")),
            _ => {
                return Err(refuse(
                    line,
                    format!("\"{word}\"; expected \"JOINT\", \"End Site\", \"}}\" or \"MOTION\""),
                ));
            }
        }
    }
}

fn begin_joint(
    reader: &mut Reader<'_>,
    joints: &mut Vec<BvhJoint>,
    open: &mut Vec<usize>,
    name: String,
    moves: bool,
) -> Result<(), BvhError> {
    reader.keyword("{")?;
    reader.keyword("OFFSET")?;
    let mut offset = Vector3::zeros();
    for axis in 0..3 {
        offset[axis] = reader.number("three coordinates of the offset")?.1;
    }
    let channels = if moves { channels(reader)? } else { Vec::new() };
    let parent = open.last().copied();
    open.push(joints.len());
    joints.push(BvhJoint { name, parent, offset, channels });
    Ok(())
}

fn channels(reader: &mut Reader<'_>) -> Result<Vec<Channel>, BvhError> {
    reader.keyword("CHANNELS")?;
    let (line, count) = reader.token("the number of channels")?;
    let count: usize = count
        .parse()
        .ok()
        .filter(|count| *count <= 6)
        .ok_or_else(|| refuse(line, format!("\"{count}\" channels; expected 0 to 6")))?;
    let mut channels = Vec::with_capacity(count);
    for _ in 0..count {
        let (line, word) = reader.token("a channel, as Xposition or Zrotation")?;
        let channel = match word.to_ascii_lowercase().as_str() {
            "xposition" => Channel::Position(0),
            "yposition" => Channel::Position(1),
            "zposition" => Channel::Position(2),
            "xrotation" => Channel::Rotation(0),
            "yrotation" => Channel::Rotation(1),
            "zrotation" => Channel::Rotation(2),
            _ => return Err(refuse(line, format!("\"{word}\"; expected a channel, as Xposition or Zrotation"))),
        };
        if channels.contains(&channel) {
            return Err(refuse(line, format!("channel \"{word}\" twice in one joint")));
        }
        channels.push(channel);
    }
    Ok(channels)
}

/// One line of numbers a frame.
fn motion(reader: Reader<'_>, frame_count: usize, channels: usize) -> Result<Vec<f64>, BvhError> {
    if channels == 0 {
        return Err(refuse(reader.last_line, "the skeleton has no channels: it cannot move"));
    }
    let mut motion: Vec<f64> = Vec::new();
    let (mut row_line, mut row_start, mut last_line) = (0, 0, reader.last_line);
    for (line, word) in reader.words {
        if line != row_line {
            if !motion.len().is_multiple_of(channels) {
                let found = motion.len() - row_start;
                return Err(refuse(row_line, format!("{found} values; the skeleton has {channels} channels")));
            }
            row_start = motion.len();
        }
        if motion.len() / channels == frame_count {
            return Err(refuse(line, format!("more than the {frame_count} frames that \"Frames:\" announces")));
        }
        row_line = line;
        last_line = line;
        motion.push(number(line, word)?);
    }
    let (frames, rest) = (motion.len() / channels, motion.len() % channels);
    if (frames, rest) != (frame_count, 0) {
        let reason =
            format!("the file ends after {frames} frames and {rest} values of {frame_count} frames: it is cut");
        return Err(refuse(last_line, reason));
    }
    Ok(motion)
}

#[cfg(test)]
#[path = "bvh_tests.rs"]
mod tests;
