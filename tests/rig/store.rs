//! The Redis store as the administration uses it, for tests with more mirrors than a command each can add in time.

use chrono::{DateTime, TimeDelta, Utc};
use sidemirror::connections::{self, RedisSettings};
use sidemirror::mirror::key::{Direction, MirrorId, MirrorKey};
use sidemirror::mirror::record::{Mirror, Settings};
use sidemirror::mirror::state::RunState;
use sidemirror::store::redis::{SealingKey, SealingKeys};
use sidemirror::store::{Change, Login, MirrorStore, RedisStore, SecretsChange};
use tokio::runtime::Runtime;

use super::git_http::GitServer;
use super::installation::Installation;
use super::redis::Redis;

/// A store on the test's Redis, and the runtime that its connection lives on.
pub struct Store {
    runtime: Runtime,
    store: RedisStore,
}

impl Store {
    /// Opens the store with the installation's key.
    pub fn open(redis: &Redis, installation: &Installation) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let key = std::fs::read_to_string(installation.folder().join("secret.key")).unwrap();
        let keys = SealingKeys::new(SealingKey::parse(&key).unwrap(), Vec::new());
        let settings = RedisSettings::new(redis.url().parse().unwrap());
        let connection = runtime.block_on(connections::Redis::connect(&settings)).unwrap();
        let store = RedisStore::new(connection, TimeDelta::minutes(300), Ok(keys));
        Self { runtime, store }
    }

    /// Adds a pull mirror of a repository on the rig's git server, due at this moment.
    pub fn add_pull(&self, id: u64, repository: &str, url: &str, due_at: DateTime<Utc>) {
        let login = Login { user: GitServer::USER.into(), password: GitServer::PASSWORD.into() };
        let secrets = SecretsChange { login: Change::Set(login), ..SecretsChange::default() };
        let settings = Settings::new(Direction::Pull, repository.to_owned(), url.to_owned());
        let mirror = Mirror { id: MirrorId(id), settings, state: RunState::new(Direction::Pull, due_at) };
        assert!(self.runtime.block_on(self.store.add(&mirror, &secrets)).unwrap());
    }

    /// Changes the state of a pull mirror by hand.
    pub fn change_state(&self, id: u64, mut change: impl FnMut(&mut RunState) + Send) {
        let mut apply = |mirror: &mut Mirror| {
            change(&mut mirror.state);
            Ok(())
        };
        let keep = SecretsChange::default();
        let changed = self.store.change(MirrorKey::pull(MirrorId(id)), &mut apply, &keep);
        self.runtime.block_on(changed).unwrap().unwrap();
    }

    /// All pull mirrors, by number.
    pub fn mirrors(&self) -> Vec<Mirror> {
        self.runtime.block_on(self.store.list(Direction::Pull)).unwrap()
    }
}
