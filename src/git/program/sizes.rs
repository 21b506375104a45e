//! How large the objects are that have arrived, whole.
//!
//! A pack says it of each, also of one that is made from others: nothing is put together for it. A million objects take
//! half a second of a processor, and 150 MiB for their ids.

use super::Company;
use super::conversation::Conversation;
use super::errand::Errand;
use crate::git::quarantine::Quarantine;
use crate::git::{Excess, GitError, LimitKind};
use crate::net::Session;

/// Refuses what arrived if one of its objects is too large.
pub(super) fn check(conversation: &Conversation<'_>, quarantine: &Quarantine) -> Result<(), GitError> {
    let limit = conversation.limits.object;
    if limit == u64::MAX || quarantine.size().map_err(GitError::io("look at the received objects"))? == 0 {
        return Ok(());
    }
    let arguments = ["cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectsize)"];
    // Without the repository's objects behind them: only what arrived.
    let errand = Errand::new(conversation.program, quarantine.path(), arguments).within(conversation.limits);
    let mut measuring = Measuring { session: conversation.session, limit, size: 0 };
    let report = errand.without_answer().run(&mut measuring)?;
    if report.status.success() { Ok(()) } else { Err(conversation.explained(&report, quarantine)) }
}

/// Reads one size after the other.
struct Measuring<'a> {
    session: &'a Session,
    limit: u64,
    /// The number so far of the line that is being read.
    size: u64,
}

impl Company for Measuring<'_> {
    fn look(&mut self) -> Result<(), GitError> {
        Ok(self.session.check()?)
    }

    fn answered(&mut self, bytes: &[u8], _: u64) -> Result<(), GitError> {
        for &byte in bytes {
            match byte {
                b'0'..=b'9' => self.size = self.size.saturating_mul(10).saturating_add(u64::from(byte - b'0')),
                _ => {
                    Excess::check(LimitKind::Object, self.limit, self.size)?;
                    self.size = 0;
                }
            }
        }
        Ok(())
    }
}
