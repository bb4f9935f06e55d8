//! `SQLite` bags (`.db3`), opened read-only.
//!
//! The (time, id) of the wanted messages is listed first, 16 bytes each, then each message is fetched by its id; where the
//! list meets a damaged page it goes on behind it, so that the page costs the messages on it and no more. Message data is borrowed from `SQLite`'s buffer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::storage::{BagMessage, Loss, Storage, Topic};
use super::{BagError, Refusal};

/// First bytes of a `SQLite` database.
pub const MAGIC: &[u8] = b"SQLite format 3\0";

/// Bytes of a database's header.
const HEADER_LENGTH: u64 = 100;
/// Damaged places behind which the list of messages goes on, at most.
const MOST_DAMAGES: usize = 1000;
/// Messages behind a damaged place that are tried one by one; beyond that in steps that double.
const SMALL_HOLE: u32 = 1000;

/// An open `.db3` file.
pub struct Db3File {
    path: PathBuf,
    connection: Connection,
    topics: BTreeMap<i64, Topic>,
    /// (time, id) of the wanted messages in order.
    messages: Vec<(i64, i64)>,
    next: usize,
    losses: Vec<Loss>,
    open_losses: Vec<Loss>,
}

impl Db3File {
    /// Opens `path`, and finds its topics and their counts.
    ///
    /// # Errors
    /// [`Refusal`] when it is no rosbag2 database, [`BagError::Io`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        let file_length = std::fs::metadata(path).map_err(BagError::io("read", path))?.len();
        let missing = missing_bytes(path, file_length).map_err(BagError::io("read", path))?;
        let refused = |error: rusqlite::Error| BagError::from(refusal(path, file_length, missing, &error));
        let connection = connect(path).map_err(refused)?;
        // Without this SQLite refuses a file that ends before its last page; nothing is ever written.
        connection.pragma_update(None, "writable_schema", true).map_err(refused)?;
        let mut topics = read_topics(&connection).map_err(refused)?;
        let mut open_losses = Vec::new();
        if let Some(missing) = missing {
            let reason = format!("ends at byte {file_length}, {missing} bytes before the end of its last page");
            open_losses.push(Loss::new(0, reason).and_beyond_end(missing));
        }
        // Counting fails on a damaged file; the counts are then unknown.
        if let Ok(counts) = count_messages(&connection) {
            for (id, topic) in &mut topics {
                topic.message_count = Some(counts.get(id).copied().unwrap_or(0));
            }
        }
        let path = path.to_owned();
        Ok(Self { path, connection, topics, messages: Vec::new(), next: 0, losses: Vec::new(), open_losses })
    }

    fn lose(&mut self, reason: String) {
        self.losses.push(Loss::new(0, reason));
    }
}

/// Opens the database as it lies there. `immutable` keeps `SQLite` from taking locks and from writing beside it; a bag
/// whose recorder was killed may have a write-ahead log, which only the ordinary way reads.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if has_log {
        return Connection::open_with_flags(path, flags);
    }
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(*byte)),
            other => {
                // Writing to a string cannot fail.
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    Connection::open_with_flags(uri + "?immutable=1", flags | OpenFlags::SQLITE_OPEN_URI)
}

/// Why `path` is no bag that can be read: a damaged database, or another one than a bag.
fn refusal(path: &Path, length: u64, missing: Option<u64>, error: &rusqlite::Error) -> Refusal {
    let path = path.to_owned();
    let damaged = [rusqlite::ErrorCode::DatabaseCorrupt, rusqlite::ErrorCode::NotADatabase];
    match (missing, error.sqlite_error_code()) {
        (Some(missing), _) => {
            let reason = format!("it ends at byte {length}, {missing} bytes before the end of its last page ({error})");
            Refusal::DamagedDatabase { path, reason }
        }
        (None, Some(code)) if damaged.contains(&code) || length < HEADER_LENGTH => {
            Refusal::DamagedDatabase { path, reason: format!("{error}; it has {length} bytes") }
        }
        (None, _) => Refusal::NotARosbag2Database { path, reason: error.to_string() },
    }
}

/// Bytes that the database header promises beyond the end of the file; `None` also where the header itself is cut.
fn missing_bytes(path: &Path, length: u64) -> std::io::Result<Option<u64>> {
    let mut header = [0; 32];
    if length < header.len() as u64 {
        return Ok(None);
    }
    std::io::Read::read_exact(&mut std::fs::File::open(path)?, &mut header)?;
    let page_size = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65536,
        size => u64::from(size),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    Ok((page_size * pages).checked_sub(length).filter(|&missing| missing > 0))
}

