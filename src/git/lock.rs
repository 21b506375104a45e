//! One run at a time in a repository.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::debris;
use super::{GitError, Repository};
use crate::net::NetError;

/// How often a taken lock is tried again.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// What the lock file says. More than this is not read.
const LONGEST_RECORD: u64 = 4096;

/// The right to change a repository: pull, push and maintenance take it. The kernel lets go of it when the process
/// ends, however it ends; what a dead run left behind is cleared away by the next that takes the lock.
#[derive(Debug)]
pub struct RepositoryLock {
    file: File,
    record: Record,
}

/// What stands in the lock file.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Who has the lock. Still there when the lock is free: that run died.
    holder: Option<Holder>,
    /// Since when dead runs may have left lock files of git's behind, in seconds of Unix time.
    debris_since: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// Process id, for whoever looks for it.
    pid: u32,
    /// The worker and its run.
    identity: String,
    /// Since when, in seconds of Unix time.
    since: u64,
}

impl RepositoryLock {
    /// Takes the lock of `repository` for `identity`, waiting at most `patience`.
    ///
    /// # Errors
    /// [`GitError::Locked`] names the holder; [`NetError::Cancelled`] when `cancel` came first.
    pub async fn acquire(
        repository: &Repository,
        identity: &str,
        patience: Duration,
        cancel: &CancellationToken,
    ) -> Result<Self, GitError> {
        let path = repository.own_folder()?.join("lock");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(GitError::io("open the repository's lock"))?;
        let give_up = Instant::now() + patience;
        while !try_lock(&file)? {
            if Instant::now() >= give_up {
                let holder = read(&mut file).holder;
                let holder = holder.map_or("another run".to_owned(), |by| format!("{} (pid {})", by.identity, by.pid));
                return Err(GitError::Locked { holder, waited: patience });
            }
            tokio::select! {
                () = cancel.cancelled() => return Err(NetError::Cancelled.into()),
                () = sleep(TRY_EVERY) => {}
            }
        }
        Self::enter(repository, file, identity)
    }

    /// Clears up after the last holder, and writes down the new one.
    fn enter(repository: &Repository, mut file: File, identity: &str) -> Result<Self, GitError> {
        let suspected = suspected(&mut file);
        let debris_since = match suspected {
            Some(since) if debris::clear(repository, since)? => None,
            suspected => suspected,
        };
        let holder = Holder { pid: std::process::id(), identity: identity.to_owned(), since: now() };
        let mut lock = Self { file, record: Record { holder: Some(holder), debris_since } };
        lock.write().map_err(GitError::io("write the repository's lock"))?;
        Ok(lock)
    }

    fn write(&mut self) -> io::Result<()> {
        let record = serde_json::to_vec(&self.record)?;
        // Never empty in between: whoever is killed there would leave no word of what may be left behind. A short record
        // over a longer one is none, and counts from when it was written.
        self.file.write_all_at(&record, 0)?;
        self.file.set_len(record.len() as u64)
    }
}

impl Drop for RepositoryLock {
    fn drop(&mut self) {
        self.record.holder = None;
        // A record that stays only makes the next holder look for debris.
        let _ = self.write();
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn try_lock(file: &File) -> Result<bool, GitError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(GitError::io("lock the repository")(error.into())),
    }
}

/// Since when dead runs may have left something. A record that was only half written says by its file's time when.
fn suspected(file: &mut File) -> Option<u64> {
    let torn = |file: &File| file.metadata().ok().filter(|found| found.len() > 0)?.modified().ok();
    match parsed(file) {
        Some(record) => record.debris_since.or(record.holder.map(|dead| dead.since)),
        None => torn(file).and_then(|time| Some(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())),
    }
}

/// An unreadable record is none.
fn read(file: &mut File) -> Record {
    parsed(file).unwrap_or_default()
}

fn parsed(file: &mut File) -> Option<Record> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(LONGEST_RECORD).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::git::Repositories;

    const PATIENCE: Duration = Duration::from_millis(250);

    fn repository() -> (tempfile::TempDir, Repository) {
        let root = tempfile::tempdir().unwrap();
        let repository = Repositories::new(root.path()).unwrap().open_or_create("p.git").unwrap();
        (root, repository)
    }

    async fn acquire(repository: &Repository, identity: &str) -> Result<RepositoryLock, GitError> {
        RepositoryLock::acquire(repository, identity, PATIENCE, &CancellationToken::new()).await
    }

    #[tokio::test]
    async fn the_second_waits_its_time_and_names_the_first() {
        let (_root, repository) = repository();
        let first = acquire(&repository, "worker-1").await.unwrap();
        let refused = acquire(&repository, "worker-2").await.unwrap_err().to_string();
        let expected =
            format!("The repository is in use by worker-1 (pid {}); gave up after 250ms.", std::process::id());
        assert_eq!(refused, expected);
        drop(first);
        acquire(&repository, "worker-2").await.unwrap();
    }

    #[tokio::test]
    async fn waiting_ends_with_the_run() {
        let (_root, repository) = repository();
        let _first = acquire(&repository, "worker-1").await.unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        let refused = RepositoryLock::acquire(&repository, "worker-2", Duration::from_hours(1), &cancel).await;
        assert!(matches!(refused, Err(GitError::Net(NetError::Cancelled))), "{refused:?}");
    }

    #[tokio::test]
    async fn what_a_dead_run_left_is_cleared_away_and_nothing_else() {
        let (_root, repository) = repository();
        let own = repository.own_folder().unwrap();
        let dead = Record {
            holder: Some(Holder { pid: 1, identity: "dead".into(), since: now() - 1000 }),
            debris_since: None,
        };
        fs::write(own.join("lock"), serde_json::to_vec(&dead).unwrap()).unwrap();
        fs::create_dir(own.join("quarantine-x")).unwrap();
        fs::write(own.join("record-x"), "{").unwrap();
        let aged = |name: &str, age: u64| {
            let path = repository.path().join(name);
            let file = File::create(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            path
        };
        let (left, older, young) = (aged("packed-refs.lock", 900), aged("HEAD.lock", 2000), aged("config.lock", 5));
        let written = aged("packed-refs.new", 900);

        let lock = acquire(&repository, "worker-1").await.unwrap();
        assert!(!left.exists() && !written.exists(), "made by the dead run");
        assert!(older.exists(), "older than the dead run");
        assert!(young.exists(), "may belong to a git process at work");
        assert!(!own.join("quarantine-x").exists() && !own.join("record-x").exists());
        assert!(lock.record.debris_since.is_some(), "the young one is looked at again");
        fs::remove_file(young).unwrap();
        drop(lock);
        assert_eq!(acquire(&repository, "worker-1").await.unwrap().record.debris_since, None);
    }

    #[tokio::test]
    async fn a_record_that_was_half_written_still_says_that_something_may_be_left() {
        let (_root, repository) = repository();
        let own = repository.own_folder().unwrap();
        fs::write(own.join("lock"), r#"{"holder":{"pid":1,"ident"#).unwrap();
        let left = repository.path().join("HEAD.lock");
        File::create(&left).unwrap();
        let lock = acquire(&repository, "worker-1").await.unwrap();
        assert!(lock.record.debris_since.is_some());
    }
}
