//! The forms in which credentials are given.

use std::process::Command;

use serde_json::{Value, json};

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::vault::{file, refusal, sealed};
use crate::world::World;

/// Secrets that stand nowhere else.
const SECRETS: [&str; 5] = ["bearer+t0ken/=", "h3ader v@lue%41", "pr0xy p@ss", "open s3same!", "t0p s3cret/+=@%:"];

/// All files that a mirror with everything needs.
struct Files {
    installation: Installation,
    arguments: Vec<String>,
}

impl Files {
    fn new(redis: &Redis) -> Self {
        let installation = Installation::new(&redis.url());
        let [bearer, header, proxy, passphrase, password] = SECRETS;
        let path = |name: &str, content: &str| file(&installation, name, content).display().to_string();
        let folder = installation.folder();
        let make = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        make("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-f", "ssh.key"]);
        let subject = ["-subj", "/CN=us", "-keyout", "us.key", "-out", "us.crt"];
        make("openssl", &[&["req", "-x509", "-nodes", "-newkey", "ed25519"], subject.as_slice()].concat());
        let in_folder = |name: &str| folder.join(name).display().to_string();
        let arguments = vec![
            ("--user", "bob".to_owned()),
            ("--password-file", path("password", password)),
            ("--bearer-file", path("bearer", bearer)),
            ("--header-file", format!("X-Token={}", path("header", header))),
            ("--proxy", "http://proxy.example.com:3128".to_owned()),
            ("--proxy-user", "through".to_owned()),
            ("--proxy-password-file", path("proxy", proxy)),
            ("--ca-file", in_folder("us.crt")),
            ("--certificate-fingerprint", ["AB"; 32].join(":")),
            ("--client-certificate", in_folder("us.crt")),
            ("--client-key-file", in_folder("us.key")),
            ("--redirects", "same-origin".to_owned()),
            ("--ssh-key-file", in_folder("ssh.key")),
            ("--ssh-passphrase-file", path("passphrase", &format!("{passphrase}\n"))),
            ("--engine", "libgit2".to_owned()),
        ];
        let arguments = arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
        Self { installation, arguments }
    }

    /// Adds pull mirror 1 with everything.
    fn add(&self) -> Value {
        let add = "mirror add pull --id 1 --repository g/p.git --url https://git.example.com/p.git --json";
        let words: Vec<&str> = add.split(' ').chain(self.arguments.iter().map(String::as_str)).collect();
        serde_json::from_str(&self.installation.cli_ok(&words)).unwrap()
    }

    fn update(&self, line: &str) -> Value {
        let words: Vec<&str> = "mirror update pull 1 --json".split(' ').chain(line.split(' ')).collect();
        serde_json::from_str(&self.installation.cli_ok(&words)).unwrap()
    }
}

#[test]
fn each_form_is_stored_sealed_named_by_show_and_can_be_taken_back() {
    let redis = Redis::start();
    let files = Files::new(&redis);
    let added = files.add();
    let names = json!(["login", "bearer", "header:x-token", "ssh_key", "ssh_passphrase", "client_key", "proxy_login"]);
    assert_eq!(added["credentials"], names);
    assert_eq!((&added["auth_method"], &added["engine"]), (&"ssh_public_key".into(), &"libgit2".into()));
    assert_eq!(added["certificate_fingerprint"], "ab".repeat(32));
    assert_eq!(
        (&added["proxy"], &added["redirects"]),
        (&"http://proxy.example.com:3128".into(), &"same_origin".into())
    );
    let fields = sealed(&redis, "pull:1");
    assert_eq!(fields.len(), 7);
    assert!(fields.values().all(|sealed| sealed.starts_with("v2:")), "{fields:?}");

    let shown = files.installation.cli_ok(&["mirror", "show", "pull", "1"]);
    assert!(
        shown.contains("user and password, bearer token, header x-token, ssh key, passphrase of the ssh key, client certificate, user and password for the proxy"),
        "{shown}"
    );
    let raw: Vec<u8> = redis::cmd("DUMP").arg("sidemirror:pull:1").query(&mut redis.connection()).unwrap();
    for secret in SECRETS {
        let all = format!("{shown}{added}{}", String::from_utf8_lossy(&raw));
        assert!(!all.contains(secret), "{secret} shows");
    }

    for (taken_back, left) in [
        ("--no-login", 6),
        ("--no-bearer", 5),
        ("--no-header X-Token", 4),
        ("--no-ssh-key", 2),
        ("--no-client-certificate", 1),
        ("--no-proxy-login", 0),
    ] {
        let changed = files.update(taken_back);
        assert_eq!(changed["credentials"].as_array().unwrap().len(), left, "{taken_back}: {changed}");
    }
    let plain = files.update("--proxy= --no-ca --certificate-fingerprint= --redirects default --engine auto");
    let (proxy, redirects, fingerprint) = (&plain["proxy"], &plain["redirects"], &plain["certificate_fingerprint"]);
    assert_eq!((proxy, redirects, fingerprint), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&plain["auth_method"], &plain["engine"]), (&"password".into(), &"auto".into()));
}

