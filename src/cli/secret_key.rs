//! Where the keys that seal secrets come from: a file, a credential of systemd, or the environment.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::environment_variable;
use crate::config::{Config, ConfigError};
use crate::store::redis::{SealingKey, SealingKeys};

/// The key itself. A file is better: a process's environment can be read by all processes of its user.
const VARIABLE: &str = "SIDEMIRROR_SECRET_KEY";
/// The name of systemd's credential (`LoadCredential=`), a file in `$CREDENTIALS_DIRECTORY`.
const CREDENTIAL: &str = "sidemirror-secret-key";

const ACCEPTED: &str = "32 random bytes in base64 (head -c 32 /dev/urandom | base64)";
const ACCEPTED_FILE: &str =
    "a file of at most mode 640 with 32 random bytes in base64 (head -c 32 /dev/urandom | base64)";

/// A key is 44 characters long; some blanks around it do no harm.
const LONGEST_KEY: u64 = 1024;

/// The current key and those before it.
///
/// # Errors
/// No key, one that is none or that others may read, or two that are not the same.
pub(super) fn sealing_keys(config: &Config) -> Result<SealingKeys, ConfigError> {
    let current = current(config)?;
    let previous = config.mirror.previous_secret_key_files.iter();
    let previous = previous.map(|path| in_file(config, "mirror.previous_secret_key_files", path));
    Ok(SealingKeys::new(current, previous.collect::<Result<_, _>>()?))
}

/// The key in use. Each source that there is counts, so that none is taken for another by mistake.
fn current(config: &Config) -> Result<SealingKey, ConfigError> {
    const KEY: &str = "mirror.secret_key_file";
    let mut found: Vec<(String, SealingKey)> = Vec::new();
    let file = &config.mirror.secret_key_file;
    if let Some(credential) = credential() {
        found.push((format!("the credential {}", credential.display()), in_file(config, KEY, &credential)?));
    }
    if let Some(text) = environment_variable(VARIABLE).map(Zeroizing::new) {
        let wrong =
            |error: crate::store::redis::SealError| ConfigError::variable(VARIABLE, error.to_string(), ACCEPTED);
        found.push((format!("${VARIABLE}"), SealingKey::parse(&text).map_err(wrong)?));
    }
    if found.is_empty() || file.exists() {
        found.push((file.display().to_string(), in_file(config, KEY, file)?));
    }
    let mut found = found.into_iter();
    // The file is read where there is nothing else, so there is a first one.
    let Some((first, key)) = found.next() else { return in_file(config, KEY, file) };
    match found.find(|(_, other)| other.id() != key.id()) {
        None => Ok(key),
        Some((second, other)) => {
            let problem = format!("{first} holds key {}, and {second} holds key {}", key.id(), other.id());
            Err(config.error(KEY, problem, "one key, or the same in every place"))
        }
    }
}

fn credential() -> Option<PathBuf> {
    let folder = PathBuf::from(environment_variable("CREDENTIALS_DIRECTORY")?);
    Some(folder.join(CREDENTIAL)).filter(|path| path.exists())
}

/// The key in a file that is nobody else's.
fn in_file(config: &Config, key: &str, path: &Path) -> Result<SealingKey, ConfigError> {
    let wrong = |problem: String| config.error(key, format!("{} {problem}", path.display()), ACCEPTED_FILE);
    let (text, mode) = read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if let Some(mode) = mode.filter(|mode| mode & 0o027 != 0) {
        return Err(wrong(format!("can be read by everybody or changed by others than its owner (mode {mode:o})")));
    }
    SealingKey::parse(&text).map_err(|error| wrong(error.to_string()))
}

/// The beginning of a file, and its mode if it is one.
fn read(path: &Path) -> io::Result<(Zeroizing<String>, Option<u32>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mode = metadata.is_file().then(|| metadata.permissions().mode() & 0o7777);
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_KEY.try_into().unwrap_or_default()));
    file.take(LONGEST_KEY).read_to_string(&mut text)?;
    Ok((text, mode))
}