fn read_topics(connection: &Connection) -> rusqlite::Result<BTreeMap<i64, Topic>> {
    // Bags of ROS 2 Dashing have no offered_qos_profiles.
    let has_qos = connection.prepare("SELECT offered_qos_profiles FROM topics").is_ok();
    let qos = if has_qos { "offered_qos_profiles" } else { "''" };
    let mut statement =
        connection.prepare(&format!("SELECT id, name, type, serialization_format, {qos} FROM topics ORDER BY id"))?;
    let rows = statement.query_map([], |row| {
        let topic = Topic {
            name: row.get(1)?,
            type_name: row.get(2)?,
            serialization: row.get(3)?,
            message_count: None,
            offered_qos_profiles: row.get(4)?,
        };
        Ok((row.get(0)?, topic))
    })?;
    rows.collect()
}

fn count_messages(connection: &Connection) -> rusqlite::Result<BTreeMap<i64, u64>> {
    let mut statement = connection.prepare("SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    rows.collect()
}

/// Adds the (time, id) of every row of `query`, whose parameter is the id to start behind, to `messages`.
///
/// # Errors
/// The first damage; what lies behind it, or behind any other, is listed nevertheless.
fn list(connection: &Connection, query: &str, messages: &mut Vec<(i64, i64)>) -> rusqlite::Result<()> {
    let mut first = None;
    let mut after = i64::MIN;
    for _ in 0..MOST_DAMAGES {
        let Err(error) = list_from(connection, query, &mut after, messages) else { break };
        first.get_or_insert(error);
        let Some(behind) = behind_damage(connection, after) else { break };
        after = behind;
    }
    first.map_or(Ok(()), Err)
}

/// Lists the rows behind the id `after`, and moves it to the last one that could be read.
fn list_from(
    connection: &Connection,
    query: &str,
    after: &mut i64,
    messages: &mut Vec<(i64, i64)>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([*after])?;
    while let Some(row) = rows.next()? {
        let (time, id) = (row.get(0)?, row.get(1)?);
        messages.push((time, id));
        *after = id.max(*after);
    }
    Ok(())
}

/// An id behind `after` from which the table can be read again: the next such one, unless the hole is large.
fn behind_damage(connection: &Connection, after: i64) -> Option<i64> {
    let mut statement = connection.prepare_cached("SELECT id FROM messages NOT INDEXED WHERE id > ?1 LIMIT 1").ok()?;
    // Ids begin at 1.
    let mut id = after.max(0);
    let mut step = 1_i64;
    for attempt in 0.. {
        if attempt > SMALL_HOLE {
            step = step.saturating_mul(2);
        }
        id = id.checked_add(step)?;
        match statement.query_row([id], |row| row.get::<_, i64>(0)) {
            Ok(_) => return Some(id),
            // Behind the last one.
            Err(rusqlite::Error::QueryReturnedNoRows) => return None,
            Err(_) => {}
        }
    }
    None
}

impl Storage for Db3File {
    fn topics(&self) -> Vec<Topic> {
        self.topics.values().cloned().collect()
    }

    fn start(&mut self, topics: &[String]) -> Result<(), BagError> {
        self.losses = self.open_losses.clone();
        self.messages.clear();
        self.next = 0;
        let wanted: Vec<String> = self
            .topics
            .iter()
            .filter(|(_, topic)| topics.contains(&topic.name))
            .map(|(id, _)| id.to_string())
            .collect();
        // The table itself, not the index: in a file that was cut the index may be gone while messages are there.
        let query = format!(
            "SELECT timestamp, id FROM messages NOT INDEXED WHERE id > ?1 AND topic_id IN ({}) ORDER BY id",
            wanted.join(",")
        );
        if let Some(error) = list(&self.connection, &query, &mut self.messages).err() {
            let found = self.messages.len();
            self.lose(format!("the list of messages is damaged, {found} of them were found: {error}"));
        }
        self.messages.sort_unstable();
        self.messages.dedup();
        Ok(())
    }

    fn next_time_ns(&mut self) -> Result<Option<i64>, BagError> {
        Ok(self.messages.get(self.next).map(|&(time, _)| time))
    }

    fn visit_next(&mut self, visit: &mut dyn FnMut(BagMessage<'_>)) -> Result<(), BagError> {
        let Some(&(log_time_ns, id)) = self.messages.get(self.next) else { return Ok(()) };
        self.next += 1;
        let topics = &self.topics;
        let fetched = self.connection.prepare_cached("SELECT topic_id, data FROM messages WHERE id = ?1").and_then(
            |mut statement| {
                statement.query_row([id], |row| {
                    let data = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                    if let Some(topic) = topics.get(&row.get(0)?) {
                        visit(BagMessage { topic: &topic.name, log_time_ns, data });
                    }
                    Ok(())
                })
            },
        );
        if let Err(error) = fetched {
            self.lose(format!("message {id} of {} cannot be read: {error}", self.path.display()));
        }
        Ok(())
    }

    fn losses(&self) -> Vec<Loss> {
        self.losses.clone()
    }
}
