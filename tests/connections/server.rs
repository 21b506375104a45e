//! A redis-server, or a Sentinel, with whatever settings a test needs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::rig::port;
use crate::rig::process::Process;

pub(crate) struct Server {
    pub(crate) port: u16,
    process: Process,
    folder: TempDir,
    /// How the test itself gets in.
    url: String,
}

impl Server {
    /// Starts one with these lines of configuration, in which PORT stands for its port and FOLDER for its folder.
    pub(crate) fn start(lines: &[&str]) -> Self {
        Self::with_url(lines, &[], "redis://127.0.0.1:PORT/0")
    }

    /// Starts one that this URL leads to; `flags` are those of the program.
    pub(crate) fn with_url(lines: &[&str], flags: &[&str], url: &str) -> Self {
        let port = port::free();
        let folder = tempfile::tempdir().unwrap();
        let mut config = "bind 127.0.0.1\n".to_owned();
        if !lines.iter().any(|line| line.starts_with("port ")) {
            config += "port PORT\n";
        }
        if flags.is_empty() {
            config += "save \"\"\nrepl-diskless-sync-delay 0\n";
        }
        for line in lines {
            writeln!(config, "{line}").unwrap();
        }
        let place =
            |text: &str| text.replace("PORT", &port.to_string()).replace("FOLDER", folder.path().to_str().unwrap());
        std::fs::write(folder.path().join("redis.conf"), place(&config)).unwrap();
        let url = place(url);
        let process = launch(folder.path(), flags);
        let mut server = Self { port, process, folder, url };
        server.wait_until_it_answers();
        server
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A connection of the test's own, where the URL is without TLS.
    pub(crate) fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url.as_str()).unwrap().get_connection().unwrap()
    }

    /// Runs a command given as words.
    pub(crate) fn run<T: redis::FromRedisValue>(&self, words: &str) -> T {
        self.try_to_run(words).unwrap()
    }

    /// The same where the server may break the connection.
    pub(crate) fn try_to_run<T: redis::FromRedisValue>(&self, words: &str) -> redis::RedisResult<T> {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        let client = redis::Client::open(self.url.as_str())?;
        command.query(&mut client.get_connection()?)
    }

    /// How often the server has answered with this error.
    pub(crate) fn refusals(&self, code: &str) -> usize {
        let info: String = self.run("INFO errorstats");
        let count = info.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{code}:count=")));
        count.map_or(0, |count| count.trim().parse().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill_group();
    }

    /// Starts it again, and does not wait for it.
    pub(crate) fn launch_again(&mut self) {
        self.process = launch(self.folder.path(), &[]);
    }

    fn wait_until_it_answers(&mut self) {
        let (url, port) = (self.url.clone(), self.port);
        let over_tls = url.starts_with("rediss");
        self.process.ready(|| {
            if over_tls {
                return std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            }
            let client = redis::Client::open(url.as_str()).unwrap();
            client.get_connection().is_ok_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok())
        });
    }
}

/// The server under test: Debian's, or whichever scripts/test names.
fn program() -> String {
    std::env::var("SIDEMIRROR_TEST_REDIS").unwrap_or("redis-server".to_owned())
}

/// The version of the server under test; Valkey counts from 7.2 on.
pub(crate) fn version() -> (u32, u32) {
    let output = Command::new(program()).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers = text.split("v=").nth(1).unwrap_or_else(|| panic!("no version in {text}"));
    let mut numbers = numbers.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// A line without which newer servers do not know DEBUG, and which older ones do not know.
pub(crate) fn with_debug() -> &'static str {
    if version() >= (7, 0) { "enable-debug-command yes" } else { "" }
}

fn launch(folder: &Path, flags: &[&str]) -> Process {
    let mut command = Command::new(program());
    command.arg(folder.join("redis.conf")).arg("--dir").arg(folder).args(flags);
    Process::start("redis-server", &mut command, &folder.join("log"))
}
