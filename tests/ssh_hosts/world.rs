//! A folder with our repositories, a door, and what both engines are asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use sidemirror::git::{Engine, GitError, GitProgram, Libgit2, Limits, Progress, Repositories, Sent, fetch, push};
use sidemirror::mirror::refs::{Advertisement, RefChange};
use sidemirror::net::{
    Access, Allowance, Credentials, Deadline, Door, DoorSettings, RemoteUrl, Service, Session, SshAccess,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::rig::repository::Repository;

/// Each of them goes the same ways, and is told the same.
pub(crate) fn engines() -> [Box<dyn Engine>; 2] {
    [Box::new(Libgit2), Box::new(program())]
}

/// The `git` program, started by the program under test.
pub(crate) fn program() -> GitProgram {
    let program = GitProgram::find(Path::new("/usr/bin/git")).unwrap().unwrap();
    program.started_by(Path::new(env!("CARGO_BIN_EXE_sidemirror")))
}

pub(crate) struct World {
    pub(crate) door: Door,
    pub(crate) repositories: Repositories,
    pub(crate) folder: TempDir,
    _runtime: Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(DoorSettings::default())
    }

    pub(crate) fn with(settings: DoorSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("ours")).unwrap();
        let repositories = Repositories::new(&folder.path().join("ours")).unwrap().with_program(Some(program()));
        let runtime = Runtime::new().unwrap();
        let door = {
            let _inside = runtime.enter();
            Door::new(DoorSettings { allow_local_network: true, ..settings }).unwrap()
        };
        Self { door, repositories, folder, _runtime: runtime }
    }

    /// A repository at the far side with one commit on `main`.
    pub(crate) fn far(&self, name: &str) -> Repository {
        let far = Repository::create(&self.path(name));
        far.commit("main", "first");
        far
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn session(&self, url: &str, access: Access) -> Session {
        let allowance = Allowance::until(Deadline::after(Duration::from_mins(1)));
        self.session_with(url, access, allowance, CancellationToken::new())
    }

    pub(crate) fn session_with(
        &self,
        url: &str,
        access: Access,
        allowance: Allowance,
        cancel: CancellationToken,
    ) -> Session {
        self.door.session(RemoteUrl::parse(url).unwrap(), access, allowance, cancel)
    }

    /// Fetches branches and tags, sets ours to them, and returns how many objects came.
    pub(crate) fn pull(&self, engine: &dyn Engine, name: &str, session: &Session) -> Result<u64, GitError> {
        let ours = self.repositories.open_or_create(name)?;
        let (far, objects) = fetch(engine, &ours, session, &Limits::NONE, |upstream| {
            let far = upstream.advertisement().refs.clone();
            let transfer = upstream.download(&far, &Progress::default())?;
            Ok::<_, GitError>((far, transfer.objects))
        })?;
        let had = ours.read_refs(&["refs/"])?;
        let moved = far.iter().filter(|(name, id)| had.get(*name) != Some(*id));
        let changes: Vec<_> = moved
            .map(|(name, id)| RefChange { name: name.clone(), old: had.get(name).copied(), new: Some(*id) })
            .collect();
        ours.apply(&changes)?;
        Ok(objects)
    }

    /// Sends all branches and tags of one of our repositories.
    pub(crate) fn push(&self, engine: &dyn Engine, name: &str, session: &Session) -> Result<Sent, GitError> {
        let ours = self.repositories.open_or_create(name)?;
        let refs = ours.read_refs(&["refs/heads/", "refs/tags/"])?;
        push(engine, &ours, session, &Limits::NONE, |far| {
            let there = far.advertisement().refs.clone();
            let changes: Vec<_> = refs
                .iter()
                .map(|(name, id)| RefChange { name: name.clone(), old: there.get(name).copied(), new: Some(*id) })
                .collect();
            far.send(&changes, false)
        })
    }

    /// Only the list of refs, or what is said where it cannot be had; the same by every engine.
    #[track_caller]
    pub(crate) fn list(&self, url: &str, access: &Access) -> Result<Advertisement, String> {
        let [first, second] = engines().map(|engine| self.list_by(&*engine, &self.session(url, access.clone())));
        assert_eq!(first, second, "{url}");
        first
    }

    /// [`World::list`] by one engine.
    pub(crate) fn list_by(&self, engine: &dyn Engine, session: &Session) -> Result<Advertisement, String> {
        let ours = self.repositories.open_or_create("listed.git").unwrap();
        let listed: Result<_, GitError> =
            fetch(engine, &ours, session, &Limits::NONE, |upstream| Ok(upstream.advertisement().clone()));
        listed.map_err(|error| error.to_string())
    }

    /// What is said, by every engine, where the list cannot be had.
    #[track_caller]
    pub(crate) fn refusal(&self, url: &str, access: &Access) -> String {
        self.list(url, access).expect_err("it was let in")
    }
}

/// What is said when no conversation can be had, whatever engine would have it.
#[track_caller]
pub(crate) fn refusal(session: &Session) -> String {
    match session.open(Service::UploadPack) {
        // Whether the program could be started is heard with its first bytes.
        Ok(mut duplex) => {
            let mut rest = Vec::new();
            std::io::Read::read_to_end(&mut duplex, &mut rest).expect_err("it was let in").to_string()
        }
        Err(error) => error.to_string(),
    }
}

/// Who logs in with a key.
pub(crate) fn with_key(user: &str, private_key: &str, known_hosts: &str) -> Access {
    let ssh = SshAccess {
        known_hosts: known_hosts.to_owned(),
        private_key: Some(SecretString::from(private_key)),
        passphrase: None,
    };
    Access { credentials: Some(Credentials::new(user, "")), ssh, ..Access::default() }
}

/// Who logs in with a password.
pub(crate) fn with_password(user: &str, password: &str, known_hosts: &str) -> Access {
    let ssh = SshAccess { known_hosts: known_hosts.to_owned(), ..SshAccess::default() };
    Access { credentials: Some(Credentials::new(user, password)), ssh, ..Access::default() }
}
