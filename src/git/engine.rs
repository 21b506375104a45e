//! What moves objects between repositories: the trait that every engine fills.
//!
//! A conversation is told as a closure, because it has to stay on one connection: the engine connects and lists, the
//! closure looks at the list, decides, and acts on that same connection. So nothing can move unseen between the look
//! and the act.

use super::{GitError, Limits, Progress, Repository};
use crate::mirror::refs::{Advertisement, RefChange, RefOutcome, Refs};
use crate::net::Session;

/// Moves objects over a [`Session`]. Writes no local ref.
///
/// Callers use [`fetch`] and [`push`], whose closures may return a value and an error of their own.
pub trait Engine: Send + Sync {
    /// For logs.
    fn name(&self) -> &'static str;

    /// Connects to read, and tells `story` what is there.
    ///
    /// # Errors
    /// [`GitError`] when the far side could not be listed; `story` was not called then.
    fn fetch(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn Upstream),
    ) -> Result<(), GitError>;

    /// Connects to write, and tells `story` what is there.
    ///
    /// # Errors
    /// [`GitError`] when the far side could not be listed; `story` was not called then.
    fn push(
        &self,
        repository: &Repository,
        session: &Session,
        limits: &Limits,
        story: &mut dyn FnMut(&mut dyn FarSide),
    ) -> Result<(), GitError>;
}

/// A repository that we read from, on an open connection.
pub trait Upstream {
    /// What it holds.
    fn advertisement(&self) -> &Advertisement;

    /// Sees to it that every object behind `wanted` (advertised names and their ids) is in the local repository, whole.
    /// What comes over the network is checked apart and kept only as a whole. No ref is written.
    ///
    /// # Errors
    /// [`GitError`]; nothing was kept then.
    fn download(&mut self, wanted: &Refs, progress: &Progress) -> Result<Transfer, GitError>;
}

/// A repository that we write to, on an open connection.
pub trait FarSide {
    /// What it holds.
    fn advertisement(&self) -> &Advertisement;

    /// Sends `changes`, with the objects that they need. The far side refuses each ref that is no longer where the
    /// advertisement said; the others are made. With `atomic` none is made where one is refused, as far as engine and
    /// far side know how to do that.
    ///
    /// # Errors
    /// [`GitError`] when the answer as a whole did not come; then any of the changes may have been made.
    fn send(&mut self, changes: &[RefChange], atomic: bool) -> Result<Sent, GitError>;
}

/// What came over the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Objects; 0 when everything was there already.
    pub objects: u64,
    /// Bytes of the conversation, answers only.
    pub bytes: u64,
}

/// What became of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// One for each change, in their order.
    pub outcomes: Vec<RefOutcome>,
    /// What the far side's hooks said to the user, of bounded length and masked; often explains a refusal.
    pub remote_text: String,
}

/// [`Engine::fetch`] with a story that returns something.
///
/// # Errors
/// The story's own, or a [`GitError`] when it could not begin.
pub fn fetch<T, E: From<GitError>>(
    engine: &dyn Engine,
    repository: &Repository,
    session: &Session,
    limits: &Limits,
    story: impl FnOnce(&mut dyn Upstream) -> Result<T, E>,
) -> Result<T, E> {
    let (mut story, mut told) = (Some(story), None);
    let connected = engine.fetch(repository, session, limits, &mut |upstream| {
        told = story.take().map(|story| story(upstream)).or(told.take());
    });
    ending(connected, told)
}

/// [`Engine::push`] with a story that returns something.
///
/// # Errors
/// The story's own, or a [`GitError`] when it could not begin.
pub fn push<T, E: From<GitError>>(
    engine: &dyn Engine,
    repository: &Repository,
    session: &Session,
    limits: &Limits,
    story: impl FnOnce(&mut dyn FarSide) -> Result<T, E>,
) -> Result<T, E> {
    let (mut story, mut told) = (Some(story), None);
    let connected = engine.push(repository, session, limits, &mut |far| {
        told = story.take().map(|story| story(far)).or(told.take());
    });
    ending(connected, told)
}

fn ending<T, E: From<GitError>>(connected: Result<(), GitError>, told: Option<Result<T, E>>) -> Result<T, E> {
    match (told, connected) {
        (Some(told), _) => told,
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => Err(GitError::Protocol("the engine said nothing of the far side".to_owned()).into()),
    }
}
