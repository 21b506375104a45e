//! Real repositories with real histories, made by the system's git.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every commit and tag is made by this person at this moment, so that the same history has the same ids everywhere.
const WHO_AND_WHEN: &str = "Rig <rig@example.org> 1700000000 +0000";

/// A bare repository; its HEAD points at `main`.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
}

impl AsRef<Path> for Repository {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Repository {
    /// Makes an empty one.
    pub fn create(path: &Path) -> Self {
        Self::create_as(path, "sha1")
    }

    /// Makes an empty one whose object ids are `sha1` or `sha256`.
    pub fn create_as(path: &Path, object_format: &str) -> Self {
        let repository = Self::open(path);
        let format = format!("--object-format={object_format}");
        run(git().args(["init", "--quiet", "--bare", "--template=", "--initial-branch=main", &format]).arg(path), "");
        repository
    }

    /// Takes one that exists, or will.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs git in it and returns what it printed, without the final line end.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_with_input(args, "")
    }

    /// All refs and the objects they point at, by name.
    pub fn refs(&self) -> BTreeMap<String, String> {
        refs(&self.path)
    }

    /// Branches and tags only: what mirroring is about.
    pub fn mirrored_refs(&self) -> BTreeMap<String, String> {
        let mut refs = self.refs();
        refs.retain(|name, _| name.starts_with("refs/heads/") || name.starts_with("refs/tags/"));
        refs
    }

    /// What a branch, tag or expression points at; panics if it does not exist.
    pub fn id_of(&self, expression: &str) -> String {
        self.find(expression).unwrap_or_else(|| panic!("{expression} in {}", self.path.display()))
    }

    /// Puts one commit on top of a branch, which is created if it is missing, and returns its id. The same message on
    /// the same parent makes the same commit.
    pub fn commit(&self, branch: &str, message: &str) -> String {
        let parent = self.find(&format!("refs/heads/{branch}"));
        self.import(&commit_command(&format!("refs/heads/{branch}"), parent.as_deref(), message));
        self.id_of(&format!("refs/heads/{branch}"))
    }

    /// Puts so many commits on top of a branch and returns the id of the last.
    pub fn commits(&self, branch: &str, count: usize) -> String {
        let name = format!("refs/heads/{branch}");
        let mut stream = String::new();
        for number in 0..count {
            // Within one import, each commit follows the one before it by itself.
            let parent = if number == 0 { self.find(&name) } else { None };
            stream += &commit_command(&name, parent.as_deref(), &format!("{branch} {number}"));
        }
        self.import(&stream);
        self.id_of(&name)
    }

    /// Creates branches `PREFIX0`, `PREFIX1`, …, each with one commit of its own on top of `main`, at once.
    pub fn branches(&self, prefix: &str, count: usize) {
        let parent = self.find("refs/heads/main");
        let stream: String = (0..count)
            .map(|number| format!("{prefix}{number}"))
            .map(|branch| commit_command(&format!("refs/heads/{branch}"), parent.as_deref(), &branch))
            .collect();
        self.import(&stream);
    }

    /// Replaces the last commit of a branch by another one, as a force-push does, and returns its id.
    pub fn diverge(&self, branch: &str, message: &str) -> String {
        let name = format!("refs/heads/{branch}");
        let parent = self.find(&format!("{name}~1"));
        self.delete(&name);
        self.import(&commit_command(&name, parent.as_deref(), message));
        self.id_of(&name)
    }

    /// Creates or moves a light tag.
    pub fn tag(&self, name: &str, target: &str) {
        self.set(&format!("refs/tags/{name}"), &self.id_of(target));
    }

    /// Creates or moves an annotated tag and returns the id of the tag object.
    pub fn annotated_tag(&self, name: &str, target: &str) -> String {
        let message = format!("Release {name}\n");
        let id = self.id_of(target);
        self.import(&format!("tag {name}\nfrom {id}\ntagger {WHO_AND_WHEN}\ndata {}\n{message}\n", message.len()));
        self.id_of(&format!("refs/tags/{name}"))
    }

    /// Creates light tags `PREFIX0`, `PREFIX1`, …, all on the same target, at once.
    pub fn tags(&self, prefix: &str, count: usize, target: &str) {
        let id = self.id_of(target);
        let input = (0..count).fold(String::new(), |mut input, number| {
            let _ = writeln!(input, "create refs/tags/{prefix}{number} {id}");
            input
        });
        self.git_with_input(&["update-ref", "--stdin"], &input);
    }

    /// Points a ref, given by its full name, at an object.
    pub fn set(&self, name: &str, id: &str) {
        self.git(&["update-ref", name, id]);
    }

    /// Deletes a ref, given by its full name.
    pub fn delete(&self, name: &str) {
        self.git(&["update-ref", "-d", name]);
    }

    fn find(&self, expression: &str) -> Option<String> {
        let mut command = git();
        command.arg("-C").arg(&self.path).args(["rev-parse", "--quiet", "--verify", expression]);
        let output = command.output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    /// Feeds `git fast-import`.
    pub fn import(&self, stream: &str) {
        self.git_with_input(&["fast-import", "--quiet", "--force"], stream);
    }

    fn git_with_input(&self, args: &[&str], input: &str) -> String {
        run(git().arg("-C").arg(&self.path).args(args), input)
    }
}

/// The refs of the repository in this folder and the objects they point at, by name.
pub fn refs(path: &Path) -> BTreeMap<String, String> {
    let list = run(git().arg("-C").arg(path).args(["for-each-ref", "--format=%(refname) %(objectname)"]), "");
    list.lines().filter_map(|line| line.split_once(' ')).map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
}

/// The system's git, with nothing of the machine's or the user's configuration.
fn git() -> Command {
    let mut command = Command::new("/usr/bin/git");
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "safe.directory=*", "-c", "core.fsync=none", "-c", "gc.auto=0"]);
    command
}

fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("/usr/bin/git can be started");
    // What git answers to these inputs is far smaller than a pipe, so writing all before reading cannot block.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A commit in the language of `git fast-import`, with a file of its own, so that no two trees are the same.
fn commit_command(name: &str, parent: Option<&str>, message: &str) -> String {
    let from = parent.map(|id| format!("from {id}\n")).unwrap_or_default();
    let length = message.len();
    let file = format!("M 100644 inline story.txt\ndata {length}\n{message}\n");
    format!("commit {name}\ncommitter {WHO_AND_WHEN}\ndata {length}\n{message}\n{from}{file}\n")
}
