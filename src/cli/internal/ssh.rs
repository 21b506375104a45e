//! `sidemirror internal ssh`: what git takes for `ssh`. It has no network; it hands on what git says to the worker that
//! started git, and what comes back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::Context as _;
use clap::Args;

/// Where git's side of the conversation is; standard input is the worker's.
const FROM_GIT: &str = "/proc/self/fd/3";

/// Bytes that are on their way at once.
const PIECE: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(super) struct SshArgs {
    /// Where to
    host: String,
    /// What to run there
    command: String,
}

/// Ends when the far side has said all.
pub(super) fn ssh(args: &SshArgs) -> anyhow::Result<()> {
    let line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().context("there is no line to the worker")?);
    let from_git = File::open(FROM_GIT).context("git says nothing")?;
    let to_git = File::from(io::stdout().as_fd().try_clone_to_owned().context("git does not listen")?);
    let program = args.command.split(' ').next().unwrap_or_default();
    writeln!(&line, "{program}").context("the worker does not listen")?;
    let to_worker = line.try_clone().context("the line cannot be shared")?;
    thread::spawn(move || {
        let _ = hand_on(&from_git, &to_worker);
        let _ = to_worker.shutdown(Shutdown::Write);
    });
    hand_on(&line, &to_git).context("the line broke")
}

/// Each piece as it comes. (`io::copy` has the kernel move them, and that waits for more than git's turn brings.)
fn hand_on(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => to.write_all(&buffer[..read])?,
        }
    }
}
