//! Git over HTTP: requests and answers of one session.
//!
//! A request is made and sent in `request`, with the login and headers of the mirror (`headers`), by the client that
//! has the right identity (`clients`, `tls`), through a proxy where there is one (`proxy`), and to where the server says
//! the repository is, if that is followed (`redirect`). Its body may be written while it is sent (`upload`), or be
//! that of a git program (`forward`). What comes
//! back is an [`Answer`], or a refusal told in our words (`refusal`, `challenge`, `retry_after`, `certificate`).

mod answer;
mod certificate;
mod challenge;
mod clients;
mod forward;
mod headers;
mod proxy;
mod redirect;
mod refusal;
mod remote_text;
mod request;
mod retry_after;
mod tls;
mod upload;

pub use answer::Answer;
pub use certificate::CertificateProblem;
pub(super) use certificate::fingerprint;
pub(super) use clients::Clients;
pub use forward::{Forwarded, Question};
pub use headers::is_own_header;
pub use proxy::{ProxyChoice, check_proxy, unusable_variable};
pub use redirect::RedirectProblem;
pub(in crate::net) use remote_text::LONGEST as LONGEST_REMOTE_TEXT;
pub use remote_text::RemoteText;
pub use tls::check_authorities;
pub use upload::Upload;

use super::{Credentials, Redirects};

/// What the operator decides about HTTP.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// The proxy, where a mirror does not name its own.
    pub proxy: ProxyChoice,
    /// The login at [`ProxyChoice::Url`].
    pub proxy_credentials: Option<Credentials>,
    /// Whether a host whose name has no address here may be asked for through a proxy, which may know one.
    pub proxy_resolves: bool,
    /// Certificates (PEM) of authorities that are trusted beside the system's.
    pub ca: Option<String>,
    /// What is done about redirects, where a mirror does not say it.
    pub redirects: Redirects,
}

/// Foreign text on one line and of bounded length.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}
