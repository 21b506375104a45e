//! Repositories: opened and made, probed, fetched into, pushed from.
//!
//! [`Repositories`] opens a [`Repository`] under the configured root; [`RepositoryLock`] keeps other runs out of it.
//! A run first asks a [`Probe`] whether anything changed since the last one that applied everything. An [`Engine`]
//! brings objects in (to a quarantine, checked, then kept) or sends them out, over a `net` session that it is
//! handed; it never touches a local ref. [`Engines`] decides which one, run by run. [`Repository::apply`] then moves refs, each by compare-and-swap.
//! [`PushMemory`] remembers what a push left at the far side.
//!
//! Everything here is for blocking threads, except the waiting for a lock.

mod by_library;
mod by_program;
mod choice;
mod debris;
mod digest;
mod engine;
mod engines;
mod error;
mod face;
mod format;
mod global;
mod last_download;
mod libgit2;
mod limits;
mod lock;
mod memory;
mod probe;
mod program;
mod progress;
mod quarantine;
mod repositories;
mod repository;
mod stamp;
mod weight;

pub use choice::Reason;
pub use digest::Digest;
pub use engine::{Engine, FarSide, Sent, Transfer, Upstream, fetch, push};
pub use engines::{Engines, HANDOVER_OBJECTS, RunEngine, Used};
pub use error::GitError;
pub(crate) use error::quoted;
pub use libgit2::Libgit2;
pub use limits::{Excess, LimitKind, Limits};
pub use lock::RepositoryLock;
pub use memory::PushMemory;
pub use probe::Probe;
pub use program::{ChildLimits, GitProgram};
pub use progress::Progress;
pub use repositories::Repositories;
pub use repository::Repository;
pub use stamp::Stamp;
