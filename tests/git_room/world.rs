//! A server with repositories, a folder with ours, and a door between them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sidemirror::git::{Engine, GitError, Limits, Progress, Repositories, Repository, Transfer, fetch};
use sidemirror::mirror::refs::{Advertisement, ObjectId, RefChange, RefName, Refs};
use sidemirror::net::{Access, Allowance, Credentials, Deadline, Door, DoorSettings, RemoteUrl, Session};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::both::{self, Format, GIT, Kind};
use crate::server::{GitServer, PASSWORD, USER};

pub(crate) struct World {
    pub(crate) server: GitServer,
    pub(crate) repositories: Repositories,
    pub(crate) door: Door,
    engine: Arc<dyn Engine>,
    git: PathBuf,
    format: Format,
    runtime: Runtime,
    folder: TempDir,
}

impl World {
    /// For what is not about an engine.
    pub(crate) fn new() -> Self {
        Self::of(Kind::Libgit2)
    }

    pub(crate) fn of(kind: Kind) -> Self {
        Self::with(kind, DoorSettings { allow_local_network: true, ..DoorSettings::default() })
    }

    /// All of whose repositories, here and there, are of one kind.
    pub(crate) fn formatted(format: Format) -> Self {
        let git = format.git();
        let world = Self::of(if format == Format::Sha1 { Kind::Libgit2 } else { Kind::Git });
        let repositories = world.repositories.clone().with_program(Some(both::program(&git)));
        let engine: Arc<dyn Engine> = match format {
            Format::Sha1 => world.engine.clone(),
            _ => Arc::new(both::program(&git)),
        };
        Self { repositories, engine, git, format, ..world }
    }

    pub(crate) fn with(kind: Kind, settings: DoorSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = GitServer::start(folder.path());
        std::fs::create_dir(folder.path().join("ours")).unwrap();
        let repositories = Repositories::new(&folder.path().join("ours")).unwrap();
        let runtime = Runtime::new().unwrap();
        let door = {
            let _inside = runtime.enter();
            Door::new(settings).unwrap()
        };
        let engine = kind.engine();
        Self { server, repositories, door, engine, git: GIT.into(), format: Format::Sha1, runtime, folder }
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn session(&self, path: &str) -> Session {
        self.session_to(&format!("http://127.0.0.1:{}/{path}", self.server.port), CancellationToken::new())
    }

    pub(crate) fn session_to(&self, url: &str, cancel: CancellationToken) -> Session {
        self.session_as(url, Some(Credentials::new(USER, PASSWORD)), cancel)
    }

    pub(crate) fn session_as(&self, url: &str, credentials: Option<Credentials>, cancel: CancellationToken) -> Session {
        let access = Access { credentials, ..Access::default() };
        let allowance = Allowance::until(Deadline::after(Duration::from_mins(1)));
        self.door.session(RemoteUrl::parse(url).unwrap(), access, allowance, cancel)
    }

    /// A bare repository on the server, without refs.
    pub(crate) fn served(&self, name: &str) -> PathBuf {
        let path = self.server.served(name);
        self.init(&path, if self.format == Format::Sha256 { self.format.flags() } else { &[] });
        self.git(&path, &["config", "http.receivepack", "true"]);
        path
    }

    fn init(&self, path: &Path, flags: &[&str]) {
        let arguments = ["init", "-q", "--bare", "-b", "main", path.to_str().unwrap()];
        self.git(self.folder.path(), &[&arguments, flags].concat());
    }

    pub(crate) fn ours(&self, name: &str) -> Repository {
        let path = self.folder.path().join("ours").join(name);
        if self.format != Format::Sha1 && !path.exists() {
            self.init(&path, self.format.flags());
        }
        self.repositories.open_or_create(name).unwrap()
    }

    /// A commit with a file of its own, in a bare repository; answers its id.
    pub(crate) fn commit(&self, repository: &Path, branch: &str, content: &str) -> ObjectId {
        let blob = self.git_with(repository, &["hash-object", "-w", "--stdin"], content);
        let tree = self.git_with(repository, &["mktree"], &format!("100644 blob {blob}\tfile\n"));
        let reference = format!("refs/heads/{branch}");
        let parent = self.try_git(repository, &["rev-parse", "-q", "--verify", &reference], "");
        let mut arguments = vec!["commit-tree", "-m", content, &tree];
        if let Some(parent) = &parent {
            arguments.extend(["-p", parent]);
        }
        let commit = self.git(repository, &arguments);
        self.git(repository, &["update-ref", &reference, &commit]);
        commit.parse().unwrap()
    }

    pub(crate) fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        self.git_with(folder, arguments, "")
    }

