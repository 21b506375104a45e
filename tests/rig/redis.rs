//! A private Redis server without persistence.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::port;
use super::process::Process;

/// A running `redis-server`.
pub struct Redis {
    port: u16,
    process: Process,
    folder: TempDir,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        let port = port::free();
        let folder = tempfile::tempdir().unwrap();
        let process = launch(port, &folder);
        Self { port, process, folder }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What clients are given, as `REDIS_URL`.
    pub fn url(&self) -> String {
        Self::url_at(self.port)
    }

    /// What clients are given when the server is reached at another port, such as a proxy's.
    pub fn url_at(port: u16) -> String {
        format!("redis://127.0.0.1:{port}/0")
    }

    /// A new connection for the test itself; a command that gets no answer within 10 s fails.
    pub fn connection(&self) -> redis::Connection {
        let connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        connection
    }

    /// Ends the server at once; connections break.
    pub fn stop(&mut self) {
        self.process.kill_group();
    }

    /// Ends the server if it still runs, and starts an empty one on the same port.
    pub fn restart(&mut self) {
        self.stop();
        self.process = launch(self.port, &self.folder);
    }
}

fn launch(port: u16, folder: &TempDir) -> Process {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--port", &port.to_string(), "--dir"])
        .arg(folder.path());
    let mut process = Process::start("redis-server", &mut command, &folder.path().join("log"));
    let client = redis::Client::open(Redis::url_at(port)).unwrap();
    process
        .ready(|| client.get_connection().is_ok_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok()));
    process
}
