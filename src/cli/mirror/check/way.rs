//! The steps over the network, in the order in which a run takes them.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use super::home::Home;
use super::report::Report;
use crate::git::{GitProgram, Limits, RunEngine};
use crate::mirror::key::Direction;
use crate::net::{Door, Scheme, Session, TlsSeen};

/// All that the way of one mirror takes.
pub(super) struct Way {
    pub(super) door: Door,
    pub(super) cancel: CancellationToken,
    pub(super) session: Session,
    pub(super) engine: RunEngine,
    pub(super) program: Option<GitProgram>,
    pub(super) limits: Limits,
    pub(super) direction: Direction,
    pub(super) home: Home,
}

impl Way {
    /// Until a step fails. To be called off the runtime.
    pub(super) fn walk(&self, report: &mut Report) {
        let reached = match self.session.proxy() {
            Ok(Some(proxy)) => {
                let authority = self.session.url().authority();
                report.ok("proxy", format!("{proxy} is asked for {authority}; what lies behind it shows in the list"));
                Some(())
            }
            Ok(None) => self.there(report),
            Err(error) => report.take("proxy", |()| String::new(), || Err(error.into())),
        };
        if reached.and_then(|()| self.identities(report)).is_some() {
            self.far_side(report);
            return;
        }
        report.skip("list", "a step before it failed");
        if self.direction == Direction::Push {
            report.skip("push", "a step before it failed");
        }
    }

    /// Up to a connection, and TLS on it.
    fn there(&self, report: &mut Report) -> Option<()> {
        let session = &self.session;
        if session.url().scheme() == Scheme::File {
            report.skip("address", "a folder of this machine");
            report.skip("connection", "a folder of this machine");
            return Some(());
        }
        let found = |addresses: &Vec<SocketAddr>| {
            let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let (host, addresses) = (session.url().host().trim_matches(['[', ']']), addresses.join(", "));
            let is = if host == addresses { String::new() } else { format!(" is {addresses}, which") };
            format!("{host}{is} may be reached")
        };
        report.take("address", found, || Ok(session.addresses()?))?;
        report.take("connection", |peer| format!("{peer} takes it"), || Ok(session.knock()?))?;
        if session.url().scheme() == Scheme::Https {
            let told = |seen: &TlsSeen| {
                format!("{}; the certificate is trusted, its SHA-256 is {}", seen.version, seen.fingerprint)
            };
            report.take("tls", told, || Ok(session.shake_hands()?))?;
        }
        Some(())
    }

    /// Who is at the other end, and who we are.
    fn identities(&self, report: &mut Report) -> Option<()> {
        let session = &self.session;
        match session.url().scheme() {
            Scheme::Ssh => {
                report.take(
                    "host_key",
                    |key| format!("the server proves {key}, which is trusted"),
                    || Ok(session.prove_host_key()?),
                )?;
                report.take("login", |user| format!("as {user}"), || Ok(session.log_in()?))?;
            }
            Scheme::Http | Scheme::Https => report.skip("login", &self.shown()),
            Scheme::Git | Scheme::File => report.skip("login", "there is none over this scheme"),
        }
        Some(())
    }

    /// What a server over HTTP is shown when it asks.
    fn shown(&self) -> String {
        let access = self.session.access();
        match &access.credentials {
            _ if access.http.bearer.is_some() => "with a bearer token; the list shows whether it is taken".to_owned(),
            Some(credentials) => format!("as {}; the list shows whether the server takes it", credentials.user()),
            None => "without user and password; the list shows whether they are needed".to_owned(),
        }
    }
}
