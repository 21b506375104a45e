//! Refs as values: names, object ids and changes. No repository is touched here.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A git object id, SHA-1 (20 bytes) or SHA-256 (32 bytes).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    length: u8,
    bytes: [u8; 32],
}

impl ObjectId {
    /// Takes the raw bytes of an id.
    ///
    /// # Errors
    /// [`BadObjectId`] unless there are 20 or 32 of them.
    pub fn from_bytes(raw: &[u8]) -> Result<Self, BadObjectId> {
        let length = match raw.len() {
            20 => 20,
            32 => 32,
            _ => return Err(BadObjectId),
        };
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Ok(Self { length, bytes })
    }

    /// Whether it is a SHA-256 id rather than a SHA-1 one.
    pub const fn is_sha256(&self) -> bool {
        self.length == 32
    }

    /// The raw bytes, 20 or 32 of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = BadObjectId;

    fn from_str(hex: &str) -> Result<Self, BadObjectId> {
        let digits = hex.as_bytes();
        if digits.len() != 40 && digits.len() != 64 {
            return Err(BadObjectId);
        }
        let mut raw = [0_u8; 32];
        for (byte, pair) in raw.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16).ok_or(BadObjectId);
            *byte = u8::try_from(value(pair[0])? * 16 + value(pair[1])?).map_err(|_| BadObjectId)?;
        }
        Self::from_bytes(&raw[..digits.len() / 2])
    }
}

/// The text or bytes given are no object id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an object id: expected 40 or 64 hexadecimal digits")]
pub struct BadObjectId;

/// A full ref name such as `refs/heads/main`.
///
/// The text is kept as it was given; whether git accepts the name is git's to say.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefName(String);

impl RefName {
    /// The namespace of branches.
    pub const HEADS: &'static str = "refs/heads/";
    /// The namespace of tags.
    pub const TAGS: &'static str = "refs/tags/";
    /// Where a pull mirror keeps what it last saw of its upstream's branches.
    pub const UPSTREAM: &'static str = "refs/remotes/upstream/";

    /// Wraps a full name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The branch of this short name.
    pub fn branch(short: &str) -> Self {
        Self(format!("{}{short}", Self::HEADS))
    }

    /// The tag of this short name.
    pub fn tag(short: &str) -> Self {
        Self(format!("{}{short}", Self::TAGS))
    }

    /// The upstream-tracking ref of the branch of this short name.
    pub fn upstream(short: &str) -> Self {
        Self(format!("{}{short}", Self::UPSTREAM))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The short name, if this is a branch.
    pub fn as_branch(&self) -> Option<&str> {
        self.0.strip_prefix(Self::HEADS)
    }

    /// The short name, if this is a tag.
    pub fn as_tag(&self) -> Option<&str> {
        self.0.strip_prefix(Self::TAGS)
    }

    /// The branch's short name, if this is an upstream-tracking ref.
    pub fn as_upstream(&self) -> Option<&str> {
        self.0.strip_prefix(Self::UPSTREAM)
    }

    /// Whether mirroring concerns this ref at all: branches and tags do, nothing else.
    pub fn is_mirrored(&self) -> bool {
        self.as_branch().is_some() || self.as_tag().is_some()
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for RefName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Refs by name, in name order.
pub type Refs = BTreeMap<RefName, ObjectId>;

/// What a repository at the far end of a connection says it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advertisement {
    /// Every ref it lists, without `HEAD` and without peeled (`^{}`) entries.
    pub refs: Refs,
    /// The branch its `HEAD` points at, when it says so.
    pub head: Option<RefName>,
}

/// One ref to be moved from `old` to `new`, and only if it still is at `old`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// The ref.
    pub name: RefName,
    /// Its value before; `None` if it must not exist yet.
    pub old: Option<ObjectId>,
    /// Its value after; `None` to delete it.
    pub new: Option<ObjectId>,
}

impl RefChange {
    /// A ref that does not exist yet.
    pub fn create(name: RefName, new: ObjectId) -> Self {
        Self { name, old: None, new: Some(new) }
    }

    /// A ref that moves.
    pub fn update(name: RefName, old: ObjectId, new: ObjectId) -> Self {
        Self { name, old: Some(old), new: Some(new) }
    }

    /// A ref that goes away.
    pub fn delete(name: RefName, old: ObjectId) -> Self {
        Self { name, old: Some(old), new: None }
    }
}

/// What became of one [`RefChange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefOutcome {
    /// The change that was asked for.
    pub change: RefChange,
    /// `Ok` if it was made; otherwise the reason in words fit for a user.
    pub result: Result<(), String>,
}

/// Whether one commit can be reached from another; asked by the plans, answered by a repository.
pub trait Ancestry {
    /// Why it could not be told.
    type Error;

    /// Whether `ancestor` is `descendant` or can be reached from it. A tag stands for the commit it names; an
    /// object that the repository does not hold, or that leads to no commit, is nobody's ancestor.
    ///
    /// # Errors
    /// When the repository could not be read.
    fn is_ancestor(&self, ancestor: ObjectId, descendant: ObjectId) -> Result<bool, Self::Error>;
}

/// Small values for the tests of the plans.
#[cfg(test)]
pub(super) mod testing {
    use std::convert::Infallible;

    use super::{Ancestry, ObjectId, RefName, Refs};

    /// The id whose bytes all are `n`.
    pub(in crate::mirror) fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    /// Refs by name and number.
    pub(in crate::mirror) fn refs(list: &[(&str, u8)]) -> Refs {
        list.iter().map(|(name, n)| (RefName::new(*name), id(*n))).collect()
    }

    /// Even numbers are one line of history, in order; odd ones are relatives of nobody.
    pub(in crate::mirror) struct LinearHistory;

    impl Ancestry for LinearHistory {
        type Error = Infallible;

        fn is_ancestor(&self, ancestor: ObjectId, descendant: ObjectId) -> Result<bool, Infallible> {
            let (ancestor, descendant) = (ancestor.as_bytes()[0], descendant.as_bytes()[0]);
            let on_the_line = ancestor % 2 == 0 && descendant % 2 == 0;
            Ok(ancestor == descendant || on_the_line && ancestor < descendant)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_is_read_and_printed_as_hex() {
        for hex in ["0123456789abcdef0123456789abcdef01234567", &"ab".repeat(32)] {
            assert_eq!(hex.parse::<ObjectId>().map(|id| id.to_string()).as_deref(), Ok(hex));
        }
        assert_eq!("0123".parse::<ObjectId>(), Err(BadObjectId));
        assert_eq!("zz".repeat(20).parse::<ObjectId>(), Err(BadObjectId));
    }

    #[test]
    fn names_know_their_namespace() {
        assert_eq!(RefName::new("refs/heads/a/b").as_branch(), Some("a/b"));
        assert_eq!(RefName::tag("v1").as_tag(), Some("v1"));
        assert!(!RefName::new("refs/merge-requests/1/head").is_mirrored());
    }
}
