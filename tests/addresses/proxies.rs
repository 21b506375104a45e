//! A proxy is no way around the guard.

use sidemirror::net::{Access, HttpAccess};

use crate::engines::engines;
use crate::world::World;

#[test]
fn a_mirrors_own_proxy_must_be_a_place_that_may_be_reached() {
    let world = World::new();
    world.dns.is("good.test", &["127.9.9.9"]);
    world.dns.is("bad.test", &["127.0.0.1"]);
    let port = world.canary.port();
    let door = world.door_with(&[&format!("127.9.9.9:{port}")], &[]);
    for engine in engines() {
        let engine = &*engine;
        for proxy in ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "bad.test", "10.0.0.1"] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://good.test:{port}/p.git");
                let proxy = Some(format!("http://{proxy}:{port}"));
                let access = Access { http: HttpAccess { proxy, ..HttpAccess::default() }, ..Access::default() };
                world.refused(engine, &door, &url, &access);
            }
        }
    }
}

#[test]
fn a_proxy_is_not_asked_for_a_forbidden_place() {
    let world = World::new();
    world.dns.is("bad.test", &["10.0.0.1"]);
    world.dns.is("mixed.test", &["127.9.9.9", "10.0.0.1"]);
    let port = world.canary.port();
    let door = world.door_with(&[&format!("127.9.9.9:{port}")], &[]);
    let proxy = Some(format!("http://127.9.9.9:{port}"));
    let access = Access { http: HttpAccess { proxy, ..HttpAccess::default() }, ..Access::default() };
    for engine in engines() {
        let engine = &*engine;
        for host in ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "bad.test", "mixed.test", "a.localhost"] {
            for scheme in ["http", "https"] {
                world.refused(engine, &door, &format!("{scheme}://{host}:{port}/p.git"), &access);
            }
        }
    }
}
