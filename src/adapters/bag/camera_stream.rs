//! Joins the messages of a camera (images or keypoints) with their `CameraInfo`.
//!
//! An info with the message's own stamp is used wherever it comes, before the message or after it; otherwise the last
//! one received (latched). At most one message is held back, and only that one is copied. The order of the messages
//! is kept.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::topic_choice::CameraTopics;
use super::{Bag, BagError, Completeness};
use crate::adapters::messages::from_cdr;
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::adapters::messages::std_msgs::Header;
use crate::data::Stamp;
use crate::warning::{Warning, WarningKind};

/// Infos that may run ahead of their message.
const REMEMBERED_INFOS: usize = 8;

/// A message with its info, or what was wrong with one.
pub enum Joined<'a> {
    /// A message of the camera.
    Message {
        /// Number of messages of the source topic before it.
        index: u64,
        /// Stamp of its header.
        stamp: Stamp,
        /// The message, CDR.
        data: &'a [u8],
        /// The calibration that belongs to it.
        camera_info: &'a CameraInfo,
    },
    /// A message that was skipped.
    Skipped(Skipped),
}

/// A message that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Why.
    pub warning: Warning,
    /// Of a message of the camera the stamp, that of the log where its header cannot be read; `None` of a calibration.
    pub stamp: Option<Stamp>,
}

impl Skipped {
    /// A message of the camera at `stamp`.
    pub(super) fn message(kind: WarningKind, text: String, stamp: Stamp) -> Self {
        Self { warning: Warning::new(kind, text), stamp: Some(stamp) }
    }
}

type Visit<'v, E> = dyn FnMut(Joined<'_>) -> Result<ControlFlow<()>, E> + 'v;

/// Reads `bag` and hands each message of `topics.source` to `visit`.
pub fn read<E: From<BagError>>(
    bag: &mut Bag,
    topics: &CameraTopics,
    visit: &mut Visit<'_, E>,
) -> Result<Completeness, E> {
    let mut join = Join::default();
    let names = [topics.source.clone(), topics.camera_info.clone()];
    let mut broke = false;
    let completeness = bag.read(&names, &mut |message| {
        let flow = if message.topic == topics.camera_info {
            join.camera_info(message.data, visit)
        } else {
            join.message(message.data, Stamp::from_nanoseconds(message.log_time_ns), visit)
        };
        broke = matches!(flow, Ok(ControlFlow::Break(())));
        flow
    })?;
    if !broke {
        let _ = join.release(visit)?;
    }
    Ok(completeness)
}

#[derive(Default)]
struct Join {
    infos: VecDeque<CameraInfo>,
    count: u64,
    is_holding: bool,
    held: Held,
}

/// The one message that waits for its info.
#[derive(Default)]
struct Held {
    index: u64,
    stamp: Stamp,
    data: Vec<u8>,
}

impl Join {
    fn camera_info<E>(&mut self, data: &[u8], visit: &mut Visit<'_, E>) -> Result<ControlFlow<()>, E> {
        match from_cdr::<CameraInfo>(data) {
            Ok(info) => {
                self.infos.truncate(REMEMBERED_INFOS - 1);
                let belongs_to_held = self.is_holding && info.stamp == self.held.stamp;
                self.infos.push_front(info);
                if belongs_to_held { self.release(visit) } else { Ok(ControlFlow::Continue(())) }
            }
            Err(error) => {
                let warning = Warning::new(WarningKind::CameraInfoRefused, error.to_string());
                visit(Joined::Skipped(Skipped { warning, stamp: None }))
            }
        }
    }

