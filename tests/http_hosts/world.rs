//! Our side: a folder with repositories and a door, and what the engines do through it.

use std::path::Path;
use std::time::Duration;

use sidemirror::git::{
    Engine, GitError, GitProgram, Libgit2, Limits, Progress, Repositories, Repository, Sent, fetch, push,
};
use sidemirror::mirror::refs::{Advertisement, RefChange, RefName, Refs};
use sidemirror::net::{
    Access, Allowance, Credentials, Deadline, Door, DoorSettings, HttpAccess, HttpSettings, RemoteUrl, Session,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::rig::host::{PASSWORD, USER};
use crate::rig::repository::Repository as Served;

/// Each engine does the same through the same door.
pub(crate) fn engines() -> Vec<Box<dyn Engine>> {
    let program = GitProgram::find(Path::new("/usr/bin/git")).unwrap().unwrap();
    vec![Box::new(Libgit2), Box::new(program.started_by(Path::new(env!("CARGO_BIN_EXE_sidemirror"))))]
}

pub(crate) struct World {
    door: Door,
    repositories: Repositories,
    _runtime: Runtime,
    _folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(HttpSettings::default())
    }

    pub(crate) fn with(http: HttpSettings) -> Self {
        Self::reaching(true, http)
    }

    /// With the local network or without.
    pub(crate) fn reaching(allow_local_network: bool, http: HttpSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repositories = Repositories::new(folder.path()).unwrap();
        let runtime = Runtime::new().unwrap();
        let door = {
            let _inside = runtime.enter();
            Door::new(DoorSettings { allow_local_network, http, ..DoorSettings::default() }).unwrap()
        };
        Self { door, repositories, _runtime: runtime, _folder: folder }
    }

    pub(crate) fn ours(&self, name: &str) -> Repository {
        self.repositories.open_or_create(name).unwrap()
    }

    /// With the login that hosts ask for.
    pub(crate) fn session(&self, url: &str) -> Session {
        self.session_with(url, HttpAccess::default())
    }

    /// With the login, and this.
    pub(crate) fn session_with(&self, url: &str, http: HttpAccess) -> Session {
        self.session_as(url, Access { credentials: Some(login()), http, ..Access::default() })
    }

    pub(crate) fn session_as(&self, url: &str, access: Access) -> Session {
        let allowance = Allowance::until(Deadline::after(Duration::from_mins(2)));
        self.door.session(RemoteUrl::parse(url).unwrap(), access, allowance, CancellationToken::new())
    }

    /// What listing with this access ends with, in words, by every engine.
    pub(crate) fn failure(&self, url: &str, access: &Access) -> String {
        let mut texts = engines().into_iter().map(|engine| {
            let session = self.session_as(url, access.clone());
            list(&*engine, &self.ours("failing.git"), &session).unwrap_err().to_string()
        });
        let first = texts.next().unwrap();
        texts.for_each(|text| assert_eq!(text, first));
        assert!(!first.contains(PASSWORD), "{first}");
        first
    }
}

pub(crate) fn login() -> Credentials {
    Credentials::new(USER, PASSWORD)
}

/// The login and nothing else.
pub(crate) fn logged_in() -> Access {
    Access { credentials: Some(login()), ..Access::default() }
}

/// The login, and what only HTTP knows.
pub(crate) fn with_http(http: HttpAccess) -> Access {
    Access { http, ..logged_in() }
}

/// Only the listing.
pub(crate) fn list(engine: &dyn Engine, repository: &Repository, session: &Session) -> Result<Advertisement, GitError> {
    fetch(engine, repository, session, &Limits::NONE, |upstream| Ok(upstream.advertisement().clone()))
}

/// Fetches every branch and tag, and sets ours to them.
pub(crate) fn pull(engine: &dyn Engine, repository: &Repository, session: &Session) -> Result<(), GitError> {
    let far = fetch(engine, repository, session, &Limits::NONE, |upstream| {
        let far = upstream.advertisement().refs.clone();
        upstream.download(&far, &Progress::default())?;
        Ok::<_, GitError>(far)
    })?;
    let ours = repository.read_refs(&["refs/"])?;
    for outcome in repository.apply(&changes(&ours, &far))? {
        assert_eq!(outcome.result, Ok(()), "{:?}", outcome.change);
    }
    Ok(())
}

/// Makes the far branches and tags equal to ours.
pub(crate) fn send(engine: &dyn Engine, repository: &Repository, session: &Session) -> Result<Sent, GitError> {
    push(engine, repository, session, &Limits::NONE, |far| {
        let ours = repository.read_refs(&[RefName::HEADS, RefName::TAGS])?;
        far.send(&changes(&far.advertisement().refs, &ours), false)
    })
}

/// Pulls from `from` and pushes to `to`, and looks whether all three are the same in the end.
pub(crate) fn round_trip(
    world: &World,
    name: &str,
    from: (&Served, &Session),
    to: (&Served, &Session),
    engine: &dyn Engine,
) {
    let ours = world.ours(name);
    pull(engine, &ours, from.1).unwrap();
    assert_same(ours.path(), from.0);
    let sent = send(engine, &ours, to.1).unwrap();
    assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
    assert_same(ours.path(), to.0);
}

fn assert_same(ours: &Path, theirs: &Served) {
    assert_eq!(Served::open(ours).mirrored_refs(), theirs.mirrored_refs());
}

/// What has to change for `from` to become `to`.
fn changes(from: &Refs, to: &Refs) -> Vec<RefChange> {
    let gone = from.iter().filter(|(name, _)| !to.contains_key(*name));
    let gone = gone.map(|(name, id)| RefChange::delete(name.clone(), *id));
    let moved = to.iter().filter(|(name, id)| from.get(*name) != Some(*id));
    let moved = moved.map(|(name, id)| RefChange { name: name.clone(), old: from.get(name).copied(), new: Some(*id) });
    gone.chain(moved).collect()
}
