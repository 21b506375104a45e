//! The only way from a child to the network. It ends at us: what goes through it is said again by the run's session, to
//! the run's far side and nobody else.

mod http;

use super::Errand;
use super::conversation::FAR;
use super::settings::Settings;
use crate::git::GitError;
use crate::net::{Service, Session};

/// A gate for the children of one run.
pub(super) enum Gate {
    Http(http::HttpGate),
}

impl Gate {
    /// Opens it to `service` of the session's far side.
    pub(super) fn open(session: &Session, service: Service) -> Result<Self, GitError> {
        http::HttpGate::open(session, service).map(Self::Http).map_err(GitError::io("open the gate for git"))
    }

    /// What `git` calls the far side: nothing of its real address.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Http(gate) => gate.url(),
        }
    }

    /// How git lists the far side as those see it who write: arguments and input. (`git ls-remote` asks as those who
    /// read; they may not be the same.)
    pub(super) fn listing_for_push(&self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Http(_) => (&["remote-http", FAR], "list for-push\n\n"),
        }
    }

    /// What makes a child find the gate, and what lets it through.
    pub(super) fn show<'a>(&self, errand: Errand<'a>, settings: &mut Settings) -> Errand<'a> {
        match self {
            Self::Http(gate) => {
                gate.show(settings);
                errand.variable("GIT_ALLOW_PROTOCOL", "http")
            }
        }
    }
}
