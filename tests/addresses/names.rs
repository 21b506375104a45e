//! Names that lead to forbidden addresses, always or only at times.

use std::net::IpAddr;

use sidemirror::git::GitError;
use sidemirror::net::{Access, NetError};

use crate::engines::{SCHEMES, engines};
use crate::world::World;

/// Stands for a public address: it may be reached, its neighbours may not.
const GOOD: &str = "127.9.9.9";
const FORBIDDEN: &str = "127.0.0.1";
const NOBODY: [IpAddr; 0] = [];

fn good_rule(world: &World) -> String {
    format!("{GOOD}:{}", world.canary.port())
}

#[test]
fn no_name_leads_to_a_forbidden_address() {
    let world = World::new();
    world.dns.is("v4.test", &[FORBIDDEN]);
    world.dns.is("v6.test", &["::1"]);
    world.dns.is("mapped.test", &["::ffff:127.0.0.1"]);
    world.dns.is("translated.test", &["64:ff9b::7f00:1"]);
    world.dns.is("nothing.test", &["0.0.0.0"]);
    world.dns.is("nothing6.test", &["::"]);
    world.dns.is("private.test", &["10.0.0.1"]);
    world.dns.is("metadata.test", &["169.254.169.254"]);
    world.dns.is("unique.test", &["fd00::1"]);
    world.dns.is("127.0.0.1.nip.test", &[FORBIDDEN]);
    world.dns.is("xn--bcher-kva.test", &[FORBIDDEN]);
    world.dns.is("_odd-name.test", &[FORBIDDEN]);
    world.dns.is("good-first.test", &[GOOD, FORBIDDEN]);
    world.dns.is("bad-first.test", &[FORBIDDEN, GOOD]);
    world.dns.is("good-and-v6.test", &[GOOD, "::1"]);
    world.dns.is("good-and-private.test", &[GOOD, "10.0.0.1"]);
    let many: Vec<String> = (1..=20).map(|last| format!("127.9.9.{}", last % 2 + 9)).collect();
    world.dns.is("many.test", &many.iter().map(String::as_str).collect::<Vec<_>>());
    world.dns.alias("alias.test", "v4.test.");
    world.dns.alias("alias-of-alias.test", "alias.test.");
    world.dns.alias("alias-to-v6.test", "v6.test.");
    let door = world.door_with(&[&good_rule(&world)], &[]);
    for engine in engines() {
        let engine = &*engine;
        let hosts = [
            "v4.test",
            "V4.TEST",
            "v4.test.",
            "v6.test",
            "mapped.test",
            "translated.test",
            "nothing.test",
            "nothing6.test",
            "private.test",
            "metadata.test",
            "unique.test",
            "127.0.0.1.nip.test",
            "bücher.test",
            "_odd-name.test",
            "good-first.test",
            "bad-first.test",
            "good-and-v6.test",
            "good-and-private.test",
            "many.test",
            "alias.test",
            "alias-of-alias.test",
            "alias-to-v6.test",
        ];
        for host in hosts {
            for scheme in SCHEMES {
                let url = format!("{scheme}://{host}:{}/p.git", world.canary.port());
                world.refused(engine, &door, &url, &Access::default());
            }
        }
    }
}

#[test]
fn an_allowed_address_is_reached_by_its_name() {
    let world = World::new();
    world.dns.is("good.test", &[GOOD]);
    world.dns.alias("alias.test", "good.test.");
    let door = world.door_with(&[&good_rule(&world)], &[]);
    for engine in engines() {
        let engine = &*engine;
        for host in ["good.test", "alias.test", GOOD] {
            for scheme in SCHEMES {
                let url = format!("{scheme}://{host}:{}/p.git", world.canary.port());
                let [error, _] = world.attempt(engine, &door, &url, &Access::default());
                let arrivals = world.canary.arrivals();
                assert!(!arrivals.is_empty(), "{url}: {error}");
                assert!(arrivals.iter().all(|arrival| arrival.to_string() == GOOD), "{url}: {arrivals:?}");
            }
        }
    }
}

/// Each engine asks anew for each connection, and gets another answer every time.
#[test]
fn an_answer_that_changes_is_checked_each_time_it_is_used() {
    let world = World::new();
    let door = world.door_with(&[&good_rule(&world)], &[]);
    let access = Access::default();
    let mut number = 0;
    for engine in engines() {
        let engine = &*engine;
        for scheme in SCHEMES {
            for turns in [
                [&[GOOD] as &[&str], &[FORBIDDEN]],
                [&[FORBIDDEN], &[GOOD]],
                [&[GOOD], &["::1"]],
                [&[GOOD], &[GOOD, FORBIDDEN]],
            ] {
                number += 1;
                let host = format!("turn{number}.test");
                // Both turns are used up by one attempt where a broken connection is tried again.
                world.dns.turns(&host, &[turns[0], turns[1], turns[0], turns[1]]);
                for _ in 0..3 {
                    let url = format!("{scheme}://{host}:{}/p.git", world.canary.port());
                    let url = sidemirror::net::RemoteUrl::parse(&url).unwrap();
                    let session = World::session(&door, url, access.clone());
                    let limits = sidemirror::git::Limits::NONE;
                    let result: Result<(), GitError> =
                        sidemirror::git::fetch(engine, &world.repository, &session, &limits, |_| Ok(()));
                    result.unwrap_err();
                }
                let arrivals = world.canary.arrivals();
                assert!(arrivals.iter().all(|arrival| arrival.to_string() == GOOD), "{scheme} {turns:?}: {arrivals:?}");
                assert!(!arrivals.is_empty(), "{scheme} {turns:?}: the good turns lead there");
            }
        }
    }
}

#[test]
fn a_name_without_an_address_is_not_resolved_elsewhere() {
    let world = World::new();
    let door = world.door(world.settings());
    for engine in engines() {
        let engine = &*engine;
        for scheme in SCHEMES {
            let url = format!("{scheme}://nobody.test:{}/p.git", world.canary.port());
            let [error, _] = world.attempt(engine, &door, &url, &Access::default());
            let expected = NetError::Unresolved { host: "nobody.test".to_owned() };
            assert_eq!(error.to_string(), expected.to_string());
            assert_eq!(world.canary.arrivals(), NOBODY);
        }
    }
}
