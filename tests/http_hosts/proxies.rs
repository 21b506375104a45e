//! Hosts that are reached through a proxy.

use std::net::TcpListener;

use sidemirror::net::{Credentials, HttpAccess, HttpSettings, ProxyChoice};

use crate::rig::certificates::Ca;
use crate::rig::host::{Host, Particulars};
use crate::rig::tinyproxy::{PASSWORD, Tinyproxy, USER};
use crate::world::{World, engines, list, logged_in, round_trip, with_http};

fn proxy_login() -> Credentials {
    Credentials::new(USER, PASSWORD)
}

fn operators(proxy: &Tinyproxy, login: Option<Credentials>) -> HttpSettings {
    HttpSettings { proxy: ProxyChoice::Url(proxy.url()), proxy_credentials: login, ..HttpSettings::default() }
}

fn mirrors(proxy: &Tinyproxy) -> HttpAccess {
    HttpAccess { proxy: Some(proxy.url()), proxy_credentials: Some(proxy_login()), ..HttpAccess::default() }
}

#[test]
fn http_goes_through_the_proxy_and_https_through_a_tunnel_whoever_chose_it() {
    let ca = Ca::new();
    ca.sign("host", "DNS:localhost", 30);
    let proxy = Tinyproxy::guarded();
    let (plain, safe) =
        (Host::plain(), Host::with(&Particulars { tls: Some((&ca, "host", "http2")), ..Particulars::default() }));
    let trusting = |access| HttpAccess { ca: Some(ca.text("ca.crt")), ..access };
    let (by_operator, by_mirror) = (World::with(operators(&proxy, Some(proxy_login()))), World::new());
    for engine in engines() {
        for host in [&plain, &safe] {
            for (who, world, access) in [("o", &by_operator, HttpAccess::default()), ("m", &by_mirror, mirrors(&proxy))]
            {
                let [up_name, far_name] = ["up", "far"].map(|name| format!("{name}-{who}-{}.git", engine.name()));
                let (up, far) = (host.repository(&up_name), host.empty(&far_name));
                let [from, to] = [&up_name, &far_name]
                    .map(|path| world.session_with(&host.url_by("localhost", path), trusting(access.clone())));
                round_trip(world, &format!("{}-{up_name}", host.port), (&up, &from), (&far, &to), &*engine);
            }
        }
    }
    let asked = proxy.requests();
    let tunnel = format!("CONNECT localhost:{} HTTP/1.1", safe.port);
    let through = format!("http://localhost:{}/", plain.port);
    assert!(asked.contains(&tunnel) && asked.iter().any(|line| line.contains(&through)), "{asked:?}");
    assert!(asked.iter().all(|line| *line == tunnel || line.contains(&through)), "{asked:?}");
    // tinyproxy signs what it can read.
    assert!(plain.requests(4).iter().all(|request| request.via.contains("tinyproxy")));
    assert!(safe.requests(4).iter().all(|request| request.via.is_empty()));
    assert!(safe.requests(4).iter().any(|request| request.protocol == "HTTP/2.0"));
}

#[test]
fn a_mirror_may_go_without_the_proxy_that_all_others_use() {
    let proxy = Tinyproxy::open();
    let host = Host::plain();
    host.repository("p.git");
    let world = World::with(operators(&proxy, None));
    let direct = HttpAccess { proxy: Some("none".to_owned()), ..HttpAccess::default() };
    for engine in engines() {
        list(&*engine, &world.ours("p.git"), &world.session_with(&host.url("p.git"), direct.clone())).unwrap();
    }
    assert!(proxy.requests().is_empty());
}

