//! A real proxy.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use crate::rig::port;
use crate::rig::process::Process;

pub(crate) const USER: &str = "pr0xy";
pub(crate) const PASSWORD: &str = "t0pSecret";

/// A running tinyproxy.
pub(crate) struct Tinyproxy {
    pub(crate) port: u16,
    _folder: TempDir,
    process: Process,
}

impl Tinyproxy {
    /// One that anybody may use.
    pub(crate) fn open() -> Self {
        Self::with("")
    }

    /// One that asks for a login.
    pub(crate) fn guarded() -> Self {
        Self::with(&format!("BasicAuth {USER} {PASSWORD}\n"))
    }

    pub(crate) fn with(lines: &str) -> Self {
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

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked for so far: lines such as `CONNECT localhost:443 HTTP/1.1`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.process.log();
        let asked = log.lines().filter_map(|line| line.split_once("Request (file descriptor ")?.1.split_once("): "));
        asked.map(|(_, request)| request.to_owned()).collect()
    }
}
