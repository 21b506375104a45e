//! A canary, a name server, a repository of ours, and doors with rules of the test's own.

use std::net::IpAddr;
use std::time::Duration;

use sidemirror::git::{Engine, GitError, Limits, Repositories, Repository, fetch, push};
use sidemirror::net::{Access, Allowance, Deadline, Door, DoorSettings, NetError, RemoteUrl, Session};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::canary::Canary;
use crate::dns::Dns;

pub(crate) struct World {
    pub(crate) canary: Canary,
    pub(crate) dns: Dns,
    pub(crate) repository: Repository,
    runtime: Runtime,
    _folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repositories::new(folder.path()).unwrap().open_or_create("ours.git").unwrap();
        Self {
            canary: Canary::start(),
            dns: Dns::start(),
            repository,
            runtime: Runtime::new().unwrap(),
            _folder: folder,
        }
    }

    /// Settings that ask the test's name server.
    pub(crate) fn settings(&self) -> DoorSettings {
        DoorSettings {
            nameservers: vec![self.dns.address()],
            connect_timeout: Duration::from_secs(5),
            ..DoorSettings::default()
        }
    }

    pub(crate) fn door(&self, settings: DoorSettings) -> Door {
        let _inside = self.runtime.enter();
        Door::new(settings).unwrap()
    }

    /// A door that lets these places pass.
    pub(crate) fn door_with(&self, allow: &[&str], deny: &[&str]) -> Door {
        let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        self.door(DoorSettings { allow: rules(allow), deny: rules(deny), ..self.settings() })
    }

    pub(crate) fn session(door: &Door, url: RemoteUrl, access: Access) -> Session {
        let allowance = Allowance::until(Deadline::after(Duration::from_secs(30)));
        door.session(url, access, allowance, CancellationToken::new())
    }

    /// Lists the far side, to fetch and to push; answers what went wrong each time.
    pub(crate) fn attempt(&self, engine: &dyn Engine, door: &Door, url: &str, access: &Access) -> [GitError; 2] {
        let session = || Self::session(door, RemoteUrl::parse(url).unwrap(), access.clone());
        let fetched = fetch(engine, &self.repository, &session(), &Limits::NONE, |_| Ok::<_, GitError>(()));
        let pushed = push(engine, &self.repository, &session(), &Limits::NONE, |_| Ok::<_, GitError>(()));
        [fetched, pushed].map(|result| result.expect_err(url))
    }

    /// `attempt`, which must end at the guard, and must not be seen by the canary.
    pub(crate) fn refused(&self, engine: &dyn Engine, door: &Door, url: &str, access: &Access) -> String {
        let name = engine.name();
        let [fetched, pushed] = self.attempt(engine, door, url, access).map(|error| {
            assert!(matches!(error, GitError::Net(NetError::Forbidden { .. })), "{name} {url}: {error}");
            error.to_string()
        });
        assert_eq!(fetched, pushed, "{name} {url}");
        assert_eq!(self.canary.arrivals(), [] as [IpAddr; 0], "{name} {url}");
        fetched
    }
}
