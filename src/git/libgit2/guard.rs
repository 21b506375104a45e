//! What comes from the far side is looked at before libgit2 gets it, since libgit2 keeps no limit of its own.

use std::cell::Cell;
use std::io::{self, Read};

use super::lines::{Lines, Piece};
use super::pack_scan::{PackScan, Refusal};
use crate::git::{Excess, GitError, LimitKind, Limits};
use crate::net::Session;

thread_local! {
    /// Why a guard ended the conversation that this thread is in: libgit2 passes on no more than a text.
    static REASON: Cell<Option<Refusal>> = const { Cell::new(None) };
}

/// Why a guard ended what libgit2 was just doing on this thread, if one did. Asking takes the answer away.
pub(super) fn reason() -> Option<GitError> {
    REASON.take().map(|refusal| match refusal {
        Refusal::Excess(excess) => GitError::Limit(excess),
        Refusal::Malformed(what) => GitError::BadObjects(what.to_owned()),
        Refusal::Unexpected(what) => GitError::Protocol(what.to_owned()),
        Refusal::Said(complaint) => GitError::Protocol(format!("remote error: {}", complaint.trim())),
    })
}

pub(super) fn refuse(refusal: Refusal) -> io::Error {
    let text = match &refusal {
        Refusal::Excess(excess) => excess.to_string(),
        Refusal::Malformed(what) | Refusal::Unexpected(what) => (*what).to_owned(),
        Refusal::Said(complaint) => complaint.clone(),
    };
    REASON.set(Some(refusal));
    io::Error::other(text)
}

/// Looks at what libgit2 is about to get.
pub(super) trait Watch {
    /// Refuses it, or lets it through.
    fn look(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// How many bytes libgit2 may be given next at the most.
    fn room(&self) -> usize {
        usize::MAX
    }
}

/// A stream that is watched.
pub(super) struct Watched<R, W> {
    inner: R,
    watch: W,
}

impl<R, W> Watched<R, W> {
    pub(super) fn new(inner: R, watch: W) -> Self {
        Self { inner, watch }
    }
}

impl<R: Read, W: Watch> Read for Watched<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(self.watch.room());
        let read = self.inner.read(&mut buffer[..room])?;
        self.watch.look(&buffer[..read])?;
        Ok(read)
    }
}

/// Counts the refs and bytes of a list of refs.
pub(super) struct ListingWatch {
    session: Session,
    lines: Lines,
    limit: u64,
    refs: u64,
    bytes: u64,
    /// The end of the line so far: peeled values, which end in `^{}`, are no refs of their own.
    tail: Vec<u8>,
    /// Whether the line is what HTTP servers say before the list.
    greeting: bool,
    /// How many flushes libgit2 waits for before it takes the list for whole.
    flushes_left: u8,
}

/// Over HTTP a flush ends the greeting, too.
pub(super) const FLUSHES_OVER_HTTP: u8 = 2;
pub(super) const FLUSHES_OF_A_CONNECTION: u8 = 1;

impl ListingWatch {
    pub(super) fn new(session: Session, limits: &Limits, flushes: u8) -> Self {
        let limit = u64::try_from(limits.refs).unwrap_or(u64::MAX);
        Self {
            session,
            lines: Lines::default(),
            limit,
            refs: 0,
            bytes: 0,
            tail: Vec::new(),
            greeting: false,
            flushes_left: flushes,
        }
    }

    fn end_line(&mut self) {
        let line = self.tail.strip_suffix(b"\n").unwrap_or(&self.tail);
        if !line.is_empty() && !line.ends_with(b"^{}") && !self.greeting {
            self.refs += 1;
        }
        self.tail.clear();
        self.greeting = false;
    }
}

impl Watch for ListingWatch {
    fn look(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.session.check_listing(self.bytes).map_err(io::Error::other)?;
        while self.flushes_left > 0
            && let Some(piece) = self.lines.next(&mut bytes)
        {
            match piece {
                Piece::Start(0) => {
                    self.end_line();
                    self.flushes_left -= 1;
                }
                Piece::Start(_) => self.end_line(),
                Piece::Text(text) => {
                    self.greeting |= self.tail.is_empty() && text.starts_with(b"#");
                    self.tail.extend_from_slice(&text[text.len().saturating_sub(4)..]);
                    self.tail.drain(..self.tail.len().saturating_sub(4));
                }
                // libgit2 says so.
                Piece::Other(_) => {}
            }
            let excess = Excess::check(LimitKind::Refs, self.limit, self.refs);
            excess.map_err(|excess| refuse(Refusal::Excess(excess)))?;
        }
        // libgit2 would take what comes behind the list for the beginning of the next answer, into which nobody has looked.
        let is_more = self.flushes_left == 0 && !bytes.is_empty();
        if is_more { Err(refuse(Refusal::Malformed("they came before they were asked for"))) } else { Ok(()) }
    }
}

