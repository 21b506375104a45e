//! Ruby's own Sidekiq in three versions: their clients and API for scripts, and their real worker processes.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;

/// Makes of each function that takes a [`Ruby`] one test for each of them: `name::sidekiq_6_4` and so on.
#[allow(unused_macros, reason = "not every test crate asks more than one")]
macro_rules! with_every_ruby {
    ($($test:ident),+) => {$(
        mod $test {
            use crate::rig::ruby::Ruby;

            #[test]
            fn sidekiq_6_4() {
                super::$test(Ruby::Bookworm);
            }

            #[test]
            fn sidekiq_7_3() {
                super::$test(Ruby::Trixie);
            }

            #[test]
            fn sidekiq_8() {
                super::$test(Ruby::Sid);
            }
        }
    )+};
}
#[allow(unused_imports, reason = "not every test crate asks more than one")]
pub(crate) use with_every_ruby;

/// Without this, redis-rb 4.8 warns about nearly every command that Sidekiq 6.4 gives.
const PRELUDE: &str = "require 'json'\nRedis.silence_deprecations = true if defined?(Redis)\n";
/// What the job classes of a worker may want to know or change: its settings, and a first look for due jobs at once.
const WORKER_PRELUDE: &str = "\
    SETTINGS = Sidekiq.respond_to?(:options) ? Sidekiq.options : Sidekiq.default_configuration\n\
    Sidekiq::Scheduled::Poller.prepend(Module.new { def initial_wait; end })\n";
/// How long a worker may finish its jobs after TERM before it gives them back, in seconds.
const TIMEOUT: &str = "5";

/// A Ruby with the Sidekiq of one Debian release, which `scripts/ruby-roots` has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruby {
    /// Sidekiq 6.4, with sidekiq-cron 1.8 and Rails 6.1.
    Bookworm,
    /// Sidekiq 7.3, with Rails 7.2.
    Trixie,
    /// Sidekiq 8, with the newest Rails of Debian.
    Sid,
}

impl Ruby {
    /// From the oldest to the newest.
    pub const ALL: [Self; 3] = [Self::Bookworm, Self::Trixie, Self::Sid];

    /// What `mirror.sidekiq` is beside this Sidekiq.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Bookworm => "6.4",
            Self::Trixie => "7",
            Self::Sid => "8",
        }
    }

    /// One of its programs, such as `sidekiq` or `puma`, with an empty environment but for the URL of Redis.
    pub fn command(self, program: &str, redis_url: &str) -> Command {
        let root = self.root();
        let mut command = Command::new(root.join("ruby"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("REDIS_URL", redis_url);
        if program != "ruby" {
            command.arg(root.join("usr/bin").join(program));
        }
        command
    }

    /// Runs a script with Sidekiq and its API loaded and returns the value of its last expression.
    ///
    /// A string in that value must be UTF-8; a script that looks at bytes hands over their `unpack1("H*")`.
    pub fn eval(self, redis_url: &str, script: &str) -> Value {
        let program = format!("{PRELUDE}value = begin\n{script}\nend\nputs JSON.generate(value)");
        let output = self
            .command("ruby", redis_url)
            .args(["-rsidekiq", "-rsidekiq/api", "-e", &program])
            .output()
            .expect("ruby can be started");
        let printed = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "a Ruby script failed:\n{script}\n{complaint}");
        let value = printed.lines().last().unwrap_or_default();
        serde_json::from_str(value).unwrap_or_else(|error| panic!("{error} in what Ruby printed: {printed}{complaint}"))
    }

    /// Starts a `sidekiq` process that serves `queues` with the job classes that `classes` defines, and waits until it
    /// has announced itself in `processes`.
    pub fn start_sidekiq(self, redis_url: &str, classes: &str, queues: &[&str], concurrency: usize) -> RubySidekiq {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("jobs.rb");
        fs::write(&code, format!("{PRELUDE}require 'sidekiq/scheduled'\n{WORKER_PRELUDE}{classes}\n")).unwrap();

        let mut command = self.command("sidekiq", redis_url);
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
        RubySidekiq { process, _folder: folder }
    }

    fn root(self) -> PathBuf {
        let release = match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        };
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
        let root = cache.unwrap().join("sidemirror-tools/roots").join(release);
        assert!(root.join("made-of").exists(), "no Ruby in {}: scripts/ruby-roots makes it", root.display());
        root
    }
}

/// As [`Ruby::eval`], by the oldest.
pub fn eval(redis_url: &str, script: &str) -> Value {
    Ruby::Bookworm.eval(redis_url, script)
}

/// A running `sidekiq` process.
pub struct RubySidekiq {
    process: Process,
    _folder: TempDir,
}

impl RubySidekiq {
    /// As [`Ruby::start_sidekiq`], of the oldest.
    pub fn start(redis_url: &str, classes: &str, queues: &[&str], concurrency: usize) -> Self {
        Ruby::Bookworm.start_sidekiq(redis_url, classes, queues, concurrency)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
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
