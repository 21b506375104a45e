//! The configuration of one call, in a file that has no name.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};

use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use zeroize::Zeroizing;

/// Keys and their values, in the form of git's configuration files.
#[derive(Default)]
pub(super) struct Settings(Zeroizing<String>);

impl Settings {
    /// Adds a value of `section.subsection.key`.
    pub(super) fn add(&mut self, section: &str, subsection: &str, key: &str, value: &str) {
        let _ = writeln!(self.0, "[{section} {}]\n\t{key} = {}", quoted(subsection), quoted(value));
    }

    /// Adds a value of `section.key`.
    pub(super) fn add_plain(&mut self, section: &str, key: &str, value: &str) {
        let _ = writeln!(self.0, "[{section}]\n\t{key} = {}", quoted(value));
    }

    /// The file, which only lives as long as it is open, and which nobody can change.
    pub(super) fn into_file(self) -> io::Result<OwnedFd> {
        let file = memfd_create("settings", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        fchmod(&file, Mode::RUSR)?;
        let mut file = File::from(file);
        file.write_all(self.0.as_bytes())?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(file.into())
    }
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
