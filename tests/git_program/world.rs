//! A server with repositories, a folder with ours, a door between them, and the program.

use std::path::Path;
use std::time::Duration;

use sidemirror::git::{FarSide, GitError, GitProgram, Limits, Progress, Repositories, Repository, Sent, Transfer};
use sidemirror::mirror::refs::{Advertisement, RefChange, RefName, Refs};
use sidemirror::net::{Access, Allowance, Credentials, Deadline, Door, DoorSettings, RemoteUrl, Session};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::rig::git_http::GitServer;
use crate::rig::repository::{self, Repository as Real};

/// The sidemirror that starts children; a test is not one itself.
const OURSELVES: &str = env!("CARGO_BIN_EXE_sidemirror");

/// The name of our repository.
const OURS: &str = "ours.git";

pub(crate) struct World {
    pub(crate) server: GitServer,
    pub(crate) program: GitProgram,
    pub(crate) limits: Limits,
    door: Door,
    repositories: Repositories,
    folder: TempDir,
    _runtime: Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(DoorSettings { allow_local_network: true, ..DoorSettings::default() })
    }

    pub(crate) fn with(settings: DoorSettings) -> Self {
        let runtime = Runtime::new().unwrap();
        let door = {
            let _inside = runtime.enter();
            Door::new(settings).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let repositories = Repositories::new(folder.path()).unwrap();
        let program = program();
        Self {
            server: GitServer::start(),
            program,
            limits: Limits::NONE,
            door,
            repositories,
            folder,
            _runtime: runtime,
        }
    }

    /// Our repository, which is made when it is asked for first.
    pub(crate) fn ours(&self) -> Repository {
        self.repositories.open_or_create(OURS).unwrap()
    }

    /// The same, for the rig's own git.
    pub(crate) fn real(&self) -> Real {
        self.ours();
        Real::open(&self.folder.path().join(OURS))
    }

    pub(crate) fn session(&self, path: &str) -> Session {
        self.session_to(&self.server.url(path), CancellationToken::new())
    }

    pub(crate) fn session_to(&self, url: &str, cancel: CancellationToken) -> Session {
        let credentials = Some(Credentials::new(GitServer::USER, GitServer::PASSWORD));
        self.session_of(url, Access { credentials, ..Access::default() }, cancel)
    }

    pub(crate) fn session_with(&self, url: &str, access: Access) -> Session {
        self.session_of(url, access, CancellationToken::new())
    }

    fn session_of(&self, url: &str, access: Access, cancel: CancellationToken) -> Session {
        let allowance = Allowance::until(Deadline::after(Duration::from_mins(2)));
        self.door.session(RemoteUrl::parse(url).unwrap(), access, allowance, cancel)
    }

    /// Where our repositories lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Only the listing.
    pub(crate) fn list(&self, session: &Session) -> Result<Advertisement, GitError> {
        sidemirror::git::fetch(&self.program, &self.ours(), session, &self.limits, |upstream| {
            Ok(upstream.advertisement().clone())
        })
    }

    /// Fetches every branch and tag, and sets ours to them.
    pub(crate) fn mirror(&self, session: &Session) -> Result<Transfer, GitError> {
        let ours = self.ours();
        let (far, transfer) = sidemirror::git::fetch(&self.program, &ours, session, &self.limits, |upstream| {
            let far = upstream.advertisement().refs.clone();
            let transfer = upstream.download(&far, &Progress::default())?;
            Ok::<_, GitError>((far, transfer))
        })?;
        for outcome in ours.apply(&changes(&ours.read_refs(&["refs/"])?, &far))? {
            assert_eq!(outcome.result, Ok(()), "{:?}", outcome.change);
        }
        Ok(transfer)
    }

    /// Lists the far side of a push and does with it what `story` says.
    pub(crate) fn push(
        &self,
        session: &Session,
        story: impl FnOnce(&mut dyn FarSide) -> Result<Sent, GitError>,
    ) -> Result<Sent, GitError> {
        sidemirror::git::push(&self.program, &self.ours(), session, &self.limits, story)
    }

    /// Nothing is damaged in ours, and nothing is left of a run.
    pub(crate) fn assert_sound(&self) {
        let real = self.real();
        assert_eq!(real.git(&["fsck", "--full", "--strict", "--no-dangling"]), "");
        let own = real.path().join("sidemirror");
        let left: Vec<_> =
            std::fs::read_dir(own).into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("quarantine-")), "{left:?}");
        let packs = std::fs::read_dir(real.path().join("objects/pack")).unwrap();
        let packs: Vec<_> = packs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(packs.iter().all(|name| name.starts_with("pack-")), "{packs:?}");
    }
}

/// The floor.
pub(crate) fn program() -> GitProgram {
    GitProgram::find(Path::new("/usr/bin/git")).unwrap().unwrap().started_by(Path::new(OURSELVES))
}

/// What git itself finds there.
pub(crate) fn refs(path: &Path) -> Refs {
    let found = repository::refs(path).into_iter();
    found.map(|(name, id)| (RefName::new(name), id.parse().unwrap())).collect()
}

/// What has to change for `from` to become `to`.
pub(crate) fn changes(from: &Refs, to: &Refs) -> Vec<RefChange> {
    let gone = from.iter().filter(|(name, _)| !to.contains_key(*name));
    let gone = gone.map(|(name, id)| RefChange::delete(name.clone(), *id));
    let moved = to.iter().filter(|(name, id)| from.get(*name) != Some(*id));
    let moved = moved.map(|(name, id)| RefChange { name: name.clone(), old: from.get(name).copied(), new: Some(*id) });
    gone.chain(moved).collect()
}
