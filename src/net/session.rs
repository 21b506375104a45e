//! One run's permission to use the network.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::mask::Masker;
use super::{Access, Allowance, Budget, Door, NetError, RemoteUrl, Scheme};

/// Characters of foreign text in an error.
const LONGEST_FOREIGN: usize = 300;

/// Characters of foreign text that are looked through for secrets.
const LONGEST_MASKED: usize = 16 * 1024;

/// Where one run may go, as whom, until when. Clones share everything.
///
/// The methods that talk are for blocking threads (`tokio::task::spawn_blocking`), where the engines live; they wait on
/// the [`Door`]'s runtime and never longer than its limits.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    door: Door,
    url: RemoteUrl,
    access: Access,
    /// Made when it is needed first: most runs have nothing to mask.
    masker: OnceLock<Masker>,
    allowance: Allowance,
    cancel: CancellationToken,
    opened: Instant,
    /// When the last byte went either way, in milliseconds after `opened`.
    last_byte: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    failure: Mutex<Option<NetError>>,
    /// The far side has shown that it serves: what fails after that is about the repository.
    reached: AtomicBool,
    /// Where the repository is, if the server redirected the run there.
    landed: OnceLock<String>,
}

/// Bytes of request and answer bodies so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// From us.
    pub sent: u64,
    /// To us.
    pub received: u64,
}

