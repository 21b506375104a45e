//! What libgit2 holds once per process. The only unsafe code of the crate: two calls into libgit2's unsynchronised
//! globals, made once, before anything else is asked of it.

use std::sync::OnceLock;

use git2::ConfigLevel;
use git2::transport::Transport;

use super::GitError;
use super::libgit2::{Stateful, Subtransport};

/// Where no configuration is.
const NOWHERE: &str = "/nonexistent";

/// Schemes of addresses that no `url.*.insteadOf` of a repository is made for: libgit2 would obey it, and its own
/// transports read what lies on this machine.
pub(super) const REQUESTS: &str = "sidemirror-requests";
pub(super) const CONNECTION: &str = "sidemirror-connection";

/// Prepares libgit2; every way into this room comes through here first.
///
/// * Custom transports come before the built-in ones, so all of these schemes goes through `net`.
/// * No configuration is read but the repository's own: none of the machine's `insteadOf`, and 60 µs less per
///   connection.
pub(super) fn prepare() -> Result<(), GitError> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| set_up().map_err(|error| error.message().to_owned()));
    prepared.clone().map_err(GitError::Setup)
}

#[expect(unsafe_code, reason = "libgit2's process-wide settings; the OnceLock above lets no second thread in")]
fn set_up() -> Result<(), git2::Error> {
    for level in [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG, ConfigLevel::ProgramData] {
        // SAFETY: nothing of libgit2 runs in this process before `prepare` has returned.
        unsafe { git2::opts::set_search_path(level, NOWHERE)? };
    }
    for scheme in [REQUESTS, "http", "https"] {
        let factory = |remote: &git2::Remote<'_>| Transport::smart(remote, true, Subtransport::of_this_thread());
        // SAFETY: as above; the list of transports is not read while we add to it.
        unsafe { git2::transport::register(scheme, factory)? };
    }
    for scheme in [CONNECTION, "ssh", "git", "file"] {
        let factory = |remote: &git2::Remote<'_>| Transport::smart(remote, false, Stateful::of_this_thread());
        // SAFETY: as above.
        unsafe { git2::transport::register(scheme, factory)? };
    }
    Ok(())
}
