//! Where the key comes from, and what is done about one that does not fit.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use redis::Commands as _;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::vault::{file, key, key_id, refusal, sealed};

/// A mirror with a password, sealed with the installation's own key.
fn with_secret(redis: &Redis) -> Installation {
    let installation = Installation::new(&redis.url());
    installation.add_mirror("pull", 1, "g/p.git", "https://git.example.com/p.git", &[]);
    installation
}

#[test]
fn the_key_comes_from_a_file_a_credential_of_systemd_or_the_environment() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let id = key_id(&installation);
    let nowhere = Installation::new(&redis.url()).mirror("secret_key_file", "/nowhere/secret.key");
    let credentials = nowhere.folder().display().to_string();
    assert!(refusal(&nowhere.cli(&["secrets", "status"])).contains("/nowhere/secret.key cannot be read"));

    let told = |variables: &[(&str, &str)]| {
        String::from_utf8(nowhere.cli_with(variables, &["secrets", "status", "--json"]).stdout).unwrap()
    };
    assert!(told(&[("SIDEMIRROR_SECRET_KEY", &key(7))]).contains(&id));
    file(&nowhere, "sidemirror-secret-key", &key(7));
    assert!(told(&[("CREDENTIALS_DIRECTORY", &credentials)]).contains(&id));
    // The same key in every place is no contradiction.
    assert!(told(&[("CREDENTIALS_DIRECTORY", &credentials), ("SIDEMIRROR_SECRET_KEY", &key(7))]).contains(&id));
}

#[test]
fn of_several_different_keys_none_is_taken() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let output = installation.cli_with(&[("SIDEMIRROR_SECRET_KEY", &key(8))], &["secrets", "status"]);
    let refusal = refusal(&output);
    assert!(refusal.contains("$SIDEMIRROR_SECRET_KEY holds key ") && refusal.contains("secret.key holds key "));
    assert!(!refusal.contains(&key(8)));
    let output = installation.cli_with(&[("SIDEMIRROR_SECRET_KEY", "hunter2")], &["secrets", "status"]);
    let refusal = crate::vault::refusal(&output);
    assert!(refusal.contains("environment: SIDEMIRROR_SECRET_KEY") && !refusal.contains("hunter2"), "{refusal}");
}

#[test]
fn a_key_file_that_others_may_read_or_change_is_refused() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let path = installation.folder().join("secret.key");
    for (mode, is_refused) in
        [(0o600, false), (0o400, false), (0o640, false), (0o644, true), (0o660, true), (0o602, true)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let output = installation.cli(&["secrets", "status"]);
        assert_eq!(
            String::from_utf8_lossy(&output.stderr).contains(&format!("(mode {mode:o})")),
            is_refused,
            "{mode:o}"
        );
    }
}

#[test]
fn a_worker_with_another_key_does_not_start_and_overwrites_nothing() {
    let redis = Redis::start();
    let installation = with_secret(&redis);
    let ours = key_id(&installation);
    let before = sealed(&redis, "pull:1");
    let other = file(&installation, "other.key", &key(8));
    let installation = installation.mirror("secret_key_file", other.display());
    let theirs = key_id(&installation);
    let forgets_the_record = || redis.connection().del::<_, u64>("sidemirror:secrets:key").unwrap();
    // Neither where the key in use is recorded, nor where only the secrets themselves tell.
    for _ in 0..2 {
        let refusal = refusal(&installation.cli(&["run"]));
        assert!(refusal.contains(&format!("sealed with key {ours}")), "{refusal}");
        assert!(refusal.contains(&format!("the configured key is {theirs}")), "{refusal}");
        let path = installation.password_file("a password").display().to_string();
        let update = ["mirror", "update", "pull", "1", "--user", "bob", "--password-file", &path];
        assert!(crate::vault::refusal(&installation.cli(&update)).contains(&ours));
        assert!(crate::vault::refusal(&installation.cli(&["secrets", "rotate"])).contains(&ours));
        assert_eq!(sealed(&redis, "pull:1"), before);
        forgets_the_record();
    }
}

#[test]
fn where_no_key_is_recorded_every_secret_must_be_ours_and_what_is_no_secret_does_not_count() {
    let redis = Redis::start();
    let installation = with_secret(&redis);
    let mut connection = redis.connection();
    let _: () = connection.del("sidemirror:secrets:key").unwrap();
    let _: u64 = connection.hset("sidemirror:pull:1", "bearer", "v2:0badc0de:AAAA").unwrap();
    let _: u64 = connection.hset("sidemirror:pull:1", "header:x", "no secret").unwrap();
    for command in [["secrets", "rotate"].as_slice(), &["run"]] {
        let refusal = refusal(&installation.cli(command));
        assert!(refusal.contains("sealed with key 0badc0de (1 secrets)"), "{refusal}");
    }
    let _: u64 = connection.hdel("sidemirror:pull:1", "bearer").unwrap();
    installation.cli(&["secrets", "rotate"]);
    assert_eq!(connection.get::<_, String>("sidemirror:secrets:key").unwrap(), key_id(&installation));
}

#[test]
fn a_generated_key_is_its_owners_alone_and_never_takes_the_place_of_another() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let path = installation.folder().join("new.key");
    let generate = ["secrets", "generate-key", path.to_str().unwrap()];
    installation.cli_ok(&generate);
    let content = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(refusal(&installation.cli(&generate)).contains("File exists"));
    assert_eq!(fs::read(&path).unwrap(), content);
    let another = installation.folder().join("another.key");
    installation.cli_ok(&["secrets", "generate-key", another.to_str().unwrap()]);
    assert_ne!(fs::read(&another).unwrap(), content);
    key_id(&installation.mirror("secret_key_file", path.display()));
}
