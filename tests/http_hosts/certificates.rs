//! Whom we believe to be the host, and who we say we are.

use sidemirror::net::{HttpAccess, HttpSettings};

use crate::rig::certificates::Ca;
use crate::rig::host::{Host, Particulars};
use crate::world::{World, engines, list, round_trip, with_http};

fn host(ca: &Ca, name: &str, server: &str) -> Host {
    Host::with(&Particulars { tls: Some((ca, name, "http2")), server, ..Particulars::default() })
}

fn trusting(ca: &Ca) -> HttpAccess {
    HttpAccess { ca: Some(ca.text("ca.crt")), ..HttpAccess::default() }
}

fn beginning(host: &Host) -> String {
    format!("Could not connect securely to 127.0.0.1:{}: ", host.port)
}

#[test]
fn a_private_authority_is_trusted_by_the_mirror_or_by_the_operator_and_otherwise_not() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    let host = host(&ca, "host", "");
    let (up, far) = (host.repository("up.git"), host.empty("far.git"));
    let (up_url, far_url) = (host.url("up.git"), host.url("far.git"));
    let careful = World::new();
    let refused = careful.failure(&up_url, &with_http(HttpAccess::default()));
    let expected = "its certificate is signed by an authority that is not trusted here";
    assert!(refused.starts_with(&(beginning(&host) + expected)), "{refused}");
    assert!(host.requests(0).is_empty());

    let operator = World::with(HttpSettings { ca: Some(ca.text("ca.crt")), ..HttpSettings::default() });
    for engine in engines() {
        for (world, access) in [(&careful, trusting(&ca)), (&operator, HttpAccess::default())] {
            up.commit("main", "more");
            let name = format!("{}.git", engine.name());
            let [from, to] = [&up_url, &far_url].map(|url| world.session_with(url, access.clone()));
            round_trip(world, &name, (&up, &from), (&far, &to), &*engine);
        }
    }
    // What one mirror trusts, the next does not.
    assert_eq!(careful.failure(&up_url, &with_http(HttpAccess::default())), refused);
}

#[test]
fn each_kind_of_bad_certificate_says_what_is_wrong_and_what_to_do() {
    let ca = Ca::new();
    ca.sign("other", "DNS:a.example.org,DNS:b.example.org", 30);
    ca.sign_expired("old", "IP:127.0.0.1");
    ca.sign_itself("self", "IP:127.0.0.1");
    let world = World::new();
    for (certificate, words) in [
        ("other", "its certificate is for a.example.org, b.example.org and not for this host; correct"),
        ("old", "its certificate expired on 2020-02-01, and has to be renewed there."),
        ("self", "its certificate is signed by nobody but itself; if SHA-256 "),
    ] {
        let host = host(&ca, certificate, "");
        let said = world.failure(&host.url("p.git"), &with_http(trusting(&ca)));
        assert!(said.starts_with(&(beginning(&host) + words)), "{said}");
        assert!(host.requests(0).is_empty());
    }
    let plain = Host::plain();
    let said = world.failure(&plain.url("p.git").replace("http:", "https:"), &with_http(HttpAccess::default()));
    assert!(said.ends_with("no TLS is spoken at this port; is it http://, or is the port wrong?."), "{said}");
}

#[test]
fn a_pinned_certificate_is_accepted_whoever_signed_it_and_no_other_is() {
    let ca = Ca::new();
    ca.sign_itself("self", "DNS:somewhere.else");
    ca.sign("signed", "IP:127.0.0.1", 30);
    let pinned = |name: &str| HttpAccess { certificate_fingerprint: Some(ca.fingerprint(name)), ..trusting(&ca) };
    let world = World::new();
    let (own, signed) = (host(&ca, "self", ""), host(&ca, "signed", ""));
    for engine in engines() {
        let up = own.repository(&format!("{}.git", engine.name()));
        let session = world.session_with(&own.url(&format!("{}.git", engine.name())), pinned("self"));
        let listed = list(&*engine, &world.ours("p.git"), &session).unwrap();
        assert_eq!(listed.refs.len(), up.mirrored_refs().len());
    }
    let plain = |name: &str| ca.fingerprint(name).split_once('=').unwrap().1.replace(':', "").to_lowercase();
    // Signed by whom we trust, and still not the one.
    let said = world.failure(&signed.url("p.git"), &with_http(pinned("self")));
    let (found, accepted) = (plain("signed"), plain("self"));
    let words = format!("its certificate has the SHA-256 fingerprint {found}, and the mirror accepts only {accepted}.");
    assert_eq!(said, beginning(&signed) + &words);
}

#[test]
fn a_client_certificate_is_shown_to_the_host_that_asks_for_one() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    ca.sign("ours", "DNS:ours", 30);
    let authority = format!("ssl_verify_client on; ssl_client_certificate {};", ca.path("ca.crt").display());
    let host = host(&ca, "host", &authority);
    host.repository("p.git");
    let world = World::new();
    let identity = (ca.text("ours.crt"), ca.text("ours.key").into());
    let access = HttpAccess { client_certificate: Some(identity), ..trusting(&ca) };
    for engine in engines() {
        let session = world.session_with(&host.url("p.git"), access.clone());
        list(&*engine, &world.ours("p.git"), &session).unwrap();
    }
    assert!(host.requests(1).iter().all(|request| request.client == "CN=ours" && request.status == 200));
    let without = world.failure(&host.url("p.git"), &with_http(trusting(&ca)));
    assert_eq!(without, "HTTP 400: 127.0.0.1 did not do what was asked (Bad Request).");
}

#[test]
fn certificates_and_keys_that_are_none_are_told_before_anybody_is_asked() {
    let ca = Ca::new();
    ca.sign("ours", "DNS:ours", 30);
    let host = Host::plain();
    let world = World::new();
    let key = || ca.text("ours.key").into();
    for (access, words) in [
        (
            HttpAccess { ca: Some("nonsense".to_owned()), ..HttpAccess::default() },
            "The mirror's CA certificates cannot be used: no usable certificate in PEM.",
        ),
        (
            HttpAccess { certificate_fingerprint: Some("12:34".to_owned()), ..HttpAccess::default() },
            "The mirror's certificate fingerprint cannot be used: a SHA-256 has 64 hexadecimal digits.",
        ),
        (
            HttpAccess { client_certificate: Some((ca.text("ca.crt"), key())), ..HttpAccess::default() },
            "The mirror's client certificate cannot be used: its key is another certificate's.",
        ),
    ] {
        assert_eq!(world.failure(&host.url("p.git"), &with_http(access)), words);
    }
    assert!(host.requests(0).is_empty());
}
