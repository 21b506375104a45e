//! The folder and the files that the configuration names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::run::{engines, preparation};
use super::super::secret_key;
use super::finding::Finding;
use crate::config::{Config, ProgramPlace};

/// Looks at the repositories folder and at every file that holds a secret.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![repositories(config), git_program(config), sealing_key(config)];
    let access = &config.redis;
    let sentinels = access.sentinels.as_ref().and_then(|sentinels| sentinels.password_file.as_deref());
    let secrets = [
        ("mirror.secret_key_file", Some(config.mirror.secret_key_file.as_path())),
        ("mirror.redis.password_file", access.password_file.as_deref()),
        ("mirror.redis.sentinel_password_file", sentinels),
        ("mirror.redis.key_file", access.key_file.as_deref()),
    ];
    let previous = config.mirror.previous_secret_key_files.iter();
    let previous = previous.map(|path| ("mirror.previous_secret_key_files", Some(path.as_path())));
    findings.extend(secrets.into_iter().chain(previous).filter_map(|(key, path)| exposed(key, path?)));
    findings
}

fn repositories(config: &Config) -> Finding {
    const SUBJECT: &str = "repositories";
    let folder = &config.mirror.repositories;
    if !folder.exists() {
        return Finding::info(SUBJECT, format!("{} is not there; the worker makes it", folder.display()));
    }
    match preparation::repositories(config) {
        Ok(_) => Finding::ok(SUBJECT, format!("{} is ours and can be written", folder.display())),
        Err(error) => {
            let cure = "run the doctor as the user as which the worker runs; if it says the same, chown the folder";
            Finding::error(SUBJECT, error.to_string(), "a folder that the worker's user owns and may write", cure)
        }
    }
}

fn git_program(config: &Config) -> Finding {
    const SUBJECT: &str = "git_program";
    match engines::program(config) {
        Ok(Some(program)) => Finding::ok(SUBJECT, format!("git {} can be used", program.version())),
        Ok(None) if config.mirror.git.program == ProgramPlace::Nowhere => {
            Finding::info(SUBJECT, "mirror.git.program says to do without; libgit2 does all it can")
        }
        Ok(None) => {
            let seen = "there is none that can be used; libgit2 does all it can";
            let expected = "git 2.39 or newer, for SHA-256 ids, reftable, pushes as a whole, and for all that is big";
            Finding::warning(SUBJECT, seen, expected, "install git, or name it in mirror.git.program")
        }
        Err(error) => {
            Finding::error(SUBJECT, error.to_string(), "a git program", "install it, or name it in mirror.git.program")
        }
    }
}

fn sealing_key(config: &Config) -> Finding {
    const SUBJECT: &str = "secret_key";
    match secret_key::sealing_keys(config) {
        Ok(keys) => Finding::ok(SUBJECT, format!("key {} is in use", keys.current_id())),
        Err(error) => {
            let cure = "make one with `sidemirror secrets generate-key FILE`, or put back the copy that you kept";
            Finding::error(SUBJECT, error.to_string(), "32 random bytes in base64", cure)
        }
    }
}

/// A file that holds a secret and that others may read, or exchange for another.
fn exposed(key: &str, path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    let what = match (mode & 0o004 != 0, mode & 0o022 != 0) {
        (true, _) => "can be read by everybody",
        (_, true) => "can be changed by others than its owner",
        _ => return None,
    };
    let seen = format!("{key}: {} {what} (mode {:o})", path.display(), mode & 0o7777);
    Some(Finding::error("secret_files", seen, "at most mode 640", format!("chmod 640 {}", path.display())))
}
