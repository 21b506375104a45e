//! What git says on its standard error, and what it means for the mirror's owner.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use super::Conversation;
use super::errand::Report;
use crate::git::quarantine::Quarantine;
use crate::git::{Excess, GitError, LimitKind, Limits};

/// What git prints before a line of the far side's.
const FROM_FAR: &str = "remote: ";

/// Hooks like to talk; more than this nobody reads.
const LONGEST_REMOTE_TEXT: usize = 8 * 1024;

/// Words that stand in complaints about objects that were received.
const ABOUT_OBJECTS: &[&str] = &[
    "did not send all necessary objects",
    "fsck error in pack",
    "index-pack failed",
    "invalid index-pack output",
    "fetch-pack: invalid",
    "pack has bad object",
    "inflate: data stream error",
];

/// How git, its libraries and the system say that there is no more memory.
const OUT_OF_MEMORY: &[&str] =
    &["out of memory", "cannot allocate memory", "failed to map segment", "unable to create thread"];

/// The signal for those who have used their processor time up.
const OUT_OF_TIME: i32 = Signal::XCPU.as_raw();

/// Words about what comes after others, and says less.
const AFTERTHOUGHTS: &[&str] = &[
    "index-pack failed",
    "invalid index-pack output",
    "fsck error in packed object",
    "error processing acks",
    "the remote end hung up",
    "could not fetch",
];

impl Conversation<'_> {
    /// Why a call failed: what the session met, if it met anything, since git only sees a gate that closes.
    pub(super) fn explained(&self, report: &Report, quarantine: &Quarantine) -> GitError {
        if let Some(failure) = self.session.failure() {
            return GitError::Net(failure);
        }
        if let Some(excess) = excess(report, self.limits) {
            return GitError::Limit(excess);
        }
        let words = self.tidy(&report.words, quarantine);
        let reason = reason(&words);
        if ABOUT_OBJECTS.iter().any(|about| words.contains(about)) {
            return GitError::BadObjects(reason);
        }
        GitError::Protocol(if reason.is_empty() { format!("git ended with {}", report.status) } else { reason })
    }
}

/// The limit at which a child ended, if that is why it did. It was one of git's own children, mostly.
pub(super) fn excess(report: &Report, limits: &Limits) -> Option<Excess> {
    let lines = report.words.split(['\n', '\r']).filter(|line| !line.starts_with(FROM_FAR.trim_end()));
    let mut ours = lines.map(str::to_lowercase);
    let own_end = report.status.signal() == Some(OUT_OF_TIME);
    let passed = |kind, limit| Some(Excess { kind, limit, seen: limit });
    if own_end || ours.clone().any(|line| line.ends_with(&format!("died of signal {OUT_OF_TIME}"))) {
        let milliseconds = u64::try_from(limits.child_cpu.as_millis()).unwrap_or(u64::MAX);
        return passed(LimitKind::ChildCpu, milliseconds);
    }
    let of_memory = |line: String| OUT_OF_MEMORY.iter().any(|words| line.contains(words));
    if ours.any(of_memory) { passed(LimitKind::ChildMemory, limits.child_memory) } else { None }
}

/// The line that says most: the first complaint that is not only about another one.
fn reason(words: &str) -> String {
    let complaints = words.split(['\n', '\r']).filter_map(|line| {
        let line = line.trim_end();
        line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: "))
    });
    let complaints: Vec<&str> = complaints.collect();
    let telling = complaints.iter().find(|line| !AFTERTHOUGHTS.iter().any(|other| line.contains(other)));
    let line = telling.or(complaints.first()).copied();
    let line = line.or_else(|| words.lines().rev().find(|line| !line.trim().is_empty())).unwrap_or_default();
    line.chars()
        .filter(|character| !character.is_control())
        .take(300)
        .collect::<String>()
        .trim_end_matches('.')
        .to_owned()
}

/// The refs that git was told to delete there, and did not find.
pub(super) fn deleted_already(words: &str) -> BTreeSet<String> {
    let complaints = words.lines().filter_map(|line| line.strip_prefix("error: unable to delete '"));
    complaints.filter_map(|line| Some(line.strip_suffix("': remote ref does not exist")?.to_owned())).collect()
}

/// Whether the far side cannot push all or none.
pub(super) fn has_no_atomic(words: &str) -> bool {
    words.contains("does not support --atomic push")
}

/// Adds what was said later, as far as somebody would still read it.
pub(super) fn add(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push('\n');
    }
    let room = LONGEST_REMOTE_TEXT.saturating_sub(text.len());
    text.extend(more.char_indices().take_while(|(at, _)| *at < room).map(|(_, character)| character));
}

/// What the far side said, without what git itself did.
pub(super) fn from_far(words: &str) -> String {
    let said = words.lines().filter_map(last_said);
    let said = said.filter_map(|line| line.strip_prefix(FROM_FAR));
    let printable = |line: &str| line.chars().filter(|character| !character.is_control()).collect::<String>();
    let lines: Vec<String> = said.map(|line| printable(line).trim_end().to_owned()).collect();
    lines.join("\n").trim_end().to_owned()
}

/// Of the parts of a line that a terminal would write over each other, the last of the far side's that says something.
fn last_said(line: &str) -> Option<&str> {
    let from_far = |part: &&str| part.starts_with(FROM_FAR) || *part == FROM_FAR.trim_end();
    let mut parts = line.rsplit('\r').filter(from_far).peekable();
    parts.peek()?;
    Some(parts.find(|part| part.trim_end() != FROM_FAR.trim_end()).unwrap_or(FROM_FAR))
}
