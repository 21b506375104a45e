//! Fetching: git receives into a quarantine, checks every object and that none is missing, and we keep the packs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::conversation::{Conversation, FAR};
use super::settings::Settings;
use super::{Company, listing, sizes};
use crate::git::quarantine::Quarantine;
use crate::git::{Excess, GitError, LimitKind, Progress, Transfer, Upstream};
use crate::mirror::refs::{Advertisement, Refs};

/// What old versions of git and its imitations got wrong in many real histories, and what harms nobody.
const FORGIVEN: [&str; 3] = ["badTimezone", "zeroPaddedFilemode", "missingSpaceBeforeDate"];

/// A conversation with an upstream.
pub(super) struct Reading<'a> {
    conversation: Conversation<'a>,
    advertisement: Advertisement,
}

impl<'a> Reading<'a> {
    /// Lists what is there.
    pub(super) fn begin(conversation: Conversation<'a>) -> Result<Self, GitError> {
        let quarantine = Quarantine::open(conversation.repository)?;
        let errand = conversation.errand(&quarantine, &["ls-remote", "--symref", FAR], Settings::default())?;
        let errand = errand.longest_answer(conversation.session.allowance().listing);
        let report = errand.run(&mut Attending::listing(&conversation))?;
        if !report.status.success() {
            return Err(conversation.explained(&report, &quarantine));
        }
        let advertisement = listing::advertisement(&report.answer, conversation.limits)?;
        Ok(Self { conversation, advertisement })
    }
}

impl Upstream for Reading<'_> {
    fn advertisement(&self) -> &Advertisement {
        &self.advertisement
    }

    /// By id, not by name: so what is received is what was listed, also when the far side has moved on since.
    fn download(&mut self, wanted: &Refs, progress: &Progress) -> Result<Transfer, GitError> {
        let Self { conversation, .. } = self;
        let ids: BTreeSet<_> = wanted.values().collect();
        if ids.is_empty() {
            return Ok(Transfer::default());
        }
        let before = conversation.session.traffic().received;
        let quarantine = Quarantine::open(conversation.repository)?;
        lend_refs(conversation, &quarantine)?;
        let mut settings = Settings::default();
        for complaint in FORGIVEN {
            settings.add("fetch", "fsck", complaint, "ignore");
        }
        settings.add_plain("fetch", "fsckObjects", "true");
        settings.add_plain("fetch", "unpackLimit", "1");
        let arguments = [
            "fetch",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--refmap=",
            "--progress",
            "--stdin",
            FAR,
        ];
        let wants = ids.iter().fold(String::new(), |mut wants, id| {
            let _ = writeln!(wants, "{id}");
            wants
        });
        let errand = conversation.errand(&quarantine, &arguments, settings)?;
        let errand = errand.input(wants.into_bytes()).largest_file(conversation.limits.growth.saturating_add(SLACK));
        let receiving = Receiving { quarantine: &quarantine, progress, line: Vec::new() };
        let report = errand.run(&mut Attending { receiving: Some(receiving), ..Attending::to(conversation) })?;
        let size = quarantine.size().map_err(GitError::io("look at the received objects"))?;
        Excess::check(LimitKind::Growth, conversation.limits.growth, size)?;
        if !report.status.success() {
            return Err(conversation.explained(&report, &quarantine));
        }
        sizes::check(conversation, &quarantine)?;
        quarantine.keep(conversation.repository)?;
        let bytes = conversation.session.traffic().received - before;
        Ok(Transfer { objects: progress.received(), bytes })
    }
}

/// Bytes by which one file may pass the limit of all together, so that it shows that it was passed.
const SLACK: u64 = 64 * 1024;

/// Gives the quarantine refs at the places where the repository has its own, so that git knows what need not come and
/// what need not be looked at. Under names of ours: some that exist would not be accepted everywhere.
fn lend_refs(conversation: &Conversation<'_>, quarantine: &Quarantine) -> Result<(), GitError> {
    let ids: BTreeSet<_> = conversation.repository.read_refs(&["refs/"])?.into_values().collect();
    let text = ids.iter().enumerate().fold(String::new(), |mut text, (number, id)| {
        let _ = writeln!(text, "{id} refs/kept/{number:010}");
        text
    });
    quarantine.lend_refs(&text)
}

/// What we do while git works.
pub(super) struct Attending<'a, 'b> {
    conversation: &'a Conversation<'b>,
    /// Whether all that comes is the list of refs.
    is_listing: bool,
    receiving: Option<Receiving<'a>>,
}

impl<'a, 'b> Attending<'a, 'b> {
    /// To a call that receives no objects.
    pub(super) fn to(conversation: &'a Conversation<'b>) -> Self {
        Self { conversation, is_listing: false, receiving: None }
    }

    /// To a call that lists the far side, the first of its run.
    pub(super) fn listing(conversation: &'a Conversation<'b>) -> Self {
        Self { is_listing: true, ..Self::to(conversation) }
    }
}

struct Receiving<'a> {
    quarantine: &'a Quarantine,
    progress: &'a Progress,
    /// The line that it is just writing.
    line: Vec<u8>,
}

impl Company for Attending<'_, '_> {
    fn look(&mut self) -> Result<(), GitError> {
        let Conversation { session, limits, .. } = self.conversation;
        session.check()?;
        if self.is_listing {
            // Git tells nothing before it has all of it.
            session.check_listing(session.traffic().received)?;
        }
        if let Some(receiving) = &self.receiving {
            let size = receiving.quarantine.size().map_err(GitError::io("look at the received objects"))?;
            Excess::check(LimitKind::Growth, limits.growth, size)?;
        }
        // What the gate has met, git would only tell later.
        session.failure().map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn answered(&mut self, _: &[u8], so_far: u64) -> Result<(), GitError> {
        // Git says little but the list of refs.
        Ok(self.conversation.session.check_listing(so_far)?)
    }

    fn said(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        let Some(receiving) = &mut self.receiving else { return Ok(()) };
        for &byte in bytes {
            if byte == b'\r' || byte == b'\n' {
                if let Some((received, announced)) = counted(&receiving.line) {
                    receiving.progress.set(received, announced);
                    Excess::check(LimitKind::PackObjects, self.conversation.limits.pack_objects, announced as u64)?;
                }
                receiving.line.clear();
            } else if receiving.line.len() < 200 {
                receiving.line.push(byte);
            }
        }
        Ok(())
    }
}

/// `Receiving objects:  45% (45/100), 1.20 MiB | 2.00 MiB/s`
fn counted(line: &[u8]) -> Option<(usize, usize)> {
    let rest = str::from_utf8(line).ok()?.strip_prefix("Receiving objects:")?;
    let (received, announced) = rest.split_once('(')?.1.split_once(')')?.0.split_once('/')?;
    Some((received.parse().ok()?, announced.parse().ok()?))
}
