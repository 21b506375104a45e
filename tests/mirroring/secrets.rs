//! A password is sealed where it is kept, and is nowhere else.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use redis::Commands as _;

use crate::hooks::install;
use crate::rig::git_http::GitServer;
use crate::world::World;

/// Every way in which the password might show.
fn spellings() -> Vec<String> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (user, password) = (GitServer::USER, GitServer::PASSWORD);
    vec![
        password.to_owned(),
        encode(password),
        encode(password).to_lowercase(),
        url::form_urlencoded::byte_serialize(password.as_bytes()).collect(),
        BASE64_STANDARD.encode(password),
        BASE64_STANDARD.encode(format!("{user}:{password}")),
        format!("{password:?}").trim_matches('"').to_owned(),
    ]
}

#[track_caller]
fn assert_clean(place: &str, text: &str) {
    assert!(!text.is_empty(), "{place} was not looked at");
    for spelling in spellings() {
        assert!(!text.contains(&spelling), "{place} holds the password, as {spelling}:\n{text}");
    }
}

#[test]
fn a_password_is_nowhere_but_sealed() {
    let world = World::with(|installation| installation.set("verbose", true).set("max_retries", 3));
    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    let far = world.git.create("far.git");
    // A far side that shouts what it was told.
    let shout = format!(
        "echo 'you are {0}:{1} ({2}) at http://{0}:{1}@host/' >&2; exit 1",
        GitServer::USER,
        GitServer::PASSWORD,
        spellings()[5]
    );
    install(&far, "update", &shout);
    world.add_pull(1, "up.git", &[]);
    world.add_pull(2, "nothing.git", &[]);
    world.add_push(1, "far.git", &[]);
    world.installation.add_mirror("pull", 3, "group/3.git", &world.git.redirecting_url("up.git"), &[]);

    world.succeed("pull", 1);
    let mut shown = vec![world.fail("pull", 2), world.fail("pull", 3), world.fail("push", 1)];
    assert!(shown[2].contains("*****"), "the far side's words are shown, masked: {}", shown[2]);
    // A job that is retried keeps its error in Redis.
    let retried = r#"{"class":"RemoteMirror","args":[1],"retry":true,"queue":"mirrors","jid":"abcdefabcdefabcdefabcdef","created_at":1700000000.0,"enqueued_at":1700000000.0}"#;
    let mut connection = world.redis.connection();
    let _: u64 = connection.lpush("queue:mirrors", retried).unwrap();
    world.wait_for_jobs();
    let waiting: Vec<String> = connection.zrange("retry", 0, -1).unwrap();
    assert!(waiting.iter().any(|job| job.contains("Failed to create branch")), "{waiting:?}");

    for (direction, id) in [("pull", "1"), ("pull", "2"), ("pull", "3"), ("push", "1")] {
        shown.push(world.installation.cli_ok(&["mirror", "show", direction, id]));
        shown.push(world.installation.cli_ok(&["mirror", "show", direction, id, "--json"]));
    }
    shown.push(world.installation.cli_ok(&["mirror", "list", "--json"]));
    shown.push(world.installation.cli_ok(&["mirror", "list"]));
    for text in &shown {
        assert_clean("what is shown", text);
    }
    assert_clean("the log", &world.worker.log());
    assert_clean("/metrics", &world.worker.get("/metrics").unwrap().body);

    let dump = dump(&mut connection);
    assert!(dump.contains("v2:"), "the sealed login is there");
    assert_clean("Redis", &dump);
    let repositories = world.installation.folder().join("repositories");
    assert_clean("the repositories", &files(&repositories));
    assert_clean("the worker's command line and environment", &process(world.worker.id()));
}

/// Every key and its value.
fn dump(connection: &mut redis::Connection) -> String {
    let keys: Vec<String> = connection.keys("*").unwrap();
    let value = |key: &String| {
        let kind: String = redis::cmd("TYPE").arg(key).query(connection).unwrap();
        let value: redis::Value = match kind.as_str() {
            "string" => connection.get(key).unwrap(),
            "hash" => connection.hgetall(key).unwrap(),
            "list" => connection.lrange(key, 0, -1).unwrap(),
            "set" => connection.smembers(key).unwrap(),
            "zset" => connection.zrange_withscores(key, 0, -1).unwrap(),
            kind => panic!("{key} is a {kind}"),
        };
        format!("{key}: {}\n", text(&value))
    };
    keys.iter().map(value).collect()
}

/// All texts in a value, as they are.
fn text(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned() + "\n",
        redis::Value::Array(values) | redis::Value::Set(values) => values.iter().map(text).collect(),
        other => format!("{other:?}\n"),
    }
}

/// The contents of all files under a folder.
fn files(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
            }
        })
        .collect()
}

fn process(id: u32) -> String {
    ["cmdline", "environ"]
        .map(|file| String::from_utf8_lossy(&std::fs::read(format!("/proc/{id}/{file}")).unwrap()).into_owned())
        .concat()
}
