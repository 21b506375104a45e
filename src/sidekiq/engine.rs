//! What all loops of one process share.

use std::sync::Arc;

use chrono::Utc;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::fetch::capsule::Serving;
use super::fetch::foreign::Foreign;
use super::fetch::hands::{Fetched, Hands};
use super::identity::Identity;
use super::job::beyond_us::BeyondUs;
use super::job::payload::Payload;
use super::job::perform::{Perform, Registry};
use super::observer::{NoObserver, Observer};
use super::orders::Orders;
use super::outage::Outage;
use super::presence::execution_metrics::ExecutionMetrics;
use super::presence::stats::Stats;
use super::rescue::finished::Finished;
use super::rescue::lease::Lease;
use super::settings::Settings;
use super::settle::{Settlement, settle};
use crate::connections::{Redis, RedisError, Redises};

pub(super) struct Engine {
    pub(super) settings: Settings,
    pub(super) redis: Redis,
    /// The Redises of a GitLab.
    pub(super) gitlab: Redises,
    pub(super) identity: Identity,
    pub(super) registry: Registry,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) hands: Arc<Hands>,
    pub(super) capsules: Vec<Arc<Serving>>,
    pub(super) stats: Stats,
    pub(super) execution_metrics: ExecutionMetrics,
    pub(super) lease: Lease,
    /// Whether Redis has known us. Held while that is looked at, so that one task alone writes back what was lost.
    pub(super) was_known: tokio::sync::Mutex<bool>,
    /// How often Redis has come back without its data.
    pub(super) losses: watch::Sender<u32>,
    pub(super) finished: Finished,
    pub(super) foreign: Foreign,
    /// Of the Redis in which Sidekiq's data lie.
    pub(super) outage: Outage,
    /// Of GitLab's other two, where they are servers of their own.
    pub(super) outage_of_metadata: Outage,
    pub(super) outage_of_shared_state: Outage,
    pub(super) orders: Orders,
    /// No more fetching, no more scheduling.
    pub(super) quiet: CancellationToken,
    /// Somebody asked for the end of the process through Redis.
    pub(super) asked_to_stop: CancellationToken,
    /// The jobs in hand are to be left.
    pub(super) hard_stop: CancellationToken,
    /// Every loop ends.
    pub(super) ended: CancellationToken,
    /// A fetch lost its reply: our lists may hold a job that nobody has in hand.
    pub(super) reply_lost: Notify,
}

impl Engine {
    pub(super) fn new(
        identity: Identity,
        settings: Settings,
        gitlab: Redises,
        registry: Registry,
        observer: Arc<dyn Observer>,
    ) -> Arc<Self> {
        let hands = Hands::new(settings.concurrency());
        let redis = gitlab.queues.clone();
        Arc::new(Self {
            capsules: settings
                .capsules
                .iter()
                .map(|capsule| Serving::new(capsule, hands.share(capsule.concurrency)))
                .collect(),
            hands,
            stats: Stats::default(),
            execution_metrics: ExecutionMetrics::default(),
            lease: Lease::new(redis.clone(), settings.keys.lease(identity.as_str()), settings.keys.presence(&identity)),
            was_known: tokio::sync::Mutex::new(false),
            losses: watch::Sender::default(),
            finished: Finished::default(),
            foreign: Foreign::new(redis.clone(), settings.keys.clone(), settings.foreign_grace),
            orders: Orders::default(),
            outage: Outage::new("Redis", Arc::clone(&observer)),
            outage_of_metadata: Outage::new("GitLab's Redis for metadata", Arc::new(NoObserver)),
            outage_of_shared_state: Outage::new("GitLab's Redis for shared state", Arc::new(NoObserver)),
            quiet: CancellationToken::new(),
            asked_to_stop: CancellationToken::new(),
            hard_stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            reply_lost: Notify::new(),
            settings,
            redis,
            gitlab,
            identity,
            registry,
            observer,
        })
    }

    /// The work behind a job, if it is ours to do.
    pub(super) fn work_behind(&self, class: &str, payload: &Payload) -> Option<&Arc<dyn Perform>> {
        self.registry.find(class).filter(|_| BeyondUs::of(payload).is_none())
    }

    /// Moves a job out of our working list. `false` if it no longer lay there.
    pub(super) async fn settle(&self, fetched: &Fetched, settlement: &Settlement) -> Result<bool, RedisError> {
        settle(self, fetched, settlement).await
    }

    /// Writes down what was counted since the last time.
    pub(super) async fn flush_figures(&self) -> Result<(), RedisError> {
        let (redis, keys) = (&self.redis, &self.settings.keys);
        let stats = self.stats.flush(redis, keys).await;
        if stats.as_ref().is_err_and(RedisError::is_outage) {
            return stats;
        }
        stats.and(self.execution_metrics.flush(redis, keys, self.settings.profile, Utc::now()).await)
    }

    /// Returns a job to its queue, as the next to be drawn, or acknowledges it if it is over. `true` if it went back.
    pub(super) async fn give_back(&self, fetched: &Fetched) -> Result<bool, RedisError> {
        if self.finished.take(&fetched.bytes) {
            // Should this fail, it is still over.
            let over = settle(self, fetched, &Settlement::Over).await;
            return over.map(|_| false).inspect_err(|_| self.finished.remember(&fetched.bytes));
        }
        settle(self, fetched, &Settlement::Next).await
    }

    /// Where the jobs lie that we fetched from `queue` and have not settled.
    pub(super) fn working_list(&self, queue: &str) -> String {
        self.settings.keys.working_list(&self.identity, queue)
    }
}
