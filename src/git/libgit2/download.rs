//! Fetching: objects come to a quarantine, are checked, and are kept.

use std::collections::{BTreeMap, HashSet};

use git2::{AutotagOption, FetchOptions, Odb, Oid, RemoteCallbacks};

use super::connectivity::{Connectivity, Flaw};
use super::listing::advertisement;
use super::{Connection, explained};
use crate::git::by_library::oid;
use crate::git::quarantine::Quarantine;
use crate::git::{Excess, GitError, LimitKind, Limits, Progress, Repository, Transfer, Upstream};
use crate::mirror::refs::{Advertisement, RefName, Refs};
use crate::net::Session;

/// An open connection to an upstream.
pub(super) struct Reading<'a, 'remote> {
    repository: &'a Repository,
    session: &'a Session,
    limits: Limits,
    handle: &'a git2::Repository,
    connection: Connection<'a, 'remote>,
    advertisement: Advertisement,
}

impl<'a, 'remote> Reading<'a, 'remote> {
    pub(super) fn new(
        repository: &'a Repository,
        session: &'a Session,
        limits: &Limits,
        handle: &'a git2::Repository,
        connection: Connection<'a, 'remote>,
    ) -> Result<Self, GitError> {
        let advertisement = advertisement(connection.list().map_err(|error| explained(session, &error))?)?;
        Ok(Self { repository, session, limits: *limits, handle, connection, advertisement })
    }

    /// The pack for `missing`, into whatever object database `handle` has now.
    fn receive(&mut self, missing: &BTreeMap<Oid, &RefName>, progress: &Progress) -> Result<(), GitError> {
        let session = self.session;
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|stats| {
            progress.set(stats.received_objects(), stats.total_objects());
            session.check().is_ok()
        });
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
        let specs = self.refspecs(missing);
        let received = self.connection.remote().download(&specs, Some(&mut options));
        received.map_err(|error| explained(session, &error))
    }

    /// The pack for `missing`, into `quarantine`; looked at together with everything that `ids` stand for.
    fn receive_apart(
        &mut self,
        quarantine: &Quarantine,
        missing: &BTreeMap<Oid, &RefName>,
        ids: &[Oid],
        progress: &Progress,
    ) -> Result<(), GitError> {
        let bare = quarantine.bare()?;
        let apart = Quarantine::odb(&bare, self.repository)?;
        self.handle.set_odb(&apart).map_err(GitError::library("use the quarantine"))?;
        self.receive(missing, progress)?;
        let arrived = quarantine.arrivals()?;
        self.check(ids, Some(&arrived))?.map_err(|flaw| told(flaw, GitError::BadObjects))
    }

    /// Names one by one, or a whole namespace where everything in it is missing: libgit2 compares each advertised ref
    /// with each refspec.
    fn refspecs(&self, missing: &BTreeMap<Oid, &RefName>) -> Vec<String> {
        let mut specs = Vec::new();
        let mut left: Vec<&RefName> = missing.values().copied().collect();
        for namespace in [RefName::HEADS, RefName::TAGS] {
            let within = |name: &RefName| name.as_str().starts_with(namespace);
            let mut advertised = self.advertisement.refs.iter().filter(|(name, _)| within(name));
            if advertised.all(|(_, id)| oid(*id).is_ok_and(|id| missing.contains_key(&id))) {
                left.retain(|name| !within(name));
                specs.push(format!("{namespace}*:{namespace}*"));
            }
        }
        specs.extend(left.into_iter().map(|name| name.as_str().to_owned()));
        specs
    }

    /// Whether what `arrived` may be kept, and whether everything behind `tips` is there, as far as the repository's refs
    /// do not vouch for it already.
    fn check(&self, tips: &[Oid], arrived: Option<&Odb<'_>>) -> Result<Result<(), Flaw>, GitError> {
        let reached = self.repository.read_refs(&["refs/"])?;
        let reached = reached.into_values().map(oid).collect::<Result<HashSet<_>, _>>()?;
        let odb = self.handle.odb().map_err(GitError::library("read the objects"))?;
        let mut connectivity = Connectivity::new(self.handle, &odb, self.session);
        let arrivals = arrived.map_or(Ok(()), |arrived| connectivity.arrivals(arrived));
        Ok(arrivals.and_then(|()| connectivity.check(tips, &reached)))
    }
}

impl Upstream for Reading<'_, '_> {
    fn advertisement(&self) -> &Advertisement {
        &self.advertisement
    }

    fn download(&mut self, wanted: &Refs, progress: &Progress) -> Result<Transfer, GitError> {
        let mut tips = BTreeMap::new();
        for (name, id) in wanted {
            tips.entry(oid(*id)?).or_insert(name);
        }
        let ids: Vec<Oid> = tips.keys().copied().collect();
        let odb = self.handle.odb().map_err(GitError::library("read the objects"))?;
        tips.retain(|id, _| !odb.exists(*id));
        if tips.is_empty() {
            // There already, though perhaps only because a run that died had got that far.
            return match self.check(&ids, None)? {
                Ok(()) => Ok(Transfer::default()),
                Err(flaw) => Err(told(flaw, GitError::Corrupt)),
            };
        }
        let before = self.session.traffic().received;
        let quarantine = Quarantine::open(self.repository)?;
        let received = self.receive_apart(&quarantine, &tips, &ids, progress);
        // Whatever else this story wants begins where this download began.
        self.handle.set_odb(&odb).map_err(GitError::library("leave the quarantine"))?;
        received?;
        // With the objects that a thin pack was completed with, which did not come over the network.
        Excess::check(
            LimitKind::Growth,
            self.limits.growth,
            quarantine.size().map_err(GitError::io("look at the received objects"))?,
        )?;
        quarantine.keep(self.repository)?;
        Ok(Transfer { objects: progress.received(), bytes: self.session.traffic().received - before })
    }
}

fn told(flaw: Flaw, error: fn(String) -> GitError) -> GitError {
    match flaw {
        Flaw::Objects(reason) => error(reason),
        Flaw::Ended(cause) => GitError::Net(cause),
    }
}
