//! Everything that can go wrong on the way to another machine, in words for the mirror's owner. `docs/messages.md`
//! lists them.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, SystemTime};

use humantime::format_duration;
use nix::errno::Errno;

use super::Forbidden;
use super::http::{CertificateProblem, RedirectProblem, RemoteText};
use super::limit::{Budget, size};
use super::ssh::SshError;

/// Why the network did not give what was asked of it. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The name, or one of the addresses behind it, may not be reached.
    #[error("{kind} ({host}).")]
    Forbidden {
        /// The host asked for.
        host: String,
        /// What kind of address it has.
        kind: Forbidden,
    },
    /// No address behind the name.
    #[error("Could not resolve host {host}.")]
    Unresolved {
        /// The host asked for.
        host: String,
    },
    /// Nobody listens there.
    #[error("Could not connect to {authority}: connection refused.")]
    Refused {
        /// `host:port`.
        authority: String,
    },
    /// The connect limit passed.
    #[error("Could not connect to {authority} within {}.", format_duration(*limit))]
    ConnectTimeout {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// No route, and the like.
    #[error("Could not connect to {authority}: {reason}.")]
    Unreachable {
        /// `host:port`.
        authority: String,
        /// The system's words.
        reason: String,
    },
    /// This machine could not even try.
    #[error("Could not connect to {authority} from this machine: {reason}.")]
    NotFromHere {
        /// `host:port`.
        authority: String,
        /// The system's words.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("Could not connect securely to {authority}: {reason}.")]
    Tls {
        /// `host:port`.
        authority: String,
        /// The TLS library's words.
        reason: String,
    },
    /// The server is not who we want to talk to.
    #[error("Could not connect securely to {authority}: {problem}.")]
    Untrusted {
        /// `host:port`.
        authority: String,
        /// What is wrong with its certificate.
        problem: CertificateProblem,
    },
    /// There is no way through the proxy.
    #[error("The proxy {proxy} is of no help: {reason}.")]
    Proxy {
        /// `host:port` of the proxy.
        proxy: String,
        /// What was seen.
        reason: String,
    },
    /// 407 without a login.
    #[error("The proxy {proxy} asks for a user name and password, and there are none for it.")]
    ProxyLoginNeeded {
        /// `host:port` of the proxy.
        proxy: String,
    },
    /// 407 with a login.
    #[error("The proxy {proxy} refused the user name or password.")]
    ProxyLoginRefused {
        /// `host:port` of the proxy.
        proxy: String,
    },
    /// The stall limit passed without a byte in either direction.
    #[error("The server {authority} accepted the connection but sent nothing for {}.", format_duration(*limit))]
    Stalled {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before its time.
    #[error("The connection to {authority} broke: {reason}.")]
    Broken {
        /// `host:port`.
        authority: String,
        /// What was seen.
        reason: String,
    },
    /// The whole run's limit passed.
    #[error("The run took longer than {} and was ended while talking to {authority}.", format_duration(*limit))]
    DeadlinePassed {
        /// `host:port`.
        authority: String,
        /// The limit.
        limit: Duration,
    },
    /// Somebody stopped the run.
    #[error("The run was cancelled.")]
    Cancelled,
    /// 401 with a login.
    #[error("HTTP 401: {host} refused the user name or password.{remote}")]
    LoginRefused {
        /// The host.
        host: String,
        /// What it said beside.
        remote: RemoteText,
    },
    /// 401 with a bearer token.
    #[error("HTTP 401: {host} refused the token.{remote}")]
    TokenRefused {
        /// The host.
        host: String,
        /// What it said beside.
        remote: RemoteText,
    },
    /// 401 without a login.
    #[error("HTTP 401: {host}{} asks for a user name and password, and the mirror has none.{remote}", realm_of(realm.as_deref()))]
    LoginNeeded {
        /// The host.
        host: String,
        /// What it calls the place that the login is for.
        realm: Option<String>,
        /// What it said beside.
        remote: RemoteText,
    },
    /// 401 that only a bearer token ends.
    #[error("HTTP 401: {host} takes no user name and password, but a bearer token; give the mirror one.")]
    TokenNeeded {
        /// The host.
        host: String,
    },
    /// 401 that asks for Negotiate, NTLM, Digest.
    #[error(
        "HTTP 401: {host} only takes logins of a kind that sidemirror does not have ({schemes}); it would need Basic \
         or Bearer."
    )]
    LoginUnsupported {
        /// The host.
        host: String,
        /// The kinds it offers.
        schemes: String,
    },
    /// 401 from where the mirror's own server redirected us.
    #[error(
        "HTTP 401: {host} asks for a login. The mirror's is for {own}, which redirects to it, and is not sent anywhere \
         else; use the address at {host} in the mirror's URL."
    )]
    LoginNotSent {
        /// The host.
        host: String,
        /// `host:port` of the mirror's URL.
        own: String,
    },
    /// 403.
    #[error("HTTP 403: {host} does not let this user do that.{remote}")]
    AccessDenied {
        /// The host.
        host: String,
        /// What it said beside.
        remote: RemoteText,
    },
    /// 404 or 410.
    #[error("HTTP {status}: {host} has no such repository, or does not show it to this user.{remote}")]
    NotFound {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// What it said beside.
        remote: RemoteText,
    },
    /// 429, or 503 or 403 with `Retry-After`.
    #[error("HTTP {status}: {host} gets too many requests or is out of service{}.{remote}", pause_of(*pause))]
    Busy {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// How long it asked to be left alone, in whole seconds.
        pause: Option<Duration>,
        /// When that is over.
        until: Option<SystemTime>,
        /// What it said beside.
        remote: RemoteText,
    },
    /// 3xx.
    #[error(
        "HTTP {status}: {host} redirects to {to}, and redirects are not followed; use that address in the mirror's URL."
    )]
    Redirected {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// Where to, without login.
        to: String,
    },
    /// 3xx where some are followed.
    #[error("HTTP {status}: {host} redirects to {to}, and that is not followed: {problem}.")]
    RedirectNotFollowed {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// Where to, without login.
        to: String,
        /// Why not.
        problem: RedirectProblem,
    },
    /// Any other status that is no success.
    #[error(
        "HTTP {status}: {host} did not do what was asked ({}).{remote}",
        reason.as_deref().unwrap_or("it gave no reason")
    )]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
        /// Its usual name.
        reason: Option<String>,
        /// What it said beside.
        remote: RemoteText,
    },
    /// What the mirror brings along for its far side cannot be used.
    #[error("The mirror's {what} cannot be used: {problem}.")]
    Unusable {
        /// Which part of it.
        what: String,
        /// Why not, without what it holds.
        problem: String,
    },
    /// A success that is no git.
    #[error("The server {host} did not answer like a git server (content type {content_type}).")]
    NotGit {
        /// The host.
        host: String,
        /// What it sent instead.
        content_type: String,
    },
    /// More than we are ready to hold.
    #[error("The server {host} sent a longer answer than is accepted.")]
    TooLarge {
        /// The host.
        host: String,
    },
    /// More than the run may take.
    #[error(
        "The server {host} sent more than {} {budget} ({} so far), which is the limit {}; it can be raised for this \
         mirror (--limit {}=…) or for all (mirror.limits).", size(*limit), size(*seen), budget.key(), budget.key()
    )]
    OverBudget {
        /// The host.
        host: String,
        /// What was counted.
        budget: Budget,
        /// The limit, in bytes.
        limit: u64,
        /// What had come.
        seen: u64,
    },
    /// What only happens over SSH.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// What only happens in folders of this machine.
    #[error(transparent)]
    Local(#[from] super::LocalError),
    /// The HTTP client could not be built.
    #[error("The HTTP client could not be set up: {0} (are the system's CA certificates installed?).")]
    Setup(String),
}

