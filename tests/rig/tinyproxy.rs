//! A real proxy.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use super::port;
use super::process::Process;

/// The user of a guarded one.
pub const USER: &str = "pr0xy";
/// The user's password.
pub const PASSWORD: &str = "t0pSecret";

/// A running tinyproxy.
pub struct Tinyproxy {
    /// On 127.0.0.1.
    pub port: u16,
    _folder: TempDir,
    process: Process,
}

impl Tinyproxy {
    /// One that anybody may use.
    pub fn open() -> Self {
        Self::with("")
    }

    /// One that asks for a login.
    pub fn guarded() -> Self {
        Self::with(&format!("BasicAuth {USER} {PASSWORD}\n"))
    }

    /// One with these lines in its configuration.
    pub fn with(lines: &str) -> Self {
        let (port, folder) = (port::free(), tempfile::tempdir().unwrap());
        let config = folder.path().join("tinyproxy.conf");
        let fixed =
            format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\nLogLevel Info\n");
        fs::write(&config, fixed + lines).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(&config);
        let mut process = Process::start("tinyproxy", &mut command, &folder.path().join("tinyproxy.log"));
        process.ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, _folder: folder, process }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked for so far: lines such as `CONNECT localhost:443 HTTP/1.1`.
    pub fn requests(&self) -> Vec<String> {
        let log = self.process.log();
        let asked = log.lines().filter_map(|line| line.split_once("Request (file descriptor ")?.1.split_once("): "));
        asked.map(|(_, request)| request.to_owned()).collect()
    }
}
