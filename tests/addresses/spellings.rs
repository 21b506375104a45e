//! Ways to write a forbidden address: none leads through, whatever the scheme and the engine.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use sidemirror::net::{Access, DoorSettings};

use crate::engines::{SCHEMES, engines, program};
use crate::world::World;

/// Hosts that are this machine, so that the canary would notice.
pub(crate) const THIS_MACHINE: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "127.0.0.1.",
    "0x7f.0.0.1",
    "0x7f.1",
    "0x7f000001",
    "0X7F000001",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.0x1",
    "017700000001",
    "00000177.0.0.1",
    "2130706433",
    "１２７.０.０.１",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "①②⑦.⓪.⓪.①",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "0.0.0.0",
    "0",
    "0x0",
    "0000",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::0.0.0.1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:0.0.0.0]",
];

/// Names of this machine. What they resolve to is the name server's to say, which knows none of them.
pub(crate) const NAMES_OF_THIS_MACHINE: &[&str] = &[
    "localhost",
    "LOCALHOST",
    "LocalHost.",
    "ｌｏｃａｌｈｏｓｔ",
    "%6c%6f%63alhost",
    "local\u{ad}host",
    "git.localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
];

/// Other places that are not the internet.
pub(crate) const ELSEWHERE: &[&str] = &[
    "10.0.0.1",
    "10.1",
    "0xa.1",
    "012.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.168.257",
    "3232235777",
    "100.64.0.1",
    "169.254.1.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.16689662",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "0.1.2.3",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "[fe80::1]",
    "[fec0::1]",
    "[fd00::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[2001:0:101:101::80ff:fffe]",
    "[2a00::5efe:7f00:1]",
];

fn own_addresses() -> Vec<String> {
    let addresses = getifaddrs().unwrap().filter_map(|interface| interface.address);
    let v4 = addresses.filter_map(|address| address.as_sockaddr_in().map(|v4| v4.ip().to_string()));
    v4.collect()
}

#[test]
fn no_spelling_of_a_forbidden_address_leads_through() {
    let world = World::new();
    let door = world.door(world.settings());
    let own = own_addresses();
    let hosts = [THIS_MACHINE, NAMES_OF_THIS_MACHINE, ELSEWHERE].concat();
    let hosts: Vec<&str> = hosts.into_iter().chain(own.iter().map(String::as_str)).collect();
    assert!(hosts.len() > 60, "{}", hosts.len());
    for engine in engines() {
        let engine = &*engine;
        for host in &hosts {
            for scheme in SCHEMES {
                let url = format!("{scheme}://{host}:{}/p.git", world.canary.port());
                world.refused(engine, &door, &url, &Access::default());
            }
        }
    }
}

#[test]
fn no_child_is_started_for_a_forbidden_place() {
    let world = World::new();
    let door = world.door(world.settings());
    let unable = program("/nonexistent");
    for scheme in SCHEMES {
        for host in ["127.1", "localhost", "[::ffff:169.254.169.254]"] {
            let url = format!("{scheme}://{host}:{}/p.git", world.canary.port());
            world.refused(&unable, &door, &url, &Access::default());
        }
    }
    let [told, _] = world.attempt(&unable, &door, "http://nobody.test/p.git", &Access::default());
    let told = told.to_string();
    assert!(told.contains("start git"), "it is seen when one is started: {told}");
}

/// Without the guard each of them would lead here: the test above sees what it should see.
#[test]
fn the_canary_sees_whoever_is_let_through() {
    let world = World::new();
    let allow = ["127.0.0.0/8", "::1", "0.0.0.0", "::", "localhost"].map(|text| text.parse().unwrap());
    let door = world.door(DoorSettings { allow: allow.into(), ..world.settings() });
    for engine in engines() {
        let engine = &*engine;
        for (turn, host) in THIS_MACHINE.iter().enumerate() {
            for (number, scheme) in SCHEMES.into_iter().enumerate() {
                // A program takes long to start: each place by one of its ways.
                if engine.name() == "git" && turn % SCHEMES.len() != number {
                    continue;
                }
                let url = format!("{scheme}://{host}:{}/p.git", world.canary.port());
                let [error, _] = world.attempt(engine, &door, &url, &Access::default());
                assert_ne!(world.canary.arrivals(), [] as [IpAddr; 0], "{} {url}: {error}", engine.name());
            }
        }
    }
}

#[test]
fn the_short_form_and_tricks_with_the_login_lead_nowhere_else() {
    let world = World::new();
    let port = world.canary.port();
    let door = world.door(world.settings());
    world.dns.is("good.test", &["127.9.9.9"]);
    for engine in engines() {
        let engine = &*engine;
        for url in [
            "git@localhost:p.git".to_owned(),
            "git@127.1:p.git".to_owned(),
            "127.0.0.1:p.git".to_owned(),
            "[::1]:p.git".to_owned(),
            "git@[::ffff:127.0.0.1]:p.git".to_owned(),
            format!("http://good.test@127.0.0.1:{port}/p.git"),
            format!("http://good.test:80@127.0.0.1:{port}/p.git"),
            format!("http://good.test:80@good.test@127.0.0.1:{port}/p.git"),
            format!("http://u:p/w@127.0.0.1:{port}/p.git"),
            format!("http://good.test#@127.0.0.1:{port}/p.git"),
            format!("http://127.0.0.1:{port}/@good.test/p.git"),
            format!("http://good.test%40127.0.0.1@127.0.0.1:{port}/p.git"),
            format!("ssh://git@good.test@127.0.0.1:{port}/p.git"),
        ] {
            world.refused(engine, &door, &url, &Access::default());
        }
    }
}

#[test]
fn low_ports_without_a_git_server_are_not_tried() {
    let world = World::new();
    // It may be reached, but for the port.
    let door = world.door_with(&["127.9.9.9:22"], &[]);
    for engine in engines() {
        let engine = &*engine;
        for (scheme, port) in [("http", 25), ("https", 110), ("ssh", 23), ("git", 111), ("http", 1023)] {
            let url = format!("{scheme}://git.test:{port}/p.git");
            let told = world.refused(engine, &door, &url, &Access::default());
            assert_eq!(told, "Only allowed ports are 22, 80, 443, and any over 1024 (git.test).");
        }
    }
}
