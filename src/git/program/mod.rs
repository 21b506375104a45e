//! The engine that is the `git` program. It is slow to start and strong when much moves.
//!
//! A child is started by ourselves (`sidemirror internal exec`, which binds it to us and limits it) with an environment
//! made from nothing, and works in a [`Quarantine`](super::quarantine), a repository of ours that borrows the mirror's
//! objects: so it reads nothing that users of the forge could have written but objects. The network it reaches only
//! through the [`gate`] of its run, which speaks to the far side over the run's session. No password, host name or path
//! comes into its command line, environment or files.

mod child;
mod conversation;
mod download;
mod errand;
mod gate;
mod limits;
mod listing;
mod local;
mod memory;
mod places;
mod processor;
mod report;
mod send;
mod settings;
mod sizes;
mod words;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(in crate::git) use errand::{Company, Errand};
pub use limits::ChildLimits;

use super::{Engine, FarSide, GitError, Limits, Repository, Upstream};
use crate::net::{Service, Session};
use child::{Group, Trouble, Watch};
use conversation::Conversation;

/// The oldest version whose answers are understood.
const OLDEST: (u32, u32) = (2, 39);

/// How long `git version` may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The `git` program behind [`Engine`](super::Engine).
#[derive(Debug, Clone)]
pub struct GitProgram {
    git: PathBuf,
    ourselves: PathBuf,
    version: String,
    limits: ChildLimits,
    /// For children that speak with a far side.
    far_places: places::Places,
    /// For those that only work in a repository, for moments.
    places: places::Places,
}

impl GitProgram {
    /// Looks at the program at `git`, an absolute path. `None` if there is none, or one that is too old.
    ///
    /// # Errors
    /// [`GitError`] if there is something that does not answer like git.
    pub fn find(git: &Path) -> Result<Option<Self>, GitError> {
        if !git.is_file() {
            return Ok(None);
        }
        let answer = ask_version(git)?;
        let version = answer.trim().strip_prefix("git version ").unwrap_or_default().to_owned();
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
            return Err(GitError::Setup(format!("{} does not say its version like git", git.display())));
        };
        if (major, minor) < OLDEST {
            return Ok(None);
        }
        child::adopt_orphans();
        // Stays the same program when the file is replaced by a newer one.
        let ourselves = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
        Ok(Some(Self {
            git: git.to_owned(),
            ourselves,
            version,
            limits: ChildLimits::default(),
            far_places: places::Places::new(usize::MAX),
            places: places::Places::new(usize::MAX),
        }))
    }

    /// With `limits` for each of its processes.
    #[must_use]
    pub fn limited(self, limits: ChildLimits) -> Self {
        Self { limits, ..self }
    }

    /// With so many processes at most at once that speak with far sides, and so many that do not; a run that finds none
    /// free waits, within its own limits.
    #[must_use]
    pub fn at_most(self, processes: usize) -> Self {
        let places = || places::Places::new(processes);
        Self { far_places: places(), places: places(), ..self }
    }

    /// With another `sidemirror` than this process to start it. Tests are not one themselves.
    #[must_use]
    pub fn started_by(self, ourselves: &Path) -> Self {
        Self { ourselves: ourselves.to_owned(), ..self }
    }

    /// What it says its version is, such as `2.39.5`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl Engine for GitProgram {
    fn name(&self) -> &'static str {
        "git"
    }

    fn fetch(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn Upstream),
    ) -> Result<(), GitError> {
        let conversation = Conversation::open(self, repository, session, limits, Service::UploadPack)?;
        story(&mut download::Reading::begin(conversation)?);
        Ok(())
    }

    fn push(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn FarSide),
    ) -> Result<(), GitError> {
        let conversation = Conversation::open(self, repository, session, limits, Service::ReceivePack)?;
        story(&mut send::Writing::begin(conversation)?);
        Ok(())
    }
}

fn ask_version(git: &Path) -> Result<String, GitError> {
    let mut command = Command::new(git);
    command.arg("version").env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let group = command.spawn().and_then(Group::of).map_err(GitError::io("start git"))?;
    let mut hearing = Hearing { began: std::time::Instant::now(), answer: Vec::new() };
    match group.see_through(&[], &mut hearing) {
        Ok(_) => Ok(String::from_utf8_lossy(&hearing.answer).into_owned()),
        Err(Trouble::Ended(())) => Err(GitError::Setup(format!("{} does not say its version", git.display()))),
        Err(Trouble::System(error)) => Err(GitError::io("run git")(error)),
    }
}

/// Hears one short answer.
struct Hearing {
    began: std::time::Instant,
    answer: Vec<u8>,
}

impl Watch for Hearing {
    type Reason = ();

    fn look(&mut self) -> Result<(), ()> {
        if self.began.elapsed() < PATIENCE { Ok(()) } else { Err(()) }
    }

    fn answered(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.answer.extend_from_slice(bytes);
        if self.answer.len() < 1024 { Ok(()) } else { Err(()) }
    }

    fn said(&mut self, _: &[u8]) -> Result<(), ()> {
        Ok(())
    }
}
