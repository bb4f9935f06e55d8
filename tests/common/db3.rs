//! A recording as rosbag2 wrote it until 2023: one SQLite file.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::{Connection, params};
use stridepose::adapters::bag::{Bag, BagError};

/// Writes the messages of the bag at `from` to a database at `to`, each as `stored` makes it of its data.
pub fn write_db3(from: &Path, to: &Path, stored: &dyn Fn(&[u8]) -> Vec<u8>) {
    let mut bag = Bag::open(from).unwrap();
    let database = Connection::open(to).unwrap();
    database
        .execute_batch(
            "CREATE TABLE schema (schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
             CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT
             NOT NULL, offered_qos_profiles TEXT NOT NULL);
             CREATE TABLE messages (id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data
             BLOB NOT NULL);
             CREATE INDEX timestamp_idx ON messages (timestamp ASC);
             BEGIN;",
        )
        .unwrap();
    let topics: Vec<_> = bag.topics().iter().map(|topic| (topic.name.clone(), topic.type_name.clone())).collect();
    for (index, (name, kind)) in topics.iter().enumerate() {
        let values = params![index as i64 + 1, name, kind];
        database.execute("INSERT INTO topics VALUES (?1, ?2, ?3, 'cdr', '')", values).unwrap();
    }
    let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
    bag.read::<BagError>(&names, &mut |message| {
        let id = names.iter().position(|name| name == message.topic).unwrap();
        let values = params![id as i64 + 1, message.log_time_ns, stored(message.data)];
        database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?1, ?2, ?3)", values).unwrap();
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    database.execute_batch("COMMIT").unwrap();
}