/// Looks into the pack of an answer to a fetch. libgit2 passes over whatever it does not expect before the pack, also what
/// looks like one; so once anything of a pack was seen, nothing else may follow, and all that libgit2 may take for its
/// beginning has been looked into from there.
pub(super) struct PackWatch {
    lines: Lines,
    /// Bytes of what is neither pack nor talk.
    around: usize,
    at_start_of_line: bool,
    in_pack: bool,
    scan: PackScan,
    /// The beginning of a line in which the far side says why it goes no further. libgit2 passes over it.
    complaint: Option<Vec<u8>>,
}

/// The first byte of a line that carries a part of the pack, talk, or the reason why there is no pack.
const PACK_BAND: u8 = 1;
pub(super) const TALK_BAND: u8 = 2;
const ERROR_BAND: u8 = 3;

/// libgit2 keeps what the far side acknowledges, and asks about no more than 256 objects.
const MOST_AROUND: usize = 64 * 1024;

/// What a line begins with that is such a reason before there are bands.
const ERROR_LINE: &[u8] = b"ERR ";

/// Of a reason, nobody reads more.
const LONGEST_COMPLAINT: usize = 1000;

impl PackWatch {
    pub(super) fn new(limits: Limits) -> Self {
        let scan = PackScan::new(limits);
        Self { lines: Lines::default(), around: 0, at_start_of_line: false, in_pack: false, scan, complaint: None }
    }

    fn scan(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        while let Some(piece) = self.lines.next(&mut bytes) {
            match piece {
                Piece::Start(_) => {
                    self.end_line()?;
                    (self.at_start_of_line, self.in_pack) = (true, false);
                }
                Piece::Text([band, rest @ ..]) if self.at_start_of_line => {
                    (self.at_start_of_line, self.in_pack) = (false, *band == PACK_BAND);
                    if !(PACK_BAND..=ERROR_BAND).contains(band) {
                        self.stands_before_the_pack(self.lines.left() + 1 + rest.len())?;
                    }
                    if self.in_pack {
                        self.scan.take(rest)?;
                    } else if [ERROR_BAND, ERROR_LINE[0]].contains(band) {
                        self.complaint = Some(vec![*band]);
                        self.hear(rest);
                    }
                }
                Piece::Text(text) if self.in_pack => self.scan.take(text)?,
                Piece::Text(text) => self.hear(text),
                // A server that knows no bands sends the pack as it is.
                Piece::Other(beginning) => {
                    self.stands_before_the_pack(0)?;
                    (self.at_start_of_line, self.in_pack) = (false, true);
                    self.scan.take(&beginning)?;
                }
            }
        }
        Ok(())
    }

    /// A line of `length` bytes that is neither pack nor talk, or a pack without lines.
    fn stands_before_the_pack(&mut self, length: usize) -> Result<(), Refusal> {
        self.around += length;
        match () {
            () if self.scan.has_begun() => Err(Refusal::Unexpected("something else follows what looked like the pack")),
            () if self.around > MOST_AROUND => Err(Refusal::Unexpected("too much stands before the pack")),
            () => Ok(()),
        }
    }

    fn hear(&mut self, text: &[u8]) {
        if let Some(complaint) = &mut self.complaint {
            let room = LONGEST_COMPLAINT.saturating_sub(complaint.len());
            complaint.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    /// A reason for going no further ends the conversation.
    fn end_line(&mut self) -> Result<(), Refusal> {
        let Some(complaint) = self.complaint.take() else { return Ok(()) };
        match complaint.strip_prefix(&[ERROR_BAND]).or_else(|| complaint.strip_prefix(ERROR_LINE)) {
            Some(text) => {
                let printable = String::from_utf8_lossy(text).chars().filter(|letter| !letter.is_control()).collect();
                Err(Refusal::Said(printable))
            }
            None => Ok(()),
        }
    }
}

impl Watch for PackWatch {
    fn look(&mut self, bytes: &[u8]) -> io::Result<()> {
        let looked = if bytes.is_empty() { self.end_line() } else { self.scan(bytes) };
        looked.map_err(refuse)
    }

    /// To the end of the line: libgit2 keeps what it has not used and puts it before the next answer, which would make
    /// it see other lines there than we do.
    fn room(&self) -> usize {
        self.lines.room()
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
