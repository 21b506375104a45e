//! Hosts that say that a repository is elsewhere.

use sidemirror::net::{Access, HttpAccess, HttpSettings, Redirects};

use crate::rig::certificates::Ca;
use crate::rig::host::{Host, Particulars};
use crate::world::{World, engines, list, login, round_trip, with_http};

const SAME: HttpAccess = only(Redirects::SameOrigin);
const FOLLOW: HttpAccess = only(Redirects::Follow);

const fn only(redirects: Redirects) -> HttpAccess {
    HttpAccess {
        bearer: None,
        headers: Vec::new(),
        proxy: None,
        proxy_credentials: None,
        ca: None,
        certificate_fingerprint: None,
        client_certificate: None,
        redirects: Some(redirects),
    }
}

/// Redirects everything under `/to/NAME` to `target`, what is behind it kept.
fn sending(routes: &[(&str, &str)]) -> Host {
    let lines = routes.iter().fold(String::new(), |lines, (name, target)| {
        lines + &format!("location ~ ^/{name}(/.*)$ {{ return 301 {target}$1$is_args$args; }}\n")
    });
    Host::with(&Particulars { server: &lines, ..Particulars::default() })
}

#[test]
fn within_the_same_host_the_whole_run_goes_to_where_the_first_request_ended() {
    let host = sending(&[("old", ""), ("older", "/old")]);
    let (up, far) = (host.repository("up.git"), host.empty("far.git"));
    let (settings, default) =
        (HttpSettings { redirects: Redirects::SameOrigin, ..HttpSettings::default() }, World::new());
    let (by_operator, by_mirror) = (World::with(settings), &default);
    for engine in engines() {
        for (world, access) in [(&by_operator, HttpAccess::default()), (by_mirror, SAME)] {
            up.commit("main", "more");
            let name = format!("{}.git", engine.name());
            let [from, to] =
                ["older/up.git", "old/far.git"].map(|path| world.session_with(&host.url(path), access.clone()));
            round_trip(world, &name, (&up, &from), (&far, &to), &*engine);
        }
    }
    let requests = host.requests(1);
    let moved = |uri: &str| uri.starts_with("/old");
    assert!(requests.iter().all(|request| moved(&request.uri) == (request.status == 301)), "{requests:?}");
    assert!(requests.iter().all(|request| request.method == "GET" || !moved(&request.uri)));
}

#[test]
fn a_redirect_that_is_not_followed_says_why_and_where_it_leads() {
    let other = Host::plain();
    let elsewhere = format!("http://127.0.0.1:{}", other.port);
    let host = sending(&[
        ("other", &elsewhere),
        ("login", "/users/sign_in?x="),
        ("circle", "/circle2"),
        ("circle2", "/circle"),
        ("deeper", "/deeper/on"),
        ("metadata", "http://169.254.169.254"),
        ("file", "file://"),
    ]);
    host.repository("p.git");
    let world = World::reaching(true, HttpSettings::default());
    let not_followed = |path: &str, access: HttpAccess, to: &str, why: &str| {
        let said = world.failure(&host.url(path), &with_http(access));
        assert_eq!(said, format!("HTTP 301: 127.0.0.1 redirects to {to}, and that is not followed: {why}."));
    };
    let at = |path: &str| format!("http://127.0.0.1:{}/{path}", host.port);
    let same = "it leads to another server, and only redirects within the same one are followed";
    not_followed("other/p.git", SAME, &format!("{elsewhere}/p.git"), same);
    not_followed("login/p.git", FOLLOW, &at("users/sign_in?x=/p.git"), "that is not the list of refs of a repository");
    not_followed("circle/p.git", FOLLOW, &at("circle/p.git"), "it leads in a circle");
    not_followed(
        "deeper/p.git",
        FOLLOW,
        &at("deeper/on/on/on/on/on/on/p.git"),
        "there are more than 5 of them in a row",
    );
    not_followed("file/p.git", FOLLOW, "file:///p.git", "that is not the list of refs of a repository");
    assert_eq!(
        world.failure(&host.url("metadata/p.git"), &with_http(FOLLOW)),
        "Requests to the link local network are not allowed (169.254.169.254)."
    );
    assert!(other.requests(0).is_empty());
}

