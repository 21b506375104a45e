//! The steps, in the order in which a run takes them.

use std::path::PathBuf;

use super::report::Report;
use crate::git::{self, GitError, Limits, Repositories, RunEngine};
use crate::mirror::key::Direction;
use crate::mirror::refs::{Advertisement, RefName};
use crate::net::{Scheme, Session};

/// All that the way of one mirror takes.
pub(super) struct Way {
    pub(super) session: Session,
    pub(super) engine: RunEngine,
    pub(super) limits: Limits,
    pub(super) direction: Direction,
    pub(super) root: PathBuf,
    pub(super) repository: String,
}

impl Way {
    pub(super) fn walk(&self, report: &mut Report) {
        self.at_home(report);
        self.there(report);
        self.secrecy(report);
        self.git(report);
    }

    /// Our own repository, as it is.
    fn at_home(&self, report: &mut Report) {
        report.take("repository", String::clone, || match Repositories::new(&self.root)?.open(&self.repository) {
            Ok(repository) => {
                let refs = repository.read_refs(&[RefName::HEADS, RefName::TAGS])?;
                Ok(format!("{} has {} branches and tags", self.repository, refs.len()))
            }
            Err(GitError::NotARepository { .. }) if self.direction == Direction::Pull => {
                Ok(format!("{} is not there yet; the first run makes it", self.repository))
            }
            Err(error) => Err(error),
        });
    }

    /// Up to a connection.
    fn there(&self, report: &mut Report) {
        if self.session.url().scheme() == Scheme::File {
            report.skip("address", "a folder of this machine");
            report.skip("connection", "a folder of this machine");
            return;
        }
        let proxy = match self.session.proxy() {
            Ok(proxy) => proxy,
            Err(error) => {
                report.take("proxy", |()| String::new(), || Err(error.into()));
                return;
            }
        };
        if let Some(proxy) = proxy {
            report.skip("address", &format!("the proxy {proxy} is asked for {}", self.session.url().authority()));
            report.skip("connection", "through the proxy");
            return;
        }
        let found = |addresses: &Vec<_>| {
            let addresses: Vec<String> =
                addresses.iter().map(|address: &std::net::SocketAddr| address.ip().to_string()).collect();
            format!("{} is {}; that may be reached", self.session.url().host(), addresses.join(", "))
        };
        report.take("address", found, || Ok(self.session.addresses()?));
        report.take("connection", |peer| format!("{peer} takes it"), || Ok(self.session.knock()?));
    }

    /// Who is at the other end, and who we are.
    fn secrecy(&self, report: &mut Report) {
        let session = &self.session;
        match session.url().scheme() {
            Scheme::Https if matches!(session.proxy(), Ok(Some(_))) => report.skip("TLS", "through the proxy"),
            Scheme::Https => {
                let told = |seen: &crate::net::TlsSeen| {
                    format!("{}; the certificate is trusted, its SHA-256 is {}", seen.version, seen.fingerprint)
                };
                report.take("TLS", told, || Ok(session.shake_hands()?));
            }
            Scheme::Ssh => {
                let told = |key: &String| format!("the server proves {key}, which is trusted");
                report.take("host key", told, || Ok(session.prove_host_key()?));
                report.take("login", |user| format!("as {user}"), || Ok(session.log_in()?));
            }
            _ => {}
        }
    }

    /// What the far side lists, and whether it would take a push. Nothing is kept and nothing is sent: our side is a
    /// repository of its own that is thrown away.
    fn git(&self, report: &mut Report) {
        let aside = tempfile::tempdir().map_err(|source| GitError::Io { action: "make a temporary folder", source });
        let listed = report.take("list", told, || {
            let repository =
                Repositories::new(aside.as_ref().map_err(no_folder)?.path())?.open_or_create("check.git")?;
            git::fetch(&self.engine, &repository, &self.session, &self.limits, |upstream| {
                Ok::<_, GitError>(upstream.advertisement().clone())
            })
        });
        if self.direction == Direction::Push {
            let may = "the server offers to take a push; its hooks and rules have their say when one comes";
            report.take(
                "push",
                |()| may.to_owned(),
                || {
                    let repository =
                        Repositories::new(aside.as_ref().map_err(no_folder)?.path())?.open_or_create("check.git")?;
                    git::push(&self.engine, &repository, &self.session, &self.limits, |_| Ok::<_, GitError>(()))
                },
            );
        }
        drop(listed);
    }
}

fn no_folder(error: &GitError) -> GitError {
    GitError::Corrupt(error.to_string())
}

fn told(far: &Advertisement) -> String {
    let branches = far.refs.keys().filter(|name| name.as_branch().is_some()).count();
    let tags = far.refs.keys().filter(|name| name.as_tag().is_some()).count();
    let head = far.head.as_ref().and_then(RefName::as_branch);
    let head = head.map_or_else(|| "no default branch".to_owned(), |head| format!("default branch {head}"));
    format!("{branches} branches and {tags} tags, {head}")
}
