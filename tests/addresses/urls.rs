//! How addresses are read, whatever somebody writes.

use proptest::prelude::*;
use sidemirror::net::RemoteUrl;

/// Pieces that addresses, and attempts at something else, are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("http://"),
        Just("https://"),
        Just("ssh://"),
        Just("git://"),
        Just("file://"),
        Just("git@"),
        Just("user:pass@"),
        Just("host"),
        Just("git.example.org"),
        Just("[::1]"),
        Just("127.1"),
        Just("bücher.example"),
        Just(":22"),
        Just(":8443"),
        Just(":"),
        Just("@"),
        Just("/"),
        Just("//"),
        Just("%40"),
        Just("%"),
        Just("%2F"),
        Just("%00"),
        Just("-o"),
        Just("~"),
        Just("..\\"),
        Just("../"),
        Just("?"),
        Just("#"),
        Just("::"),
        Just("a b"),
        Just("group/project.git"),
    ];
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

/// Passwords as people paste them: raw, with everything that means something in a URL.
fn password() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/+=@:!$&*~._-]{6,24}".prop_map(|word| format!("s3cr3t{word}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_fail(text in prop_oneof![any::<String>(), pieces()]) {
        let _ = RemoteUrl::parse(&text);
    }

    #[test]
    fn what_is_shown_can_be_read_again_and_means_the_same(text in pieces()) {
        if let Ok(url) = RemoteUrl::parse(&text) {
            let again = RemoteUrl::parse(&url.to_string()).expect("what we write we can read");
            prop_assert_eq!(again.to_string(), url.to_string(), "{}", text);
            prop_assert_eq!((again.scheme(), again.authority(), again.path()), (url.scheme(), url.authority(), url.path()));
        }
    }

    #[test]
    fn no_password_is_ever_shown(
        scheme in prop_oneof![Just("https"), Just("ssh")],
        password in password(),
        host in prop_oneof![Just("host"), Just("git.example.org:8443"), Just("[2001:db8::1]")],
    ) {
        let url = RemoteUrl::parse(&format!("{scheme}://someone:{password}@{host}/group/project.git")).unwrap();
        let credentials = url.credentials().expect("a login");
        prop_assert_eq!(secrecy::ExposeSecret::expose_secret(credentials.password()), &password);
        prop_assert_eq!(url.path(), "/group/project.git");
        for shown in [url.to_string(), url.masked(), format!("{url:?}"), url.authority()] {
            prop_assert!(!shown.contains("s3cr3t") && !shown.contains("someone"), "{}", shown);
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_password(password in password(), rest in pieces()) {
        if let Err(error) = RemoteUrl::parse(&format!("https://someone:{password}@{rest}")) {
            prop_assert!(!error.to_string().contains("s3cr3t"), "{}", error);
        }
    }
}
