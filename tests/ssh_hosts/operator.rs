//! What an operator does, from a key to a mirror that runs: the real commands and the real worker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::Commands as _;
use serde_json::{Value, json};

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::sshd::Sshd;
use crate::rig::sshd::me;
use crate::rig::wait;

/// Each job has a name of its own.
static JOBS: AtomicU64 = AtomicU64::new(1);

struct Scene {
    installation: Installation,
    redis: Redis,
    sshd: Sshd,
}

impl Scene {
    fn new(kinds: &[&str]) -> Self {
        let redis = Redis::start();
        let installation = Installation::new(&redis.url()).mirror("scheduler", false);
        let sshd = Sshd::start(installation.folder(), kinds, &[]);
        Self { installation, redis, sshd }
    }

    fn far(&self) -> Repository {
        Repository::open(&self.installation.folder().join("far.git"))
    }

    fn url(&self) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", me(), self.sshd.port, self.far().path().display())
    }

    fn add(&self, direction: &str, id: &str) {
        let url = self.url();
        self.cli(&["mirror", "add", direction, "--id", id, "--repository", "group/ours.git", "--url", &url]);
    }

    fn cli(&self, arguments: &[&str]) -> String {
        self.installation.cli_ok(arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.cli(&[arguments, &["--json"]].concat())).unwrap()
    }

    #[track_caller]
    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.installation.cli(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap().trim_end().to_owned()
    }

    /// Runs a mirror's job and returns its state then.
    fn run(&self, direction: &str, id: u64) -> Value {
        let class = if direction == "pull" { "UpdateMirror" } else { "RemoteMirror" };
        let job = json!({ "class": class, "args": [id], "retry": false, "queue": "mirrors",
                          "jid": format!("{:024x}", JOBS.fetch_add(1, Ordering::Relaxed)), "created_at": 1.5e9, "enqueued_at": 1.5e9 });
        let mut connection = self.redis.connection();
        let _: u64 = connection.lpush("queue:mirrors", job.to_string()).unwrap();
        wait::until("the job to be done", Duration::from_mins(1), || {
            let waiting: u64 = connection.llen("queue:mirrors").unwrap();
            let in_hand: Vec<String> = connection.keys("working:queue:mirrors:*").unwrap();
            waiting == 0 && in_hand.is_empty()
        });
        self.installation.mirror_state(direction, id)
    }
}

#[test]
fn from_a_new_key_to_mirrors_that_pull_and_push() {
    let scene = Scene::new(&["ed25519", "rsa"]);
    let far = Repository::create(scene.far().path());
    far.commits("main", 20);
    let _worker = scene.installation.start_worker();
    scene.add("pull", "1");
    let made = scene.cli(&["key", "generate", "pull", "1"]);
    assert_eq!(scene.cli(&["key", "show", "pull", "1"]), made);
    let public = made.lines().last().unwrap();
    assert!(public.starts_with("ssh-rsa ") && public.ends_with(" sidemirror-pull-1"), "{made}");
    scene.sshd.authorise(public);

    let state = scene.run("pull", 1);
    let said = state["last_error"].as_str().unwrap();
    let shown = scene.sshd.fingerprint("ed25519");
    assert!(said.contains("is not known: the server shows") && said.contains(&shown), "{said}");

    scene.cli(&["host-keys", "trust", "pull", "1", "--detect"]);
    let state = scene.run("pull", 1);
    assert_eq!((&state["update_status"], &state["last_error"]), (&json!("finished"), &Value::Null));
    let ours = scene.installation.repository("group/ours.git");
    assert_eq!(ours.mirrored_refs(), far.refs());

    ours.commit("main", "ours");
    scene.add("push", "2");
    scene.sshd.authorise(scene.cli(&["key", "generate", "push", "2", "--type", "ed25519"]).lines().last().unwrap());
    scene.cli(&["host-keys", "trust", "push", "2", "--detect", "--fingerprint", &shown]);
    let state = scene.run("push", 2);
    assert_eq!((&state["update_status"], &state["last_error"]), (&json!("finished"), &Value::Null));
    assert_eq!(far.mirrored_refs(), ours.mirrored_refs());
}

