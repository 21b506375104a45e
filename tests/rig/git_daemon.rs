//! `git://`, with git's own daemon.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use super::port;
use super::process::Process;

/// A running daemon that says why it refuses.
pub struct GitDaemon {
    /// On 127.0.0.1.
    pub port: u16,
    _process: Process,
}

impl GitDaemon {
    /// Serves what is in `folder`, where its log goes, too.
    pub fn start(folder: &Path, takes_pushes: bool) -> Self {
        let port = port::free();
        let mut command = Command::new("/usr/bin/git");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1");
        command.args(["-c", "safe.directory=*", "daemon", "--reuseaddr", "--export-all", "--verbose"]);
        command.args(["--listen=127.0.0.1", "--informative-errors"]);
        command.arg(format!("--port={port}")).arg(format!("--base-path={}", folder.display()));
        command.args(takes_pushes.then_some("--enable=receive-pack"));
        let mut process = Process::start("git-daemon", &mut command, &folder.join("daemon.log"));
        process.ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, _process: process }
    }

    /// The address of something here.
    pub fn url(&self, path: &str) -> String {
        format!("git://127.0.0.1:{}/{path}", self.port)
    }
}
