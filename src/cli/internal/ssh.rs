//! `sidemirror internal ssh`: what git takes for `ssh`. It has no network; it hands on what git says to the worker that
//! started git, and what comes back.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::Context as _;
use clap::Args;

/// Where git's side of the conversation is; standard input is the worker's.
const FROM_GIT: &str = "/proc/self/fd/3";

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
    let mut to_git = File::from(io::stdout().as_fd().try_clone_to_owned().context("git does not listen")?);
    let program = args.command.split(' ').next().unwrap_or_default();
    writeln!(&line, "{program}").context("the worker does not listen")?;
    let to_worker = line.try_clone().context("the line cannot be shared")?;
    thread::spawn(move || {
        let _ = io::copy(&mut &from_git, &mut &to_worker);
        let _ = to_worker.shutdown(Shutdown::Write);
    });
    io::copy(&mut &line, &mut to_git).context("the line broke")?;
    Ok(())
}
