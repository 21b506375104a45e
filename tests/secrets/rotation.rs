//! One key follows another.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use redis::Commands as _;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::proxy::Proxy;
use crate::rig::redis::Redis;
use crate::rig::store::Store;
use crate::vault::{file, key, key_id, refusal, sealed, sealed_with, status};
use crate::world::World;

/// The same installation with a new key, which knows the old one.
fn with_new_key(installation: Installation) -> Installation {
    let new = file(&installation, "new.key", &key(8));
    let old = installation.folder().join("secret.key");
    installation
        .mirror("secret_key_file", new.display())
        .mirror("previous_secret_key_files", format!("[{}]", old.display()))
}

#[test]
fn a_rotation_goes_on_while_workers_mirror_and_then_the_old_key_is_not_needed_any_more() {
    let mut world = World::start();
    world.git.create("up.git").commit("main", "first");
    for id in 1..=5 {
        world.add_pull(id, "up.git", &[]);
    }
    let old_id = key_id(&world.installation);
    world.installation = with_new_key(world.installation);
    let new_id = key_id(&world.installation);
    world.worker = world.installation.start_worker();
    assert_eq!((sealed_with(&world.installation, &old_id), sealed_with(&world.installation, &new_id)), (5, 0));

    for id in 1..=5 {
        world.push_job("pull", id);
    }
    let told = world.installation.cli_ok(&["secrets", "rotate", "--json"]);
    assert!(told.contains(r#""resealed": 5"#) && told.contains(r#""unreadable": 0"#), "{told}");
    world.wait_for_jobs();
    for id in 1..=5 {
        assert_eq!(world.state("pull", id).status(), "finished");
    }
    assert_eq!(status(&world.installation)["key_in_use"], new_id);
    assert_eq!(status(&world.installation)["secrets"], serde_json::json!({ &new_id: 5 }));
    // Once more has nothing to do.
    assert!(
        world.installation.cli_ok(&["secrets", "rotate"]).starts_with("sealed 0 secrets anew; looked at 5 mirrors")
    );

    world.installation = world.installation.mirror("previous_secret_key_files", "[]");
    world.worker = world.installation.start_worker();
    world.succeed("pull", 1);
    let old = world.installation.folder().join("secret.key").display().to_string();
    world.installation = world.installation.mirror("secret_key_file", old);
    assert!(refusal(&world.installation.cli(&["run"])).contains(&new_id), "the old key alone opens nothing");
}

#[test]
fn a_rotation_that_was_broken_off_is_resumed() {
    const MIRRORS: u64 = 1000;
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let store = Store::open(&redis, &installation);
    for id in 1..=MIRRORS {
        store.add_pull(id, "g/p.git", "https://git.example.com/p.git", Utc::now());
    }
    // Now it is known which key is in use, and need not be looked for.
    installation.cli_ok(&["secrets", "rotate"]);
    let old_id = key_id(&installation);
    let installation = with_new_key(installation);
    let new_id = key_id(&installation);

    let proxy = Proxy::to(redis.port());
    let installation = installation.with_redis(&format!("redis://127.0.0.1:{}", proxy.port()));
    // Some pages of records have passed by then.
    proxy.close_gate_after(250_000);
    refusal(&installation.cli(&["secrets", "rotate"]));
    let installation = installation.with_redis(&redis.url());
    let done = sealed_with(&installation, &new_id);
    assert!(done > 0 && done < MIRRORS, "{done}");
    assert_eq!(sealed_with(&installation, &old_id), MIRRORS - done, "each is sealed with one or the other");
    installation.cli_ok(&["secrets", "rotate"]);
    assert_eq!(status(&installation)["secrets"], serde_json::json!({ new_id: MIRRORS }));
}

#[test]
fn where_a_key_is_lost_what_it_sealed_is_named_and_thrown_away_when_that_is_asked_for() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    installation.add_mirror("pull", 1, "g/p.git", "https://git.example.com/p.git", &[]);
    let other = file(&installation, "other.key", &key(8));
    let installation = installation.mirror("secret_key_file", other.display());
    refusal(&installation.cli(&["secrets", "rotate"]));
    let before = sealed(&redis, "pull:1");
    let unsure = refusal(&installation.cli(&["secrets", "rotate", "--discard-unreadable"]));
    assert!(unsure.contains("1 secrets, key ") && unsure.contains("not configured: thrown away"), "{unsure}");
    assert!(unsure.contains("give --yes, too"), "{unsure}");
    assert_eq!(sealed(&redis, "pull:1"), before);
    let told = installation.cli_ok(&["secrets", "rotate", "--discard-unreadable", "--yes"]);
    assert!(told.contains("pull mirror 1, login: A secret of the mirror was sealed with key"), "{told}");
    assert!(told.contains("threw 1 away"), "{told}");
    assert!(sealed(&redis, "pull:1").is_empty());
    installation.add_mirror("pull", 2, "g/p.git", "https://git.example.com/p.git", &[]);
    assert_eq!(sealed_with(&installation, &key_id(&installation)), 1);
}

#[test]
fn secrets_of_a_mirror_whose_record_is_not_readable_are_never_thrown_away() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    for id in [1, 2] {
        installation.add_mirror("pull", id, "g/p.git", "https://git.example.com/p.git", &[]);
    }
    // As a newer version might write it; our key opens what is beside it.
    let _: u64 = redis.connection().hset("sidemirror:pull:1", "record", "{\"settings\":7}").unwrap();
    let before = sealed(&redis, "pull:1");
    // What is damaged need not be text.
    let _: u64 = redis.connection().hset("sidemirror:pull:2", "login", b"v2:12345678:\xff").unwrap();
    let installation = with_new_key(installation);
    let told = refusal(&installation.cli(&["secrets", "rotate", "--discard-unreadable", "--yes"]));
    assert!(told.contains("1 secrets could not be opened and stay as they are"), "{told}");
    assert_eq!(sealed(&redis, "pull:1"), before);
    assert!(sealed(&redis, "pull:2").is_empty(), "this one is lost");
}

