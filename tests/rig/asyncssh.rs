//! asyncssh, a second implementation of SSH, for logins that sshd leaves to the system's users.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::port;
use super::process::Process;
use super::sshd::{keygen, public_key};

/// `asyncssh_server.py` on a free port.
pub struct AsyncSsh {
    pub port: u16,
    process: Process,
    folder: PathBuf,
}

impl AsyncSsh {
    pub const PASSWORD: &str = "p@ss: wörd";

    /// Starts one that lets in by `mode` (see `asyncssh_server.py`) and keeps its files in a new folder there.
    pub fn start(folder: PathBuf, mode: &str) -> Self {
        let port = port::free();
        fs::create_dir(&folder).unwrap();
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", folder.join("host").to_str().unwrap()]);
        fs::write(folder.join("authorized_keys"), "").unwrap();
        let mut command = Command::new("/usr/bin/python3");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("HOME", &folder);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/asyncssh_server.py"));
        command.args([&port.to_string(), folder.to_str().unwrap(), mode, Self::PASSWORD]);
        let mut process = Process::start("asyncssh", &mut command, &folder.join("log"));
        process.ready(|| folder.join("ready").exists());
        Self { port, process, folder }
    }

    pub fn known(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port, public_key(&self.folder.join("host.pub")))
    }

    pub fn authorise(&self, public_line: &str) {
        fs::write(self.folder.join("authorized_keys"), format!("{public_line}\n")).unwrap();
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What was answered to its questions.
    pub fn answers(&self) -> Vec<String> {
        let log = self.log();
        log.lines().filter_map(|line| line.strip_prefix("answered ")).map(str::to_owned).collect()
    }
}
