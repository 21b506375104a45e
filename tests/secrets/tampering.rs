//! Somebody who can write to Redis, and has no key, wants a mirror's secrets sent to him.

use std::io::ErrorKind;
use std::net::TcpListener;

use redis::Commands as _;
use serde_json::{Value, json};

use crate::rig::certificates::Ca;
use crate::vault::{file, key, sealed};
use crate::world::World;

const RECORD: &str = "sidemirror:pull:1";

/// A place that wants to hear secrets.
struct Listener(TcpListener);

impl Listener {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    fn heard_nothing(&self) -> bool {
        self.0.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// Changes the stored settings of mirror 1 past everybody, and returns the record as it was.
fn tamper(world: &World, change: impl FnOnce(&mut Value)) -> String {
    let mut connection = world.redis.connection();
    let before: String = connection.hget(RECORD, "record").unwrap();
    let mut record: Value = serde_json::from_str(&before).unwrap();
    change(&mut record["settings"]);
    put_back(world, &record.to_string());
    before
}

fn put_back(world: &World, record: &str) {
    let _: u64 = world.redis.connection().hset(RECORD, "record", record).unwrap();
}

#[test]
fn a_proxy_written_into_redis_gets_no_login() {
    let world = World::start();
    world.git.create("up.git").commit("main", "first");
    world.add_pull(1, "up.git", &[]);
    let thief = Listener::start();
    let before = tamper(&world, |settings| settings["reach"]["proxy"] = json!(format!("http://{}", thief.address())));
    let error = world.fail("pull", 1);
    assert!(error.contains("was given for another mirror, host, proxy or certificate"), "{error}");
    assert!(thief.heard_nothing());
    // Whoever changes something else now neither opens nor loses it.
    let authority = Ca::new();
    world.update("pull", 1, &["--ca-file", authority.path("ca.crt").to_str().unwrap()]);
    assert!(world.fail("pull", 1).contains("was given for another mirror"));
    assert!(thief.heard_nothing());
    put_back(&world, &before);
    world.succeed("pull", 1);
}

#[test]
fn an_address_written_into_redis_with_a_second_host_in_it_is_refused() {
    let world = World::start();
    world.git.create("up.git").commit("main", "first");
    world.add_pull(1, "up.git", &[]);
    let thief = Listener::start();
    // Up to its first slash it is the address that the login was given for; to who reads a login in it, the thief's.
    tamper(&world, |settings| {
        let url = settings["url"].as_str().unwrap().replace("127.0.0.1:", "user:");
        settings["url"] = json!(url.replace("/up.git", &format!("/x@{}/up.git", thief.address())));
    });
    let error = world.fail("pull", 1);
    assert!(error.contains("not written as addresses are stored"), "{error}");
    assert!(thief.heard_nothing());
}

#[test]
fn a_change_of_the_way_by_the_operator_takes_the_secrets_along() {
    let world = World::start();
    world.git.create("up.git").commit("main", "first");
    world.add_pull(1, "up.git", &[]);
    let bearer = file(&world.installation, "header", "a value").display().to_string();
    world.update("pull", 1, &["--header-file", &format!("X-Token={bearer}")]);
    let before = sealed(&world.redis, "pull:1");
    let authority = Ca::new();
    let ca = authority.path("ca.crt").display().to_string();
    for change in [["--proxy", "none"].as_slice(), &["--ca-file", &ca], &["--no-ca"], &["--proxy", ""]] {
        world.update("pull", 1, change);
        world.succeed("pull", 1);
    }
    let after = sealed(&world.redis, "pull:1");
    assert!(after.len() == 2 && after.iter().all(|(field, sealed)| before[field] != *sealed), "{after:?}");
    // Without the key nothing can be taken along, and so nothing is changed.
    let record = || -> String { world.redis.connection().hget(RECORD, "record").unwrap() };
    let settings = record();
    file(&world.installation, "secret.key", &key(8));
    let refused = crate::vault::refusal(&world.installation.cli(&["mirror", "update", "pull", "1", "--proxy", "none"]));
    assert!(refused.contains("sealed with key"), "{refused}");
    assert_eq!((record(), sealed(&world.redis, "pull:1")), (settings, after));
}
