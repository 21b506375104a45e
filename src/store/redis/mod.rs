//! Mirrors in Redis.
//!
//! ```text
//! sidemirror:pull:7              hash   record: settings and state as JSON; login, bearer, ...: its secrets, each sealed
//! sidemirror:pull                set    the ids of all pull mirrors
//! sidemirror:pull:due            zset   ids by the time they are due, in milliseconds; only those to be scheduled
//! sidemirror:pull:status:failed  set    ids by where they stand
//! sidemirror:secrets:key         string the id of the key that seals
//! ```
//!
//! The last two are derived from the record and written by the same script that replaces it, so that neither
//! picking due mirrors nor counting reads the whole table.

pub mod key_in_use;
mod moving;
mod record;
mod seal;
mod sealing_keys;
mod vault;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use redis::{Cmd, Script};

use self::moving::{left_behind, taken_along};
use self::record::{Keys, Record, due_score, member_id, read, secret_names};
pub use self::seal::{SealError, SealingKey};
use self::sealing_keys::FieldChange;
pub use self::sealing_keys::SealingKeys;
pub use self::vault::{Rotation, Unopened, Vault};
use super::{Counts, Declined, MirrorStore, SecretName, Secrets, SecretsChange, StoreError, Transition};
use crate::connections::Redis;
use crate::mirror::key::{Direction, MirrorId, MirrorKey};
use crate::mirror::record::Mirror;
use crate::mirror::state::{Circumstances, Event, RunState};
use crate::mirror::timing::Jitter;

/// How often a compare-and-swap is tried when others are faster.
const TRIES: usize = 10;

/// For so long a mirror is not due whose record cannot be understood.
const UNREADABLE_AGAIN: TimeDelta = TimeDelta::minutes(5);

/// Mirrors read or written in one round trip.
const PAGE: usize = 500;

/// The store for forges that have no database of their own for it.
pub struct RedisStore {
    redis: Redis,
    max_delay: TimeDelta,
    keys: Result<SealingKeys, SealError>,
    replace: Script,
    remove: Script,
}

/// A record to be replaced by a mirror, and what becomes of its secrets.
struct Replacement<'a> {
    old: &'a Record,
    new: Mirror,
    secrets: Vec<FieldChange>,
}

impl RedisStore {
    /// A store on this Redis. Where there are no keys, mirrors with secrets can be neither added nor run.
    pub fn new(redis: Redis, max_delay: TimeDelta, keys: Result<SealingKeys, SealError>) -> Self {
        let replace = Script::new(include_str!("replace.lua"));
        let remove = Script::new(include_str!("remove.lua"));
        Self { redis, max_delay, keys, replace, remove }
    }

    fn keys(&self) -> Result<&SealingKeys, StoreError> {
        Ok(self.keys.as_ref().map_err(SealError::clone)?)
    }

