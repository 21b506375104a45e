//! Sidekiq's wire protocol and a process that speaks it. Knows nothing of git or mirrors.
//!
//! # The life of a job
//!
//! A [`Client`] (ours or Ruby's) writes a [`Payload`] and pushes it to the left of `queue:<name>`. A free slot of a
//! [`Capsule`] fetches it (`fetch`, `waits`): one atomic step takes it from the right end into our working list,
//! so that it is in Redis at every moment, whatever happens to us. From then on it is in hand (`hands`).
//!
//! The `processor` looks up its class in the [`Registry`] and lets the code behind it [`Perform`] the [`Job`]. Then it
//! is settled (`settle`), again in one atomic step that takes it out of the working list: it is over, or `retry`
//! decides that it comes back later or lies in the set of the `dead`, and `backtrace` what is told of the failure. A
//! job of Rails' ActiveJob is looked at through its wrapper (`active_job`). The acknowledgement of a job that is over
//! fetches the next in the same round trip. A class we do not know is somebody else's (`foreign`): the job goes back,
//! and from then on only our own jobs are picked out of its queue (`shared_queue`).
//!
//! For a GitLab, what its own processes do around a job is done by `gitlab`.
//!
//! When a retry is due, the `poller` pushes it into its queue again.
//!
//! # What keeps jobs from being lost
//!
//! The `lease` proves that we live. `rescue` returns the jobs of processes whose lease has run out. `reconcile` finds
//! jobs that reached our list though the reply to the fetch was lost. A stopping [`Process`] returns what it cannot
//! finish. A job may therefore run twice, but never not at all. One that is over though Redis could not be told is
//! remembered (`finished`), and not run again here. When Redis comes back without its data (`loss`), the jobs in hand
//! are written back.
//!
//! # What somebody may order
//!
//! `switches` pause everything or switch a class off, `cancel` calls one job off; every process looks for `orders`
//! twice a second. A job under which its worker died too often is set aside in the `quarantine`.
//!
//! # What others see
//!
//! The `heartbeat` writes the entry by which Sidekiq's dashboard shows the process and what it is doing, and takes
//! the signals that were left there; `stats` are the totals, `execution_metrics` what each class took. `dump` says in
//! the log what each slot is doing; the [`Overview`] is what all processes together tell. A [`CronTab`] entry shows a
//! schedule of ours among Ruby's. An [`Observer`] in this program is told more.

mod client;
mod clock;
mod detection;
mod engine;
mod fetch;
mod gitlab;
mod identity;
mod job;
mod keys;
mod observer;
mod orders;
mod outage;
mod presence;
mod process;
mod processor;
mod profile;
mod rescue;
mod settings;
mod settle;

pub use client::origin::Origin;
pub use client::when::When;
pub use client::{Client, NewJob};
pub use detection::{Detection, Evidence, by_processes, detect};
pub use fetch::capsule::Capsule;
pub use fetch::queues::{NoQueues, QueueSet};
pub use gitlab::{GitLabSettings, Strategy, Switch};
pub use identity::Identity;
pub use job::payload::{Edit, Malformed, Payload};
pub use job::perform::{Perform, Registry};
pub use job::{Job, JobFailure, NotDone, class_of};
pub use keys::Keys;
pub use observer::{JobReport, NoObserver, Observer, Outcome};
pub use orders::cancel::{Cancellations, Found};
pub use orders::switches::{Order, Standing, Switches};
pub use presence::cron_tab::{CronTab, Turn};
pub use presence::overview::{Overview, ProcessView, QueueView, Sizes, WorkView};
pub use presence::roster::{Listed, listed_processes};
pub use process::Process;
pub use profile::{Profile, TimeLimit, UnknownProfile};
pub use rescue::quarantine::{Quarantine, Quarantined};
pub use settings::{DeadSettings, PollerSettings, Settings};
