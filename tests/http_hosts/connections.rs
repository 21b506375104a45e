//! What of a connection is shared: HTTP/2, and one connection for a multitude of questions.

use std::collections::BTreeSet;

use crate::rig::certificates::Ca;
use crate::rig::host::{Host, Particulars};
use crate::world::{World, engines, list, pull, round_trip};
use sidemirror::net::HttpSettings;

fn trusting(ca: &Ca) -> World {
    World::with(HttpSettings { ca: Some(ca.text("ca.crt")), ..HttpSettings::default() })
}

fn connections(host: &Host) -> usize {
    host.requests(1).iter().map(|request| request.connection).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_host_that_speaks_http_2_is_spoken_to_in_it_and_the_others_as_ever() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    for (words, protocol) in [("http2", "HTTP/2.0"), ("", "HTTP/1.1")] {
        let host = Host::with(&Particulars { tls: Some((&ca, "host", words)), ..Particulars::default() });
        let world = trusting(&ca);
        let (up, far) = (host.repository("up.git"), host.empty("far.git"));
        for engine in engines() {
            up.commit("main", engine.name());
            let [from, to] = ["up.git", "far.git"].map(|path| world.session(&host.url(path)));
            round_trip(&world, &format!("{}.git", engine.name()), (&up, &from), (&far, &to), &*engine);
        }
        assert!(host.requests(4).iter().all(|request| request.protocol == protocol), "{:?}", host.requests(4));
    }
}

#[test]
fn thousands_of_probes_share_a_connection() {
    const PROBES: usize = 2000;
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    // What a probe is answered lies in a file here, so that what is measured is the connection and not git.
    let server = "location /p.git/ { alias FOLDER/static/; default_type application/x-git-upload-pack-advertisement; }";
    let hosts = [
        Host::with(&Particulars { server, ..Particulars::default() }),
        Host::with(&Particulars { server, tls: Some((&ca, "host", "")), ..Particulars::default() }),
        Host::with(&Particulars { server, tls: Some((&ca, "host", "http2")), ..Particulars::default() }),
    ];
    let world = trusting(&ca);
    let ours = world.ours("p.git");
    for host in &hosts {
        std::fs::create_dir_all(host.file("static/info")).unwrap();
        let line = format!("{} refs/heads/main\0agent=x\n", "1".repeat(40));
        let text = format!("001e# service=git-upload-pack\n0000{:04x}{line}0000", line.len() + 4);
        std::fs::write(host.file("static/info/refs"), text).unwrap();
        for _ in 0..PROBES {
            // libgit2 stands for all: the program makes a connection of its own to the gate, not to the host.
            let listed = list(&sidemirror::git::Libgit2, &ours, &world.session(&host.url("p.git"))).unwrap();
            assert_eq!(listed.refs.len(), 1);
        }
        assert_eq!(host.requests(PROBES).len(), PROBES);
        // In HTTP/1.1 a question may come before the connection of the last one is back in the pool.
        assert!(connections(host) <= 3, "{}", connections(host));
    }
}

#[test]
fn a_refusal_costs_no_connection() {
    let host = Host::plain();
    let world = World::new();
    for engine in engines() {
        for _ in 0..30 {
            list(&*engine, &world.ours("p.git"), &world.session(&host.url("none.git"))).unwrap_err();
        }
    }
    // As above: now and then the next one is quicker than the pool.
    host.requests(30);
    assert!(connections(&host) <= 10, "{}", connections(&host));
}

#[test]
fn a_connection_that_the_host_has_closed_meanwhile_is_noticed_and_made_anew() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    for words in ["http2", ""] {
        // Every third request ends its connection: with a GOAWAY in HTTP/2.
        let particulars =
            Particulars { tls: Some((&ca, "host", words)), server: "keepalive_requests 3;", ..Particulars::default() };
        let host = Host::with(&particulars);
        host.repository("p.git").commits("main", 5);
        let world = trusting(&ca);
        for engine in engines() {
            let ours = world.ours(&format!("{}.git", engine.name()));
            for _ in 0..30 {
                pull(&*engine, &ours, &world.session(&host.url("p.git"))).unwrap();
            }
        }
        assert!(connections(&host) >= 10);
    }
}

#[test]
fn a_run_that_is_slow_to_read_holds_up_no_other_on_the_same_connection() {
    use std::io::Read as _;
    const SIZE: usize = 8 * 1024 * 1024;
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    let server = "location /big { alias FOLDER/big; default_type text/plain; }";
    let host = Host::with(&Particulars { server, tls: Some((&ca, "host", "http2")), ..Particulars::default() });
    host.repository("p.git");
    std::fs::write(host.file("big"), vec![7; SIZE]).unwrap();
    let world = trusting(&ca);
    // More than a connection's usual window together, each of them held up.
    let mut slow: Vec<_> = (0..20).map(|_| world.session(&host.url("")).get("/big", "text/plain").unwrap()).collect();
    for answer in &mut slow {
        answer.read_exact(&mut [0; 1]).unwrap();
    }
    for engine in engines() {
        let ours = world.ours(&format!("{}.git", engine.name()));
        pull(&*engine, &ours, &world.session(&host.url("p.git"))).unwrap();
    }
    for mut answer in slow {
        assert_eq!(answer.read_to_end(&mut Vec::new()).unwrap(), SIZE - 1);
    }
    assert_eq!(connections(&host), 1);
}
