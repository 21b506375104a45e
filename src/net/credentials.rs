//! Who we say we are.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A user name and a password (or token). Both are kept as secrets, since a token often stands in the user's place.
#[derive(Clone)]
pub struct Credentials {
    user: SecretString,
    password: SecretString,
}

impl Credentials {
    /// Takes both as they are, with nothing left to decode. Either may be empty.
    pub fn new(user: impl Into<SecretString>, password: impl Into<SecretString>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The user name.
    pub fn user(&self) -> &str {
        self.user.expose_secret()
    }

    /// The password or token.
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    /// The value of an `Authorization` header.
    pub(super) fn basic(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", self.user(), self.password.expose_secret()));
        Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(*****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_the_pair_in_base64() {
        assert_eq!(*Credentials::new("Aladdin", "open sesame").basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn debug_shows_neither_half() {
        let shown = format!("{:?}", Credentials::new("someuser", "hunter2"));
        assert!(!shown.contains("someuser") && !shown.contains("hunter2"), "{shown}");
    }
}
