//! The only way from a child to the network. It ends at us: what goes through it is said again by the run's session, to
//! the run's far side and nobody else.

mod http;
mod line;

use std::path::Path;

use super::Errand;
use super::conversation::FAR;
use super::settings::Settings;
use crate::git::GitError;
use crate::net::{Scheme, Service, Session};

/// A gate for the children of one run.
pub(super) enum Gate {
    Http(http::HttpGate),
    Line(line::LineGate),
}

impl Gate {
    /// Opens it to `service` of the session's far side.
    pub(super) fn open(session: &Session, service: Service) -> Result<Self, GitError> {
        match session.url().scheme() {
            Scheme::Ssh | Scheme::Git | Scheme::File => Ok(Self::Line(line::LineGate::open(session, service))),
            Scheme::Http | Scheme::Https => {
                http::HttpGate::open(session, service).map(Self::Http).map_err(GitError::io("open the gate for git"))
            }
        }
    }

    /// What `git` calls the far side: nothing of its real address.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Http(gate) => gate.url(),
            // Also where it is git's own protocol or a folder: a child opens no connection and no folder itself.
            Self::Line(_) => "ssh://far/repository".to_owned(),
        }
    }

    /// How git lists the far side as those see it who write: arguments and input. (`git ls-remote` asks as those who
    /// read; they may not be the same.)
    pub(super) fn listing_for_push(&self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Http(_) => (&["remote-http", FAR], "list for-push\n\n"),
            Self::Line(_) => (&["ls-remote", "--upload-pack=git-receive-pack", FAR], ""),
        }
    }

    /// What makes a child that `ourselves` starts find the gate, and what lets it through.
    pub(super) fn show<'a>(
        &self,
        errand: Errand<'a>,
        settings: &mut Settings,
        ourselves: &Path,
    ) -> Result<Errand<'a>, GitError> {
        match self {
            Self::Http(gate) => {
                gate.show(settings);
                Ok(errand.variable("GIT_ALLOW_PROTOCOL", "http"))
            }
            Self::Line(gate) => {
                // The version is asked for beside the line, where it would be lost.
                settings.add_plain("protocol", "version", "0");
                let line = gate.line().map_err(GitError::io("open the gate for git"))?;
                Ok(errand
                    .variable("GIT_ALLOW_PROTOCOL", "ssh")
                    .variable("GIT_SSH_COMMAND", line::command(ourselves))
                    .variable("GIT_SSH_VARIANT", "simple")
                    .hand_over(line, line::LINE))
            }
        }
    }
}
