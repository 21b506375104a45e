//! What the far side lists, and whether it would take a push. Nothing is kept and nothing is sent: our side is a
//! repository of its own that is thrown away.

use super::report::Report;
use super::way::Way;
use crate::git::{self, Engine as _, GitError, Repositories};
use crate::mirror::key::Direction;
use crate::mirror::refs::{Advertisement, ObjectId, RefName};
use crate::net::Session;

/// What a server cannot be asked without pushing.
const MAY: &str =
    "it offers to take a push; its hooks, its rules for branches and its quota have their say when one comes";

impl Way {
    /// One conversation of the kind that a run would have.
    pub(super) fn far_side(&self, report: &mut Report) {
        match self.direction {
            Direction::Pull => {
                report.take("list", |far| self.told(far), || self.read(&self.session));
            }
            Direction::Push => self.push(report),
        }
    }

    /// A push lists by itself, and some logins may push but not read. So reading is tried only to tell why pushing
    /// failed.
    fn push(&self, report: &mut Report) {
        let pushing = Report::timed(|| self.write());
        let error = match pushing.done {
            Ok(far) => {
                report.took("list", self.told(&far), pushing.time);
                report.ok("push", MAY);
                return;
            }
            Err(error) => error,
        };
        // A session remembers its first failure; this is to be another one's.
        let (url, access) = (self.session.url().clone(), self.session.access().clone());
        let afresh = self.door.session(url, access, *self.session.allowance(), self.cancel.clone());
        let reading = Report::timed(|| self.read(&afresh));
        if let Ok(far) = reading.done {
            report.took("list", self.told(&far), reading.time);
            report.broken("push", &error, Some(pushing.time));
        } else {
            report.broken("list", &error, Some(pushing.time));
            report.skip("push", "a step before it failed");
        }
    }

    fn read(&self, session: &Session) -> Result<Advertisement, GitError> {
        let far = self.aside(|ours| {
            git::fetch(&self.engine, ours, session, &self.limits, |far| Ok(far.advertisement().clone()))
        })?;
        let ours = self.home.repository.as_ref().filter(|_| self.home.has_refs);
        if ours.is_some_and(|ours| !ours.is_sha256()) && far.refs.values().any(ObjectId::is_sha256) {
            return Err(GitError::OtherFormat { ours: "SHA-1", theirs: "SHA-256" });
        }
        Ok(far)
    }

    fn write(&self) -> Result<Advertisement, GitError> {
        self.aside(|ours| {
            git::push(&self.engine, ours, &self.session, &self.limits, |far| Ok(far.advertisement().clone()))
        })
    }

    fn aside<T>(&self, work: impl FnOnce(&git::Repository) -> Result<T, GitError>) -> Result<T, GitError> {
        let folder =
            tempfile::tempdir().map_err(|source| GitError::Io { action: "make a temporary folder", source })?;
        let repositories = Repositories::new(folder.path())?.with_program(self.program.clone());
        work(&repositories.stand_in("check.git", self.home.repository.as_ref())?)
    }

    fn told(&self, far: &Advertisement) -> String {
        let branches = far.refs.keys().filter(|name| name.as_branch().is_some()).count();
        let tags = far.refs.keys().filter(|name| name.as_tag().is_some()).count();
        let format = match far.refs.values().next() {
            None => "it is empty".to_owned(),
            Some(id) if id.is_sha256() => "object ids SHA-256".to_owned(),
            Some(_) => "object ids SHA-1".to_owned(),
        };
        let head = far.head.as_ref().and_then(RefName::as_branch);
        let head = head.map(|head| format!(", default branch {head}")).unwrap_or_default();
        format!("branches: {branches}, tags: {tags}{head}; {format}; asked by {}", self.engine.name())
    }
}