    fn message<E>(&mut self, data: &[u8], logged: Stamp, visit: &mut Visit<'_, E>) -> Result<ControlFlow<()>, E> {
        if self.release(visit)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let index = self.count;
        self.count += 1;
        let stamp = match from_cdr::<Header<'_>>(data) {
            Ok(header) => header.stamp,
            Err(error) => {
                let text = format!("message {index}: {error}");
                return visit(Joined::Skipped(Skipped::message(WarningKind::MessageRefused, text, logged)));
            }
        };
        let own_info = self.infos.iter().find(|info| info.stamp == stamp);
        // Once a later info has come, the message's own one will not.
        let latched = self.infos.front().filter(|info| info.stamp > stamp);
        if let Some(camera_info) = own_info.or(latched) {
            return visit(Joined::Message { index, stamp, data, camera_info });
        }
        self.is_holding = true;
        (self.held.index, self.held.stamp) = (index, stamp);
        self.held.data.clear();
        self.held.data.extend_from_slice(data);
        Ok(ControlFlow::Continue(()))
    }

    /// Lets the held message go, with its own info or the last one received.
    fn release<E>(&mut self, visit: &mut Visit<'_, E>) -> Result<ControlFlow<()>, E> {
        if !std::mem::take(&mut self.is_holding) {
            return Ok(ControlFlow::Continue(()));
        }
        let Held { index, stamp, data } = &self.held;
        let own_info = self.infos.iter().find(|info| info.stamp == *stamp);
        if let Some(camera_info) = own_info.or(self.infos.front()) {
            return visit(Joined::Message { index: *index, stamp: *stamp, data, camera_info });
        }
        let (sec, nanosec) = (stamp.sec(), stamp.nanosec());
        let text = format!("message {index} at {sec}.{nanosec:09} came before any CameraInfo; skipped");
        visit(Joined::Skipped(Skipped::message(WarningKind::NoCameraInfo, text, *stamp)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::adapters::messages::to_cdr;

    enum Step {
        Info(i32),
        Message(i32),
        Garbage,
    }
    use Step::{Garbage, Info, Message};

    /// Stamps (message, its info) in the order they come out; of a message that was skipped with -1 for the info.
    fn run(steps: &[Step]) -> Vec<(i32, i32)> {
        let mut out = Vec::new();
        let mut join = Join::default();
        let mut buffer = Vec::new();
        let mut visit = |joined: Joined<'_>| -> Result<ControlFlow<()>, BagError> {
            out.push(match joined {
                Joined::Message { data, stamp, camera_info, .. } => {
                    assert_eq!(from_cdr::<Header<'_>>(data).unwrap().stamp, stamp);
                    (stamp.sec(), camera_info.stamp.sec())
                }
                Joined::Skipped(skipped) => (skipped.stamp.map_or(-1, Stamp::sec), -1),
            });
            Ok(ControlFlow::Continue(()))
        };
        for step in steps {
            match *step {
                Info(sec) => {
                    let info = CameraInfo { stamp: Stamp::from_sec_nanosec(sec, 0), ..CameraInfo::default() };
                    to_cdr(&info, &mut buffer);
                    let _ = join.camera_info(&buffer, &mut visit).unwrap();
                }
                Message(sec) => {
                    to_cdr(&Header { stamp: Stamp::from_sec_nanosec(sec, 0), frame_id: "" }, &mut buffer);
                    let _ = join.message(&buffer, Stamp::default(), &mut visit).unwrap();
                }
                Garbage => {
                    let _ = join.message(&[1, 2], Stamp::from_sec_nanosec(70, 0), &mut visit).unwrap();
                }
            }
        }
        let _ = join.release(&mut visit).unwrap();
        out
    }

    #[test]
    fn infos_are_paired_by_stamp_before_and_after_their_message() {
        assert_eq!(run(&[Info(1), Message(1), Message(2), Info(2), Message(3)]), [(1, 1), (2, 2), (3, 2)]);
    }

    #[test]
    fn infos_may_run_ahead_of_their_messages() {
        assert_eq!(run(&[Info(1), Info(2), Info(3), Message(1), Message(2), Message(3)]), [(1, 1), (2, 2), (3, 3)]);
    }

    #[test]
    fn one_info_serves_all_that_follow_and_the_one_that_waited() {
        assert_eq!(run(&[Message(1), Info(9), Message(2), Message(3)]), [(1, 9), (2, 9), (3, 9)]);
        assert_eq!(run(&[Info(0), Message(1), Message(2)]), [(1, 0), (2, 0)]);
    }

    #[test]
    fn a_message_without_info_and_one_that_is_garbage_are_skipped_with_a_warning() {
        assert_eq!(run(&[Message(1), Message(2), Info(2), Garbage, Message(3)]), [(1, -1), (2, 2), (70, -1), (3, 2)]);
    }
}