#[test]
fn a_rotation_that_others_kept_from_its_end_says_so() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    installation.add_mirror("pull", 1, "g/p.git", "https://git.example.com/p.git", &[]);
    let key_id = key_id(&installation);
    let proxy = Proxy::to(redis.port());
    let installation = installation.with_redis(&format!("redis://127.0.0.1:{}", proxy.port()));
    proxy.close_gate();
    let output = std::thread::scope(|scope| {
        let rotating = scope.spawn(|| installation.cli(&["secrets", "rotate"]));
        let mut nonces = (1..=u8::MAX).cycle();
        // Between any two of its commands there is another login, sealed as before.
        while !rotating.is_finished() {
            if proxy.gate_is_closed() && proxy.held_connections() > 0 {
                let bound_to = "pull:1 https://git.example.com";
                let login = sealed_by_version_1(&key_id, bound_to, nonces.next().unwrap());
                let _: u64 = redis.connection().hset("sidemirror:pull:1", "login", login).unwrap();
                proxy.close_gate_after(1);
                proxy.open_gate();
            }
            std::thread::yield_now();
        }
        rotating.join().unwrap()
    });
    proxy.open_gate();
    let told = refusal(&output);
    assert!(told.contains("1 secrets were being changed by others all the time"), "{told}");
    assert!(installation.cli_ok(&["secrets", "rotate"]).starts_with("sealed 1 secrets anew"));
}

#[test]
fn a_login_of_an_earlier_version_opens_and_is_resealed() {
    let world = World::start();
    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    world.add_pull(1, "up.git", &[]);
    let url = world.git.url("up.git");
    let origin = &url[..url.len() - "/up.git".len()];
    let old = sealed_by_version_1(&key_id(&world.installation), &format!("pull:1 {origin}"), 9);
    let _: u64 = world.redis.connection().hset("sidemirror:pull:1", "login", &old).unwrap();
    world.succeed("pull", 1);
    assert!(world.installation.cli_ok(&["secrets", "rotate"]).starts_with("sealed 1 secrets anew"));
    let new = sealed(&world.redis, "pull:1").remove("login").unwrap();
    assert!(new.starts_with("v2:"), "{new}");
    upstream.commit("main", "second");
    world.succeed("pull", 1);
}

/// A login as the first version sealed it, with the key of the rig's installations.
fn sealed_by_version_1(key_id: &str, bound_to: &str, nonce: u8) -> String {
    let login = serde_json::json!([GitServer::USER, GitServer::PASSWORD]).to_string();
    let nonce = [nonce; 12];
    let payload = Payload { msg: login.as_bytes(), aad: bound_to.as_bytes() };
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from([7; 32]));
    let body = cipher.encrypt(&Nonce::from(nonce), payload).unwrap();
    format!("v1:{key_id}:{}", BASE64_STANDARD.encode([nonce.as_slice(), &body].concat()))
}
