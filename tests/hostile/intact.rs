//! Whether a repository is as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::rig::repository::{Repository, refs};

/// A repository at one moment: its refs, and the names of all files in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) refs: BTreeMap<String, String>,
    files: BTreeSet<String>,
}

impl Snapshot {
    pub(crate) fn of(repository: &Repository) -> Self {
        let mut files = BTreeSet::new();
        list(repository.path(), repository.path(), &mut files);
        Self { refs: refs(repository.path()), files }
    }

    /// What is here and was not there `before`, or the other way round.
    pub(crate) fn files_changed_since(&self, before: &Self) -> Vec<String> {
        self.files.symmetric_difference(&before.files).cloned().collect()
    }
}

/// Folders do not count: empty ones mean nothing to git. Nor does the file by which runs keep each other out.
fn list(root: &Path, folder: &Path, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if entry.file_type().unwrap().is_dir() {
            // An empty quarantine is one, too.
            if name.contains("quarantine") {
                files.insert(name);
            }
            list(root, &path, files);
        } else if name != "sidemirror/lock" {
            files.insert(name);
        }
    }
}

/// What `git fsck` has to say about all objects; nothing about a sound repository.
pub(crate) fn complaints(repository: &Repository) -> String {
    let mut command = Command::new("/usr/bin/git");
    command.env_clear().env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("PATH", "/usr/bin");
    command.args(["-c", "safe.directory=*", "-C"]).arg(repository.path());
    let output = command.args(["fsck", "--full", "--strict", "--no-dangling", "--no-progress"]).output().unwrap();
    let status = if output.status.success() { String::new() } else { format!("{}\n", output.status) };
    let said = [output.stdout, output.stderr].concat();
    format!("{status}{}", String::from_utf8_lossy(&said))
}
