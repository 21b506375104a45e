//! The sizes of all that is in a pack, found out while it arrives.
//!
//! libgit2 puts an object together in memory at whatever size its entry, or the delta that makes it, announces; a few
//! kilobytes can stand for gigabytes. So every entry is inflated here first, into nothing, and what would become too
//! large is refused before libgit2 sees it.

use flate2::{Decompress, FlushDecompress, Status};

use super::delta_costs::DeltaCosts;
use crate::git::{Excess, LimitKind, Limits};

/// On disk each object takes so much beside its pack: its line in the index.
const INDEX_ENTRY: u64 = 32;

/// Inflated bytes are thrown away in pieces of this size.
const PIECE: usize = 32 * 1024;

/// The two sizes at the beginning of a delta are no longer than this.
const DELTA_HEAD: usize = 20;

/// Bytes of an object's id, and of the checksum; libgit2 is only handed SHA-1.
const ID: usize = 20;

/// Why a pack is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is too much.
    Excess(Excess),
    /// It is not what it says.
    Malformed(&'static str),
    /// What stands around it is not what is due.
    Unexpected(&'static str),
    /// The far side says why there is none.
    Said(String),
}

impl From<Excess> for Refusal {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

/// What an entry's data is made upon.
#[derive(Debug, Clone, Copy)]
enum Base {
    /// Nothing: it is whole.
    None,
    /// The entry at this place in the pack.
    At(u64),
    /// Some object, here or in the repository.
    Named,
}

enum State {
    /// `PACK`, version, number of objects.
    Header(Vec<u8>),
    /// Kind and size of an entry: three bits and four, then seven at a time.
    Entry { kind: u8, shift: u32 },
    /// How far back a delta's base lies.
    Offset(Option<u64>),
    /// The id of a delta's base: so many bytes are left.
    Id(usize),
    /// Deflated data. Of a delta, the beginning is kept.
    Data { base: Base, head: Vec<u8> },
    /// The checksum: so many bytes are left. Whether it is right is libgit2's to say.
    Trailer(usize),
}

/// A pack on its way.
pub(super) struct PackScan {
    limits: Limits,
    state: State,
    entries_left: u32,
    /// Bytes so far.
    at: u64,
    /// Where the entry began, and the size it announced.
    began: u64,
    size: u64,
    index: u64,
    costs: DeltaCosts,
    inflate: Decompress,
    nothing: Box<[u8]>,
}

impl PackScan {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Header(Vec::new()),
            entries_left: 0,
            at: 0,
            began: 0,
            size: 0,
            index: 0,
            costs: DeltaCosts::default(),
            inflate: Decompress::new(true),
            nothing: vec![0; PIECE].into_boxed_slice(),
        }
    }

    /// Looks at the next bytes of the pack.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        while let Some(first) = bytes.first() {
            let taken = match self.state {
                State::Data { .. } => self.data(bytes)?,
                State::Trailer(_) => self.trailer(bytes)?,
                _ => self.byte(*first).map(|()| 1)?,
            };
            self.at += taken as u64;
            bytes = &bytes[taken..];
            if matches!(self.state, State::Entry { shift: 0, .. }) {
                self.began = self.at;
            }
        }
        let grown = self.at.saturating_add(self.index);
        Ok(Excess::check(LimitKind::Growth, self.limits.growth, grown)?)
    }

    /// Whether anything of it has come.
    pub(super) fn has_begun(&self) -> bool {
        self.at > 0
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let State::Trailer(left) = &mut self.state else { return Ok(0) };
        let taken = bytes.len().min(*left);
        *left -= taken;
        if taken == 0 { Err(Refusal::Malformed("something stands behind their end")) } else { Ok(taken) }
    }

    /// One byte of what is not deflated.
    fn byte(&mut self, byte: u8) -> Result<(), Refusal> {
        let (more, bits) = (byte & 0x80 != 0, u64::from(byte & 0x7f));
        match &mut self.state {
            State::Header(header) => {
                header.push(byte);
                match header.as_slice() {
                    [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, a, b, c, d] => {
                        let objects = u32::from_be_bytes([*a, *b, *c, *d]);
                        return self.begin(objects);
                    }
                    [_, _, _, _, _, _, _, _, _, _, _, _] => return Err(Refusal::Malformed("they are not a pack")),
                    _ => {}
                }
            }
            State::Entry { kind, shift: shift @ 0 } => {
                (*kind, *shift, self.size) = ((byte >> 4) & 7, 4, bits & 0x0f);
                if !more {
                    return self.entry();
                }
            }
            State::Entry { shift, .. } => {
                self.size |= shifted(bits, *shift)?;
                *shift += 7;
                if !more {
                    return self.entry();
                }
            }
            State::Offset(back) => {
                let known = match *back {
                    None => bits,
                    Some(back) => (back + 1).checked_mul(128).map(|back| back | bits).ok_or(TOO_LONG)?,
                };
                *back = Some(known);
                if !more {
                    let base = self.began.checked_sub(known).ok_or(Refusal::Malformed("a delta without a base"))?;
                    self.state = State::Data { base: Base::At(base), head: Vec::new() };
                }
            }
            State::Id(left) => {
                *left -= 1;
                if *left == 0 {
                    self.state = State::Data { base: Base::Named, head: Vec::new() };
                }
            }
            State::Data { .. } | State::Trailer(_) => {}
        }
        Ok(())
    }

    fn begin(&mut self, objects: u32) -> Result<(), Refusal> {
        Excess::check(LimitKind::PackObjects, self.limits.pack_objects, u64::from(objects))?;
        self.index = u64::from(objects) * INDEX_ENTRY;
        self.entries_left = objects;
        self.next_entry();
        Ok(())
    }

    fn next_entry(&mut self) {
        self.state = if self.entries_left == 0 { State::Trailer(ID) } else { State::Entry { kind: 0, shift: 0 } };
    }

    /// The kinds are those of git's pack format: 1 to 4 are whole objects, 6 and 7 deltas.
    fn entry(&mut self) -> Result<(), Refusal> {
        let State::Entry { kind, .. } = self.state else { return Ok(()) };
        self.entries_left -= 1;
        self.check_size(self.size)?;
        self.state = match kind {
            1..=4 => State::Data { base: Base::None, head: Vec::new() },
            6 => State::Offset(None),
            7 => State::Id(ID),
            _ => return Err(Refusal::Malformed("a pack entry of an unknown kind")),
        };
        Ok(())
    }

    /// Inflates; answers how many bytes of `bytes` that took.
    fn data(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, &mut self.nothing, FlushDecompress::None);
        let status = status.map_err(|_| Refusal::Malformed("a pack entry that cannot be inflated"))?;
        let (taken, made) = (self.inflate.total_in() - taken, self.inflate.total_out() - made);
        let (taken, made) = (usize::try_from(taken).unwrap_or(bytes.len()), usize::try_from(made).unwrap_or(PIECE));
        if let State::Data { base: Base::At(_) | Base::Named, head } = &mut self.state {
            let kept = made.min(DELTA_HEAD - head.len());
            head.extend_from_slice(&self.nothing[..kept]);
        }
        if self.inflate.total_out() > self.size || (status != Status::StreamEnd && taken == 0 && made == 0) {
            return Err(Refusal::Malformed("a pack entry that is not of the size it announces"));
        }
        if status == Status::StreamEnd {
            if self.inflate.total_out() != self.size {
                return Err(Refusal::Malformed("a pack entry that is not of the size it announces"));
            }
            self.end_entry()?;
        }
        Ok(taken)
    }

    fn end_entry(&mut self) -> Result<(), Refusal> {
        let State::Data { base, head } = &self.state else { return Ok(()) };
        let cost = if matches!(base, Base::None) {
            self.costs.add_whole(self.size)
        } else {
            let (before, rest) = number(head)?;
            let (after, _) = number(rest)?;
            let base = match base {
                Base::At(place) => Some(*place),
                Base::None | Base::Named => None,
            };
            self.check_size(before)?;
            self.check_size(after)?;
            self.costs.add(self.began, base, before, after)
        };
        let most = self.limits.in_process.saturating_mul(DeltaCosts::MOST);
        Excess::check(LimitKind::InProcess, most, cost)?;
        self.inflate.reset(true);
        self.next_entry();
        Ok(())
    }

    fn check_size(&self, size: u64) -> Result<(), Refusal> {
        Excess::check(LimitKind::Object, self.limits.object, size)?;
        Ok(Excess::check(LimitKind::InProcess, self.limits.in_process, size)?)
    }
}

const TOO_LONG: Refusal = Refusal::Malformed("a pack entry with a number that is too large");

fn shifted(bits: u64, shift: u32) -> Result<u64, Refusal> {
    bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits).ok_or(TOO_LONG)
}

/// A number at the beginning of a delta, and what follows it: seven bits at a time, the lowest first.
fn number(mut bytes: &[u8]) -> Result<(u64, &[u8]), Refusal> {
    let (mut value, mut shift) = (0, 0);
    while let [byte, rest @ ..] = bytes {
        value |= shifted(u64::from(byte & 0x7f), shift)?;
        shift += 7;
        bytes = rest;
        if byte & 0x80 == 0 {
            return Ok((value, rest));
        }
    }
    Err(Refusal::Malformed("a delta without a beginning"))
}

#[cfg(test)]
#[path = "pack_scan_tests.rs"]
mod tests;
