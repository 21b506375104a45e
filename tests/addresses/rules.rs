//! What the operator's rules let pass, and what they keep out.

use std::net::IpAddr;

use sidemirror::net::{Access, Door, DoorSettings};

use crate::engines::{SCHEMES, engines};
use crate::world::World;

/// Whether the canary is reached at all; it is, or the guard says why not.
fn is_reached(world: &World, door: &Door, host: &str) -> bool {
    let mut verdicts = Vec::new();
    for engine in engines() {
        let engine = &*engine;
        for scheme in SCHEMES {
            let url = format!("{scheme}://{host}:{}/p.git", world.canary.port());
            let told = world.attempt(engine, door, &url, &Access::default())[0].to_string();
            let reached = world.canary.arrivals() != [] as [IpAddr; 0];
            assert_eq!(reached, !told.starts_with("Requests to "), "{url}: {told}");
            verdicts.push(reached);
        }
    }
    verdicts.dedup();
    assert_eq!(verdicts.len(), 1, "{host}: all schemes and engines agree");
    verdicts[0]
}

#[test]
fn a_rule_with_a_port_is_about_that_port_only() {
    let world = World::new();
    let other = crate::canary::Canary::start();
    let door = world.door_with(&[&format!("127.0.0.1:{}", other.port())], &[]);
    assert!(!is_reached(&world, &door, "127.0.0.1"));
    world.dns.is("near.test", &["127.0.0.1"]);
    assert!(!is_reached(&world, &door, "near.test"), "by name neither");
    let door = world.door_with(&[&format!("127.0.0.1:{}", world.canary.port())], &[]);
    assert!(is_reached(&world, &door, "127.0.0.1"));
    assert!(is_reached(&world, &door, "near.test"));
    assert!(!is_reached(&world, &door, "127.0.0.2"));
}

#[test]
fn a_host_is_allowed_by_name_wherever_it_is() {
    let world = World::new();
    for name in ["git.corp.test", "corp.test", "badcorp.test", "other.test"] {
        world.dns.is(name, &["127.0.0.1"]);
    }
    let door = world.door_with(&["*.corp.test"], &[]);
    assert!(is_reached(&world, &door, "git.corp.test"));
    assert!(is_reached(&world, &door, "GIT.corp.test."));
    for host in ["corp.test", "badcorp.test", "other.test", "127.0.0.1"] {
        assert!(!is_reached(&world, &door, host), "{host}");
    }
}

#[test]
fn deny_wins_over_allow_and_over_the_local_network() {
    let world = World::new();
    world.dns.is("git.corp.test", &["127.0.0.1"]);
    world.dns.is("evil.corp.test", &["127.0.0.1"]);
    world.dns.is("far.corp.test", &["127.6.6.6"]);
    let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let door = world.door(DoorSettings {
        allow_local_network: true,
        allow: rules(&["*.corp.test"]),
        deny: rules(&["evil.corp.test", "127.6.0.0/16"]),
        ..world.settings()
    });
    assert!(is_reached(&world, &door, "git.corp.test"));
    assert!(is_reached(&world, &door, "127.0.0.1"));
    for host in ["evil.corp.test", "Evil.corp.test.", "far.corp.test", "127.6.6.6", "[::ffff:127.6.6.6]"] {
        assert!(!is_reached(&world, &door, host), "{host}");
    }
}

#[test]
fn with_only_allowed_the_local_network_is_no_exception() {
    let world = World::new();
    world.dns.is("git.test", &["127.0.0.1"]);
    let door = world.door(DoorSettings {
        allow_local_network: true,
        only_allowed: true,
        allow: vec!["git.test".parse().unwrap()],
        ..world.settings()
    });
    assert!(is_reached(&world, &door, "git.test"));
    assert!(!is_reached(&world, &door, "127.0.0.1"));
    assert!(!is_reached(&world, &door, "localhost"));
}
