//! What the far side says became of a push.

use std::io;

use super::guard::{TALK_BAND, Watch, refuse};
use super::lines::{Lines, Piece};
use super::pack_scan::Refusal;

/// Whatever was sent, a report may be as long as this: a few refusals with a long reason each.
const ALWAYS: usize = 256 * 1024;

/// For each byte of the commands, which name each ref and two ids, so many of the report: there the ids' place is taken by
/// a reason.
const PER_BYTE: usize = 4;

/// Counts what libgit2 keeps of a report. Talk, which it passes on, is not counted.
pub(super) struct ReportWatch {
    lines: Lines,
    at_start_of_line: bool,
    in_talk: bool,
    left: usize,
}

impl ReportWatch {
    /// For a push whose commands took so many bytes.
    pub(super) fn new(commands: usize) -> Self {
        let left = ALWAYS.saturating_add(commands.saturating_mul(PER_BYTE));
        Self { lines: Lines::default(), at_start_of_line: false, in_talk: false, left }
    }

    /// How much of the next piece is kept; `None` at the end.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<usize> {
        Some(match self.lines.next(bytes)? {
            Piece::Start(_) => {
                (self.at_start_of_line, self.in_talk) = (true, false);
                0
            }
            Piece::Text(text) => {
                let prefix = if self.at_start_of_line { 4 } else { 0 };
                self.in_talk |= self.at_start_of_line && text.first() == Some(&TALK_BAND);
                self.at_start_of_line = false;
                if self.in_talk { 0 } else { prefix + text.len() }
            }
            Piece::Other(beginning) => beginning.len(),
        })
    }
}

impl Watch for ReportWatch {
    fn look(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(kept) = self.next(&mut bytes) {
            let left = self.left.checked_sub(kept);
            self.left = left.ok_or_else(|| refuse(Refusal::Unexpected("it reports on more than it was sent")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_as_long_as_what_it_is_about_and_talk_is_not_counted() {
        let talk = [&b"0fff\x02"[..], &[b'x'; 0xfff - 5]].concat();
        let answer = b"0017ok refs/heads/main\n";
        for piece in [1, 5, 4096] {
            let mut watch = ReportWatch::new(1000);
            let mut look = |bytes: &[u8]| bytes.chunks(piece).try_for_each(|piece| watch.look(piece));
            for _ in 0..1000 {
                look(&talk).unwrap();
            }
            let answers = (0..1_000_000).take_while(|_| look(answer).is_ok()).count();
            assert_eq!(answers, (ALWAYS + 4000) / answer.len(), "{piece}");
        }
    }
}
