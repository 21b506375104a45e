//! Pushing: each ref only from where the list said that it was.

use std::collections::{BTreeMap, BTreeSet};

use super::conversation::{Conversation, FAR};
use super::download::Attending;
use super::settings::Settings;
use super::{listing, report, words};
use crate::git::choice::can_be_whole;
use crate::git::quarantine::Quarantine;
use crate::git::{FarSide, GitError, Sent};
use crate::mirror::refs::{Advertisement, RefChange, RefName, RefOutcome};

/// A ref that is not where it was listed.
const MOVED: &str = "the remote has changed it meanwhile";

/// The refs of one call: git compares each of them with all others.
const MOST_AT_ONCE: usize = 5_000;

/// What a call may name, in bytes: git hands it on from process to process on command lines.
const LONGEST_CALL: usize = 4 * 1024 * 1024;

/// What git writes about a ref beside its name.
const BESIDE_NAME: usize = 80;

/// A conversation with a far side.
pub(super) struct Writing<'a> {
    conversation: Conversation<'a>,
    advertisement: Advertisement,
}

/// Why each of some refs was refused. The others were made.
type Refusals = BTreeMap<RefName, String>;

impl<'a> Writing<'a> {
    /// Lists what is there, as it is shown to those who write.
    pub(super) fn begin(conversation: Conversation<'a>) -> Result<Self, GitError> {
        let quarantine = Quarantine::open(conversation.repository)?;
        let (arguments, input) = conversation.listing_for_push();
        let errand = conversation.errand(&quarantine, arguments, Settings::default())?;
        let errand = errand.input(input.into()).longest_answer(conversation.session.allowance().listing);
        let listed = errand.run(&mut Attending::listing(&conversation))?;
        if !listed.status.success() {
            return Err(conversation.explained(&listed, &quarantine));
        }
        let advertisement = listing::advertisement(&listed.answer, conversation.limits)?;
        Ok(Self { conversation, advertisement })
    }

    /// Why a change cannot be sent at all.
    fn objection(&self, change: &RefChange) -> Option<String> {
        let listed = self.advertisement.refs.get(&change.name).copied();
        let valid = change.name.as_str().starts_with("refs/") && git2::Reference::is_valid_name(change.name.as_str());
        match () {
            () if !valid => Some("git does not accept this name".to_owned()),
            () if listed != change.old => Some(MOVED.to_owned()),
            () => None,
        }
    }

    /// Sends `changes` in one call, or again without those that are deleted there already, which git would not have.
    fn call(&self, changes: &[&RefChange], atomic: bool, remote_text: &mut String) -> Result<Refusals, GitError> {
        let quarantine = Quarantine::open(self.conversation.repository)?;
        lend_leases(changes, &quarantine)?;
        let mut settings = Settings::default();
        settings.add("remote", FAR, "fetch", "+refs/*:leases/*");
        settings.add_plain("push", "followTags", "false");
        settings.add_plain("push", "recurseSubmodules", "no");
        for change in changes {
            let new = change.new.map(|new| new.to_string()).unwrap_or_default();
            settings.add("remote", FAR, "push", &format!("{new}:{}", change.name));
        }
        let mut arguments =
            vec!["push", "--porcelain", "--progress", "--no-verify", "--no-signed", "--force-with-lease"];
        arguments.extend(atomic.then_some("--atomic"));
        arguments.push(FAR);
        let errand = self.conversation.errand(&quarantine, &arguments, settings)?;
        let pushed = errand.run(&mut Attending::to(&self.conversation))?;
        let said = self.conversation.tidy(&words::from_far(&pushed.words), &quarantine);
        if let Some(failure) = self.conversation.session.failure() {
            return Err(failure.into());
        }
        // Whatever git says then of the refs, it is not the far side that failed.
        let passed = || words::excess(&pushed, self.conversation.limits);
        if let Some(excess) = (!pushed.status.success()).then(passed).flatten() {
            return Err(GitError::Limit(excess));
        }
        let answers = report::read(&pushed.answer);
        if answers.is_empty() {
            let missing = words::deleted_already(&pushed.words);
            let (missing, left): (Vec<_>, Vec<_>) =
                changes.iter().copied().partition(|change| missing.contains(change.name.as_str()));
            if !missing.is_empty() {
                let moved = missing.into_iter().map(|change| (change.name.clone(), MOVED.to_owned()));
                let mut refusals: Refusals = moved.collect();
                if !atomic && !left.is_empty() {
                    refusals.extend(self.call(&left, atomic, remote_text)?);
                }
                return Ok(refusals);
            }
            if atomic && words::has_no_atomic(&pushed.words) {
                return self.call(changes, false, remote_text);
            }
            return Err(self.failure(&pushed, said, &quarantine));
        }
        let all_is_well = answers.values().all(Result::is_ok);
        if all_is_well && !pushed.status.success() {
            // A far side that could not unpack what it got, but says yes to each ref.
            return Err(self.failure(&pushed, said, &quarantine));
        }
        words::add(remote_text, &said);
        let refused = |change: &&RefChange| {
            let answer = answers.get(change.name.as_str());
            let answer = answer.cloned().unwrap_or(Err("the remote did not say what became of it".to_owned()));
            let reason = answer.err()?;
            let reason =
                if reason == "stale info" { MOVED.to_owned() } else { self.conversation.session.mask(&reason) };
            Some((change.name.clone(), reason))
        };
        Ok(changes.iter().filter_map(refused).collect())
    }

