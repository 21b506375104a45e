//! Mirrors in Redis.
//!
//! ```text
//! sidemirror:pull:7              hash   record: settings and state as JSON; login: sealed, if there is one
//! sidemirror:pull                set    the ids of all pull mirrors
//! sidemirror:pull:due            zset   ids by the time they are due, in milliseconds; only those to be scheduled
//! sidemirror:pull:status:failed  set    ids by where they stand
//! ```
//!
//! The last two are derived from the record and written by the same script that replaces it, so that neither
//! picking due mirrors nor counting reads the whole table.

mod record;
mod seal;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use redis::{Cmd, Script};

use self::record::{Keys, Record, read};
pub use self::seal::{SealError, SealingKey};
use super::{Counts, Login, LoginChange, MirrorStore, StoreError, Transition};
use crate::connections::Redis;
use crate::mirror::record::{Direction, Mirror, MirrorId, MirrorKey};
use crate::mirror::state::{Circumstances, Event, RunState};
use crate::mirror::timing::Jitter;

/// How often a compare-and-swap is tried when others are faster.
const TRIES: usize = 10;

/// Mirrors read or written in one round trip.
const PAGE: usize = 500;

/// The store for forges that have no database of their own for it.
pub struct RedisStore {
    redis: Redis,
    max_delay: TimeDelta,
    sealing_key: Option<SealingKey>,
    replace: Script,
    remove: Script,
}

impl RedisStore {
    /// A store on this Redis. Without a sealing key, mirrors that log in can be neither added nor run.
    pub fn new(redis: Redis, max_delay: TimeDelta, sealing_key: Option<SealingKey>) -> Self {
        let replace = Script::new(include_str!("replace.lua"));
        let remove = Script::new(include_str!("remove.lua"));
        Self { redis, max_delay, sealing_key, replace, remove }
    }

    fn sealing_key(&self) -> Result<&SealingKey, StoreError> {
        Ok(self.sealing_key.as_ref().ok_or(SealError::NoKey)?)
    }

    async fn records(&self, keys: &[MirrorKey]) -> Result<Vec<Option<Record>>, StoreError> {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.hget(Keys::record(*key), "record");
        }
        let texts: Vec<Option<Vec<u8>>> = self.redis.pipeline(&pipeline).await?;
        keys.iter().zip(texts).map(|(key, text)| text.map(|text| read(*key, text)).transpose()).collect()
    }

    /// Replaces each record by the mirror beside it, unless it changed meanwhile; tells which were replaced.
    async fn replace(&self, changes: &[(&Record, Mirror)]) -> Result<Vec<bool>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.replace.prepare_invoke();
        for (old, new) in changes {
            let key = new.key();
            call.key(Keys::record(key)).key(Keys::due(key.direction)).key(Keys::all(key.direction));
            call.key(old.status_set(key.direction)).key(Keys::status(key.direction, &new.state));
            call.arg(old.text.as_slice()).arg(record::write(new)).arg(key.id.0).arg(due_score(new));
        }
        Ok(self.redis.invoke(&call).await?)
    }

    fn circumstances(&self, direction: Direction) -> Circumstances {
        let jitter = Jitter::draw(&mut rand::rng());
        Circumstances { direction, now: Utc::now(), max_delay: self.max_delay, jitter }
    }

    fn login_command(&self, key: MirrorKey, login: LoginChange<'_>) -> Result<Cmd, StoreError> {
        Ok(match login {
            LoginChange::Set(login) => Cmd::hset(Keys::record(key), "login", self.sealing_key()?.seal(key, login)?),
            LoginChange::Clear => Cmd::hdel(Keys::record(key), "login"),
        })
    }
}

/// When a mirror is due, in milliseconds, or nothing if it is not to be scheduled.
fn due_score(mirror: &Mirror) -> String {
    let due_at = mirror.state.due_at().filter(|_| mirror.settings.enabled);
    due_at.map(|due_at| due_at.timestamp_millis().to_string()).unwrap_or_default()
}

#[async_trait]
impl MirrorStore for RedisStore {
    async fn load(&self, key: MirrorKey) -> Result<Option<Mirror>, StoreError> {
        Ok(self.records(&[key]).await?.pop().flatten().map(|record| record.mirror))
    }

    async fn due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<MirrorId>, StoreError> {
        let due = Keys::due(Direction::Pull);
        let limit = isize::try_from(limit).unwrap_or(isize::MAX);
        let command = Cmd::zrangebyscore_limit(due, "-inf", now.timestamp_millis(), 0, limit);
        let ids: Vec<u64> = self.redis.query(&command).await?;
        Ok(ids.into_iter().map(MirrorId).collect())
    }