#[test]
fn host_keys_are_detected_compared_and_stored() {
    let scene = Scene::new(&["ed25519", "ecdsa"]);
    scene.add("pull", "1");
    let (ed25519, ecdsa) = (scene.sshd.known("ed25519"), scene.sshd.known("ecdsa"));

    let detected = scene.cli(&["host-keys", "detect", &scene.url()]);
    let listed = |kind, hash| scene.sshd.listed(kind, hash).replace(" no comment", "");
    let shown = |kind| format!("# {}\n# {}\n{}\n", listed(kind, "sha256"), listed(kind, "md5"), scene.sshd.known(kind));
    assert_eq!(detected, [shown("ed25519"), shown("ecdsa")].concat());
    let found = scene.json(&["host-keys", "detect", &scene.url()]);
    assert_eq!(found["known_hosts"], json!(format!("{ed25519}\n{ecdsa}\n")));
    assert_eq!(found["fingerprints"][1]["fingerprint_sha256"], json!(scene.sshd.fingerprint("ecdsa")));
    assert_eq!(found["fingerprints"][1]["index"], json!(1));
    assert_eq!(found["fingerprints"][1]["type"], json!("ecdsa"));

    let stored = || scene.json(&["host-keys", "show", "pull", "1"])["known_hosts"].as_str().unwrap().to_owned();
    assert_eq!(stored(), "");
    let wrong = scene.complaint(&["host-keys", "trust", "pull", "1", "--detect", "--fingerprint", "SHA256:AAAA"]);
    assert!(wrong.contains("has no key with this fingerprint; it shows SHA256:"), "{wrong}");
    assert_eq!(stored(), "");
    let md5 = listed("ecdsa", "md5").split(' ').nth(1).unwrap().to_owned();
    scene.cli(&["host-keys", "trust", "pull", "1", "--detect", "--fingerprint", &md5]);
    assert_eq!(stored(), format!("{ecdsa}\n"), "the key that was compared, and no other");

    let file = scene.installation.folder().join("known_hosts");
    std::fs::write(&file, format!("# ours\n{ed25519}\n@revoked * {}\n", scene.sshd.public("ecdsa"))).unwrap();
    let changed = scene.cli(&["host-keys", "trust", "pull", "1", "--file", file.to_str().unwrap()]);
    let print = |kind| scene.sshd.fingerprint(kind);
    assert_eq!(
        changed,
        format!(
            "pull mirror 1 trusts other host keys now:\n- {} (ECDSA)\n+ {} (ED25519)\n+ @revoked {} (ECDSA)\n",
            print("ecdsa"),
            print("ed25519"),
            print("ecdsa")
        )
    );
    let refused = scene.complaint(&["host-keys", "trust", "pull", "1", "--detect"]);
    assert!(refused.contains("shows a key that is marked as revoked"), "{refused}");

    for (text, complaint) in [
        (format!("{ed25519}\nnonsense\n"), "line 2 is not a line of a known_hosts file"),
        (String::new(), "no line of it is about 127.0.0.1:"),
        (ed25519.replace("127.0.0.1", "127.0.0.2"), "no line of it is about 127.0.0.1:"),
    ] {
        let before = stored();
        std::fs::write(&file, text).unwrap();
        let said = scene.complaint(&["host-keys", "trust", "pull", "1", "--file", file.to_str().unwrap()]);
        assert!(said.contains(complaint), "{said}");
        assert_eq!(stored(), before);
    }
}

#[test]
fn a_private_network_is_not_searched_for_host_keys() {
    let scene = Scene::new(&["ed25519"]);
    let installation = Installation::new(&scene.redis.url()).mirror("allow_local_network", false);
    let output = installation.cli(&["host-keys", "detect", &scene.url()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("Requests to loopback addresses are not allowed"), "{said}");
    assert_eq!(scene.sshd.connections(), 0);
    let said = scene.complaint(&["host-keys", "detect", "https://127.0.0.1/x.git"]);
    assert!(said.contains("only SSH servers have host keys"), "{said}");
}

#[test]
fn a_key_is_kept_sealed_and_not_replaced_by_accident() {
    let scene = Scene::new(&["ed25519"]);
    scene.add("pull", "1");
    let none = scene.complaint(&["key", "show", "pull", "1"]);
    assert!(none.contains("the mirror has no key; `sidemirror key generate` makes one"), "{none}");
    let made = scene.json(&["key", "generate", "pull", "1", "--type", "ed25519"]);
    let again = scene.complaint(&["key", "generate", "pull", "1"]);
    assert!(again.contains("has a key already; --replace makes a new one"), "{again}");
    assert_eq!(scene.json(&["key", "show", "pull", "1"]), made);
    let other = scene.json(&["key", "generate", "pull", "1", "--type", "ed25519", "--replace"]);
    assert_ne!(other["fingerprint_sha256"], made["fingerprint_sha256"]);
    let file = scene.installation.folder().join("key.pub");
    std::fs::write(&file, other["public_key"].as_str().unwrap()).unwrap();
    let listed = crate::rig::sshd::keygen(&["-l", "-f", file.to_str().unwrap()]);
    let expected = format!("256 {} sidemirror-pull-1 (ED25519)", other["fingerprint_sha256"].as_str().unwrap());
    assert_eq!(listed, expected);

    let mut connection = scene.redis.connection();
    let record: std::collections::HashMap<String, String> = connection.hgetall("sidemirror:pull:1").unwrap();
    assert!(record.keys().any(|field| field.contains("ssh_key")), "{record:?}");
    for (field, value) in record {
        assert!(!value.contains("PRIVATE KEY") && !value.contains("b3BlbnNzaC1rZXk"), "{field}");
    }
}