    fn failure(&self, pushed: &super::errand::Report, remote_text: String, quarantine: &Quarantine) -> GitError {
        match self.conversation.explained(pushed, quarantine) {
            GitError::Protocol(reason) => GitError::PushFailed { reason, remote_text },
            cause => cause,
        }
    }

    /// All or nothing.
    fn send_whole(&self, changes: &[&RefChange], remote_text: &mut String) -> Result<Refusals, GitError> {
        if parts(changes).count() > 1 && size(changes) > LONGEST_CALL {
            let reason = format!("{} refs are too many to be pushed all or none", changes.len());
            return Err(GitError::PushFailed { reason, remote_text: String::new() });
        }
        let refusals = self.call(changes, true, remote_text)?;
        Ok(because_of_one(changes, refusals))
    }
}

impl FarSide for Writing<'_> {
    fn advertisement(&self) -> &Advertisement {
        &self.advertisement
    }

    fn send(&mut self, changes: &[RefChange], atomic: bool) -> Result<Sent, GitError> {
        let atomic = atomic && can_be_whole(changes);
        let mut refusals = Refusals::new();
        for change in changes {
            refusals.extend(self.objection(change).map(|objection| (change.name.clone(), objection)));
        }
        let mut remote_text = String::new();
        let all: Vec<&RefChange> = changes.iter().collect();
        if atomic && !refusals.is_empty() {
            refusals = because_of_one(&all, refusals);
        } else {
            let sendable: Vec<&RefChange> =
                all.into_iter().filter(|change| !refusals.contains_key(&change.name)).collect();
            if atomic && !sendable.is_empty() {
                refusals = self.send_whole(&sendable, &mut remote_text)?;
            } else {
                for part in parts(&sendable) {
                    refusals.extend(self.call(part, false, &mut remote_text)?);
                }
            }
        }
        let outcomes = changes.iter().map(|change| {
            let result = refusals.get(&change.name).map_or(Ok(()), |reason| Err(reason.clone()));
            RefOutcome { change: change.clone(), result }
        });
        Ok(Sent { outcomes: outcomes.collect(), remote_text })
    }
}

/// When all must succeed or none: the refs that were refused for themselves, and the others, which were not made because
/// of them. Nothing, if none was refused.
fn because_of_one(changes: &[&RefChange], mut refusals: Refusals) -> Refusals {
    let guilty = |(_, reason): &(&RefName, &String)| !reason.contains("atomic");
    let Some(culprit) = refusals.iter().find(guilty).or(refusals.iter().next()).map(|(name, _)| name.clone()) else {
        return refusals;
    };
    let reason = format!("all refs are pushed or none, and {culprit} was refused");
    for change in changes.iter().filter(|change| change.name != culprit) {
        let told = refusals.entry(change.name.clone()).or_insert_with(|| reason.clone());
        if told.contains("atomic") {
            told.clone_from(&reason);
        }
    }
    refusals
}

/// Gives the quarantine a ref for the place of each far ref as it was listed; one that must not exist has none. Git then
/// refuses to move a far ref from anywhere else. (The option that says so ref by ref makes command lines too long; and a
/// lease outside `refs/` is none of those that git compares with each ref that it is to push.)
fn lend_leases(changes: &[&RefChange], quarantine: &Quarantine) -> Result<(), GitError> {
    let leases: BTreeSet<String> = changes
        .iter()
        .filter_map(|change| {
            let name = change.name.as_str().strip_prefix("refs/")?;
            Some(format!("{} leases/{name}\n", change.old?))
        })
        .collect();
    quarantine.lend_refs(&leases.into_iter().collect::<String>())
}

/// `changes` in parts that one call can take.
fn parts<'a, 'b>(changes: &'a [&'b RefChange]) -> impl Iterator<Item = &'a [&'b RefChange]> {
    let mut left = changes;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = left.iter().take(MOST_AT_ONCE).take_while(|change| {
            bytes += size(std::slice::from_ref(change));
            bytes <= LONGEST_CALL
        });
        let length = fitting.count().max(1).min(left.len());
        let (part, rest) = left.split_at(length);
        left = rest;
        (!part.is_empty()).then_some(part)
    })
}

fn size(changes: &[&RefChange]) -> usize {
    changes.iter().map(|change| change.name.as_str().len() + BESIDE_NAME).sum()
}
