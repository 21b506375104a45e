//! A private Redis server, without persistence unless a test asks for it.

use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::port;
use super::process::Process;

/// A running `redis-server`.
pub struct Redis {
    port: u16,
    process: Process,
    folder: TempDir,
    memory: Memory,
}

/// What outlives the process.
#[derive(Clone, Copy)]
enum Memory {
    Nothing,
    /// Every command, before it is answered.
    Everything,
}

impl Redis {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        Self::remembering(Memory::Nothing)
    }

    /// Starts one that has lost nothing when it is started again.
    pub fn start_with_persistence() -> Self {
        Self::remembering(Memory::Everything)
    }

    fn remembering(memory: Memory) -> Self {
        let port = port::free();
        let folder = tempfile::tempdir().unwrap();
        let process = launch(port, &folder, memory);
        Self { port, process, folder, memory }
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

    /// A new connection for the test itself. It has no read timeout: a read with one fails, instead of going on, when
    /// the whole machine is stopped for a moment.
    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Ends the server at once; connections break.
    pub fn stop(&mut self) {
        self.process.kill_group();
    }

    /// Ends the server if it still runs, and starts one on the same port: empty, unless it was started with
    /// persistence.
    pub fn restart(&mut self) {
        self.stop();
        self.process = launch(self.port, &self.folder, self.memory);
    }

    /// Keeps the server from answering; connections stay open.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }
}

fn launch(port: u16, folder: &TempDir, memory: Memory) -> Process {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendfsync", "always", "--appendonly"])
        .arg(match memory {
            Memory::Nothing => "no",
            Memory::Everything => "yes",
        })
        .args(["--port", &port.to_string(), "--dir"])
        .arg(folder.path());
    let mut process = Process::start("redis-server", &mut command, &folder.path().join("log"));
    let client = redis::Client::open(Redis::url_at(port)).unwrap();
    process
        .ready(|| client.get_connection().is_ok_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok()));
    process
}
