//! Keeping secrets out of texts that somebody else wrote.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use secrecy::ExposeSecret;

use super::Credentials;

pub(super) const MASK: &str = "*****";

/// Below this many bytes a secret is too short to be told from ordinary text, and is only masked beside its partner.
const SHORTEST_TOLD_APART: usize = 4;

/// From this many bytes on a user name is taken for a token.
const LOOKS_LIKE_A_TOKEN: usize = 16;

#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by a test")]
static USERINFO: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?i)\b([a-z][a-z0-9+.\-]*://)[^\s'"<>]*@"#).unwrap());

/// Replaces in `text` what must not be seen: the secrets of `credentials`, raw or encoded, and whatever stands before
/// the `@` of anything that looks like a URL.
pub fn mask(text: &str, credentials: Option<&Credentials>) -> String {
    let mut masked = text.to_owned();
    for secret in credentials.map(spellings).unwrap_or_default() {
        if masked.contains(&secret) {
            masked = masked.replace(&secret, MASK);
        }
    }
    match USERINFO.replace_all(&masked, format!("${{1}}{MASK}:{MASK}@")) {
        Cow::Borrowed(_) => masked,
        Cow::Owned(replaced) => replaced,
    }
}

/// Every way in which the secrets may be written, longest first so that no part of one stays behind.
fn spellings(credentials: &Credentials) -> Vec<String> {
    let (user, password) = (credentials.user(), credentials.password().expose_secret());
    let pair = format!("{user}:{password}");
    let mut found = vec![STANDARD.encode(&pair), pair, encoded(user) + ":" + &encoded(password)];
    let mut add = |secret: &str| {
        if secret.len() >= SHORTEST_TOLD_APART {
            found.extend([secret.to_owned(), encoded(secret), encoded(secret).to_lowercase()]);
        }
    };
    add(password);
    if password.is_empty() || user.len() >= LOOKS_LIKE_A_TOKEN {
        add(user);
    }
    found.retain(|secret| secret.len() > 1);
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found.dedup();
    found
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_goes_raw_encoded_and_in_base64() {
        let credentials = Credentials::new("me", "p@ss/w");
        for text in ["bad p@ss/w here", "bad p%40ss%2Fw here", "bad p%40ss%2fw here", "Basic bWU6cEBzcy93"] {
            let masked = mask(text, Some(&credentials));
            assert!(masked.contains(MASK), "{masked}");
            assert!(!masked.contains("ss/w") && !masked.to_lowercase().contains("ss%2fw"), "{masked}");
        }
    }

    #[test]
    fn a_token_in_the_users_place_goes_too() {
        assert_eq!(
            mask("user ghp_0123456789abcdef", Some(&Credentials::new("ghp_0123456789abcdef", ""))),
            "user *****"
        );
    }

    #[test]
    fn userinfo_of_any_url_goes() {
        assert_eq!(
            mask("cannot reach 'https://a:b@c@host/x' now", None),
            "cannot reach 'https://*****:*****@host/x' now"
        );
        assert_eq!(mask("mail me@example.com", None), "mail me@example.com");
    }

    #[test]
    fn a_short_password_does_not_garble_the_text() {
        assert_eq!(mask("a bad day", Some(&Credentials::new("me", "a"))), "a bad day");
        assert_eq!(mask("me:a was sent", Some(&Credentials::new("me", "a"))), "***** was sent");
    }
}