#[test]
fn what_a_proxy_refuses_is_not_taken_for_the_hosts_word() {
    let (guarded, filter) = (Tinyproxy::guarded(), Tinyproxy::with("ConnectPort 1\n"));
    let host = Host::plain();
    let (http, https) = (host.url("p.git"), host.url("p.git").replace("http:", "https:"));
    let wrong = Some(Credentials::new(USER, "wr0ng"));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |port: u16| format!("The proxy 127.0.0.1:{port}");
    let needed = at(guarded.port) + " asks for a user name and password, and there are none for it.";
    for url in [&http, &https] {
        assert_eq!(World::with(operators(&guarded, None)).failure(url, &logged_in()), needed, "{url}");
        let proxy = ProxyChoice::Url(format!("http://127.0.0.1:{nobody}"));
        let gone = World::with(HttpSettings { proxy, ..HttpSettings::default() }).failure(url, &logged_in());
        assert_eq!(gone, at(nobody) + " is of no help: connection refused.");
    }
    // tinyproxy answers 401 to a wrong login; nginx gives the 407 that belongs there.
    let tunnel = World::with(operators(&guarded, wrong.clone())).failure(&https, &logged_in());
    assert_eq!(
        tunnel,
        format!("{} is of no help: it did not connect us to 127.0.0.1:{}.", at(guarded.port), host.port)
    );
    let strict = Host::with(&Particulars { gate: Some("return 407;"), ..Particulars::default() });
    let proxy = ProxyChoice::Url(format!("http://127.0.0.1:{}", strict.port));
    let settings = HttpSettings { proxy, proxy_credentials: wrong, ..HttpSettings::default() };
    let refused = World::with(settings).failure(&http, &logged_in());
    assert_eq!(refused, at(strict.port) + " refused the user name or password.");
    let no_tunnel = World::with(operators(&filter, None)).failure(&https, &logged_in());
    assert_eq!(
        no_tunnel,
        format!("{} is of no help: it did not connect us to 127.0.0.1:{}.", at(filter.port), host.port)
    );
    assert!(host.requests(0).is_empty());
}

#[test]
fn a_forbidden_host_is_refused_before_the_proxy_is_asked() {
    let proxy = Tinyproxy::open();
    // The operator's proxy may be where no mirror may.
    let world = World::reaching(false, operators(&proxy, None));
    for (host, words) in [
        ("127.0.0.1", "Requests to loopback addresses are not allowed (127.0.0.1)."),
        ("localhost", "Requests to loopback addresses are not allowed (localhost)."),
        ("169.254.169.254", "Requests to the link local network are not allowed (169.254.169.254)."),
        ("no-such-host.invalid", "Could not resolve host no-such-host.invalid."),
    ] {
        for scheme in ["http", "https"] {
            assert_eq!(world.failure(&format!("{scheme}://{host}/p.git"), &logged_in()), words);
        }
    }
    assert!(proxy.requests().is_empty());
    // A proxy that only a mirror names has to pass, too.
    let world = World::reaching(false, HttpSettings::default());
    for name in ["127.0.0.1", "localhost"] {
        let named = HttpAccess { proxy: Some(format!("http://{name}:{}", proxy.port)), ..HttpAccess::default() };
        let said = world.failure("http://1.1.1.1/p.git", &with_http(named));
        assert_eq!(said, format!("Requests to loopback addresses are not allowed ({name})."));
    }
    assert!(proxy.requests().is_empty());
}

#[test]
fn a_name_that_only_the_proxy_knows_is_asked_for_if_the_operator_says_so() {
    let proxy = Tinyproxy::open();
    let settings = HttpSettings { proxy_resolves: true, ..operators(&proxy, None) };
    let world = World::with(settings);
    let said = world.failure("http://no-such-host.invalid/p.git", &logged_in());
    assert!(said.starts_with("HTTP 500: no-such-host.invalid "), "{said}");
    assert_eq!(proxy.requests().len(), engines().len());
}

#[test]
fn an_address_that_is_no_proxys_is_told() {
    let world = World::new();
    for (text, problem) in [
        ("socks5://127.0.0.1:1080", "http://HOST:PORT is accepted"),
        ("proxy.example.org:3128", "http://HOST:PORT is accepted"),
        ("http://u:p@proxy.example.org:3128", "its login must stand beside the address, not in it"),
        ("http://proxy.example.org/path", "nothing may stand behind HOST:PORT"),
    ] {
        let named = HttpAccess { proxy: Some(text.to_owned()), ..HttpAccess::default() };
        let said = world.failure("http://127.0.0.1:8001/p.git", &with_http(named));
        assert_eq!(said, format!("The mirror's proxy cannot be used: {problem}."));
    }
}
