//! Every fault that the files of a bag can have, through the whole program: what can be read of it is read, and what that
//! gives is what the whole bag gives up to there.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/db3.rs"]
mod db3;
#[path = "common/faults.rs"]
mod faults;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use stridepose::adapters::bag::{Bag, BagError};
use stridepose::adapters::result_bag::read_result_bag;
use stridepose::adapters::scene_bag::write_scene_bag;
use stridepose::metrics::ResultSequence;
use stridepose::scene::SceneSettings;

use db3::write_db3;
use faults::replay;

/// Images of the bag, at 30 Hz: several chunks, of a second each.
const IMAGES: usize = 150;

/// Which images a spoilt bag must give.
#[derive(Clone, Copy, Debug)]
enum Given {
    /// All of them.
    All,
    /// All up to somewhere between these two.
    First(usize, usize),
    /// So many and more, with a hole among them.
    AtLeast(usize),
}

type Spoil = fn(&mut Files);

/// How a bag is spoilt, what is said, and what is given.
type Row = (&'static str, Spoil, i32, Given);

/// The files of a bag as they are written: MCAP, SQLite, and what lies beside them.
struct Files {
    folder: PathBuf,
    /// Where the file is and what it holds.
    name: &'static str,
    data: Vec<u8>,
    /// Text of metadata.yaml.
    metadata: Option<Vec<u8>>,
}

impl Files {
    fn keep(&mut self, share: f64) {
        self.data.truncate((self.data.len() as f64 * share) as usize);
    }

    fn scribble(&mut self, share: f64, length: usize) {
        let at = (self.data.len() as f64 * share) as usize;
        // Not of a period that anything in a file has.
        self.data[at..at + length].iter_mut().enumerate().for_each(|(index, byte)| *byte = (index * index % 251) as u8);
    }

    fn as_db3(&mut self) {
        self.as_db3_of(&|data| data.to_vec());
    }

    fn as_db3_of(&mut self, stored: &dyn Fn(&[u8]) -> Vec<u8>) {
        let (from, to) = (self.folder.join("from"), self.folder.join("made.db3"));
        for path in [&from, &to] {
            let _ = fs::remove_dir_all(path);
            let _ = fs::remove_file(path);
        }
        fs::create_dir(&from).unwrap();
        fs::write(from.join("from.mcap"), &self.data).unwrap();
        write_db3(&from, &to, stored);
        (self.name, self.data, self.metadata) = ("bag_0.db3", fs::read(&to).unwrap(), None);
    }

    fn write(&self) -> PathBuf {
        let bag = self.folder.join("bag");
        let _ = fs::remove_dir_all(&bag);
        fs::create_dir(&bag).unwrap();
        fs::write(bag.join(self.name), &self.data).unwrap();
        if let Some(metadata) = &self.metadata {
            fs::write(bag.join("metadata.yaml"), metadata).unwrap();
        }
        bag
    }
}

fn compressed(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 3).unwrap()
}

