//! What a mirror logs in with.

use secrecy::SecretString;

/// A user name and a password or token. Both are secrets, since some hosts take a token in the user's place.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name, or a token where there is no password.
    pub user: SecretString,
    /// The password or token; may be empty.
    pub password: SecretString,
}