#[test]
fn another_host_sees_nothing_of_what_the_mirror_brings_along() {
    let open = Particulars { gate: Some(""), ..Particulars::default() };
    let other = Host::with(&open);
    let (up, far) = (other.repository("up.git"), other.empty("far.git"));
    let host = sending(&[("moved", &format!("http://127.0.0.1:{}", other.port))]);
    let world = World::new();
    let headers = vec![("X-Token".to_owned(), "c4nary".into())];
    for engine in engines() {
        for (bearer, credentials) in [(None, Some(login())), (Some("c4nary".into()), None)] {
            up.commit("main", "more");
            let http = HttpAccess { headers: headers.clone(), bearer, ..FOLLOW };
            let access = Access { credentials, http, ..Access::default() };
            let [from, to] =
                ["moved/up.git", "moved/far.git"].map(|path| world.session_as(&host.url(path), access.clone()));
            round_trip(&world, &format!("{}.git", engine.name()), (&up, &from), (&far, &to), &*engine);
        }
    }
    let seen = other.requests(8);
    assert!(seen.iter().all(|request| request.authorization.is_empty() && request.token.is_empty()), "{seen:?}");
    assert!(host.requests(4).iter().all(|request| request.token == "c4nary" && !request.authorization.is_empty()));
}

#[test]
fn a_login_that_was_held_back_is_the_reason_that_is_told() {
    let other = Host::plain();
    other.repository("p.git");
    let host = sending(&[("moved", &format!("http://localhost:{}", other.port))]);
    let said = World::new().failure(&host.url("moved/p.git"), &with_http(FOLLOW));
    let own = format!("127.0.0.1:{}", host.port);
    assert_eq!(
        said,
        format!(
            "HTTP 401: localhost asks for a login. The mirror's is for {own}, which redirects to it, and is not sent \
             anywhere else; use the address at localhost in the mirror's URL."
        )
    );
}

#[test]
fn a_redirect_leads_into_https_but_never_out_of_it_and_takes_no_client_certificate_along() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    ca.sign("ours", "DNS:ours", 30);
    let open = Host::with(&Particulars { gate: Some(""), ..Particulars::default() });
    open.repository("p.git");
    let authority = format!("ssl_verify_client optional; ssl_client_certificate {};", ca.path("ca.crt").display());
    let server =
        format!("{authority} location ~ ^/down(/.*)$ {{ return 302 http://127.0.0.1:{}$1$is_args$args; }}", open.port);
    let tls = Some((&ca, "host", "http2"));
    let safe = Host::with(&Particulars { tls, server: &server, gate: Some("") });
    safe.repository("p.git");
    let before = sending(&[("up", &format!("https://127.0.0.1:{}", safe.port))]);
    let world = World::new();
    let identity = || Some((ca.text("ours.crt"), ca.text("ours.key").into()));
    let access = || HttpAccess { ca: Some(ca.text("ca.crt")), client_certificate: identity(), ..FOLLOW };
    for engine in engines() {
        list(&*engine, &world.ours("p.git"), &world.session_with(&before.url("up/p.git"), access())).unwrap();
    }
    assert!(safe.requests(1).iter().all(|request| request.client.is_empty()));
    let said = world.failure(&safe.url("down/p.git"), &with_http(access()));
    assert!(said.ends_with("and that is not followed: it leads from https to http."), "{said}");
    assert!(safe.requests(2).iter().any(|request| request.client == "CN=ours"));
    assert!(open.requests(0).is_empty());
}

#[test]
fn data_is_never_sent_to_where_a_redirect_points() {
    let server = "location ~ ^/p.git/git-upload-pack$ { return 307 /other.git/git-upload-pack; }";
    let host = Host::with(&Particulars { server, ..Particulars::default() });
    host.repository("p.git");
    let world = World::new();
    for engine in engines() {
        let session = world.session_with(&host.url("p.git"), FOLLOW);
        let said = crate::world::pull(&*engine, &world.ours(&format!("{}.git", engine.name())), &session);
        let said = said.unwrap_err().to_string();
        assert!(said.ends_with("is not followed: a request that sends data is never redirected."), "{said}");
    }
    assert!(!host.requests(2).iter().any(|request| request.uri.starts_with("/other.git")));
}
