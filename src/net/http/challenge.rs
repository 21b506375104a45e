//! What a server wants to know before it answers: the `WWW-Authenticate` headers of a 401.

use std::collections::BTreeSet;

use http_auth::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The kinds of login that a server offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case, printable and of bounded number.
    schemes: BTreeSet<String>,
    /// What the server calls itself, as it came.
    pub(super) realm: Option<String>,
}

/// More than any server offers; the rest is not looked at.
const MOST_SCHEMES: usize = 8;

impl Challenge {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        // What cannot be parsed ends its header, but the kinds before it are known.
        let challenges = texts.flat_map(|text| ChallengeParser::new(text).map_while(Result::ok));
        for challenge in challenges.take(MOST_SCHEMES) {
            found.schemes.insert(super::printable(&challenge.scheme.to_ascii_lowercase()));
            let realm = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case("realm"));
            let realm = realm.map(|(_, value)| value.to_unescaped());
            found.realm = found.realm.or(realm);
        }
        found
    }

    /// Whether a user and password can be taken. A server that says nothing may.
    pub(super) fn takes_password(&self) -> bool {
        self.schemes.is_empty() || self.schemes.contains("basic")
    }

    /// Whether a token can.
    pub(super) fn takes_token(&self) -> bool {
        self.schemes.contains("bearer")
    }

    /// The kinds offered, for a message.
    pub(super) fn schemes(&self) -> String {
        self.schemes.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&str]) -> Challenge {
        let headers = values.iter().map(|value| (WWW_AUTHENTICATE, value.parse().unwrap()));
        let mut all = HeaderMap::new();
        headers.for_each(|(name, value)| {
            all.append(name, value);
        });
        Challenge::new(&all)
    }

    #[test]
    fn kinds_of_login_are_found_in_one_header_or_many() {
        for values in [&["Negotiate", "Basic realm=\"a \\\"b\\\"\""][..], &["Negotiate, BASIC realm=\"a \\\"b\\\"\""]] {
            let found = challenge(values);
            assert_eq!(found.schemes(), "basic, negotiate");
            assert_eq!(found.realm.as_deref(), Some("a \"b\""));
            assert!(found.takes_password() && !found.takes_token());
        }
        assert!(!challenge(&["Negotiate", "NTLM"]).takes_password());
        assert!(challenge(&["Bearer realm=x"]).takes_token());
        assert!(challenge(&[]).takes_password());
    }

    #[test]
    fn what_a_hostile_server_offers_is_bounded() {
        let many = (0..1000).map(|number| format!("S{number}")).collect::<Vec<_>>().join(", ");
        assert!(challenge(&[&many]).schemes().len() < 40);
    }
}
