//! The only door to the network.
//!
//! Whoever wants bytes from another machine asks the [`Door`] for a [`Session`]: one run's permission to use the
//! network, with one address, one login, one deadline and one cancellation. Every wait inside a session ends, and ends
//! with a [`NetError`] whose text is fit for the mirror's owner and holds no secret.
//!
//! The way in: [`RemoteUrl`] says where to (`url`), [`Credentials`] as whom (`credentials`), the address guard
//! (`guard`) and the resolver (`resolver`) whether that place may be reached, the [`Door`] (`door`) keeps what all runs
//! share, a [`Session`] (`session`) watches the clock, and `http` carries requests and answers.

mod access;
mod allowance;
mod connect;
mod counted;
mod credentials;
mod daemon;
mod deadline;
mod door;
mod duplex;
mod error;
mod guard;
pub mod host_keys;
mod http;
mod limit;
mod local;
mod lookups;
mod mask;
mod resolver;
mod service;
mod session;
mod spelling;
pub mod ssh;
mod steps;
mod url;

pub use access::{Access, HttpAccess, Redirects, SshAccess};
pub use allowance::Allowance;
pub use credentials::Credentials;
pub use deadline::Deadline;
pub use door::{Door, DoorSettings};
pub use duplex::{Duplex, Incoming, Outgoing};
pub use error::NetError;
pub use guard::{AddressGuard, AddressRules, BadRule, Forbidden, Rule};
pub use http::{
    Answer, CertificateProblem, Forwarded, HttpSettings, ProxyChoice, Question, RedirectProblem, RemoteText, Upload,
    check_authorities, check_proxy, is_own_header, unusable_variable,
};
pub use limit::Budget;
pub use local::{LocalEnd, LocalError, LocalServer, LocalSettings};
pub use resolver::Resolver;
pub use service::Service;
pub use session::{Session, Traffic};
pub use steps::TlsSeen;
pub use url::{RemoteUrl, Scheme, UrlError};
