//! A program started by a test: its own process group, its output in a log, gone when the test is.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::wait;

/// How many lines of a log are shown with a failed test.
const SHOWN_LINES: usize = 60;

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with no input and both outputs appended to `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            // What an interrupted run leaves behind is known by the folder that it works in (scripts/test).
            .current_dir(log.parent().unwrap())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            // A group of its own, so that what the program starts can be ended with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started ({error}); scripts/test installs what is needed"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that the program has written so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until `probe` finds the program ready; panics if it ends before or takes too long.
    pub fn ready(&mut self, mut probe: impl FnMut() -> bool) {
        let what = format!("{} to be ready", self.name);
        wait::until(&what, wait::START, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended instead of getting ready: {status}", self.name);
            }
            probe()
        });
    }

    /// Sends a signal to the program itself, not to what it started.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap_or_else(|error| panic!("{signal:?} to {}: {error}", self.name));
    }

    /// Whether the program has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the program to end by itself.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} to end", self.name);
        wait::for_some(&what, limit, || self.child.try_wait().unwrap())
    }

    /// Ends the program and all that it started, at once.
    pub fn kill_group(&mut self) {
        // A group without members is what we want; there is nothing to report.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("--- log of {} ---\n{}\n---", self.name, shown.join("\n"));
        }
    }
}
