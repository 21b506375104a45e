//! Who we say we are, and what a host says when it does not like it.

use sidemirror::net::{Access, Credentials, HttpAccess};

use crate::rig::host::{Host, PASSWORD, Particulars};
use crate::world::{World, engines, list, logged_in, login, round_trip, with_http};

fn token(text: &str) -> HttpAccess {
    HttpAccess { bearer: Some(text.into()), ..HttpAccess::default() }
}

fn header(name: &str, value: &str) -> HttpAccess {
    HttpAccess { headers: vec![(name.to_owned(), value.into())], ..HttpAccess::default() }
}

/// Lets those in who bring this header.
fn gate(variable: &str, value: &str) -> String {
    format!("if (${variable} != \"{value}\") {{ return 403; }}")
}

#[test]
fn a_bearer_token_takes_the_place_of_user_and_password() {
    let gate = gate("http_authorization", "Bearer t0ken/+=");
    let host = Host::with(&Particulars { gate: Some(&gate), ..Particulars::default() });
    let (up, far) = (host.repository("up.git"), host.empty("far.git"));
    let world = World::new();
    for engine in engines() {
        up.commit("main", engine.name());
        let [from, to] = ["up.git", "far.git"].map(|path| world.session_with(&host.url(path), token("t0ken/+=")));
        round_trip(&world, &format!("{}.git", engine.name()), (&up, &from), (&far, &to), &*engine);
    }
    assert!(host.requests(1).iter().all(|request| request.authorization == "Bearer t0ken/+="));
}

#[test]
fn headers_of_the_mirrors_own_go_with_every_request() {
    let gate = gate("http_x_token", "a b;c");
    let host = Host::with(&Particulars { gate: Some(&gate), ..Particulars::default() });
    let (up, far) = (host.repository("up.git"), host.empty("far.git"));
    let world = World::new();
    for engine in engines() {
        up.commit("main", engine.name());
        let access = Access { http: header("X-Token", "a b;c"), ..Access::default() };
        let [from, to] = ["up.git", "far.git"].map(|path| world.session_as(&host.url(path), access.clone()));
        round_trip(&world, &format!("{}.git", engine.name()), (&up, &from), (&far, &to), &*engine);
    }
    assert!(host.requests(1).iter().all(|request| request.token == "a b;c" && request.authorization.is_empty()));
}

#[test]
fn a_token_may_stand_in_the_users_place_without_a_password() {
    let host = Host::with(&Particulars {
        // user "glpat-1" and an empty password
        gate: Some("if ($http_authorization != \"Basic Z2xwYXQtMTo=\") { return 403; }"),
        ..Particulars::default()
    });
    host.repository("p.git");
    let world = World::new();
    for engine in engines() {
        let access = Access { credentials: Some(Credentials::new("glpat-1", "")), ..Access::default() };
        list(&*engine, &world.ours("p.git"), &world.session_as(&host.url("p.git"), access)).unwrap();
    }
}

#[test]
fn a_header_that_is_not_the_mirrors_to_set_stops_the_run_before_anything_is_sent() {
    let host = Host::plain();
    let world = World::new();
    for (name, problem) in [
        ("Host", "it is sidemirror's own to set"),
        ("Content-Length", "it is sidemirror's own to set"),
        ("authorization", "the mirror has a login, too; give it one of the two"),
    ] {
        let said = world.failure(&host.url("p.git"), &with_http(header(name, "x")));
        assert_eq!(said, format!("The mirror's header {name} cannot be used: {problem}."));
    }
    assert!(host.requests(0).is_empty());
}

#[test]
fn each_401_says_what_kind_of_login_the_host_would_take() {
    let asks = |path: &str, challenges: &[&str]| {
        let headers = challenges
            .iter()
            .fold(String::new(), |lines, challenge| lines + "add_header WWW-Authenticate '" + challenge + "' always; ");
        format!("location /{path}/ {{ {headers} return 401; }}\n")
    };
    let server = [
        asks("windows", &["Negotiate", "NTLM"]),
        asks("digest", &["Digest realm=\"x\", nonce=\"y\""]),
        asks("token", &["Bearer realm=\"x\""]),
        asks("either", &["Negotiate", "Basic realm=\"our forge\""]),
        asks("nothing", &[]),
    ]
    .concat();
    let host = Host::with(&Particulars { server: &server, ..Particulars::default() });
    let world = World::new();
    let unsupported = |kinds: &str| {
        format!(
            "HTTP 401: 127.0.0.1 only takes logins of a kind that sidemirror does not have ({kinds}); it would need \
             Basic or Bearer."
        )
    };
    let refused = "HTTP 401: 127.0.0.1 refused the user name or password.".to_owned();
    let no_token = "HTTP 401: 127.0.0.1 takes no user name and password, but a bearer token; give the mirror one.";
    let needed =
        |realm: &str| format!("HTTP 401: 127.0.0.1{realm} asks for a user name and password, and the mirror has none.");
    for (path, access, words) in [
        ("windows", logged_in(), unsupported("negotiate, ntlm")),
        ("digest", logged_in(), unsupported("digest")),
        ("token", logged_in(), no_token.to_owned()),
        ("token", with_http(token("wrong")), "HTTP 401: 127.0.0.1 refused the token.".to_owned()),
        ("either", logged_in(), refused.clone()),
        ("either", Access::default(), needed(" (\"our forge\")")),
        ("nothing", logged_in(), refused),
        ("nothing", Access::default(), needed("")),
    ] {
        assert_eq!(world.failure(&host.url(&format!("{path}/p.git")), &access), words, "{path}");
    }
}

#[test]
fn what_a_host_says_in_plain_text_is_passed_on_masked_printable_and_bounded() {
    let server = format!(
        "location /why/ {{ default_type text/plain; return 403 'You are {PASSWORD}?\\r\\n\x1b[31mNot {{today}}.\\n'; }}
         location /long/ {{ error_page 404 /long.txt; return 404; }}
         location = /long.txt {{ internal; root FOLDER; default_type 'text/plain; charset=utf-8'; }}
         location /page/ {{ default_type text/html; return 403 '<html>no</html>'; }}"
    );
    let host = Host::with(&Particulars { server: &server, ..Particulars::default() });
    let file = "so much to say ".repeat(1000);
    std::fs::write(host.file("long.txt"), &file).unwrap();
    let world = World::new();
    let denied = "HTTP 403: 127.0.0.1 does not let this user do that.";
    let why = world.failure(&host.url("why/p.git"), &logged_in());
    assert_eq!(why, format!("{denied}\n\nThe remote said:\nYou are *****?\n[31mNot {{today}}."));
    assert_eq!(world.failure(&host.url("page/p.git"), &logged_in()), denied);
    let long = world.failure(&host.url("long/p.git"), &logged_in());
    let said = long.lines().last().unwrap();
    assert!(file.starts_with(said) && (4000..=4096).contains(&said.len()), "{}", said.len());
}

#[test]
fn a_login_is_sent_with_the_first_request_already() {
    let host = Host::plain();
    host.repository("p.git");
    let world = World::new();
    for engine in engines() {
        let access = Access { credentials: Some(login()), ..Access::default() };
        list(&*engine, &world.ours("p.git"), &world.session_as(&host.url("p.git"), access)).unwrap();
    }
    assert!(host.requests(1).iter().all(|request| request.status == 200));
}
