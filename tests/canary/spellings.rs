//! Every way in which a secret might show.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// One secret, in all of its spellings.
pub(crate) struct Canary {
    name: String,
    spellings: Vec<String>,
}

impl Canary {
    pub(crate) fn new(name: &str, secret: &str) -> Self {
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let mut spellings = vec![
            secret.to_owned(),
            lower_digits(&percent),
            percent,
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            format!("{secret:?}").trim_matches('"').to_owned(),
            serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
            secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
            secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ];
        for engine in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
            for before in 0..3 {
                // What does not depend on the bytes around it.
                let text = engine.encode([vec![b'x'; before], secret.as_bytes().to_vec()].concat());
                let end = text.len() - usize::from(!(before + secret.len()).is_multiple_of(3));
                spellings.push(text[(before * 8).div_ceil(6)..end].to_owned());
            }
        }
        Self { name: name.to_owned(), spellings }
    }

    /// A private key, line by line.
    pub(crate) fn key(name: &str, pem: &str) -> Self {
        let lines = pem.lines().filter(|line| !line.starts_with("-----") && line.len() > 20);
        Self { name: name.to_owned(), spellings: lines.map(ToOwned::to_owned).collect() }
    }

    /// All spellings, for a far side that shouts them back.
    pub(crate) fn spellings(&self) -> &[String] {
        &self.spellings
    }
}

/// Looks for all canaries in a text that must not be empty.
#[track_caller]
pub(crate) fn assert_clean(canaries: &[Canary], place: &str, text: &str) {
    assert!(!text.is_empty(), "{place} was not looked at");
    for canary in canaries {
        for spelling in &canary.spellings {
            assert!(!text.contains(spelling.as_str()), "{place} holds the {}, as {spelling}:\n{text}", canary.name);
        }
    }
}

/// `%2F` as `%2f`.
fn lower_digits(percent: &str) -> String {
    let mut parts = percent.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "%" + &part[..2].to_lowercase() + &part[2..])
}
