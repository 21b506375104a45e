//! What is wrong with an address.

/// Why a text is not the address of a repository. No variant repeats the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Another scheme, `ext::` and the like, or none.
    #[error(
        "The URL is invalid: only http://, https://, ssh:// and git:// addresses are accepted, \
         user@host:path for SSH, and file:// where the operator allows it."
    )]
    Scheme,
    /// No host, a bad port, a bad name.
    #[error("The URL is invalid: {0}.")]
    Malformed(String),
    /// Line breaks and the like, also percent-encoded.
    #[error("The URL is invalid: it holds a control character.")]
    ControlCharacter,
    /// A space outside the login.
    #[error("The URL is invalid: it holds a space; write %20 if it is part of the path.")]
    Space,
    /// A part that git has no use for.
    #[error(
        "The URL is invalid: a query (?) or fragment (#) is not accepted; write %3F or %23 if it is part of the path."
    )]
    QueryOrFragment,
    /// Percent-encoding that does not end in readable text.
    #[error("The URL is invalid: the user name or password is not valid percent-encoded text.")]
    Credentials,
    /// A host, user or path that a program could take for an option.
    #[error("The URL is invalid: host, user and path must not begin with a hyphen.")]
    Option,
    /// An SSH user that is no system user's name.
    #[error("The URL is invalid: the user name of an SSH address begins with a letter, a digit or an underscore.")]
    User,
    /// A login where none can be used.
    #[error("The URL is invalid: {0}:// has no user name or password.")]
    Loginless(super::Scheme),
    /// `host:22:path`, `user:password@host:path`, `host:22/path`.
    #[error(
        "The URL is invalid: the short form is user@host:path, without port and password; \
         write ssh://user@host:22/path to name a port."
    )]
    ShortForm,
    /// A stored address that this program would have stored otherwise.
    #[error("The URL is invalid: it is not written as addresses are stored; set it again.")]
    NotAsStored,
}
