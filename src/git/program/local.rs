//! `git` as the far side: it serves a repository of this machine. It gets nothing of our environment, and no
//! configuration but that repository's own, whose hooks it runs as it would over SSH.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use tokio_util::sync::CancellationToken;

use super::GitProgram;
use super::child::{Group, Trouble, Watch};
use super::errand::{NEUTRAL, bound, overriding};
use crate::net::{LocalEnd, LocalServer, Service};

/// Of what it says on the side, so much is kept.
const KEPT_WORDS: usize = 64 * 1024;

/// What would outlive the run.
const OVERRIDES: &[(&str, &str)] = &[("gc.auto", "0"), ("maintenance.auto", "false"), ("receive.autoGC", "false")];

impl LocalServer for GitProgram {
    fn serve(
        &self,
        service: Service,
        folder: &OwnedFd,
        line: UnixStream,
        hang_up: &CancellationToken,
    ) -> io::Result<LocalEnd> {
        let mut command = bound(self, self.limits);
        match service {
            Service::UploadPack => command.args(["upload-pack", "--strict", "."]),
            Service::ReceivePack => command.args(["receive-pack", "."]),
        };
        command.env_clear().envs(NEUTRAL.iter().copied()).envs(overriding(OVERRIDES.iter().copied())).process_group(0);
        // The folder that was looked at, whatever its name leads to by now.
        command.current_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        command.stdin(OwnedFd::from(line.try_clone()?)).stdout(OwnedFd::from(line)).stderr(Stdio::piped());
        let started = command.spawn();
        // Our copies of its end are closed with it, so that the program's end is seen at the other.
        drop(command);
        let mut listener = Listener { hang_up, words: Vec::new() };
        match started.and_then(Group::of)?.see_through(&[], &mut listener) {
            Ok(status) => Ok(LocalEnd { status, words: listener.words }),
            Err(Trouble::Ended(())) => Err(io::ErrorKind::Interrupted.into()),
            Err(Trouble::System(error)) => Err(error),
        }
    }
}

/// Hears what it says, as long as somebody wants it.
struct Listener<'a> {
    hang_up: &'a CancellationToken,
    words: Vec<u8>,
}

impl Watch for Listener<'_> {
    type Reason = ();

    fn look(&mut self) -> Result<(), ()> {
        if self.hang_up.is_cancelled() { Err(()) } else { Ok(()) }
    }

    fn answered(&mut self, _: &[u8]) -> Result<(), ()> {
        Ok(())
    }

    fn said(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let room = KEPT_WORDS.saturating_sub(self.words.len());
        self.words.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }
}
