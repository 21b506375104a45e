//! What one run may bring into a repository.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

/// The limits of one transfer. Bytes on the network are the session's to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Refs that a far side may list.
    pub refs: usize,
    /// Objects of one pack.
    pub pack_objects: u64,
    /// Bytes by which a run may make the repository grow on disk.
    pub growth: u64,
    /// Bytes of one object, whole.
    pub object: u64,
    /// Bytes of one object that libgit2 may put together in this process' memory; a larger one is for the `git` program.
    pub in_process: u64,
    /// Bytes of memory of one `git` child.
    pub child_memory: u64,
    /// Processor time of one `git` child.
    pub child_cpu: Duration,
}

impl Limits {
    /// No limit at all.
    pub const NONE: Self = Self {
        refs: usize::MAX,
        pack_objects: u64::MAX,
        growth: u64::MAX,
        object: u64::MAX,
        in_process: u64::MAX,
        child_memory: u64::MAX,
        child_cpu: Duration::MAX,
    };
}

/// Which of the limits was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// [`Limits::refs`].
    Refs,
    /// [`Limits::pack_objects`].
    PackObjects,
    /// [`Limits::growth`].
    Growth,
    /// [`Limits::object`].
    Object,
    /// [`Limits::in_process`]; another engine may be able to do what this one may not.
    InProcess,
    /// [`Limits::child_memory`].
    ChildMemory,
    /// [`Limits::child_cpu`], in milliseconds.
    ChildCpu,
}

impl LimitKind {
    /// The key that sets it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Refs => "refs",
            Self::PackObjects => "pack_objects",
            Self::Growth => "growth",
            Self::Object => "object",
            Self::InProcess => "in_process",
            Self::ChildMemory => "child_memory",
            Self::ChildCpu => "child_cpu",
        }
    }
}

/// A limit, and what went beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// Which one.
    pub kind: LimitKind,
    /// What is accepted.
    pub limit: u64,
    /// What was seen. More may have followed.
    pub seen: u64,
}

impl Excess {
    /// The excess, if `seen` is one.
    pub const fn check(kind: LimitKind, limit: u64, seen: u64) -> Result<(), Self> {
        if seen <= limit { Ok(()) } else { Err(Self { kind, limit, seen }) }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, limit, seen } = *self;
        let size = |bytes| ByteSize::b(bytes).display().iec().to_string().replace(' ', "");
        let [bytes, most] = [size(seen), size(limit)];
        match kind {
            LimitKind::Refs => write!(f, "The remote lists at least {seen} refs, and at most {limit} are accepted"),
            LimitKind::PackObjects => {
                write!(f, "The remote sent a pack of {seen} objects, and at most {limit} are accepted")
            }
            LimitKind::Growth => {
                write!(f, "The run would make the repository grow by {bytes}, and at most {most} are accepted")
            }
            LimitKind::Object => write!(f, "The remote sent an object of {bytes}, and at most {most} are accepted"),
            LimitKind::InProcess => write!(
                f,
                "The remote sent objects that take {bytes} of memory, and without the git program at most {most} are accepted"
            ),
            LimitKind::ChildMemory => write!(f, "The git program wanted more memory than the {most} that it may use"),
            LimitKind::ChildCpu => {
                let most = humantime::format_duration(Duration::from_millis(limit));
                write!(f, "The git program was at work for longer than the {most} on a processor that it may take")
            }
        }?;
        let key = kind.key();
        write!(f, " (the limit {key}); it can be raised for this mirror (--limit {key}=…) or for all (mirror.limits)")
    }
}
