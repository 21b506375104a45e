//! Pushing, over the connection that listed: the far side compares each ref with what it told us then.

use std::cell::RefCell;
use std::collections::HashMap;

use git2::{PushOptions, RemoteCallbacks};

use super::listing::advertisement;
use super::stopping::{stop, stoppable};
use super::{Connection, explained};
use crate::git::{FarSide, GitError, Sent};
use crate::mirror::refs::{Advertisement, RefChange, RefOutcome};
use crate::net::Session;

/// Hooks like to talk; more than this nobody reads.
const LONGEST_REMOTE_TEXT: usize = 8 * 1024;

/// An open connection to a far side.
pub(super) struct Writing<'a, 'repo, 'remote> {
    session: &'a Session,
    connection: Connection<'repo, 'remote>,
    advertisement: Advertisement,
}

impl<'a, 'repo, 'remote> Writing<'a, 'repo, 'remote> {
    pub(super) fn new(session: &'a Session, connection: Connection<'repo, 'remote>) -> Result<Self, GitError> {
        let advertisement = advertisement(connection.list().map_err(|error| explained(session, &error))?)?;
        Ok(Self { session, connection, advertisement })
    }

    /// Why a change cannot be sent at all.
    fn objection(&self, change: &RefChange) -> Option<String> {
        let listed = self.advertisement.refs.get(&change.name).copied();
        let valid = change.name.as_str().starts_with("refs/") && git2::Reference::is_valid_name(change.name.as_str());
        match () {
            () if !valid => Some("git does not accept this name".to_owned()),
            () if listed != change.old => Some("the remote has changed it meanwhile".to_owned()),
            () => None,
        }
    }
}

impl FarSide for Writing<'_, '_, '_> {
    fn advertisement(&self) -> &Advertisement {
        &self.advertisement
    }

    /// libgit2 knows no atomic push; each ref is compared and swapped for itself.
    fn send(&mut self, changes: &[RefChange], _atomic: bool) -> Result<Sent, GitError> {
        let objections: Vec<Option<String>> = changes.iter().map(|change| self.objection(change)).collect();
        let sendable = changes.iter().zip(&objections).filter(|(_, objection)| objection.is_none());
        let specs: Vec<String> = sendable.map(|(change, _)| refspec(change)).collect();
        let heard = Heard::default();
        if !specs.is_empty() {
            let mut options = PushOptions::new();
            options.remote_callbacks(heard.callbacks(self.session)).packbuilder_parallelism(1);
            // The remote of the connection: another one would connect anew and forget what was listed.
            let pushed = stoppable(|| self.connection.remote().push(&specs, Some(&mut options)));
            drop(options);
            match pushed {
                Some(pushed) => pushed.map_err(|error| failure(self.session, &error, &heard))?,
                // The answer to a second question is the same.
                None => self.session.check()?,
            }
        }
        let mut answers = heard.answers.into_inner();
        let outcomes = changes.iter().zip(objections).map(|(change, objection)| {
            let result = match objection {
                Some(objection) => Err(objection),
                None => match answers.remove(change.name.as_str()) {
                    Some(None) => Ok(()),
                    Some(Some(reason)) => Err(self.session.mask(&reason)),
                    None => Err("the remote did not say what became of it".to_owned()),
                },
            };
            RefOutcome { change: change.clone(), result }
        });
        let outcomes = outcomes.collect();
        Ok(Sent { outcomes, remote_text: tidy(self.session, &heard.text.into_inner()) })
    }
}

/// Always with `+`: whether a ref may move is the plan's to say, and libgit2's own check would fail the whole push.
fn refspec(change: &RefChange) -> String {
    match change.new {
        Some(new) => format!("+{new}:{}", change.name),
        None => format!(":{}", change.name),
    }
}

/// What the far side says during a push.
#[derive(Default)]
struct Heard {
    /// By ref; `None` is yes.
    answers: RefCell<HashMap<String, Option<String>>>,
    text: RefCell<Vec<u8>>,
}

impl Heard {
    fn callbacks<'a>(&'a self, session: &'a Session) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_update_reference(|name, refusal| {
            self.answers.borrow_mut().insert(name.to_owned(), refusal.map(str::to_owned));
            Ok(())
        });
        callbacks.pack_progress(|_, _, _| {
            if session.check().is_err() {
                stop();
            }
        });
        callbacks.sideband_progress(|bytes| {
            let mut text = self.text.borrow_mut();
            let room = LONGEST_REMOTE_TEXT.saturating_sub(text.len());
            text.extend_from_slice(&bytes[..bytes.len().min(room)]);
            session.check().is_ok()
        });
        callbacks
    }
}

fn failure(session: &Session, error: &git2::Error, heard: &Heard) -> GitError {
    match explained(session, error) {
        GitError::Protocol(reason) => GitError::PushFailed { reason, remote_text: tidy(session, &heard.text.borrow()) },
        cause => cause,
    }
}

/// Lines without control characters or secrets. What a terminal would overwrite (progress counters) is left out.
fn tidy(session: &Session, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter_map(|line| line.rsplit('\r').find(|part| !part.trim().is_empty()));
    let printable = |line: &str| line.chars().filter(|character| !character.is_control()).collect::<String>();
    let lines: Vec<String> = lines.map(|line| printable(line).trim_end().to_owned()).collect();
    session.mask(&lines.join("\n"))
}