const ROWS: &[Row] = &[
    ("nothing wrong", |_| (), 0, Given::All),
    ("cut after a fifth", |files| files.keep(0.2), 3, Given::First(1, 60)),
    ("cut in the middle", |files| files.keep(0.5), 3, Given::First(30, 90)),
    ("cut after three quarters", |files| files.keep(0.75), 3, Given::First(90, 149)),
    ("cut by its last byte", |files| files.keep(1.0 - 1e-9), 3, Given::All),
    // Nothing of the bag is lost.
    ("a kilobyte of something else behind its end", |files| files.data.extend([0x5a; 1000]), 0, Given::All),
    ("no metadata.yaml", |files| files.metadata = None, 0, Given::All),
    ("an empty metadata.yaml", |files| files.metadata = Some(Vec::new()), 3, Given::All),
    ("a metadata.yaml that is no text", |files| files.metadata = Some(vec![0xff; 500]), 3, Given::All),
    ("a metadata.yaml cut in the middle", |files| files.metadata.as_mut().unwrap().truncate(200), 3, Given::All),
    (
        "a metadata.yaml that lists a file that is not there",
        |files| {
            let text = String::from_utf8(files.metadata.take().unwrap()).unwrap();
            let line = text.lines().find(|line| line.trim() == "- bag_0.mcap").unwrap();
            files.metadata = Some(text.replacen(line, &format!("{line}\n{}", line.replace("_0", "_1")), 1).into());
        },
        3,
        Given::All,
    ),
    ("a hundred wrong bytes in the middle", |files| files.scribble(0.5, 100), 3, Given::AtLeast(90)),
    ("the table of contents at its end overwritten", |files| files.scribble(0.9955, 20), 3, Given::All),
    ("SQLite", Files::as_db3, 0, Given::All),
    (
        "SQLite cut in the middle",
        |files| {
            files.as_db3();
            files.keep(0.5);
        },
        3,
        Given::AtLeast(30),
    ),
    (
        "SQLite with a page overwritten",
        |files| {
            files.as_db3();
            // One with keypoints of the middle: a leaf of the table of messages.
            let layout = b"coco_17";
            let mut pages = files.data.chunks(4096).skip(files.data.len() / 8192);
            let page = pages.position(|page| page.windows(layout.len()).any(|bytes| bytes == layout)).unwrap();
            let at = 4096 * (files.data.len() / 8192 + page);
            files.data[at..at + 4096].fill(0xff);
        },
        3,
        Given::AtLeast(140),
    ),
    ("SQLite with each message compressed", |files| files.as_db3_of(&compressed), 0, Given::All),
    (
        "SQLite with each message compressed and some of them cut",
        |files| {
            files.as_db3_of(&|data| {
                let mut small = compressed(data);
                if small.len() % 16 == 3 {
                    small.truncate(small.len() / 2);
                }
                small
            });
        },
        3,
        Given::AtLeast(90),
    ),
    (
        "a file compressed as a whole",
        |files| (files.name, files.data, files.metadata) = ("bag_0.mcap.zstd", compressed(&files.data), None),
        0,
        Given::All,
    ),
    (
        "a file compressed as a whole and cut in the middle",
        |files| {
            // SQLite, because zstd gives whole blocks of 128 KiB only.
            files.as_db3();
            (files.name, files.data) = ("bag_0.db3.zstd", compressed(&files.data));
            files.keep(0.7);
        },
        3,
        Given::AtLeast(30),
    ),
];

/// The bag of the rows, and what the whole of it gives.
fn whole(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let bag = folder.join("whole/bag");
    fs::create_dir(folder.join("whole")).unwrap();
    let settings = SceneSettings {
        people: 1,
        duration_secs: IMAGES as f64 / 30.0,
        pillar: None,
        seed: 2,
        ..SceneSettings::default()
    };
    assert_eq!(write_scene_bag(&settings, &bag).unwrap(), IMAGES);
    (fs::read(bag.join("bag_0.mcap")).unwrap(), fs::read(bag.join("metadata.yaml")).unwrap())
}

/// What is wrong with what was given, where something is.
fn wrong(given: Given, found: &ResultSequence, whole: &ResultSequence) -> Option<String> {
    let (count, images) = (found.images.len(), &whole.images);
    let (is_enough, is_same) = match given {
        Given::All => (count == IMAGES, found.images == *images),
        Given::First(least, most) => ((least..=most).contains(&count), found.images == images[..count.min(IMAGES)]),
        // Behind a hole people are followed from elsewhere: the stamps are what can be compared.
        Given::AtLeast(least) => {
            let mut stamps = images.iter().map(|image| image.stamp);
            (
                (least..IMAGES).contains(&count),
                found.images.iter().all(|image| stamps.any(|stamp| stamp == image.stamp)),
            )
        }
    };
    let is_seen = found.images.iter().filter(|image| !image.people.is_empty()).count() + 5 >= count;
    (!is_enough || !is_same || !is_seen)
        .then(|| format!("{count} images for {given:?}, as of the whole bag: {is_same}, people in them: {is_seen}"))
}