impl NetError {
    /// How long the host asks to be left alone from now on, if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { until: Some(until), .. } => Some(until.duration_since(SystemTime::now()).unwrap_or_default()),
            _ => None,
        }
    }

    /// Whether every mirror at this host would have failed: it is not there, or not able to answer. What only one
    /// mirror's URL, login, certificate or proxy may be the reason of is not, nor what this machine is.
    pub const fn is_hosts_fault(&self) -> bool {
        match self {
            Self::Unresolved { .. }
            | Self::Refused { .. }
            | Self::ConnectTimeout { .. }
            | Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Stalled { .. }
            | Self::Broken { .. }
            | Self::Ssh(SshError::HandshakeTimeout { .. }) => true,
            // The others say that this login asks too often.
            Self::Busy { status, .. } => *status == 503,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Of those that are the host's fault: whether the reason may as well be this machine's resolver or network.
    pub const fn may_be_ours(&self) -> bool {
        matches!(self, Self::Unresolved { .. } | Self::ConnectTimeout { .. } | Self::Unreachable { .. })
    }

    /// With what came from outside as `show` shows it: without secrets, and of bounded length. Texts that are masked
    /// where they are read stay as they are.
    pub(super) fn shown(self, show: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Unreachable { authority, reason } => Self::Unreachable { authority, reason: show(&reason) },
            Self::Tls { authority, reason } => Self::Tls { authority, reason: show(&reason) },
            Self::Proxy { proxy, reason } => Self::Proxy { proxy, reason: show(&reason) },
            Self::Broken { authority, reason } => Self::Broken { authority, reason: show(&reason) },
            Self::LoginUnsupported { host, schemes } => Self::LoginUnsupported { host, schemes: show(&schemes) },
            Self::Ssh(SshError::Protocol { authority, reason }) => {
                SshError::Protocol { authority, reason: show(&reason) }.into()
            }
            other => other,
        }
    }

    /// Why there is no connection.
    pub(super) fn of_connecting(error: &io::Error, authority: String) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { authority },
            _ if is_ours(error) => Self::NotFromHere { authority, reason: error.to_string() },
            _ => Self::Unreachable { authority, reason: error.to_string() },
        }
    }

    /// The same for a request that goes to `authority` through a proxy: until there is a connection, it is the proxy
    /// that is spoken to.
    pub(super) fn from_proxied(
        error: &reqwest::Error,
        authority: &str,
        proxy: String,
        has_login: bool,
        connect_limit: Duration,
    ) -> Self {
        let innermost = innermost(error);
        match Self::from_client(error, authority.to_owned(), connect_limit) {
            _ if innermost == TUNNEL_LOGIN && has_login => Self::ProxyLoginRefused { proxy },
            _ if innermost == TUNNEL_LOGIN => Self::ProxyLoginNeeded { proxy },
            _ if innermost.starts_with(TUNNEL) => {
                Self::Proxy { proxy, reason: format!("it did not connect us to {authority}") }
            }
            Self::Refused { .. } => Self::Proxy { proxy, reason: "connection refused".to_owned() },
            Self::Unreachable { reason, .. } => Self::Proxy { proxy, reason },
            Self::ConnectTimeout { limit, .. } => {
                let reason = format!("there was no connection within {}", format_duration(limit));
                Self::Proxy { proxy, reason }
            }
            theirs => theirs,
        }
    }

    pub(super) fn busy(host: String, status: u16, until: Option<SystemTime>, remote: RemoteText) -> Self {
        // A fraction of a second has passed since the answer came.
        let whole = |left: Duration| Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
        let pause = until.map(|until| whole(until.duration_since(SystemTime::now()).unwrap_or_default()));
        Self::Busy { host, status, pause, until, remote }
    }

    /// Finds the cause in what the HTTP client says. `connect_limit` is the limit it was given.
    pub(super) fn from_client(error: &reqwest::Error, authority: String, connect_limit: Duration) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        let mut innermost = String::new();
        while let Some(found) = cause {
            if let Some(named) = known(found, &authority) {
                return named;
            }
            innermost = found.to_string();
            cause = found.source();
        }
        match () {
            () if error.is_connect() && error.is_timeout() => Self::ConnectTimeout { authority, limit: connect_limit },
            () if error.is_connect() => Self::Unreachable { authority, reason: innermost },
            () => Self::Broken { authority, reason: without_debug_data(&innermost).to_owned() },
        }
    }
}

