//! `sidemirror internal exec`: what has to be set between the start of a child and its program, without unsafe code.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, parent_id};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use rustix::thread::set_no_new_privs;

/// Many refs make long command lines between git's own processes: a quarter of this is what the kernel lets them have.
/// Each thread of theirs gets as much address space.
const STACK: u64 = 24 * 1024 * 1024;

/// Seconds on a processor after the limit was told.
const CPU_GRACE: u64 = 5;

#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    /// End with this process
    #[arg(long, value_name = "PID")]
    parent: u32,
    /// Bytes of address space
    #[arg(long, value_name = "BYTES")]
    memory: Option<u64>,
    /// Bytes of one file
    #[arg(long, value_name = "BYTES")]
    file_size: Option<u64>,
    /// Seconds on a processor
    #[arg(long, value_name = "SECONDS")]
    cpu: Option<u64>,
    /// How much to stand back
    #[arg(long, default_value_t = 0)]
    nice: u8,
    /// What to become
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// Returns only if it failed.
pub(super) fn exec(args: &ExecArgs) -> anyhow::Result<()> {
    let [program, arguments @ ..] = args.program.as_slice() else { bail!("no program was named") };
    // TERM, so that git ends its own children and removes what they were writing.
    set_parent_process_death_signal(Some(Signal::TERM)).context("cannot be bound to its parent")?;
    if parent_id() != args.parent {
        bail!("the parent has ended already");
    }
    set_no_new_privs(true).context("cannot give up new privileges")?;
    nice(args.nice.into()).context("cannot stand back")?;
    limit(Resource::Core, Some(0))?;
    if let Some(most) = args.cpu {
        // The soft one tells by its signal which limit it was; the hard one ends who does not listen.
        let cpu = Rlimit { current: Some(most), maximum: Some(most.saturating_add(CPU_GRACE)) };
        setrlimit(Resource::Cpu, cpu).context("cannot be limited")?;
    }
    limit(Resource::Fsize, args.file_size)?;
    let _ = setrlimit(Resource::Stack, Rlimit { current: Some(STACK), maximum: Some(STACK) });
    // Last, since from now on it may be too little for us.
    limit(Resource::As, args.memory)?;
    let failed = Command::new(program).args(arguments).exec();
    Err(failed).with_context(|| format!("cannot become {}", program.display()))
}

fn limit(resource: Resource, value: Option<u64>) -> anyhow::Result<()> {
    if value.is_some() {
        setrlimit(resource, Rlimit { current: value, maximum: value }).context("cannot be limited")?;
    }
    Ok(())
}