#[test]
fn what_was_given_for_one_place_stays_behind_when_the_mirror_goes_to_another() {
    let redis = Redis::start();
    let files = Files::new(&redis);
    files.add();
    let moved = files.update("--url https://git.example.com/moved.git");
    assert_eq!(moved["credentials"].as_array().unwrap().len(), 7, "the same host");
    let moved = files.update("--proxy http://other.example.com:3128");
    assert!(!moved["credentials"].as_array().unwrap().contains(&"proxy_login".into()), "{moved}");
    let moved = files.update("--url https://elsewhere.example.com/p.git");
    assert_eq!(moved["credentials"], json!(["ssh_key", "ssh_passphrase"]), "its key follows it");
    assert_eq!(moved["certificate_fingerprint"], Value::Null);
    assert_eq!(sealed(&redis, "pull:1").len(), 2);
}

#[test]
fn a_login_arrives_at_the_server_in_whatever_form_it_was_given() {
    let world = World::start();
    world.git.create("up.git").commit("main", "first");
    let url = world.git.url("up.git");
    let place = url.strip_prefix("http://").unwrap();
    let (user, password) = (GitServer::USER, GitServer::PASSWORD);
    let encoded = percent_encoding::utf8_percent_encode(password, percent_encoding::NON_ALPHANUMERIC).to_string();
    let lower = encoded.to_lowercase();
    // The password holds %23, which is decoded like all that looks encoded.
    let raw = password.replace('%', "%25");
    assert!(["/", "+", "=", "@"].iter().all(|letter| raw.contains(letter)), "{raw}");
    for (id, password) in (1..).zip([&raw, &encoded, &lower]) {
        let file = file(&world.installation, "url", &format!("http://{user}:{password}@{place}\n"));
        let repository = format!("group/project-{id}.git");
        let id_text = id.to_string();
        let add = ["mirror", "add", "pull", "--id", &id_text, "--repository", &repository, "--url-file"];
        world.installation.cli_ok(&[add.as_slice(), &[file.to_str().unwrap()]].concat());
        assert_eq!(world.state("pull", id).0["url"], url.as_str());
        world.succeed("pull", id);
    }
    // In fields of its own it is taken as it is.
    world.add_pull(9, "up.git", &[]);
    world.succeed("pull", 9);
}

#[test]
fn what_would_show_or_makes_no_sense_is_refused_and_nothing_is_stored() {
    let redis = Redis::start();
    let files = Files::new(&redis);
    let folder = files.installation.folder().display().to_string();
    file(&files.installation, "two-lines", "a\nb\n");
    file(&files.installation, "both.pem", &{
        let read = |name: &str| std::fs::read_to_string(files.installation.folder().join(name)).unwrap();
        [read("us.crt"), read("us.key")].concat()
    });
    let refusals: Vec<String> = [
        "--url https://bob:hunter2@git.example.com/p.git",
        "--url https://ghp_token@git.example.com/p.git",
        "--url ssh://bob:hunter2@git.example.com/p.git",
        "--url-file FOLDER/two-lines",
        "--bearer-file FOLDER/nowhere",
        "--header-file FOLDER/header",
        "--header-file Host=FOLDER/header",
        "--header-file X\u{e9}=FOLDER/header",
        "--header-file X*=FOLDER/header",
        "--proxy http://through:hunter2@proxy.example.com:3128",
        "--proxy proxy.example.com",
        "--proxy-user through --proxy-password-file FOLDER/proxy",
        "--ca-file FOLDER/us.key",
        "--ca-file FOLDER/both.pem",
        "--client-certificate FOLDER/us.crt --client-key-file FOLDER/us.crt",
        "--certificate-fingerprint abcd",
        "--ssh-key-file FOLDER/ssh.key",
        "--ssh-key-file FOLDER/ssh.key --ssh-passphrase-file FOLDER/password",
        "--ssh-key-file FOLDER/us.crt",
    ]
    .into_iter()
    .map(|line| {
        let url = if line.starts_with("--url") { "" } else { "--url https://git.example.com/p.git " };
        let add = format!("mirror add pull --id 1 --repository g/p.git {url}{line}").replace("FOLDER", &folder);
        let refusal = refusal(&files.installation.cli(&add.split(' ').collect::<Vec<_>>()));
        assert!(!refusal.contains("hunter2") && !refusal.contains("ghp_token"), "{refusal}");
        format!("{line}\n    {}", refusal.trim_end().replace(&folder, "FOLDER"))
    })
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
    let keys: Vec<String> = redis::cmd("KEYS").arg("sidemirror:pull*").query(&mut redis.connection()).unwrap();
    assert_eq!(keys, [""; 0]);
}
