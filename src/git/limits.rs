//! What one run may bring into a repository.

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
}

impl Limits {
    /// No limit at all.
    pub const NONE: Self = Self { refs: usize::MAX, pack_objects: u64::MAX, growth: u64::MAX, object: u64::MAX };
}
