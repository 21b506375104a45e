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
    })
}

fn refuse(refusal: Refusal) -> io::Error {
    let text = match &refusal {
        Refusal::Excess(excess) => excess.to_string(),
        Refusal::Malformed(what) => (*what).to_owned(),
    };
    REASON.set(Some(refusal));
    io::Error::other(text)
}

/// Counts the refs and bytes of a list of refs. What follows the list is let through.
pub(super) struct ListingGuard<R> {
    inner: R,
    session: Session,
    lines: Lines,
    limit: usize,
    refs: usize,
    bytes: u64,
    /// The end of the line so far: peeled values, which end in `^{}`, are no refs of their own.
    tail: Vec<u8>,
    over: bool,
}

impl<R: Read> ListingGuard<R> {
    pub(super) fn new(inner: R, session: Session, limits: &Limits) -> Self {
        let lines = Lines::default();
        Self { inner, session, lines, limit: limits.refs, refs: 0, bytes: 0, tail: Vec::new(), over: false }
    }

    fn look(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(piece) = self.lines.next(&mut bytes) {
            match piece {
                // A flush after the refs; the one before them ends the server's greeting.
                Piece::Start(0) if self.refs > 0 => self.over = true,
                Piece::Start(_) => {
                    self.end_line();
                }
                Piece::Text(text) => {
                    self.tail.extend_from_slice(&text[text.len().saturating_sub(4)..]);
                    self.tail.drain(..self.tail.len().saturating_sub(4));
                }
                Piece::Other(_) => self.over = true,
            }
            if self.over {
                return Ok(());
            }
            let seen = u64::try_from(self.refs).unwrap_or(u64::MAX);
            let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
            Excess::check(LimitKind::Refs, limit, seen).map_err(|excess| refuse(Refusal::Excess(excess)))?;
        }
        Ok(())
    }

    fn end_line(&mut self) {
        let line = self.tail.strip_suffix(b"\n").unwrap_or(&self.tail);
        if !line.is_empty() && !line.ends_with(b"^{}") {
            self.refs += 1;
        }
        self.tail.clear();
    }
}

impl<R: Read> Read for ListingGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if !self.over {
            self.bytes += read as u64;
            self.session.check_listing(self.bytes).map_err(io::Error::other)?;
            self.look(&buffer[..read])?;
        }
        Ok(read)
    }
}

/// Looks into the pack of an answer to a fetch.
pub(super) struct PackGuard<R> {
    inner: R,
    lines: Lines,
    at_start_of_line: bool,
    in_pack: bool,
    scan: PackScan,
}

/// The first byte of a line that carries a part of the pack, beside others for messages.
const PACK_BAND: u8 = 1;

impl<R: Read> PackGuard<R> {
    pub(super) fn new(inner: R, limits: Limits) -> Self {
        let scan = PackScan::new(limits);
        Self { inner, lines: Lines::default(), at_start_of_line: false, in_pack: false, scan }
    }

    fn look(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        while let Some(piece) = self.lines.next(&mut bytes) {
            match piece {
                Piece::Start(_) => (self.at_start_of_line, self.in_pack) = (true, false),
                Piece::Text([band, rest @ ..]) if self.at_start_of_line => {
                    (self.at_start_of_line, self.in_pack) = (false, *band == PACK_BAND);
                    if self.in_pack {
                        self.scan.take(rest)?;
                    }
                }
                Piece::Text(text) if self.in_pack => self.scan.take(text)?,
                Piece::Text(_) => {}
                // A server that knows no bands sends the pack as it is.
                Piece::Other(beginning) => {
                    (self.at_start_of_line, self.in_pack) = (false, true);
                    self.scan.take(&beginning)?;
                }
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for PackGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.look(&buffer[..read]).map_err(refuse)?;
        Ok(read)
    }
}
