use secrecy::ExposeSecret;

use super::*;

fn login(text: &str) -> (String, String) {
    let url = RemoteUrl::parse(text).unwrap();
    let credentials = url.credentials().unwrap_or_else(|| panic!("{text}"));
    (credentials.user().to_owned(), credentials.password().expose_secret().to_owned())
}

fn shown(text: &str) -> String {
    RemoteUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

#[test]
fn the_login_reaches_to_the_last_at_sign_and_is_decoded_once() {
    for (text, user, password) in [
        ("https://u:p@host/x.git", "u", "p"),
        ("https://u:a@b/c+d=e@host/x.git", "u", "a@b/c+d=e"),
        ("https://u:a%40b%2540@host/x.git", "u", "a@b%40"),
        ("https://u:a:b:c@host/x.git", "u", "a:b:c"),
        ("https://u:12/34@host/x.git", "u", "12/34"),
        ("https://u:p/w@host", "u", "p/w"),
        ("https://u:100%@host/x.git", "u", "100%"),
        ("https://u:%zz%4@host/x.git", "u", "%zz%4"),
        ("https://u:a b@host/x.git", "u", "a b"),
        ("https://u:p?w#x@host/x.git", "u", "p?w#x"),
        ("https://token@host/x.git", "token", ""),
        ("https://:token@host/x.git", "", "token"),
        ("ssh://alice:p/w@host:2222/x.git", "alice", "p/w"),
        ("ssh://git:p@host/x.git", "git", "p"),
        ("alice@host:x.git", "alice", ""),
    ] {
        assert_eq!(login(text), (user.to_owned(), password.to_owned()), "{text}");
    }
}

#[test]
fn an_at_sign_in_the_path_is_no_login_where_a_host_stands_before_it() {
    for (text, shown, user) in [
        ("https://git.example.org/a@b.git", "https://git.example.org/a%40b.git", None),
        ("https://git.example.org:8443/a@b/c.git", "https://git.example.org:8443/a%40b/c.git", None),
        ("https://127.0.0.1/a@b/c.git", "https://127.0.0.1/a%40b/c.git", None),
        ("https://[2001:db8::1]:8443/a@b/c.git", "https://[2001:db8::1]:8443/a%40b/c.git", None),
        ("https://intranet/a@b.git", "https://intranet/a%40b.git", None),
        ("https://u:p@git.example.org/a@b.git", "https://git.example.org/a%40b.git", Some("u")),
        ("https://u:p@git.example.org/a%40b/c.git", "https://git.example.org/a%40b/c.git", Some("u")),
        ("git@host:a@b.git", "ssh://git@host/a%40b.git", Some("git")),
        ("host:a@b.git", "ssh://host/a%40b.git", None),
    ] {
        let url = RemoteUrl::parse(text).unwrap();
        assert_eq!((url.to_string().as_str(), url.user()), (shown, user), "{text}");
    }
}

#[test]
fn a_stored_address_is_read_only_as_it_would_have_been_stored() {
    for stored in ["https://git.example.com/a.git", "ssh://git@host:2222/a%40b.git", "git://[::1]/a.git"] {
        assert_eq!(RemoteUrl::parse_stored(stored).unwrap().to_string(), stored);
    }
    for other in [
        "ssh://git@host/x@evil.example.com/r",
        "https://u:p@host/a.git",
        "https://git.example.com/a@b.git",
        "https://git.example.com:443/a.git",
        "HTTPS://git.example.com/a.git",
        "git@host:a.git",
        " https://git.example.com/a.git",
    ] {
        assert_eq!(RemoteUrl::parse_stored(other).unwrap_err(), UrlError::NotAsStored, "{other}");
    }
}

#[test]
fn no_form_shows_the_login() {
    let url = RemoteUrl::parse("https://someuser:hunter2@host:8443/x.git").unwrap();
    assert_eq!(url.to_string(), "https://host:8443/x.git");
    assert_eq!(url.masked(), "https://*****:*****@host:8443/x.git");
    assert_eq!(format!("{url:?}"), url.masked());
    assert_eq!(RemoteUrl::parse("https://host/x.git").unwrap().masked(), "https://host/x.git");
    assert_eq!(shown("ssh://alice:hunter2@host/x.git"), "ssh://host/x.git");
    assert_eq!(shown("ssh://git:hunter2@host/x.git"), "ssh://git@host/x.git");
    assert_eq!(RemoteUrl::parse("ssh://git@host/x.git").unwrap().masked(), "ssh://git@host/x.git");
}

#[test]
fn the_short_form_is_an_ssh_address() {
    for (text, stored, path) in [
        ("git@host:group/project.git", "ssh://git@host/group/project.git", "/group/project.git"),
        ("git@host:/srv/x.git", "ssh://git@host/srv/x.git", "/srv/x.git"),
        ("host:x.git", "ssh://host/x.git", "/x.git"),
        ("git@[::1]:x.git", "ssh://git@[::1]/x.git", "/x.git"),
        ("[::1]:x.git", "ssh://[::1]/x.git", "/x.git"),
        ("git@host:~/x.git", "ssh://git@host/~/x.git", "~/x.git"),
        ("git@host:a%20b?c#d.git", "ssh://git@host/a%2520b%3Fc%23d.git", "/a%20b?c#d.git"),
        ("git@host:a://b.git", "ssh://git@host/a://b.git", "/a://b.git"),
        ("git@127.1:x.git", "ssh://git@127.0.0.1/x.git", "/x.git"),
    ] {
        let url = RemoteUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((url.to_string().as_str(), url.path().as_str()), (stored, path), "{text}");
    }
}

#[test]
fn a_folder_of_this_machine_is_its_path_alone() {
    for (text, stored, path) in [
        ("file:///srv/git/x.git", "file:///srv/git/x.git", "/srv/git/x.git"),
        ("FILE://LocalHost/srv/x.git", "file:///srv/x.git", "/srv/x.git"),
        ("file:///srv/a%20b/c@d.git", "file:///srv/a%20b/c%40d.git", "/srv/a b/c@d.git"),
        ("file:///~bob/x.git", "file:///~bob/x.git", "/~bob/x.git"),
        ("file:///srv/./x.git", "file:///srv/x.git", "/srv/x.git"),
    ] {
        let url = RemoteUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((url.to_string().as_str(), url.path().as_str()), (stored, path), "{text}");
        assert_eq!((url.scheme(), url.authority().as_str()), (Scheme::File, "localhost"), "{text}");
    }
}

#[test]
fn what_the_short_form_cannot_say_is_refused() {
    for text in ["git@[::1]:22:x.git", "git@host:22/x.git", "git@host:22", "host:22:x", "a:b@host:x", "git@host:"] {
        assert_eq!(RemoteUrl::parse(text).err(), Some(UrlError::ShortForm), "{text}");
    }
}

#[test]
fn parts_are_told_apart_and_ports_are_known() {
    for (text, scheme, authority, path) in [
        ("https://host/g/p.git", Scheme::Https, "host:443", "/g/p.git"),
        ("http://host:8080/p.git", Scheme::Http, "host:8080", "/p.git"),
        ("http://host:443/p.git", Scheme::Http, "host:443", "/p.git"),
        ("ssh://git@host/p.git", Scheme::Ssh, "host:22", "/p.git"),
        ("ssh://git@host:80/p.git", Scheme::Ssh, "host:80", "/p.git"),
        ("ssh://host/~bob/p.git", Scheme::Ssh, "host:22", "~bob/p.git"),
        ("git://host/p%20q.git", Scheme::Git, "host:9418", "/p q.git"),
        ("GIT://HOST:1234/P.git", Scheme::Git, "host:1234", "/P.git"),
        ("https://bücher.example/p.git", Scheme::Https, "xn--bcher-kva.example:443", "/p.git"),
        ("ssh://git@BÜCHER.example./p.git", Scheme::Ssh, "xn--bcher-kva.example:22", "/p.git"),
        ("ssh://[2001:DB8::1]:2222/p.git", Scheme::Ssh, "[2001:db8::1]:2222", "/p.git"),
    ] {
        let url = RemoteUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((url.scheme(), url.authority().as_str(), url.path().as_str()), (scheme, authority, path), "{text}");
    }
}

#[test]
fn other_schemes_controls_and_queries_are_refused() {
    for (text, error) in [
        ("ftp://host/x.git", UrlError::Scheme),
        ("git+ssh://host/x.git", UrlError::Scheme),
        ("ext::sh -c id", UrlError::Scheme),
        ("ext::sh -c id://host/x", UrlError::Scheme),
        ("fd::17/foo", UrlError::Scheme),
        ("transport::address", UrlError::Scheme),
        ("http::https://host/x", UrlError::Scheme),
        ("https:host/x", UrlError::Scheme),
        ("file://alice@localhost/x.git", UrlError::Loginless(Scheme::File)),
        ("file://alice:secret@/x.git", UrlError::Loginless(Scheme::File)),
        ("file:///x.git?a=b", UrlError::QueryOrFragment),
        ("file:///x%00.git", UrlError::ControlCharacter),
        ("file:/etc", UrlError::Scheme),
        ("/srv/x.git", UrlError::Scheme),
        ("../x.git", UrlError::Scheme),
        ("C:\\x", UrlError::Scheme),
        ("C:/x", UrlError::Scheme),
        ("", UrlError::Scheme),
        ("https://host/x\r\n.git", UrlError::ControlCharacter),
        ("https://host/x%0a.git", UrlError::ControlCharacter),
        ("ssh://host/x%00.git", UrlError::ControlCharacter),
        ("git://host/x%0d%0Ay.git", UrlError::ControlCharacter),
        ("git@host:x\ny", UrlError::ControlCharacter),
        ("https://u:p%0d@host/x.git", UrlError::ControlCharacter),
        ("https://u:%ff@host/x.git", UrlError::Credentials),
        ("https://host/x.git?a=b", UrlError::QueryOrFragment),
        ("https://host/x.git#a", UrlError::QueryOrFragment),
        ("ssh://host?x/y", UrlError::QueryOrFragment),
        ("https://host/a b.git", UrlError::Space),
        ("git@host:a b.git", UrlError::Space),
        ("git@host:a\u{a0}b.git", UrlError::Space),
        ("git://u@host/x.git", UrlError::Loginless(Scheme::Git)),
        ("ssh://.x@host/p.git", UrlError::User),
        ("ssh://a%20b@host/p.git", UrlError::User),
    ] {
        assert_eq!(RemoteUrl::parse(text).err(), Some(error), "{text}");
    }
    for text in [
        "https://",
        "https:///x",
        "https://u:p@",
        "https://u:p@/x",
        "https://host:99999/x",
        "https://host:0/x",
        "https://host:+1/x",
        "https://[::1/x",
        "https://[fe80::1%25eth0]/x",
        "https://[fe80::1%eth0]/x",
        "https://a..b/x",
        "https://256.1.1.1/x",
        "https://host%0a/x",
        "https://ho st/x",
        "ssh://host\\x/y",
        "https://host/a\\b",
        "ssh://host/%ff.git",
        "file://host/x.git",
        "file://127.0.0.1/x.git",
        "file://localhost:80/x.git",
        "file:///srv/../etc/x.git",
        "file:///srv/%2e%2E/etc",
        "file:///srv/x%2F..%2f..%2Fetc",
        "file:///srv/..",
        "file:///srv/%ff.git",
    ] {
        assert!(matches!(RemoteUrl::parse(text), Err(UrlError::Malformed(_))), "{text}: {:?}", RemoteUrl::parse(text));
    }
}

#[test]
fn what_a_program_could_take_for_an_option_is_refused() {
    for text in [
        "ssh://-oProxyCommand=id/x.git",
        "ssh://git@-oProxyCommand=id/x.git",
        "ssh://-oProxyCommand=id@host/x.git",
        "ssh://%2doProxyCommand=id@host/x.git",
        "ssh://%2doProxyCommand=id/x.git",
        "git://-host/x.git",
        "https://-host/x.git",
        "-oProxyCommand=id:x.git",
        "-oProxyCommand=id@host:x.git",
        "git@-oProxyCommand=id:x.git",
        "git@host:--upload-pack=id",
        "git@host:-x",
        "--upload-pack=id",
    ] {
        assert_eq!(RemoteUrl::parse(text).err(), Some(UrlError::Option), "{text}");
    }
}

#[test]
fn every_spelling_of_an_address_is_one_under_every_scheme() {
    for scheme in ["http", "https", "ssh", "git"] {
        for host in [
            "127.1",
            "0x7f.0.0.1",
            "0x7f.1",
            "2130706433",
            "017700000001",
            "127.0.0.1.",
            "１２７.０.０.１",
            "127。0。0。1",
        ] {
            let text = format!("{scheme}://{host}/x");
            assert_eq!(RemoteUrl::parse(&text).unwrap().host(), "127.0.0.1", "{text}");
        }
        let text = format!("{scheme}://[::ffff:7f00:1]:2222/x");
        assert_eq!(RemoteUrl::parse(&text).unwrap().host(), "[::ffff:7f00:1]", "{text}");
    }
}
