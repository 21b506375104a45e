//! Secrets on their way in: from a file or the standard input, never from an argument, where every process of the
//! machine could read them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// More than any key or list of certificates has.
const LONGEST: u64 = 256 * 1024;

/// The text of a file; `-` is the standard input.
pub(in super::super) fn text(flag: &str, path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let problem = || format!("{flag} {} cannot be read", path.display());
    // Of full size from the beginning, so that no part of it stays behind where the text was before it grew.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST)? + 1));
    if path == Path::new("-") {
        io::stdin().take(LONGEST + 1).read_to_string(&mut text).with_context(problem)?;
    } else {
        File::open(path).with_context(problem)?.take(LONGEST + 1).read_to_string(&mut text).with_context(problem)?;
    }
    if text.len() as u64 > LONGEST {
        bail!("{flag} {}: expected at most {LONGEST} bytes", path.display());
    }
    Ok(text)
}

/// The one line of a file that holds `what`.
pub(super) fn line(flag: &str, path: &Path, what: &str) -> anyhow::Result<SecretString> {
    let text = text(flag, path)?;
    // An editor ends the file with a newline; a password does not.
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() || line.contains(['\n', '\r', '\0']) {
        bail!("{flag} {}: expected one line, {what}", path.display());
    }
    Ok(SecretString::from(line))
}
