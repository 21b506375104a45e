//! One installation of sidemirror: its settings, key and repositories, shared by all of its processes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use super::git_http::GitServer;
use super::repository::Repository;
use super::worker::Worker;

/// A temporary folder with all that an operator would prepare.
pub struct Installation {
    folder: TempDir,
    redis_url: String,
    settings: BTreeMap<String, String>,
    mirror_settings: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

impl Installation {
    /// Settings that serve the queue `mirrors` and let mirrors be on this machine; all else is the default.
    pub fn new(redis_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("secret.key");
        fs::write(&key, BASE64_STANDARD.encode([7; 32])).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let repositories = folder.path().join("repositories");
        fs::create_dir(&repositories).unwrap();
        Self {
            folder,
            redis_url: redis_url.to_owned(),
            settings: BTreeMap::new(),
            mirror_settings: BTreeMap::new(),
            variables: BTreeMap::new(),
        }
        .set("queues", "[[mirrors, 1]]")
        .mirror("repositories", repositories.display())
        .mirror("secret_key_file", key.display())
        .mirror("allow_local_network", true)
    }

    /// Sets a key at the top of the file to a value written in YAML.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        self.settings.insert(key.to_owned(), value.to_string());
        self
    }

    /// Sets a key of the `mirror` section to a value written in YAML.
    #[must_use]
    pub fn mirror(mut self, key: &str, value: impl Display) -> Self {
        self.mirror_settings.insert(key.to_owned(), value.to_string());
        self
    }

    /// Where the URL of Redis is another one for processes started from now on, such as a proxy's.
    #[must_use]
    pub fn with_redis(mut self, redis_url: &str) -> Self {
        redis_url.clone_into(&mut self.redis_url);
        self
    }

    /// Sets a variable in the environment of processes started from now on.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The local repository of this path, such as `group/project.git`, which may not exist yet.
    pub fn repository(&self, path: &str) -> Repository {
        Repository::open(&self.folder().join("repositories").join(path))
    }

    /// Writes a file with a password and returns its path, for `--password-file`.
    pub fn password_file(&self, password: &str) -> PathBuf {
        let path = self.folder().join("password");
        fs::write(&path, password).unwrap();
        path
    }

    /// Starts a worker and waits until it is ready.
    pub fn start_worker(&self) -> Worker {
        Worker::start(self)
    }

    /// Runs a subcommand to its end; its own `-C` is added.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.cli_with(&[], args)
    }

    /// Runs a subcommand to its end with these variables in its environment, too.
    pub fn cli_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Output {
        let config = self.write_config("cli.yml", "");
        self.command(args).arg("-C").arg(config).envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a subcommand that must succeed and returns what it printed.
    pub fn cli_ok(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "sidemirror {}: {}\n{complaint}", args.join(" "), output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Adds a `pull` or `push` mirror of a repository on the rig's git server, with further options of `mirror add`.
    pub fn add_mirror(&self, direction: &str, id: u64, repository: &str, url: &str, options: &[&str]) {
        let id = id.to_string();
        let password_file = self.password_file(GitServer::PASSWORD);
        let mut args = vec!["mirror", "add", direction, "--id", &id, "--repository", repository, "--url", url];
        args.extend(["--user", GitServer::USER, "--password-file", password_file.to_str().unwrap()]);
        args.extend(options);
        self.cli_ok(&args);
    }

    /// What `mirror show --json` says about a mirror.
    pub fn mirror_state(&self, direction: &str, id: u64) -> Value {
        serde_json::from_str(&self.cli_ok(&["mirror", "show", direction, &id.to_string(), "--json"])).unwrap()
    }

    /// The program with these arguments and nothing of the test's own environment but what every process has.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidemirror"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", self.folder())
            .env("REDIS_URL", &self.redis_url)
            .envs(&self.variables)
            .args(args);
        command
    }

    /// Writes the settings to a file of this name; `listen` is the address for metrics and health.
    pub(super) fn write_config(&self, name: &str, listen: &str) -> PathBuf {
        let path = self.folder().join(name);
        // In one step: another thread of the test may be running a subcommand that reads the same file.
        let mut file = NamedTempFile::new_in(self.folder()).unwrap();
        file.write_all(self.yaml(listen).as_bytes()).unwrap();
        file.persist(&path).unwrap();
        path
    }

    fn yaml(&self, listen: &str) -> String {
        let top = self.settings.iter().map(|(key, value)| format!("{key}: {value}\n"));
        let mirror = self.mirror_settings.iter().map(|(key, value)| format!("  {key}: {value}\n"));
        top.chain([format!("mirror:\n  listen: {listen:?}\n")]).chain(mirror).collect()
    }
}
