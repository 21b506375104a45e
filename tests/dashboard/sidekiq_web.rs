//! `Sidekiq::Web` of one version, served by puma.

use std::fs;
use std::net::TcpStream;

use tempfile::TempDir;

use crate::rig::port;
use crate::rig::process::Process;
use crate::rig::ruby::Ruby;

/// A running web server.
pub(crate) struct SidekiqWeb {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl SidekiqWeb {
    /// Starts one and waits until it accepts connections.
    pub(crate) fn start(ruby: Ruby, redis_url: &str) -> Self {
        let port = port::free();
        let folder = tempfile::tempdir().unwrap();
        let configuration = folder.path().join("config.ru");
        fs::write(&configuration, include_str!("config.ru")).unwrap();
        let mut command = ruby.command("puma", redis_url);
        // A forge in production: pages are not prefixed, and errors are not shown as pages of their own.
        command.args(["-e", "production", "-b", &format!("tcp://127.0.0.1:{port}")]).arg(&configuration);
        let mut process = Process::start("puma", &mut command, &folder.path().join("log"));
        process.ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, _process: process, _folder: folder }
    }

    /// The address of a page, such as `busy`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }
}
