//! What only sidemirror itself calls.

mod exec;

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
}

pub(super) fn run(args: InternalArgs) -> anyhow::Result<()> {
    match args.command {
        Internal::Exec(args) => exec::exec(&args),
    }
}
