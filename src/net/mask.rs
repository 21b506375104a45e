//! Keeping secrets out of texts that somebody else wrote.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::{NoExpand, Regex};
use secrecy::ExposeSecret;

use super::{Access, Credentials, spelling};

pub(super) const MASK: &str = "*****";

/// Below this many bytes a secret is too short to be told from ordinary text, and is only masked beside its partner.
const SHORTEST_TOLD_APART: usize = 4;

/// From this many bytes on a user name is taken for a token.
const LOOKS_LIKE_A_TOKEN: usize = 16;

/// From this many bytes on a part of a header's value is taken for a token, and not for the word before one.
const LOOKS_LIKE_A_TOKEN_IN_A_HEADER: usize = 8;

/// A longer secret (a key, a signed token) holds little that could be escaped; it is found as it is, and encoded as a
/// whole, but not with each letter escaped in its own way.
const LONGEST_LETTER_BY_LETTER: usize = 256;

/// A line of a key that is shorter than this is its end, and tells next to nothing.
const SHORTEST_KEY_LINE: usize = 16;

#[expect(clippy::unwrap_used, reason = "a constant pattern, compiled by a test")]
static USERINFO: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?i)\b([a-z][a-z0-9+.\-]*://)[^\s'"<>]*@"#).unwrap());

/// Finds the secrets of one access, in whatever way they may be written.
#[derive(Default)]
pub(super) struct Masker {
    /// Raw, and with any letters escaped in any way.
    letter_by_letter: Vec<Regex>,
    /// In base64 or hexadecimal, and what is too long for the other.
    as_a_whole: Option<AhoCorasick>,
}

impl Masker {
    pub(super) fn new(access: &Access) -> Self {
        let (mut letter_by_letter, mut as_a_whole) = (Vec::new(), Vec::new());
        for secret in secrets(access) {
            if secret.len() <= LONGEST_LETTER_BY_LETTER {
                // Longer than the pattern of any such secret.
                letter_by_letter.extend(Regex::new(&spelling::letter_by_letter(&secret)));
            } else {
                as_a_whole.extend(spelling::percent_encoded(&secret));
            }
            as_a_whole.extend(spelling::in_base64(secret.as_bytes()));
            as_a_whole.extend(spelling::in_hexadecimal(secret.as_bytes()));
            as_a_whole.push(secret);
        }
        // Longest first, so that no part of one stays behind.
        letter_by_letter.sort_by_key(|pattern: &Regex| std::cmp::Reverse(pattern.as_str().len()));
        as_a_whole.extend(key_lines(access).map(ToOwned::to_owned));
        let as_a_whole = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(as_a_whole).ok();
        Self { letter_by_letter, as_a_whole }
    }

    /// Replaces in `text` what must not be seen: the secrets, and whatever stands before the `@` of anything that looks
    /// like a URL.
    pub(super) fn mask(&self, text: &str) -> String {
        let mut masked = Cow::Borrowed(text);
        for pattern in &self.letter_by_letter {
            if let Cow::Owned(replaced) = pattern.replace_all(&masked, NoExpand(MASK)) {
                masked = Cow::Owned(replaced);
            }
        }
        let masked = self.mask_wholes(&masked);
        USERINFO.replace_all(&masked, format!("${{1}}{MASK}:{MASK}@")).into_owned()
    }

    fn mask_wholes(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut rest = 0;
        for found in self.as_a_whole.iter().flat_map(|wholes| wholes.find_iter(text)) {
            masked.push_str(&text[rest..found.start()]);
            masked.push_str(MASK);
            rest = found.end();
        }
        masked + &text[rest..]
    }
}

/// All that must not be seen, but for the keys.
fn secrets(access: &Access) -> Vec<String> {
    let mut found = Vec::new();
    for credentials in access.credentials.iter().chain(&access.http.proxy_credentials) {
        of_credentials(credentials, &mut found);
    }
    for header in access.http.headers.iter().map(|(_, value)| value.expose_secret()) {
        let parts = header.split_whitespace().filter(|part| part.len() >= LOOKS_LIKE_A_TOKEN_IN_A_HEADER);
        found.extend([header].into_iter().chain(parts).map(ToOwned::to_owned));
    }
    let texts = access.http.bearer.iter().chain(&access.ssh.passphrase);
    found.extend(texts.map(|text| text.expose_secret().to_owned()));
    found.retain(|secret| secret.len() >= SHORTEST_TOLD_APART);
    found
}

fn of_credentials(credentials: &Credentials, found: &mut Vec<String>) {
    let (user, password) = (credentials.user(), credentials.password().expose_secret());
    if user.is_empty() && password.is_empty() {
        return;
    }
    if !password.is_empty() {
        found.push(format!("{user}:{password}"));
        found.push(password.to_owned());
    }
    if password.is_empty() || user.len() >= LOOKS_LIKE_A_TOKEN {
        found.push(user.to_owned());
    }
}

/// The lines of private keys that hold something of them.
fn key_lines(access: &Access) -> impl Iterator<Item = &str> {
    let client_key = access.http.client_certificate.as_ref().map(|(_, key)| key);
    let keys = access.ssh.private_key.iter().chain(client_key);
    let lines = keys.flat_map(|key| key.expose_secret().lines().map(str::trim));
    lines.filter(|line| line.len() >= SHORTEST_KEY_LINE && !line.starts_with("-----"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};

    use super::*;
    use crate::net::HttpAccess;

    fn masker(user: &str, password: &str) -> Masker {
        Masker::new(&Access { credentials: Some(Credentials::new(user, password)), ..Access::default() })
    }

    #[test]
    fn a_password_goes_however_its_letters_are_written() {
        let masker = masker("me", "P@s\"s/ wörd+%");
        for text in [
            "P@s\"s/ wörd+%",
            "P%40s%22s%2F%20w%C3%B6rd%2B%25",
            "P%40s%22s%2f%20w%c3%b6rd%2b%25",
            "P@s%22s/+w%C3%B6rd%2B%25",
            "P%2540s%2522s%252F%2520w%25C3%25B6rd%252B%2525",
            r#"P@s\"s/ w\u00f6rd+%"#,
            r#"P@s\"s\/ w\u{f6}rd+%"#,
            r#"P@s\"s/\x20w\xc3\xb6rd+%"#,
            "P@s&quot;s/ w&#246;rd+%",
            "%50%40%73%22%73%2F%20%77%C3%B6%72%64%2B%25",
        ] {
            assert_eq!(masker.mask(&format!("bad [{text}] here")), "bad [*****] here");
        }
    }

    #[test]
    fn a_password_goes_in_base64_wherever_it_stands_in_it() {
        let password = "P@s\"s/ wörd+%>?~";
        let masker = masker("me", password);
        for before in ["", "a", "ab", "abc", "user:", "x:y:"] {
            for after in ["", "1", "12", "\n"] {
                let plain = format!("{before}{password}{after}");
                for text in [
                    BASE64_STANDARD.encode(&plain),
                    BASE64_STANDARD_NO_PAD.encode(&plain),
                    BASE64_URL_SAFE.encode(&plain),
                ] {
                    let shown = masker.mask(&format!("Basic {text} sent"));
                    assert!(shown.contains(MASK), "{before:?} {after:?}: {shown}");
                    // What stays is what stood around it, and at most a letter on each side.
                    assert!(shown.len() <= "Basic ***** sent".len() + (before.len() + after.len()) * 2 + 8, "{shown}");
                }
            }
        }
        for hexadecimal in spelling::in_hexadecimal(password.as_bytes()) {
            assert_eq!(masker.mask(&hexadecimal), MASK);
        }
    }

    #[test]
    fn every_secret_of_an_access_goes() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAxDtDMjmn\nqk0V9rA1UO5U8uZlwqzl5ns2\n-----END RSA PRIVATE KEY-----\n";
        let token = "e".repeat(300) + ".signed";
        let access = Access {
            credentials: Some(Credentials::new("me", "correct horse")),
            http: HttpAccess {
                bearer: Some("bearer-of-tidings".into()),
                headers: vec![("x-a".into(), "Token sesame-open".into()), ("x-b".into(), token.clone().into())],
                proxy_credentials: Some(Credentials::new("px", "through-the-wall")),
                client_certificate: Some((String::new(), key.into())),
                ..HttpAccess::default()
            },
            ssh: crate::net::SshAccess { passphrase: Some("let me in".into()), ..Default::default() },
        };
        let masker = Masker::new(&access);
        for secret in ["correct horse", "bearer-of-tidings", "sesame-open", "through-the-wall", "let me in", &token] {
            assert_eq!(masker.mask(&format!("<{secret}>")), "<*****>");
        }
        let shown = masker.mask(&format!("{key:?}"));
        assert!(!shown.contains("MIIEpAIB") && !shown.contains("qk0V9rA1"), "{shown}");
    }

    #[test]
    fn a_token_in_the_users_place_goes_too() {
        assert_eq!(masker("ghp_0123456789abcdef", "").mask("user ghp_0123456789abcdef"), "user *****");
    }

    #[test]
    fn userinfo_of_any_url_goes() {
        let nothing = Masker::new(&Access::default());
        assert_eq!(
            nothing.mask("cannot reach 'https://a:b@c@host/x' now"),
            "cannot reach 'https://*****:*****@host/x' now"
        );
        assert_eq!(nothing.mask("mail me@example.com"), "mail me@example.com");
    }

    #[test]
    fn a_short_password_does_not_garble_the_text() {
        assert_eq!(masker("me", "a").mask("a bad day"), "a bad day");
        assert_eq!(masker("me", "a").mask("me:a was sent, bWU6YQ=="), "***** was sent, *****");
    }
}
