//! From a path to the files of a bag: a file alone, or a rosbag2 directory with or without `metadata.yaml`.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::db3::{self, Db3File};
use super::mcap::{self, McapFile};
use super::rosbag2_metadata::{self, Metadata};
use super::storage::{BagMessage, Loss, Storage, Topic};
use super::{BagError, Refusal, recordings};

const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Where the files of a bag lie.
pub struct Files {
    /// The files in listed order with the log time of their first message, where listed.
    pub found: Vec<(PathBuf, Option<i64>)>,
    /// `metadata.yaml`, where there is a usable one.
    pub metadata: Option<Metadata>,
    /// What is missing already.
    pub losses: Vec<Loss>,
}

/// Finds the files of the bag at `path`.
pub fn find(path: &Path) -> Result<Files, BagError> {
    if !path.exists() {
        return Err(Refusal::Missing(path.to_owned()).into());
    }
    if path.is_file() {
        return Ok(Files { found: vec![(path.to_owned(), None)], metadata: None, losses: Vec::new() });
    }
    let mut losses = Vec::new();
    match std::fs::read_to_string(path.join(rosbag2_metadata::FILE_NAME)) {
        Ok(text) => match Metadata::parse(&text) {
            Ok(metadata) if !metadata.files.is_empty() => return listed(path, metadata),
            Ok(_) => losses.push(Loss::new(0, "metadata.yaml lists no file; the files were found by name")),
            Err(error) => losses.push(Loss::new(0, format!("{error}; the files were found by name"))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            losses.push(Loss::new(0, "metadata.yaml is not text; the files were found by name"));
        }
        Err(error) => return Err(BagError::io("read", &path.join(rosbag2_metadata::FILE_NAME))(error)),
    }
    // A metadata.yaml says that the folder is one bag, whatever else it says.
    let files = by_name(path, !losses.is_empty())?;
    if let Some((name, numbers)) = recordings::parts(&files) {
        let count = numbers.last().map_or(0, |last| last + 1);
        let missing = count - numbers.len() as u64;
        if missing > 0 {
            losses.push(Loss::new(0, format!("{missing} of the {count} files {name}_0, {name}_1, ... are missing")));
        }
    }
    Ok(Files { found: files.into_iter().map(|file| (file, None)).collect(), metadata: None, losses })
}

/// The files that `metadata` lists, as far as they are there.
fn listed(directory: &Path, metadata: Metadata) -> Result<Files, BagError> {
    if !metadata.compression_format.is_empty() && metadata.compression_format != "zstd" {
        let format = metadata.compression_format;
        return Err(Refusal::Compression { path: directory.to_owned(), format }.into());
    }
    let mut files = Vec::new();
    let mut losses = Vec::new();
    for file in &metadata.files {
        // Bags before version 4 list "directory/file"; some recorders leave out the ".zstd" of a compressed file.
        let relative = Path::new(&file.path);
        let name = relative.file_name().map_or_else(|| directory.to_owned(), |name| directory.join(name));
        let mut compressed = name.clone().into_os_string();
        compressed.push(".zstd");
        let candidates = [directory.join(relative), name, PathBuf::from(compressed)];
        match candidates.into_iter().find(|candidate| candidate.is_file()) {
            Some(found) => files.push((found, file.starting_time_ns)),
            None => losses.push(Loss::new(0, format!("{} is listed in metadata.yaml and missing", file.path))),
        }
    }
    if files.is_empty() {
        let listed = metadata.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ");
        let reason = "they do not exist".to_owned();
        return Err(Refusal::NoListedFile { path: directory.to_owned(), listed, reason }.into());
    }
    Ok(Files { found: files, metadata: Some(metadata), losses })
}

/// The bag files in `directory` in their order: those of one recording, or all, where it is known to be one.
fn by_name(directory: &Path, is_one: bool) -> Result<Vec<PathBuf>, BagError> {
    let files = recordings::bag_files(directory).map_err(BagError::io("read", directory))?;
    let path = directory.to_owned();
    let mcap_files = files.iter().filter(|file| recordings::is_mcap(file)).count();
    let db3_files = files.len() - mcap_files;
    if files.is_empty() {
        Err(Refusal::FolderWithoutBags(path).into())
    } else if mcap_files > 0 && db3_files > 0 {
        Err(Refusal::MixedFolder { path, mcap_files, db3_files }.into())
    } else if !is_one && !recordings::are_one_recording(&files) {
        let names = files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy().into_owned());
        Err(Refusal::SeveralRecordings { path, files: names.collect::<Vec<_>>().join(", ") }.into())
    } else {
        Ok(files)
    }
}

