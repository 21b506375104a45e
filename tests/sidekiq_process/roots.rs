//! Newer versions of Sidekiq, and Rails: each a Ruby of its own that `scripts/ruby-roots` has unpacked.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sidemirror::sidekiq::Profile;

use crate::redis_server::{RedisServer, until};

/// The Debian releases and what their Sidekiq is for us.
pub(crate) const ALL: [(&str, Profile); 3] =
    [("bookworm", Profile::V6_4), ("trixie", Profile::V7), ("sid", Profile::V8)];

/// The Ruby of a release, to be told what to run.
pub(crate) fn command(release: &str) -> Command {
    let mut command = Command::new(root(release).join("ruby"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    command
}

/// The Ruby of a release, whose Sidekiq uses this server.
pub(crate) fn ruby(server: &RedisServer, release: &str) -> Command {
    let mut command = command(release);
    command.env("REDIS_URL", server.url());
    command
}

fn root(release: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let root = cache.join("sidemirror-tools/roots").join(release);
    assert!(root.join("ruby").exists(), "no Ruby in {}: scripts/ruby-roots makes it", root.display());
    root
}

/// A Ruby file beside this one.
pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sidekiq_process").join(name)
}

/// A Sidekiq process of a release that serves the queue `a`, one job at a time.
pub(crate) struct Worker(Child);

impl Worker {
    pub(crate) async fn start(server: &RedisServer, release: &str, classes: &str) -> Self {
        let mut command = ruby(server, release);
        command.arg(root(release).join("usr/bin/sidekiq")).args(["-q", "a", "-c", "1", "-e", "production", "-r"]);
        let child = command.arg(script(classes)).stdout(Stdio::null()).spawn().unwrap();
        let worker = Self(child);
        until("Ruby's process is registered", async || server.run::<usize>(&["SCARD", "processes"]).await == 1).await;
        worker
    }

    /// Asks it to end, and waits until it has written its figures.
    pub(crate) async fn stop(mut self) {
        let process = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        until("Ruby's process has ended", || std::future::ready(self.0.try_wait().unwrap().is_some())).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
