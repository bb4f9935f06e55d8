//! Where messages wait for the inference thread: one place, the newest wins, every message that had to make room is
//! counted. A message goes in with the `CameraInfo` of its own stamp where there is one, else with the last one
//! received; before the first one it waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::stamp_gaps::StampGaps;
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::data::Stamp;

/// Infos that may run ahead of their image.
const REMEMBERED_INFOS: usize = 8;

/// What has arrived so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxCounts {
    /// Messages of the source topic.
    pub received: u64,
    /// Of those, left out because a newer one came before the inference thread was free.
    pub dropped: u64,
    /// Messages that never arrived, as the stamps of the others say.
    pub missing: u64,
    /// Camera infos.
    pub infos: u64,
    /// Whether a message waits for the first camera info.
    pub is_waiting_for_info: bool,
}

/// One message for the inference thread.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// The image or keypoints, CDR.
    pub data: Vec<u8>,
    /// The calibration that belongs to it.
    pub camera_info: CameraInfo,
}

/// The place.
#[derive(Debug, Default)]
pub struct Inbox {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    newest: Option<(Option<Stamp>, Vec<u8>)>,
    infos: VecDeque<CameraInfo>,
    gaps: StampGaps,
    counts: InboxCounts,
    is_closed: bool,
}

impl Inbox {
    /// Puts a message in; `stamp` as far as it could be read.
    pub fn put(&self, stamp: Option<Stamp>, data: Vec<u8>) {
        let mut content = self.lock();
        content.counts.received += 1;
        if let Some(stamp) = stamp {
            content.gaps.arrived(stamp);
            content.counts.missing = content.gaps.missing();
        }
        if content.newest.replace((stamp, data)).is_some() {
            content.counts.dropped += 1;
        }
        content.counts.is_waiting_for_info = content.infos.is_empty();
        drop(content);
        self.changed.notify_one();
    }

    /// Puts a calibration in.
    pub fn put_info(&self, info: CameraInfo) {
        let mut content = self.lock();
        content.counts.infos += 1;
        content.counts.is_waiting_for_info = false;
        content.infos.truncate(REMEMBERED_INFOS - 1);
        content.infos.push_front(info);
        drop(content);
        self.changed.notify_one();
    }

    /// Waits for a message and its calibration; `None` once the inbox is closed.
    pub fn take(&self) -> Option<Parcel> {
        let mut content = self.lock();
        loop {
            if content.is_closed {
                return None;
            }
            if let Some(latest) = content.infos.front()
                && let Some((stamp, _)) = &content.newest
            {
                let own = content.infos.iter().find(|info| Some(info.stamp) == *stamp);
                let camera_info = own.unwrap_or(latest).clone();
                if let Some((_, data)) = content.newest.take() {
                    return Some(Parcel { data, camera_info });
                }
            }
            content = self.changed.wait(content).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Wakes whoever waits and gives nothing any more.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// What has arrived so far.
    pub fn counts(&self) -> InboxCounts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // The content is whole after every statement, whoever panicked.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    fn info(sec: i32, width: u32) -> CameraInfo {
        CameraInfo { stamp: at(sec), width, ..CameraInfo::default() }
    }

    const fn at(sec: i32) -> Stamp {
        Stamp::from_sec_nanosec(sec, 0)
    }

    #[test]
    fn the_newest_wins_and_the_others_are_counted() {
        let inbox = Inbox::default();
        inbox.put_info(info(0, 7));
        for sec in 1..=5 {
            inbox.put(Some(at(sec)), vec![sec as u8]);
        }
        assert_eq!(inbox.take().unwrap().data, [5]);
        let counts = inbox.counts();
        assert_eq!((counts.received, counts.dropped), (5, 4));
    }

    #[test]
    fn infos_are_paired_by_stamp_else_the_last_one_counts() {
        let inbox = Inbox::default();
        inbox.put_info(info(1, 10));
        inbox.put_info(info(2, 20));
        inbox.put(Some(at(1)), vec![1]);
        assert_eq!(inbox.take().unwrap().camera_info.width, 10);
        inbox.put(Some(at(9)), vec![9]);
        assert_eq!(inbox.take().unwrap().camera_info.width, 20);
        inbox.put(None, vec![0]);
        assert_eq!(inbox.take().unwrap().camera_info.width, 20);
    }

    #[test]
    fn a_message_waits_for_the_first_info_and_closing_wakes_the_reader() {
        let inbox = Arc::new(Inbox::default());
        inbox.put(Some(at(1)), vec![1]);
        assert!(inbox.counts().is_waiting_for_info);
        let reader = std::thread::spawn({
            let inbox = inbox.clone();
            move || (inbox.take(), inbox.take())
        });
        inbox.put_info(info(1, 3));
        while inbox.counts().is_waiting_for_info {}
        std::thread::sleep(std::time::Duration::from_millis(50));
        inbox.close();
        let (first, second) = reader.join().unwrap();
        assert_eq!(first.unwrap().data, [1]);
        assert_eq!(second, None);
    }
}
