//! What only sidemirror itself calls.

mod exec;
mod ssh;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct InternalArgs {
    #[command(subcommand)]
    command: Internal,
}

#[derive(Debug, Subcommand)]
enum Internal {
    /// Become another program, within limits
    Exec(exec::ExecArgs),
    /// Be the `ssh` of a git that we started
    Ssh(ssh::SshArgs),
}

pub(super) fn run(args: InternalArgs) -> anyhow::Result<()> {
    match args.command {
        Internal::Exec(args) => exec::exec(&args),
        Internal::Ssh(args) => ssh::ssh(&args),
    }
}