/// Opens one file, whatever its format, by its first bytes.
pub fn open(path: &Path) -> Result<Box<dyn Storage>, BagError> {
    let mut start = [0; 16];
    let mut file = std::fs::File::open(path).map_err(BagError::io("open", path))?;
    let mut length = 0;
    while length < start.len() {
        match file.read(&mut start[length..]).map_err(BagError::io("read", path))? {
            0 => break,
            read => length += read,
        }
    }
    drop(file);
    let start = &start[..length];
    if start.is_empty() {
        Err(Refusal::Empty(path.to_owned()).into())
    } else if start.starts_with(&mcap::MAGIC) {
        Ok(Box::new(McapFile::open(path)?))
    } else if start.starts_with(db3::MAGIC) {
        Ok(Box::new(Db3File::open(path)?))
    } else if start.starts_with(ZSTD_MAGIC) {
        Decompressed::open(path)
    } else {
        let readable = start.iter().all(|byte| (b' '..=b'~').contains(byte) || byte.is_ascii_whitespace());
        let start = if readable {
            format!("{:?}", String::from_utf8_lossy(start))
        } else {
            start.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
        };
        Err(Refusal::NotABag { path: path.to_owned(), start }.into())
    }
}

/// A file that was compressed as a whole, read from a temporary copy that goes away with it.
struct Decompressed {
    storage: Box<dyn Storage>,
    loss: Option<Loss>,
    /// Last, so that the storage is closed before the copy is removed.
    _copy: TempPath,
}

impl Decompressed {
    fn open(path: &Path) -> Result<Box<dyn Storage>, BagError> {
        let temporary = std::env::temp_dir();
        let mut copy = tempfile::NamedTempFile::new().map_err(BagError::io("write a copy in", &temporary))?;
        let source = BufReader::new(std::fs::File::open(path).map_err(BagError::io("open", path))?);
        let mut decoder = zstd::Decoder::with_buffer(source).map_err(BagError::io("decompress", path))?;
        let mut loss = None;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => copy.write_all(&buffer[..read]).map_err(BagError::io("write", copy.path()))?,
                Err(error) => {
                    loss = Some(Loss::new(0, format!("cannot be decompressed to its end: {error}")));
                    break;
                }
            }
        }
        let copy = copy.into_temp_path();
        if std::fs::metadata(&copy).is_ok_and(|copy| copy.len() == 0) {
            return Err(Refusal::NotABag { path: path.to_owned(), start: "a zstd frame without content".into() }.into());
        }
        let storage = open(&copy).map_err(|error| renamed(error, &copy, path))?;
        Ok(Box::new(Self { storage, loss, _copy: copy }))
    }
}

/// Puts the name of the compressed file into a refusal of its copy.
fn renamed(error: BagError, copy: &Path, path: &Path) -> BagError {
    match error {
        BagError::Refused(mut refusal) => {
            match &mut refusal {
                Refusal::NotABag { path: named, .. }
                | Refusal::NotARosbag2Database { path: named, .. }
                | Refusal::DamagedDatabase { path: named, .. }
                | Refusal::NotRos2 { path: named, .. }
                | Refusal::Empty(named)
                    if named == copy =>
                {
                    path.clone_into(named);
                }
                _ => {}
            }
            refusal.into()
        }
        other => other,
    }
}

impl Storage for Decompressed {
    fn topics(&self) -> Vec<Topic> {
        self.storage.topics()
    }

    fn start(&mut self, topics: &[String]) -> Result<(), BagError> {
        self.storage.start(topics)
    }

    fn next_time_ns(&mut self) -> Result<Option<i64>, BagError> {
        self.storage.next_time_ns()
    }

    fn visit_next(&mut self, visit: &mut dyn FnMut(BagMessage<'_>)) -> Result<(), BagError> {
        self.storage.visit_next(visit)
    }

    fn losses(&self) -> Vec<Loss> {
        self.loss.iter().cloned().chain(self.storage.losses()).collect()
    }
}

/// Decompresses a message that was compressed by itself. A CDR message starts with 0, so the signature of zstd tells
/// the two apart for sure.
pub fn decompress_message<'a>(data: &'a [u8], buffer: &'a mut Vec<u8>) -> std::io::Result<&'a [u8]> {
    /// A message larger than this is not believed.
    const LIMIT: u64 = 1 << 30;
    if !data.starts_with(ZSTD_MAGIC) {
        return Ok(data);
    }
    buffer.clear();
    zstd::Decoder::with_buffer(data)?.take(LIMIT).read_to_end(buffer)?;
    Ok(buffer)
}