fn realm_of(realm: Option<&str>) -> String {
    realm.map(|realm| format!(" (\"{realm}\")")).unwrap_or_default()
}

fn pause_of(pause: Option<Duration>) -> String {
    pause.map(|pause| format!("; it asks to be left alone for {}", format_duration(pause))).unwrap_or_default()
}

/// What a server of HTTP/2 adds to its good-bye is for its own developers, and its own choice.
fn without_debug_data(text: &str) -> &str {
    text.split_once(" (b\"").map_or(text, |(reason, _)| reason)
}

fn innermost(error: &dyn StdError) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// How the HTTP client's errors begin that are about a tunnel through a proxy; they have no type that could be asked.
const TUNNEL: &str = "tunnel error: ";
const TUNNEL_LOGIN: &str = "tunnel error: proxy authorization required";

impl NetError {
    /// Why a TLS handshake failed that was made for its own sake.
    pub(super) fn of_handshake(error: &io::Error, authority: String) -> Self {
        known(error, &authority).unwrap_or_else(|| Self::Broken { authority, reason: error.to_string() })
    }
}

/// The error that this link of a chain stands for, if it says enough.
fn known(link: &(dyn StdError + 'static), authority: &str) -> Option<NetError> {
    if let Some(ours) = link.downcast_ref::<NetError>() {
        return Some(ours.clone());
    }
    if let Some(tls) = link.downcast_ref::<rustls::Error>() {
        return Some(told_of_tls(tls, authority.to_owned()));
    }
    let io = link.downcast_ref::<io::Error>()?;
    if let Some(named) = io.get_ref().and_then(|inner| known(inner, authority)) {
        return Some(named);
    }
    let connecting = matches!(io.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable);
    (connecting || is_ours(io)).then(|| NetError::of_connecting(io, authority.to_owned()))
}

/// Whether this machine has no network, no address or no more files: nothing is said about the far side.
pub(super) fn is_ours(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, NetworkDown, NetworkUnreachable, OutOfMemory, PermissionDenied};
    matches!(error.kind(), AddrNotAvailable | NetworkDown | NetworkUnreachable | OutOfMemory | PermissionDenied)
        || error
            .raw_os_error()
            .is_some_and(|number| matches!(Errno::from_raw(number), Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS))
}

/// What the TLS library says, in words that say what to do where they are known.
fn told_of_tls(error: &rustls::Error, authority: String) -> NetError {
    use rustls::{AlertDescription as Alert, CertificateError, Error};
    let reason = match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<CertificateProblem>() {
                Some(problem) => return NetError::Untrusted { authority, problem: problem.clone() },
                None => error.to_string(),
            }
        }
        Error::InvalidMessage(_) => "no TLS is spoken at this port; is it http://, or is the port wrong?".to_owned(),
        Error::AlertReceived(Alert::CertificateRequired) => {
            "it asks for a client certificate, and the mirror has none".to_owned()
        }
        Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA,
        ) => "it does not accept the mirror's client certificate".to_owned(),
        other => other.to_string(),
    };
    NetError::Tls { authority, reason }
}
