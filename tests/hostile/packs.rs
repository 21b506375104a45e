//! Packs written byte by byte, so that they can hold what no git would write.

use std::fmt;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1::{Digest as _, Sha1};

/// The SHA-1 of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) [u8; 20]);

impl Id {
    /// One that no object has.
    pub(crate) const NOBODY: Self = Self([0x11; 20]);

    pub(crate) fn of(kind: Kind, content: &[u8]) -> Self {
        let head = format!("{} {}\0", kind.name(), content.len());
        Self(Sha1::new().chain_update(head).chain_update(content).finalize().into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What an entry of a pack is, by its number in the format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
    Tag = 4,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

/// A delta whose base is named by its distance, and one whose base is named by its id.
const OFFSET_DELTA: u8 = 6;
pub(crate) const REFERENCE_DELTA: u8 = 7;

/// A pack being written.
pub(crate) struct Pack {
    entries: Vec<u8>,
    count: u32,
}

impl Pack {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), count: 0 }
    }

    /// Adds an object, and returns its id.
    pub(crate) fn object(&mut self, kind: Kind, content: &[u8]) -> Id {
        self.entry(kind as u8, content.len() as u64, &deflated(content));
        Id::of(kind, content)
    }

    /// Adds a commit of this tree, and returns its id.
    pub(crate) fn commit(&mut self, tree: Id, parents: &[Id]) -> Id {
        self.object(Kind::Commit, commit(tree, parents).as_bytes())
    }

    /// Adds a tree of these entries, in this order, and returns its id.
    pub(crate) fn tree(&mut self, entries: &[(&str, &[u8], Id)]) -> Id {
        self.object(Kind::Tree, &tree(entries))
    }

    /// Adds an entry of any type (a number of three bits), with whatever its header says and whatever stands behind it.
    pub(crate) fn entry(&mut self, kind: u8, size: u64, data: &[u8]) {
        self.entries.extend(entry_head(kind, size));
        self.entries.extend(data);
        self.count += 1;
    }

    /// Adds a delta against the object of this id.
    pub(crate) fn delta_against(&mut self, base: Id, delta: &[u8]) {
        let data = [&base.0[..], &deflated(delta)].concat();
        self.entry(REFERENCE_DELTA, delta.len() as u64, &data);
    }

    /// Adds a delta against what begins `back` bytes before it.
    pub(crate) fn delta_back(&mut self, back: usize, delta: &[u8]) {
        let data = [offset(back), deflated(delta)].concat();
        self.entry(OFFSET_DELTA, delta.len() as u64, &data);
    }

    /// Where the next entry begins.
    pub(crate) fn place(&self) -> usize {
        12 + self.entries.len()
    }

    /// The whole pack.
    pub(crate) fn finish(&self) -> Vec<u8> {
        self.finish_as(self.count)
    }

    /// The whole pack, with a header that announces so many objects.
    pub(crate) fn finish_as(&self, count: u32) -> Vec<u8> {
        sealed([header(2, count), self.entries.clone()].concat())
    }
}

/// The first twelve bytes.
pub(crate) fn header(version: u32, count: u32) -> Vec<u8> {
    [b"PACK", &version.to_be_bytes()[..], &count.to_be_bytes()[..]].concat()
}

/// With the checksum behind it.
pub(crate) fn sealed(mut pack: Vec<u8>) -> Vec<u8> {
    let sum: [u8; 20] = Sha1::digest(&pack).into();
    pack.extend(sum);
    pack
}

/// What stands before an entry's data.
pub(crate) fn entry_head(kind: u8, size: u64) -> Vec<u8> {
    let mut head = vec![(kind << 4) | low(size, 4)];
    let mut rest = size >> 4;
    while rest > 0 {
        *head.last_mut().unwrap() |= 0x80;
        head.push(low(rest, 7));
        rest >>= 7;
    }
    head
}

pub(crate) fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The content of a commit.
pub(crate) fn commit(tree: Id, parents: &[Id]) -> String {
    const WHO: &str = "Mallory <mallory@example.org> 1700000000 +0000";
    let parents: Vec<String> = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    let parents = parents.concat();
    format!("tree {tree}\n{parents}author {WHO}\ncommitter {WHO}\n\nhello\n")
}

/// The content of a tree of these modes, names and ids, in this order.
pub(crate) fn tree(entries: &[(&str, &[u8], Id)]) -> Vec<u8> {
    entries.iter().flat_map(|(mode, name, id)| [mode.as_bytes(), b" ", name, b"\0", &id.0].concat()).collect()
}

/// A delta from `base` bytes to `result` bytes, made of these instructions.
pub(crate) fn delta(base: u64, result: u64, instructions: &[u8]) -> Vec<u8> {
    [variable(base), variable(result), instructions.to_vec()].concat()
}

/// The instruction to take over so many bytes (at most 16 MiB - 1) from the beginning of the base.
pub(crate) fn copy(size: u32) -> Vec<u8> {
    let [low, middle, high, _] = size.to_le_bytes();
    vec![0b1111_0000, low, middle, high]
}

fn variable(mut number: u64) -> Vec<u8> {
    let mut bytes = vec![low(number, 7)];
    while number >> 7 > 0 {
        number >>= 7;
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push(low(number, 7));
    }
    bytes
}

/// A distance, in the format's own way of counting.
fn offset(mut back: usize) -> Vec<u8> {
    let mut bytes = vec![low(back as u64, 7)];
    while back >> 7 > 0 {
        back = (back >> 7) - 1;
        bytes.insert(0, 0x80 | low(back as u64, 7));
    }
    bytes
}

fn low(number: u64, bits: u32) -> u8 {
    u8::try_from(number & ((1 << bits) - 1)).unwrap()
}