    pub(crate) fn git_with(&self, folder: &Path, arguments: &[&str], input: &str) -> String {
        self.try_git(folder, arguments, input).unwrap_or_else(|| panic!("git {arguments:?} failed"))
    }

    pub(crate) fn try_git(&self, folder: &Path, arguments: &[&str], input: &str) -> Option<String> {
        let mut command = Command::new(&self.git);
        command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", self.folder.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "T").env(format!("GIT_{who}_EMAIL"), "t@example.org");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    /// `git for-each-ref` as our own values.
    pub(crate) fn refs(&self, repository: &Path) -> Refs {
        let listed = self.git(repository, &["for-each-ref", "--format=%(objectname) %(refname)"]);
        listed.lines().map(|line| line.split_once(' ').unwrap()).map(named).collect()
    }

    /// Only the listing.
    pub(crate) fn list(&self, repository: &Repository, session: &Session) -> Result<Advertisement, GitError> {
        fetch(self.engine(), repository, session, &Limits::NONE, |upstream| Ok(upstream.advertisement().clone()))
    }

    /// Fetches every branch and tag, and sets ours to them.
    pub(crate) fn mirror(&self, repository: &Repository, session: &Session) -> Result<Transfer, GitError> {
        self.mirror_by(self.engine(), repository, session)
    }

    /// The same with another engine than the world's own.
    #[expect(clippy::unused_self, reason = "read as the other")]
    pub(crate) fn mirror_by(
        &self,
        engine: &dyn Engine,
        repository: &Repository,
        session: &Session,
    ) -> Result<Transfer, GitError> {
        let (far, transfer) = fetch(engine, repository, session, &Limits::NONE, |upstream| {
            let far = upstream.advertisement().refs.clone();
            let transfer = upstream.download(&far, &Progress::default())?;
            Ok::<_, GitError>((far, transfer))
        })?;
        let ours = repository.read_refs(&["refs/"])?;
        for outcome in repository.apply(&changes(&ours, &far))? {
            assert_eq!(outcome.result, Ok(()), "{:?}", outcome.change);
        }
        Ok(transfer)
    }

    pub(crate) fn assert_sound(&self, repository: &Repository) {
        let found = self.git(repository.path(), &["fsck", "--full", "--strict", "--no-dangling"]);
        assert_eq!(found, "");
        let own = std::fs::read_dir(repository.path().join("sidemirror")).into_iter().flatten();
        let left: Vec<_> = own.map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("quarantine-")), "{left:?}");
    }
}

fn named((id, name): (&str, &str)) -> (RefName, ObjectId) {
    (RefName::new(name), id.parse().unwrap())
}

/// What has to change for `from` to become `to`.
pub(crate) fn changes(from: &Refs, to: &Refs) -> Vec<RefChange> {
    let gone = from.iter().filter(|(name, _)| !to.contains_key(*name));
    let gone = gone.map(|(name, id)| RefChange::delete(name.clone(), *id));
    let moved = to.iter().filter(|(name, id)| from.get(*name) != Some(*id));
    let moved = moved.map(|(name, id)| RefChange { name: name.clone(), old: from.get(name).copied(), new: Some(*id) });
    gone.chain(moved).collect()
}
