//! What a mirror logs in with.

use secrecy::SecretString;

/// A user name and a password or token.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name; some hosts take a token here and no password.
    pub user: String,
    /// The password or token.
    pub password: SecretString,
}
