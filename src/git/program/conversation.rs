//! What the children of one run have in common.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use super::gate::Gate;
use super::settings::Settings;
use super::{Errand, GitProgram};
use crate::git::quarantine::{Quarantine, objects_of};
use crate::git::{GitError, Limits, Repository};
use crate::net::{Service, Session};

/// The number under which a child finds its configuration.
const SETTINGS: i32 = 8;

/// What the far side is called in that configuration.
pub(super) const FAR: &str = "far";

/// A run's children speak with one service of one far side.
pub(super) struct Conversation<'a> {
    pub(super) program: &'a GitProgram,
    pub(super) repository: &'a Repository,
    pub(super) session: &'a Session,
    pub(super) limits: &'a Limits,
    gate: Gate,
}

impl<'a> Conversation<'a> {
    pub(super) fn open(
        program: &'a GitProgram,
        repository: &'a Repository,
        session: &'a Session,
        limits: &'a Limits,
        service: Service,
    ) -> Result<Self, GitError> {
        // No child is started for a place that is forbidden.
        session.check_place()?;
        let gate = Gate::open(session, service)?;
        Ok(Self { program, repository, session, limits, gate })
    }

    /// What the far side is called in this run.
    pub(super) fn url(&self) -> String {
        self.gate.url()
    }

    /// What lists the far side for those who write: arguments and input.
    pub(super) fn listing_for_push(&self) -> (&'static [&'static str], &'static str) {
        self.gate.listing_for_push()
    }

    /// A call that works in `quarantine`, sees the repository's objects, and may go through the gate.
    pub(super) fn errand<'q>(
        &'q self,
        quarantine: &'q Quarantine,
        arguments: &[&str],
        mut settings: Settings,
    ) -> Result<Errand<'q>, GitError> {
        settings.add("remote", FAR, "url", &self.url());
        let errand = Errand::new(self.program, quarantine.path(), arguments).within(self.limits).with_far_side();
        let errand = self.gate.show(errand, &mut settings, &self.program.ourselves)?;
        let file = settings.into_file().map_err(GitError::io("write the settings for git"))?;
        Ok(errand
            .variable("GIT_CONFIG_GLOBAL", format!("/proc/self/fd/{SETTINGS}"))
            .hand_over(file, SETTINGS)
            .variable("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(objects_of(self.repository).as_os_str())))
    }

    /// For errors: `text` without secrets and without paths of this machine.
    pub(super) fn tidy(&self, text: &str, quarantine: &Quarantine) -> String {
        let mut text = self.session.mask(text);
        for (path, name) in [(quarantine.path(), "the repository"), (self.repository.path(), "the repository")] {
            text = text.replace(path.to_string_lossy().trim_end_matches('/'), name);
        }
        text
    }
}

/// In git's own quotes, since a colon divides the folders of a list.
fn quoted(path: &OsStr) -> OsString {
    let mut quoted = vec![b'"'];
    for &byte in path.as_bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            b'\n' => quoted.extend(*b"\\n"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}
