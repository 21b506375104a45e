//! Ruby's own Sidekiq (Debian's 6.4.1): its client and API for scripts, and its real worker process.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;

/// Without this, redis-rb 4.8 warns about nearly every command that Sidekiq 6.4 gives.
const PRELUDE: &str = "require 'json'\nRedis.silence_deprecations = true\n";
/// How long a worker may finish its jobs after TERM before it gives them back, in seconds.
const TIMEOUT: &str = "5";

/// Runs a script with Sidekiq and its API loaded and returns the value of its last expression.
///
/// A string in that value must be UTF-8; a script that looks at bytes hands over their `unpack1("H*")`.
pub fn eval(redis_url: &str, script: &str) -> Value {
    let program = format!("{PRELUDE}value = begin\n{script}\nend\nputs JSON.generate(value)");
    let output = ruby("ruby", redis_url)
        .args(["-rsidekiq", "-rsidekiq/api", "-e", &program])
        .output()
        .expect("ruby can be started");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a Ruby script failed:\n{script}\n{complaint}");
    let value = printed.lines().last().unwrap_or_default();
    serde_json::from_str(value).unwrap_or_else(|error| panic!("{error} in what Ruby printed: {printed}{complaint}"))
}

/// A running `sidekiq` process.
pub struct RubySidekiq {
    process: Process,
    _folder: TempDir,
}

impl RubySidekiq {
    /// Starts one that serves `queues` with the job classes that `classes` defines, and waits until it has announced
    /// itself in `processes`.
    pub fn start(redis_url: &str, classes: &str, queues: &[&str], concurrency: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("jobs.rb");
        fs::write(&code, format!("{PRELUDE}{classes}\n")).unwrap();

        let mut command = ruby("sidekiq", redis_url);
        command.arg("-r").arg(&code).args(["-e", "test", "-t", TIMEOUT, "-c", &concurrency.to_string()]);
        command.args(queues.iter().flat_map(|queue| ["-q", queue]));
        let mut process = Process::start("sidekiq", &mut command, &folder.path().join("log"));

        let own_pid = format!(":{}:", process.id());
        let client = redis::Client::open(redis_url).unwrap();
        process.ready(|| {
            let mut connection = client.get_connection().unwrap();
            let identities: Vec<String> = redis::cmd("SMEMBERS").arg("processes").query(&mut connection).unwrap();
            identities.iter().any(|identity| identity.contains(&own_pid))
        });
        Self { process, _folder: folder }
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(Duration::from_secs(20));
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) {
        self.process.kill_group();
    }
}

fn ruby(program: &str, redis_url: &str) -> Command {
    let mut command = Command::new(format!("/usr/bin/{program}"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("REDIS_URL", redis_url);
    command
}