    /// Each mirror's record; `None` if there is none.
    async fn records(&self, keys: &[MirrorKey]) -> Result<Vec<Option<Result<Record, StoreError>>>, StoreError> {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.hget(Keys::record(*key), "record");
        }
        // One key that somebody made something else of must not hide the others.
        pipeline.ignore_errors();
        let texts: Vec<redis::RedisResult<Option<Vec<u8>>>> = self.redis.pipeline(&pipeline).await?;
        let record = |(key, text): (&MirrorKey, redis::RedisResult<Option<Vec<u8>>>)| match text {
            Ok(text) => text.map(|text| read(*key, text)),
            Err(error) => Some(Err(StoreError::Unreadable { key: *key, problem: error.to_string() })),
        };
        Ok(keys.iter().zip(texts).map(record).collect())
    }

    async fn record(&self, key: MirrorKey) -> Result<Option<Record>, StoreError> {
        self.records(&[key]).await?.pop().flatten().transpose()
    }

    /// A mirror's record, and all its fields as they were at the same moment.
    async fn whole(&self, key: MirrorKey) -> Result<Option<(Record, BTreeMap<String, String>)>, StoreError> {
        let fields: BTreeMap<String, Vec<u8>> = self.redis.query(&Cmd::hgetall(Keys::record(key))).await?;
        let Some(record) = fields.get("record") else { return Ok(None) };
        let record = read(key, record.clone())?;
        let text = |sealed: Vec<u8>| String::from_utf8_lossy(&sealed).into_owned();
        Ok(Some((record, fields.into_iter().map(|(field, sealed)| (field, text(sealed))).collect())))
    }

    /// Replaces each record unless it changed meanwhile; tells which were replaced.
    async fn replace(&self, replacements: &[Replacement<'_>]) -> Result<Vec<bool>, StoreError> {
        if replacements.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.replace.prepare_invoke();
        for Replacement { old, new, secrets } in replacements {
            let key = new.key();
            call.key(Keys::record(key)).key(Keys::due(key.direction)).key(Keys::all(key.direction));
            call.key(old.status_set(key.direction)).key(Keys::status(key.direction, &new.state));
            call.arg(old.text.as_slice())
                .arg(old.replaced_by(new))
                .arg(key.id.0)
                .arg(due_score(new))
                .arg(secrets.len());
            for FieldChange { field, seen, sealed } in secrets {
                call.arg(field).arg(seen).arg(sealed);
            }
        }
        Ok(self.redis.invoke(&call).await?)
    }

    /// A mirror whose record cannot be understood is looked at again after a while, if it is due at all: a worker of a
    /// newer version may understand it, and must not find it gone.
    async fn put_off(&self, key: MirrorKey) -> Result<(), StoreError> {
        let due_at = (Utc::now() + UNREADABLE_AGAIN).timestamp_millis();
        let mut command = redis::cmd("ZADD");
        command.arg(Keys::due(key.direction)).arg("XX").arg(due_at).arg(key.id.0);
        Ok(self.redis.query(&command).await?)
    }

    fn circumstances(&self, direction: Direction) -> Circumstances {
        let jitter = Jitter::draw(&mut rand::rng());
        Circumstances { direction, now: Utc::now(), max_delay: self.max_delay, jitter }
    }

    /// What a change of secrets does to the record.
    fn sealed(&self, mirror: &Mirror, change: &SecretsChange) -> Result<Vec<FieldChange>, StoreError> {
        // Without anything to seal no key is needed.
        if change.is_empty() { Ok(Vec::new()) } else { Ok(self.keys()?.seal_change(mirror, change)?) }
    }
}

#[async_trait]
impl MirrorStore for RedisStore {
    async fn load(&self, key: MirrorKey) -> Result<Option<Mirror>, StoreError> {
        Ok(self.record(key).await?.map(|record| record.mirror))
    }

