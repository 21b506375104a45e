//! `sidemirror mirror …` on a real Redis: what it does, what it prints, what it refuses.

#![cfg(test)]

mod enqueue;

#[path = "../rig/mod.rs"]
mod rig;

use std::process::Output;

use redis::Commands as _;
use rig::installation::Installation;
use rig::redis::Redis;
use serde_json::Value;

const PASSWORD: &str = "pa ss/w+rd=@%2F";

struct Desk {
    redis: Redis,
    installation: Installation,
}

impl Desk {
    fn new() -> Self {
        let redis = Redis::start();
        let installation = Installation::new(&redis.url());
        Self { redis, installation }
    }

    fn run(&self, line: &str) -> Output {
        let file = self.installation.password_file(&format!("{PASSWORD}\n")).display().to_string();
        let words: Vec<&str> = line.split(' ').map(|word| if word == "FILE" { file.as_str() } else { word }).collect();
        self.installation.cli(&words)
    }

    fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{line}: {stderr}");
        assert_eq!(stderr, "", "{line}");
        assert!(!stdout.contains(PASSWORD) && !stdout.contains("pa%20ss"), "{line} tells the password");
        stdout
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(line)).unwrap()
    }

    /// What a refused command says; nothing has been done then.
    fn refused(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{line}");
        assert_eq!(text(&output.stdout), "", "{line}");
        text(&output.stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_mirror_is_added_shown_changed_and_removed() {
    let desk = Desk::new();
    let added = desk.json("mirror add pull --id 42 --repository group/project.git --url https://Git.example.com/x.git --user mirror --password-file FILE --json");
    let mut shown = desk.json("mirror show pull 42 --json");
    assert_eq!(added, shown);
    let due_at = shown["next_execution_timestamp"].take();
    let due_at = chrono::DateTime::parse_from_rfc3339(due_at.as_str().unwrap()).unwrap();
    assert!((chrono::Utc::now() - due_at.to_utc()).num_seconds() < 60, "a new pull mirror is due at once");
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());

    let changed = desk.json("mirror update pull 42 --only-protected --protected main --protected release/* --overwrite-diverged --enabled false --json");
    assert_eq!(changed["only_protected_branches"], true);
    assert_eq!(changed["protected_branches"], serde_json::json!(["main", "release/*"]));
    assert_eq!(changed["mirror_overwrites_diverged_branches"], true);
    assert_eq!((&changed["enabled"], &changed["next_execution_timestamp"]), (&Value::Bool(false), &Value::Null));
    let changed = desk.json("mirror update pull 42 --branch-regex ^v[0-9] --enabled true --json");
    assert_eq!(
        (&changed["only_protected_branches"], &changed["mirror_branch_regex"]),
        (&false.into(), &"^v[0-9]".into())
    );

    desk.ok("mirror add push --id 42 --repository group/project.git --url http://far.example.com/y.git --on-divergence keep");
    let list = desk.json("mirror list --json");
    let names: Vec<String> =
        list.as_array().unwrap().iter().map(|m| format!("{} {}", m["direction"].as_str().unwrap(), m["id"])).collect();
    assert_eq!(names, ["pull 42", "push 42"]);
    assert_eq!(list[1]["keep_divergent_refs"], true);

    let removed = desk.json("mirror remove pull 42 --json");
    assert_eq!(removed, serde_json::json!({ "direction": "pull", "id": 42 }));
    assert_eq!(desk.json("mirror list --json").as_array().unwrap().len(), 1);
    let mut redis = desk.redis.connection();
    let left: Vec<String> = redis.keys("sidemirror:pull*").unwrap();
    assert_eq!(left, [""; 0], "nothing of a removed mirror stays, its password least of all");
}

#[test]
fn the_table_is_aligned_and_colourless_where_nobody_looks() {
    let desk = Desk::new();
    assert!(desk.ok("mirror list").contains("no mirrors"));
    desk.ok("mirror add pull --id 7 --repository g/seven.git --url https://git.example.com/7.git");
    desk.ok("mirror add push --id 1000 --repository group/thousand.git --url https://git.example.com/1000.git --enabled false");
    insta::assert_snapshot!(desk.ok("mirror list"));
    insta::assert_snapshot!(desk.ok("mirror show push 1000"));
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let desk = Desk::new();
    desk.ok("mirror add pull --id 1 --repository g/p.git --url https://git.example.com/p.git");
    let add = "mirror add pull --id 2 --repository g/p.git --url https://git.example.com/p.git";
    let refusals: Vec<String> = [
        "mirror add pull --id 1 --repository g/p.git --url https://git.example.com/p.git",
        "mirror add pull --id 2 --repository ../p.git --url https://git.example.com/p.git",
        "mirror add pull --id 2 --repository g/p.git --url ftp://git.example.com/p.git",
        "mirror add pull --id 2 --repository g/p.git --url https://bob:hunter2@git.example.com/p.git",
        &format!("{add} --only-protected"),
        &format!("{add} --protected main"),
        &format!("{add} --branch-regex ("),
        &format!("{add} --on-divergence keep"),
        &format!("{add} --user bob"),
        &format!("{add} --user bob --password-file /dev/null"),
        &format!("{add} --user bob --password-file /nowhere"),
        "mirror update push 1 --overwrite-diverged",
        "mirror show pull 99",
        "mirror remove push 1",
        "mirror sync pull 99",
    ]
    .iter()
    .map(|line| format!("{line}\n    {}", desk.refused(line).trim_end().replace('\n', "\n    ")))
    .collect();
    let refusals = refusals.join("\n");
    assert!(!refusals.replace("https://bob:hunter2@", "").contains("hunter2"));
    insta::assert_snapshot!(refusals);
    assert_eq!(desk.json("mirror list --json").as_array().unwrap().len(), 1);
}

#[test]
fn a_password_is_only_ever_stored_sealed() {
    let desk = Desk::new();
    desk.ok("mirror add pull --id 1 --repository g/p.git --url https://git.example.com/p.git --user bob --password-file FILE");
    let mut redis = desk.redis.connection();
    let login: String = redis.hget("sidemirror:pull:1", "login").unwrap();
    assert!(login.starts_with("v2:") && !login.contains("pa ss"), "{login}");

    // It goes with the host it was given for.
    desk.ok("mirror update pull 1 --enabled false");
    assert_eq!(redis.hget::<_, _, String>("sidemirror:pull:1", "login").unwrap(), login);
    desk.ok("mirror update pull 1 --url https://elsewhere.example.com/p.git");
    assert!(!redis.hexists::<_, _, bool>("sidemirror:pull:1", "login").unwrap());
}

#[test]
fn sync_pushes_a_job_that_ruby_would_have_pushed() {
    let desk = Desk::new();
    desk.ok("mirror add push --id 3 --repository g/p.git --url https://git.example.com/p.git");
    let pushed = desk.json("mirror sync push 3 --json");
    let mut redis = desk.redis.connection();
    let jobs: Vec<String> = redis.lrange("queue:mirrors", 0, -1).unwrap();
    let job: Value = serde_json::from_str(&jobs[0]).unwrap();
    assert_eq!(
        (&job["class"], &job["args"], &job["jid"]),
        (&"RemoteMirror".into(), &serde_json::json!([3]), &pushed["jid"])
    );
    assert_eq!(redis.smembers::<_, Vec<String>>("queues").unwrap(), ["mirrors"]);

    desk.ok("mirror update push 3 --enabled false");
    assert!(desk.refused("mirror sync push 3").contains("not enabled"));
}