    async fn transition_all(&self, events: &[(MirrorKey, Event)]) -> Result<Vec<Transition>, StoreError> {
        let mut answers: Vec<Option<Transition>> = vec![None; events.len()];
        for _ in 0..TRIES {
            let open: Vec<usize> = (0..events.len()).filter(|index| answers[*index].is_none()).take(PAGE).collect();
            let Some(first) = open.first() else { break };
            let keys: Vec<MirrorKey> = open.iter().map(|index| events[*index].0).collect();
            tracing::trace!(mirrors = keys.len(), first = %events[*first].0, "applying events");
            let records = self.records(&keys).await?;
            let mut changes = Vec::new();
            for (index, record) in open.iter().zip(&records) {
                let (key, event) = &events[*index];
                let Some(record) = record else {
                    answers[*index] = Some(Transition::Missing);
                    continue;
                };
                match record.mirror.state.after(event, &self.circumstances(key.direction)) {
                    Err(refused) => answers[*index] = Some(Transition::Refused(refused)),
                    Ok(state) => changes.push((*index, record, Mirror { state, ..record.mirror.clone() })),
                }
            }
            let swaps: Vec<(&Record, Mirror)> =
                changes.iter().map(|(_, record, mirror)| (*record, mirror.clone())).collect();
            for ((index, _, mirror), replaced) in changes.into_iter().zip(self.replace(&swaps).await?) {
                answers[index] = replaced.then_some(Transition::Done(mirror.state));
            }
        }
        let contended =
            |(answer, (key, _)): (Option<Transition>, &(MirrorKey, Event))| answer.ok_or(StoreError::Contended(*key));
        answers.into_iter().zip(events).map(contended).collect()
    }

    async fn login(&self, key: MirrorKey) -> Result<Option<Login>, StoreError> {
        let sealed: Option<String> = self.redis.query(&Cmd::hget(Keys::record(key), "login")).await?;
        sealed.map(|sealed| Ok(self.sealing_key()?.open(key, &sealed)?)).transpose()
    }

    async fn count(&self, now: DateTime<Utc>) -> Result<Counts, StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.zcount(Keys::due(Direction::Pull), "-inf", now.timestamp_millis());
        for status in ["scheduled", "started", "failed", "hard_failed"] {
            pipeline.scard(Keys::status_named(Direction::Pull, status));
        }
        let (due, scheduled, started, failed, hard_failed) = self.redis.pipeline(&pipeline).await?;
        Ok(Counts { due, scheduled, started, failed, hard_failed })
    }

    async fn add(&self, mirror: &Mirror, login: Option<&Login>) -> Result<bool, StoreError> {
        // Sealing may fail, so it comes before anything is written.
        let login = login.map(|login| self.login_command(mirror.key(), LoginChange::Set(login))).transpose()?;
        let nothing = Record { text: Vec::new(), mirror: Mirror { state: RunState::default(), ..mirror.clone() } };
        let added = self.replace(&[(&nothing, mirror.clone())]).await? == [true];
        if let Some(login) = login.filter(|_| added) {
            self.redis.query::<()>(&login).await?;
        }
        Ok(added)
    }

    async fn change(
        &self,
        key: MirrorKey,
        change: &mut (dyn for<'m> FnMut(&'m mut Mirror) + Send),
        login: Option<LoginChange<'_>>,
    ) -> Result<Option<Mirror>, StoreError> {
        let login = login.map(|login| self.login_command(key, login)).transpose()?;
        for _ in 0..TRIES {
            let Some(record) = self.records(&[key]).await?.pop().flatten() else { return Ok(None) };
            let mut mirror = record.mirror.clone();
            change(&mut mirror);
            if self.replace(&[(&record, mirror.clone())]).await? == [true] {
                if let Some(login) = login {
                    self.redis.query::<()>(&login).await?;
                }
                return Ok(Some(mirror));
            }
        }
        Err(StoreError::Contended(key))
    }

    async fn remove(&self, key: MirrorKey) -> Result<bool, StoreError> {
        let mut call = self.remove.key(Keys::record(key));
        call.key(Keys::due(key.direction)).key(Keys::all(key.direction));
        for status in Keys::STATUSES {
            call.key(Keys::status_named(key.direction, status));
        }
        Ok(self.redis.invoke(call.arg(key.id.0)).await?)
    }

    async fn list(&self, direction: Direction) -> Result<Vec<Mirror>, StoreError> {
        let mut ids: Vec<u64> = self.redis.query(&Cmd::smembers(Keys::all(direction))).await?;
        ids.sort_unstable();
        let keys: Vec<MirrorKey> = ids.into_iter().map(|id| MirrorKey { direction, id: MirrorId(id) }).collect();
        let mut mirrors = Vec::with_capacity(keys.len());
        for page in keys.chunks(PAGE) {
            mirrors.extend(self.records(page).await?.into_iter().flatten().map(|record| record.mirror));
        }
        Ok(mirrors)
    }
}