#[test]
fn every_fault_of_a_file_is_stated_and_what_can_be_read_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (data, metadata) = whole(folder.path());
    let result = folder.path().join("result");
    let reference = replay("whole", &folder.path().join("whole/bag"), &result, &[]).sequence;
    let mut faults = Vec::new();
    for (name, spoil, exit, given) in ROWS {
        let folder = folder.path().to_owned();
        let mut files = Files { folder, name: "bag_0.mcap", data: data.clone(), metadata: Some(metadata.clone()) };
        spoil(&mut files);
        let ran = replay(name, &files.write(), &result, &[]);
        if ran.exit != *exit || ran.summary["damage"].is_string() != (*exit == 3) {
            faults.push(format!("{name}: exit {}, {}", ran.exit, ran.summary["damage"]));
        }
        faults.extend(wrong(*given, &ran.sequence, &reference).map(|wrong| format!("{name}: {wrong}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_no_bag_at_all_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = whole(folder.path());
    let rows: [(&str, Spoil); 5] = [
        ("an empty file", |files| files.data.clear()),
        ("text", |files| files.data = b"dear diary".to_vec()),
        ("cut within its signature", |files| files.data.truncate(5)),
        ("its signature overwritten", |files| files.data[..8].fill(0)),
        ("SQLite without the tables of a bag", |files| {
            files.as_db3();
            let text = b"CREATE TABLE topics";
            let at = files.data.windows(text.len()).position(|bytes| bytes == text).unwrap();
            files.data[at..at + text.len()].copy_from_slice(b"CREATE TABLE xopics");
        }),
    ];
    for (name, spoil) in rows {
        let mut files = Files { folder: folder.path().into(), name: "bag_0.mcap", data: data.clone(), metadata: None };
        spoil(&mut files);
        let result = folder.path().join("result");
        let replay = Command::new(env!("CARGO_BIN_EXE_stridepose"))
            .args(["--quiet", "replay"])
            .arg(files.write())
            .arg("-o")
            .arg(&result)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&replay.stderr).into_owned();
        assert_eq!((replay.status.code(), said.trim().lines().count()), (Some(2), 1), "{name}: {said}");
        assert!(said.contains("bag") && !result.exists(), "{name}: {said}");
    }
}

#[test]
fn what_is_cut_before_its_first_message_is_refused_as_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = whole(folder.path());
    let rows: [(&str, Spoil, &str); 3] = [
        (
            "MCAP",
            |files| files.data.truncate(100),
            "the bag has no topics; the bag is damaged: bag_0.mcap: ends at byte 100",
        ),
        (
            "SQLite",
            |files| {
                files.as_db3();
                files.data.truncate(5000);
            },
            "is a damaged SQLite database, nothing of it can be read: it ends at byte 5000",
        ),
        (
            "SQLite within its header",
            |files| {
                files.as_db3();
                files.data.truncate(25);
            },
            "is a damaged SQLite database, nothing of it can be read: ",
        ),
    ];
    for (name, spoil, sentence) in rows {
        let mut files = Files { folder: folder.path().into(), name: "bag_0.mcap", data: data.clone(), metadata: None };
        spoil(&mut files);
        let bag = files.write();
        let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
        let replay = command.arg("--quiet").arg("replay").arg(&bag).arg("-o").arg(folder.path().join("result"));
        let replay = replay.output().unwrap();
        let said = String::from_utf8_lossy(&replay.stderr).into_owned();
        assert!(replay.status.code() == Some(2) && said.contains(sentence), "{name}: {said}");
        // As a result of which nothing was written.
        let error = read_result_bag(&bag, None).unwrap_err().to_string();
        let part = sentence.split_once("; ").map_or(sentence, |parts| parts.1);
        assert!(error.contains(part), "{name}: {error}");
    }
}

/// A small bag as SQLite, plain and with each message compressed, and its number of messages.
static DATABASES: LazyLock<([Vec<u8>; 2], usize)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("bag");
    write_scene_bag(&SceneSettings { people: 1, duration_secs: 0.5, ..SceneSettings::default() }, &bag).unwrap();
    let databases = [<[u8]>::to_vec, compressed].map(|stored: fn(&[u8]) -> Vec<u8>| {
        let path = folder.path().join("bag.db3");
        let _ = fs::remove_file(&path);
        write_db3(&bag, &path, &stored);
        fs::read(path).unwrap()
    });
    (databases, 60)
});

/// Messages of the bag at `path`, however many can be read; `None` where it is refused.
fn count(path: &Path) -> Option<usize> {
    let mut bag = match Bag::open(path) {
        Ok(bag) => bag,
        Err(error) => {
            assert!(error.is_refusal(), "{error}");
            return None;
        }
    };
    let topics: Vec<String> = bag.topics().iter().map(|topic| topic.name.clone()).collect();
    let mut count = 0;
    let read = bag.read::<BagError>(&topics, &mut |_| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    });
    assert!(read.is_ok(), "{read:?}");
    Some(count)
}

#[test]
fn the_databases_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    for data in &DATABASES.0 {
        let path = folder.path().join("whole.db3");
        fs::write(&path, data).unwrap();
        assert_eq!(count(&path), Some(DATABASES.1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_scribbled_database_never_panics(
        positions in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        length in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
        which in 0_usize..2,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scribbled.db3");
        let mut data = DATABASES.0[which].clone();
        for (position, value) in positions {
            let position = position.index(data.len());
            data[position] = value;
        }
        if is_cut {
            data.truncate(length.index(data.len()));
        }
        fs::write(&path, &data).unwrap();
        let count = count(&path);
        prop_assert!(count.is_none_or(|count| count <= DATABASES.1), "{count:?} messages");
    }
}
