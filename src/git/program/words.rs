//! What git says on its standard error, and what it means for the mirror's owner.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

use super::Conversation;
use super::errand::Report;
use crate::git::quarantine::Quarantine;
use crate::git::{Excess, GitError, LimitKind};

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

/// Words of a process that wanted more memory than it may have.
const STARVED: &[&str] =
    &["Out of memory", "out of memory", "Cannot allocate memory", "unable to create thread", "cannot be mapped"];

/// The signal of the soft limit on processor time, and what git says of a part of its that met it.
const XCPU: i32 = 24;
const TOO_LONG: &str = "died of signal 24";

/// All that is said of a signal while objects arrive: git does not come to look at how its part ended. One that refuses
/// what arrives says why.
const SILENT: &str = "fetch-pack: invalid index-pack output";

/// Threads of a part at once, see `pack.threads`: processor time passes so many times as fast as any other.
const THREADS: u32 = 2;

/// Nothing of ours ends a child like that while its run goes on; the kernel does, when the machine is out of memory.
const KILL: i32 = 9;
const KILLED: &str = "died of signal 9";

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
        let words = self.tidy(&report.words, quarantine);
        let reason = reason(&words);
        if let Some(ours) = self.own_reason(report, &reason) {
            return ours;
        }
        if ABOUT_OBJECTS.iter().any(|about| words.contains(about)) {
            return GitError::BadObjects(reason);
        }
        GitError::Protocol(if reason.is_empty() { format!("git ended with {}", report.status) } else { reason })
    }

    /// Why a call failed, if it was not the far side's doing: what a child may take of this machine.
    pub(super) fn own_reason(&self, report: &Report, reason: &str) -> Option<GitError> {
        let said = |words: &[&str]| complaints(&report.words).any(|line| words.iter().any(|word| line.contains(word)));
        let silent = complaints(&report.words).eq([SILENT]);
        let excess = |kind, limit| Some(GitError::Limit(Excess { kind, limit, seen: limit }));
        let cpu = u64::try_from(self.limits.child_cpu.as_millis()).unwrap_or(u64::MAX);
        match report.status.signal() {
            Some(XCPU) => excess(LimitKind::ChildCpu, cpu),
            _ if said(&[TOO_LONG]) => excess(LimitKind::ChildCpu, cpu),
            _ if silent && report.took.saturating_mul(THREADS) >= self.limits.child_cpu => {
                excess(LimitKind::ChildCpu, cpu)
            }
            _ if said(STARVED) && self.limits.child_memory < u64::MAX => {
                excess(LimitKind::ChildMemory, self.limits.child_memory)
            }
            signal if signal == Some(KILL) || silent || said(&[KILLED]) || said(STARVED) => {
                let complaint = if reason.is_empty() { "it was killed".to_owned() } else { reason.to_owned() };
                Some(GitError::Program { command: "the transfer".to_owned(), complaint })
            }
            _ => None,
        }
    }
}

/// What git itself complains of: not what it hands on from the far side, which can say anything.
fn complaints(words: &str) -> impl Iterator<Item = &str> {
    let lines = words.split(['\n', '\r']).map(str::trim_end);
    let own = lines.filter_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")));
    own.filter(|line| !line.starts_with("remote ") && !line.starts_with("remote: "))
}

/// The line that says most: the first complaint that is not only about another one.
pub(super) fn reason(words: &str) -> String {
    let lines = words.split(['\n', '\r']).map(str::trim_end);
    let complaints = lines.filter_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")));
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