    async fn due(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<MirrorId>, StoreError> {
        let due = Keys::due(Direction::Pull);
        let limit = isize::try_from(limit).unwrap_or(isize::MAX);
        let command = Cmd::zrangebyscore_limit(due, "-inf", now.timestamp_millis(), 0, limit);
        let members: Vec<Vec<u8>> = self.redis.query(&command).await?;
        let (ids, strangers): (Vec<_>, Vec<_>) =
            members.into_iter().map(|member| member_id(&member).ok_or(member)).partition(Result::is_ok);
        let strangers: Vec<Vec<u8>> = strangers.into_iter().filter_map(Result::err).collect();
        if !strangers.is_empty() {
            // They would stand in the way of the others for ever.
            tracing::error!(members = strangers.len(), "removing what is no mirror's number from the due mirrors");
            self.redis.query::<()>(&Cmd::zrem(Keys::due(Direction::Pull), strangers)).await?;
        }
        Ok(ids.into_iter().flatten().collect())
    }

    async fn transition_all(&self, events: &[(MirrorKey, Event)]) -> Result<Vec<Transition>, StoreError> {
        let mut answers: Vec<Option<Transition>> = vec![None; events.len()];
        for _ in 0..TRIES + events.len() / PAGE {
            let open: Vec<usize> = (0..events.len()).filter(|index| answers[*index].is_none()).take(PAGE).collect();
            if open.is_empty() {
                break;
            }
            let keys: Vec<MirrorKey> = open.iter().map(|index| events[*index].0).collect();
            let records = self.records(&keys).await?;
            let (mut indexes, mut replacements) = (Vec::new(), Vec::new());
            for (index, record) in open.into_iter().zip(&records) {
                let (key, event) = &events[index];
                match record {
                    None => answers[index] = Some(Transition::Missing),
                    Some(Err(error)) => {
                        self.put_off(*key).await?;
                        answers[index] = Some(Transition::Unreadable(error.to_string()));
                    }
                    Some(Ok(old)) => match old.mirror.state.after(event, &self.circumstances(key.direction)) {
                        Err(refused) => answers[index] = Some(Transition::Refused(refused)),
                        Ok(state) => {
                            indexes.push(index);
                            let new = Mirror { state, ..old.mirror.clone() };
                            replacements.push(Replacement { old, new, secrets: Vec::new() });
                        }
                    },
                }
            }
            let replaced = self.replace(&replacements).await?;
            for ((index, replacement), replaced) in indexes.into_iter().zip(replacements).zip(replaced) {
                answers[index] = replaced.then(|| Transition::Done(Box::new(replacement.new)));
            }
        }
        let contended =
            |(answer, (key, _)): (Option<Transition>, &(MirrorKey, Event))| answer.ok_or(StoreError::Contended(*key));
        answers.into_iter().zip(events).map(contended).collect()
    }

    async fn secrets(&self, mirror: &Mirror) -> Result<Secrets, StoreError> {
        let key = mirror.key();
        let (record, fields) = self.whole(key).await?.ok_or(StoreError::Outdated(key))?;
        if record.mirror.settings != mirror.settings {
            return Err(StoreError::Outdated(key));
        }
        let mut secrets = Secrets::default();
        for (field, sealed) in fields {
            if let Some(name) = SecretName::parse(&field) {
                self.keys()?.open_into(&mut secrets, mirror, name, &sealed)?;
            }
        }
        Ok(secrets)
    }

    fn mark(&self, text: &[u8]) -> Option<String> {
        Some(self.keys().ok()?.mark(text))
    }

    async fn stored(&self, keys: &[MirrorKey]) -> Result<Vec<Vec<SecretName>>, StoreError> {
        let mut stored = Vec::with_capacity(keys.len());
        for page in keys.chunks(PAGE) {
            let mut pipeline = redis::pipe();
            for key in page {
                pipeline.hkeys(Keys::record(*key));
            }
            pipeline.ignore_errors();
            let fields: Vec<redis::RedisResult<Vec<Vec<u8>>>> = self.redis.pipeline(&pipeline).await?;
            stored.extend(fields.into_iter().map(|fields| secret_names(&fields.unwrap_or_default())));
        }
        Ok(stored)
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

    async fn add(&self, mirror: &Mirror, secrets: &SecretsChange) -> Result<bool, StoreError> {
        let nothing = Record { text: Vec::new(), mirror: Mirror { state: RunState::default(), ..mirror.clone() } };
        let secrets = self.sealed(mirror, secrets)?;
        let replacement = Replacement { old: &nothing, new: mirror.clone(), secrets };
        Ok(self.replace(&[replacement]).await? == [true])
    }

    async fn change(
        &self,
        key: MirrorKey,
        change: &mut (dyn for<'m> FnMut(&'m mut Mirror) -> Result<(), Declined> + Send),
        secrets: &SecretsChange,
    ) -> Result<Option<Mirror>, StoreError> {
        for _ in 0..TRIES {
            let Some((old, fields)) = self.whole(key).await? else { return Ok(None) };
            let mut new = old.mirror.clone();
            change(&mut new).map_err(StoreError::Declined)?;
            let mut changes = left_behind(&old.mirror, &new);
            changes.extend(self.sealed(&new, secrets)?);
            changes.extend(taken_along(&self.keys, (&old.mirror, &new), &fields, &changes)?);
            if self.replace(&[Replacement { old: &old, new: new.clone(), secrets: changes }]).await? == [true] {
                return Ok(Some(new));
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
        let members: Vec<Vec<u8>> = self.redis.query(&Cmd::smembers(Keys::all(direction))).await?;
        let mut ids: Vec<MirrorId> = members.iter().filter_map(|member| member_id(member)).collect();
        ids.sort_unstable();
        let keys: Vec<MirrorKey> = ids.into_iter().map(|id| MirrorKey { direction, id }).collect();
        let mut mirrors = Vec::with_capacity(keys.len());
        for page in keys.chunks(PAGE) {
            for record in self.records(page).await?.into_iter().flatten() {
                match record {
                    Ok(record) => mirrors.push(record.mirror),
                    Err(error) => tracing::error!("{error}"),
                }
            }
        }
        Ok(mirrors)
    }
}
