//! Where a secret might be left: keys of Redis, and files.

use std::fs;
use std::path::Path;

/// Every key and its value.
pub(crate) fn redis(connection: &mut redis::Connection) -> String {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
    keys.iter().map(|key| format!("{key}: {}\n", value(connection, key))).collect()
}

fn value(connection: &mut redis::Connection, key: &str) -> String {
    let kind: String = redis::cmd("TYPE").arg(key).query(connection).unwrap();
    let command = match kind.as_str() {
        "string" => "GET",
        "hash" => "HGETALL",
        "list" => "LRANGE",
        "set" => "SMEMBERS",
        "zset" => "ZRANGE",
        "none" => return String::new(),
        kind => panic!("{key} is a {kind}"),
    };
    let mut command = redis::cmd(command);
    command.arg(key);
    if matches!(kind.as_str(), "list" | "zset") {
        command.arg(0).arg(-1);
    }
    text(&command.query(connection).unwrap())
}

/// All texts in a value, as they are.
fn text(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned() + "\n",
        redis::Value::Array(values) | redis::Value::Set(values) => values.iter().map(text).collect(),
        other => format!("{other:?}\n"),
    }
}

/// The names and contents of all files under a folder.
pub(crate) fn files(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.display().to_string();
            let content = if path.is_dir() {
                files(&path)
            } else {
                // What is neither file nor folder has no content; what has just gone has none any more.
                fs::read(&path).map(|content| String::from_utf8_lossy(&content).into_owned()).unwrap_or_default()
            };
            format!("{name}\n{content}\n")
        })
        .collect()
}