impl Session {
    pub(super) fn new(
        door: Door,
        url: RemoteUrl,
        access: Access,
        allowance: Allowance,
        cancel: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            door,
            url,
            access,
            masker: OnceLock::new(),
            allowance,
            cancel,
            opened: Instant::now(),
            last_byte: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            failure: Mutex::new(None),
            reached: AtomicBool::new(false),
            landed: OnceLock::new(),
        }))
    }

    /// Where to.
    pub fn url(&self) -> &RemoteUrl {
        &self.0.url
    }

    /// Whether the run may go on; to be asked in long work that does not touch the network.
    ///
    /// # Errors
    /// [`NetError::Cancelled`], [`NetError::DeadlinePassed`] or [`NetError::OverBudget`].
    pub fn check(&self) -> Result<(), NetError> {
        if self.0.cancel.is_cancelled() {
            return Err(self.failed(NetError::Cancelled));
        }
        self.within_budget().map_err(|error| self.failed(error))?;
        if self.0.allowance.deadline.has_passed() {
            return Err(self.failed(self.deadline_passed()));
        }
        Ok(())
    }

    /// Whether the far side may be reached, as far as can be said before its name is resolved. For whoever would do
    /// something expensive first; every connection is checked anyway.
    ///
    /// # Errors
    /// [`NetError::Forbidden`], or [`NetError::Unresolved`] for what cannot be a host.
    pub fn check_place(&self) -> Result<(), NetError> {
        // A folder is looked at when it is opened, and is at no port.
        if self.url().scheme() == Scheme::File {
            return Ok(());
        }
        let checked = self.door().resolver.check(self.url().host(), self.url().port());
        checked.map(drop).map_err(|error| self.failed(error))
    }

    /// What went wrong first in this session. Engines ask after a failure, since a library's own words for it have
    /// lost the cause.
    pub fn failure(&self) -> Option<NetError> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes so far, to be read at any time from any thread.
    pub fn traffic(&self) -> Traffic {
        Traffic { sent: self.0.sent.load(Ordering::Relaxed), received: self.0.received.load(Ordering::Relaxed) }
    }

    /// Whether the far side has answered as who it is: with the head of an HTTP answer, a host key, or a first byte.
    pub fn has_reached(&self) -> bool {
        self.0.reached.load(Ordering::Relaxed)
    }

    pub(super) fn reach(&self) {
        self.0.reached.store(true, Ordering::Relaxed);
    }

    /// `text` without this session's secrets.
    pub fn mask(&self, text: &str) -> String {
        self.0.masker.get_or_init(|| Masker::new(&self.0.access)).mask(text)
    }

    /// Foreign text on one line, without this session's secrets, and no longer than so many characters. It is cut last: a
    /// secret that is cut in two is not known as one.
    pub(super) fn shown(&self, text: &str, longest: usize) -> String {
        let line: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST_MASKED).collect();
        self.mask(&line).chars().take(longest).collect()
    }

    pub(super) fn door(&self) -> &Door {
        &self.0.door
    }

    /// What the run brings along for its far side.
    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// What the run may take.
    pub fn allowance(&self) -> &Allowance {
        &self.0.allowance
    }

    /// The repository's address after a redirect.
    pub(super) fn landed(&self) -> Option<&str> {
        self.0.landed.get().map(String::as_str)
    }

    /// From now on the run goes to `base`; the first to say so decides.
    pub(super) fn land(&self, base: &str) {
        let _ = self.0.landed.set(base.to_owned());
    }

    /// Lets time pass, within the run's own limits.
    pub(super) async fn pause(&self, length: Duration) -> Result<(), NetError> {
        tokio::select! {
            biased;
            () = self.0.cancel.cancelled() => Err(NetError::Cancelled),
            () = sleep_until(self.0.allowance.deadline.at()) => Err(self.deadline_passed()),
            () = sleep(length) => Ok(()),
        }
    }

    /// Remembers `error` as the session's failure, if it is the first.
    pub(super) fn failed(&self, error: NetError) -> NetError {
        let error = error.shown(|text| self.shown(text, LONGEST_FOREIGN));
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.clone());
        error
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.touch();
    }

    /// Counts what has come from the network, and is perhaps nothing that was waited for.
    pub(super) fn count_arrived(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts, so that the next wait or [`Session::check`] fails when it was too much.
    pub(super) fn count_received(&self, bytes: usize) {
        self.count_arrived(bytes);
        self.touch();
    }

    /// Refuses a list of refs of which so much has come already.
    ///
    /// # Errors
    /// [`NetError::OverBudget`].
    pub fn check_listing(&self, seen: u64) -> Result<(), NetError> {
        let limit = self.0.allowance.listing;
        if seen <= limit { Ok(()) } else { Err(self.failed(self.over(Budget::Listing, limit, seen))) }
    }

    /// Whether no more has come than may.
    pub(super) fn within_budget(&self) -> Result<(), NetError> {
        let (limit, seen) = (self.0.allowance.received, self.traffic().received);
        if seen <= limit { Ok(()) } else { Err(self.over(Budget::Received, limit, seen)) }
    }

    fn over(&self, budget: Budget, limit: u64, seen: u64) -> NetError {
        NetError::OverBudget { host: self.0.url.host().to_owned(), budget, limit, seen }
    }

    /// How long the far side may be silent.
    fn stall_timeout(&self) -> Duration {
        self.0.allowance.stall.unwrap_or(self.0.door.stall_timeout)
    }

    /// Waits on a blocking thread for `work`, within every limit.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, NetError>>) -> Result<T, NetError> {
        self.0.door.runtime.block_on(self.watched(work))
    }

    /// `work` within every limit, for whoever is on the runtime himself.
    pub(super) async fn watched<T>(&self, work: impl Future<Output = Result<T, NetError>>) -> Result<T, NetError> {
        self.within(work).await.map_err(|error| self.failed(error))
    }

    /// `work`, or the limit that ended it. `work` comes before the timers, so that what is ready costs none.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, NetError>>) -> Result<T, NetError> {
        self.within_budget()?;
        self.touch();
        tokio::select! {
            biased;
            () = self.0.cancel.cancelled() => Err(NetError::Cancelled),
            done = work => done,
            () = sleep_until(self.0.allowance.deadline.at()) => Err(self.deadline_passed()),
            () = self.stalled() => Err(NetError::Stalled {
                authority: self.0.url.authority(),
                limit: self.stall_timeout(),
            }),
        }
    }

    async fn stalled(&self) {
        let limit = self.stall_timeout();
        loop {
            let last_byte = self.0.opened + Duration::from_millis(self.0.last_byte.load(Ordering::Relaxed));
            match limit.checked_sub(last_byte.elapsed()) {
                Some(left) if !left.is_zero() => sleep(left).await,
                _ => return,
            }
        }
    }

    pub(super) fn touch(&self) {
        let now = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_byte.store(now, Ordering::Relaxed);
    }

    fn deadline_passed(&self) -> NetError {
        NetError::DeadlinePassed { authority: self.0.url.authority(), limit: self.0.allowance.deadline.limit() }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("url", &self.0.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Credentials, Deadline, DoorSettings};
    use super::*;

    fn session() -> Session {
        let door = Door::new(DoorSettings::default()).unwrap();
        let access = Access { credentials: Some(Credentials::new("me", "correct horse")), ..Access::default() };
        let allowance = Allowance::until(Deadline::after(Duration::from_secs(5)));
        door.session(RemoteUrl::parse("https://a/b").unwrap(), access, allowance, CancellationToken::new())
    }

    #[tokio::test]
    async fn foreign_text_is_masked_before_it_is_cut() {
        let (session, before) = (session(), "x".repeat(LONGEST_FOREIGN - 8));
        let shown = session.shown(&format!("{before}correct\u{7} horse and more"), LONGEST_FOREIGN);
        assert_eq!(shown, format!("{before}***** an"));
    }

    #[tokio::test]
    async fn no_error_of_a_session_tells_its_secrets() {
        let (session, authority) = (session(), || "a:1".to_owned());
        let reason = || "GOAWAY: correct horse".to_owned();
        for error in [
            NetError::Broken { authority: authority(), reason: reason() },
            NetError::Tls { authority: authority(), reason: reason() },
            NetError::Proxy { proxy: authority(), reason: reason() },
            NetError::LoginUnsupported { host: authority(), schemes: reason() },
            super::super::ssh::SshError::Protocol { authority: authority(), reason: reason() }.into(),
        ] {
            let told = session.failed(error).to_string();
            assert!(told.contains("GOAWAY: *****") && !told.contains("correct"), "{told}");
        }
    }
}
