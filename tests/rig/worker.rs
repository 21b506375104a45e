//! A running worker: the real program, started with the settings of an installation.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;

use super::installation::Installation;
use super::port;
use super::process::Process;
use super::wait;

/// Longer than the program's own shutdown timeout in any test.
const TERMINATION: Duration = Duration::from_secs(40);
/// How long metrics and health may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A worker process.
pub struct Worker {
    port: u16,
    process: Process,
}

/// What the worker answered over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// All after the head.
    pub body: String,
}

impl Worker {
    /// Starts one and waits until it says that it is ready.
    pub fn start(installation: &Installation) -> Self {
        let port = port::free();
        let config = installation.write_config(&format!("worker-{port}.yml"), &format!("127.0.0.1:{port}"));
        let mut command = installation.command(&["run", "-C"]);
        let log = installation.folder().join(format!("worker-{port}.log"));
        let process = Process::start("sidemirror", command.arg(config), &log);
        let mut worker = Self { port, process };
        worker.process.ready(|| get(port, "/readyz").is_some_and(|answer| answer.status == 200));
        worker
    }

    /// Where its metrics and health are.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What it answers to a GET of this path on its metrics and health port; `None` if it does not.
    pub fn get(&self, path: &str) -> Option<Answer> {
        get(self.port, path)
    }

    /// The value of one metric, given as it is written in front of the value: `name` or `name{label="x"}`.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let answer = self.get("/metrics")?;
        let value = answer.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        value.trim().parse().ok()
    }

    /// Asks it to end, waits until it has, and returns how.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it has ended by what somebody else asked of it, and returns how.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait(TERMINATION)
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait(TERMINATION);
    }

    /// Stops it in the middle of what it does, until [`Worker::cont`]. It has stopped when this returns.
    pub fn stop(&self) {
        self.process.signal(Signal::STOP);
        // Its threads stop one by one.
        wait::until("all threads to be stopped", Duration::from_secs(10), || {
            let threads = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
            threads.flatten().all(|thread| {
                let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
                status.lines().any(|line| line.starts_with("State:\tT"))
            })
        });
    }

    /// Lets it go on.
    pub fn cont(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Sends another signal, such as TSTP.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }
}

fn get(port: u16, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}
