//! The engines together: libgit2 until it is big, then the `git` program.

use std::sync::{Arc, Mutex, PoisonError};

use super::choice::{self, Beginning, Download, Push, Reason};
use super::last_download::LastDownload;
use super::{
    Engine, Excess, FarSide, GitError, Libgit2, LimitKind, Limits, Progress, Repository, Sent, Transfer, Upstream,
    weight,
};
use crate::mirror::engine::EngineName;
use crate::mirror::refs::{Advertisement, ObjectId, RefChange, Refs};
use crate::net::Session;

/// Objects of a transfer above which the program is the better engine, where nothing else is said.
pub const HANDOVER_OBJECTS: u64 = 10_000;

/// The engines of this process.
#[derive(Clone)]
pub struct Engines {
    program: Option<Arc<dyn Engine>>,
    wanted: Option<EngineName>,
    strict: bool,
    handover: u64,
}

impl Engines {
    /// libgit2, and `program` if there is one. A download that announces more than `handover` objects is the program's.
    pub fn new(program: Option<Arc<dyn Engine>>, handover: u64) -> Self {
        Self { program, wanted: None, strict: false, handover }
    }

    /// The engine of every mirror that does not name one itself.
    #[must_use]
    pub fn preferring(self, wanted: Option<EngineName>) -> Self {
        Self { wanted, ..self }
    }

    /// Everything through the program, whatever a mirror says: it checks what it receives the most thoroughly.
    #[must_use]
    pub fn strictly(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// The engine of one run, for a mirror that names `wanted`.
    pub fn for_run(&self, wanted: Option<EngineName>) -> RunEngine {
        let wanted = if self.strict { Some(EngineName::Git) } else { wanted.or(self.wanted) };
        RunEngine { program: self.program.clone(), wanted, handover: self.handover, used: Mutex::default() }
    }
}

/// What a run was done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The engine that did the most of it.
    pub engine: EngineName,
    /// If it was the program: why.
    pub reason: Option<Reason>,
}

/// One run's engine. It is libgit2 or the program, or one after the other; a story notices nothing of it.
pub struct RunEngine {
    program: Option<Arc<dyn Engine>>,
    wanted: Option<EngineName>,
    handover: u64,
    used: Mutex<Option<Used>>,
}

impl RunEngine {
    /// What the run was done with; `None` as long as it has not begun.
    pub fn used(&self) -> Option<Used> {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_library(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Used { engine: EngineName::Libgit2, reason: None });
    }

    /// The program, which is used from here on because of `reason`.
    fn use_program(&self, reason: Reason) -> Result<&dyn Engine, GitError> {
        let program = self.program.as_deref().ok_or(GitError::NoProgram(reason))?;
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Used { engine: EngineName::Git, reason: Some(reason) });
        tracing::debug!(reason = reason.as_str(), "the git program takes this");
        Ok(program)
    }

    /// The program, where a run may be handed over to it.
    fn successor(&self) -> Option<&dyn Engine> {
        self.program.as_deref().filter(|_| self.wanted.is_none())
    }

    fn beginning(&self, repository: &Repository) -> Option<Reason> {
        choice::to_begin(Beginning { wanted: self.wanted, library_opens: repository.library().is_ok() })
    }

    /// Whether libgit2's failure to list is one that the program may do better with.
    fn may_understand(&self, listed: &Result<(), GitError>, told: bool, session: &Session) -> bool {
        let lost = matches!(listed, Err(GitError::Protocol(_) | GitError::OtherFormat { .. }));
        lost && !told && session.failure().is_none() && self.successor().is_some()
    }

    /// What libgit2 says of a far side whose object ids it does not know, in words that help.
    fn told(&self, listed: Result<(), GitError>) -> Result<(), GitError> {
        match listed {
            Err(GitError::Protocol(words)) if words.contains("remote object format") && self.program.is_none() => {
                Err(GitError::NoProgram(Reason::NotUnderstood))
            }
            listed => listed,
        }
    }

    fn fetch_by_program(
        &self,
        reason: Reason,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn Upstream),
    ) -> Result<(), GitError> {
        let mut mismatch = Ok(());
        let before = repository.is_sha256();
        let fetched = self.use_program(reason)?.fetch(repository, session, limits, &mut |upstream| {
            mismatch = take_on_format(repository, upstream.advertisement());
            if mismatch.is_ok() {
                story(upstream);
            }
        });
        // What a far side only listed does not bind the repository.
        if repository.is_sha256() != before && repository.is_fresh()? {
            repository.become_format(before)?;
        }
        fetched.and(mismatch)
    }

    fn push_by_program(
        &self,
        reason: Reason,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn FarSide),
    ) -> Result<(), GitError> {
        let mut mismatch = Ok(());
        self.use_program(reason)?.push(repository, session, limits, &mut |far| {
            mismatch = same_format(repository, far.advertisement());
            if mismatch.is_ok() {
                story(far);
            }
        })?;
        mismatch
    }
}

impl Engine for RunEngine {
    fn name(&self) -> &'static str {
        self.used().map_or("none", |used| used.engine.as_str())
    }

    fn fetch(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn Upstream),
    ) -> Result<(), GitError> {
        if let Some(reason) = self.beginning(repository) {
            return self.fetch_by_program(reason, repository, session, limits, story);
        }
        self.use_library();
        // libgit2 stops at the header of a pack that is the program's.
        let most = self.successor().map_or(limits.pack_objects, |_| limits.pack_objects.min(self.handover));
        let mut told = false;
        let listed = Libgit2.fetch(repository, session, &Limits { pack_objects: most, ..*limits }, &mut |upstream| {
            told = true;
            story(&mut Downloading { run: self, repository, session, limits, by_library: upstream });
        });
        if self.may_understand(&listed, told, session) {
            return self.fetch_by_program(Reason::NotUnderstood, repository, session, limits, story);
        }
        self.told(listed)
    }

    fn push(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn FarSide),
    ) -> Result<(), GitError> {
        if let Some(reason) = self.beginning(repository) {
            return self.push_by_program(reason, repository, session, limits, story);
        }
        self.use_library();
        let mut told = false;
        let listed = Libgit2.push(repository, session, limits, &mut |far| {
            told = true;
            story(&mut Sending { run: self, repository, session, limits, by_library: far });
        });
        if self.may_understand(&listed, told, session) {
            return self.push_by_program(Reason::NotUnderstood, repository, session, limits, story);
        }
        self.told(listed)
    }
}

/// An upstream that libgit2 has listed.
struct Downloading<'a> {
    run: &'a RunEngine,
    repository: &'a Repository,
    session: &'a Session,
    limits: &'a Limits,
    by_library: &'a mut dyn Upstream,
}

impl Downloading<'_> {
    /// Anew from the beginning, by the program.
    fn by_program(&self, reason: Reason, wanted: &Refs, progress: &Progress) -> Result<Transfer, GitError> {
        let program = self.run.use_program(reason)?;
        progress.set(0, 0);
        super::fetch(program, self.repository, self.session, self.limits, |upstream| {
            upstream.download(wanted, progress)
        })
    }

    /// Whether libgit2 stopped because of what the pack holds, at nobody's limit but ours.
    const fn stopped_for_us(&self, error: &GitError) -> bool {
        match error {
            GitError::Limit(Excess { kind: LimitKind::InProcess, .. }) => true,
            GitError::Limit(Excess { kind: LimitKind::PackObjects, seen, .. }) => *seen <= self.limits.pack_objects,
            _ => false,
        }
    }

    /// What the mirror's owner reads of a limit: his own, not the one at which the program takes over.
    fn own_limit(&self, error: GitError) -> GitError {
        match error {
            GitError::Limit(excess @ Excess { kind: LimitKind::PackObjects, .. }) => {
                GitError::Limit(Excess { limit: self.limits.pack_objects, ..excess })
            }
            error => error,
        }
    }
}

impl Upstream for Downloading<'_> {
    fn advertisement(&self) -> &Advertisement {
        self.by_library.advertisement()
    }

    fn download(&mut self, wanted: &Refs, progress: &Progress) -> Result<Transfer, GitError> {
        if self.run.successor().is_none() || wanted.is_empty() {
            return self.by_library.download(wanted, progress);
        }
        let (last, most) = (LastDownload::new(self.repository)?, self.run.handover);
        let empty = self.repository.has_no_refs()?;
        let transfer = match choice::to_download(Download { empty, last: last.objects(), most }) {
            Some(reason) => self.by_program(reason, wanted, progress)?,
            None => match self.by_library.download(wanted, progress) {
                Err(error) if self.stopped_for_us(&error) => self.by_program(Reason::Announced, wanted, progress)?,
                downloaded => downloaded.map_err(|error| self.own_limit(error))?,
            },
        };
        if let Err(error) = last.remember(transfer.objects, most) {
            tracing::warn!(%error, "the next run does not know how big this download was");
        }
        Ok(transfer)
    }
}

/// A far side that libgit2 has listed.
struct Sending<'a> {
    run: &'a RunEngine,
    repository: &'a Repository,
    session: &'a Session,
    limits: &'a Limits,
    by_library: &'a mut dyn FarSide,
}

impl Sending<'_> {
    /// Why the program should send this, if there is one.
    fn reason(&self, changes: &[RefChange], atomic: bool) -> Option<Reason> {
        self.run.successor()?;
        let far = &self.by_library.advertisement().refs;
        let light = weight::is_light(self.repository.library().ok()?, self.session, far, changes, self.run.handover);
        choice::to_push(Push { atomic, refs: changes.len(), light })
    }
}

impl FarSide for Sending<'_> {
    fn advertisement(&self) -> &Advertisement {
        self.by_library.advertisement()
    }

    fn send(&mut self, changes: &[RefChange], atomic: bool) -> Result<Sent, GitError> {
        let atomic = atomic && choice::can_be_whole(changes);
        let Some(reason) = self.reason(changes, atomic) else { return self.by_library.send(changes, atomic) };
        let program = self.run.use_program(reason)?;
        super::push(program, self.repository, self.session, self.limits, |far| far.send(changes, atomic))
    }
}

/// Sees to it that the far side's objects can be kept in `repository`: one that is still empty takes their format on.
fn take_on_format(repository: &Repository, far: &Advertisement) -> Result<(), GitError> {
    let mut kinds = far.refs.values().map(ObjectId::is_sha256);
    let theirs = kinds.next().filter(|first| kinds.all(|kind| kind == *first));
    if let Some(theirs) = theirs.filter(|theirs| *theirs != repository.is_sha256())
        && repository.is_fresh()?
    {
        return repository.become_format(theirs);
    }
    same_format(repository, far)
}

/// Whether both sides name their objects in the same way.
fn same_format(repository: &Repository, far: &Advertisement) -> Result<(), GitError> {
    const NAMES: [&str; 2] = ["SHA-1", "SHA-256"];
    let ours = repository.is_sha256();
    if far.refs.values().all(|id| id.is_sha256() == ours) {
        return Ok(());
    }
    Err(GitError::OtherFormat { ours: NAMES[usize::from(ours)], theirs: NAMES[usize::from(!ours)] })
}
