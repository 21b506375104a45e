//! All sealed secrets together: which keys they are sealed with, and how all get under the current one.

use std::collections::BTreeMap;

use redis::{Cmd, RedisResult, Script};

use super::super::{SecretName, StoreError};
use super::SealingKeys;
use super::key_in_use;
use super::record::{Keys, member_id, read};
use super::seal::Sealed;
use crate::connections::Redis;
use crate::mirror::key::{Direction, MirrorKey};

/// Mirrors looked at in one round trip.
const PAGE: usize = 200;

/// How often all is gone through while others change secrets with an earlier key.
const PASSES: usize = 5;

/// Secrets that cannot be opened and are named; the others are only counted.
const NAMED: usize = 100;

/// What is kept of one mirror: the fields of its record.
type Fields = BTreeMap<String, Vec<u8>>;

/// All sealed secrets of the store.
pub struct Vault {
    redis: Redis,
    keys: SealingKeys,
    reseal: Script,
}

/// How far a rotation has come, or what it came to.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    /// Mirrors that were looked at.
    pub mirrors: usize,
    /// Secrets that are sealed with the current key now and were not before.
    pub resealed: usize,
    /// Secrets that were found sealed with the current key.
    pub current: usize,
    /// Secrets that no key of ours opens and that were thrown away.
    pub discarded: usize,
    /// Secrets that no key of ours opens, or whose mirror's record cannot be understood, and that were left as they are.
    pub unreadable: usize,
    /// The first of those that were not opened.
    pub named: Vec<Unopened>,
    /// Secrets that somebody else changed in just that moment, in the last of several goes: they may still be sealed
    /// with an earlier key.
    pub contended: usize,
}

/// A secret that was not opened.
#[derive(Debug, Clone)]
pub struct Unopened {
    /// Whose.
    pub mirror: MirrorKey,
    /// Which.
    pub secret: SecretName,
    /// Why.
    pub problem: String,
}

/// A secret to be replaced: its field, the text that was read, and the one that takes its place.
type Replacement = (String, Vec<u8>, String);

impl Vault {
    /// The vault of the store on this Redis.
    pub fn new(redis: Redis, keys: SealingKeys) -> Self {
        Self { redis, keys, reseal: Script::new(include_str!("reseal.lua")) }
    }

    /// The id of the key in use as it is recorded, if any.
    pub async fn key_in_use(&self) -> Result<Option<String>, StoreError> {
        Ok(key_in_use::recorded(&self.redis).await?)
    }

    /// How many secrets there are under the id of each key. What is not sealed at all counts under an empty id.
    pub async fn count(&self) -> Result<BTreeMap<String, usize>, StoreError> {
        let mut counts = BTreeMap::new();
        for direction in Direction::ALL {
            let mut cursor = 0;
            loop {
                let (next, keys) = self.page(direction, cursor).await?;
                for (_, fields) in self.fields(&keys).await? {
                    for (_, sealed) in secrets(&fields) {
                        let id = Sealed::parse(&sealed).map(|sealed| sealed.key_id.to_owned()).unwrap_or_default();
                        *counts.entry(id).or_default() += 1;
                    }
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(counts)
    }

    /// Seals everything with the current key, while workers that have both keys go on. It may be broken off and begun
    /// again at any time: what is sealed with which key is told by each secret itself. With `discard`, secrets that none
    /// of our keys opens are thrown away, but for those of mirrors whose records cannot be understood. `tell` is told after each page how far it has come.
    pub async fn rotate(&self, discard: bool, tell: &mut dyn FnMut(&Rotation)) -> Result<Rotation, StoreError> {
        let mut resealed = 0;
        let mut discarded = 0;
        let mut rotation = Rotation::default();
        for _ in 0..PASSES {
            rotation = Rotation { resealed, discarded, ..Rotation::default() };
            for direction in Direction::ALL {
                self.rotate_all(direction, discard, &mut rotation, tell).await?;
            }
            (resealed, discarded) = (rotation.resealed, rotation.discarded);
            if rotation.contended == 0 {
                break;
            }
        }
        if discard {
            key_in_use::replace(&self.redis, self.keys.current_id()).await?;
        }
        Ok(rotation)
    }

    async fn rotate_all(
        &self,
        direction: Direction,
        discard: bool,
        rotation: &mut Rotation,
        tell: &mut dyn FnMut(&Rotation),
    ) -> Result<(), StoreError> {
        let mut cursor = 0;
        loop {
            let (next, keys) = self.page(direction, cursor).await?;
            let mut call = self.reseal.prepare_invoke();
            let (mut replacing, mut discarding) = (0, 0);
            for (key, fields) in self.fields(&keys).await? {
                let (replacements, thrown_away) = self.replacements(key, &fields, discard, rotation);
                call.key(Keys::record(key)).arg(replacements.len());
                for (field, old, new) in &replacements {
                    call.arg(field).arg(old).arg(new);
                }
                replacing += replacements.len();
                discarding += thrown_away;
            }
            if replacing > 0 {
                let replaced: usize = self.redis.invoke(&call).await?;
                rotation.contended += replacing - replaced;
                rotation.resealed += replaced.saturating_sub(discarding);
                rotation.discarded += discarding.min(replaced);
            }
            rotation.mirrors += keys.len();
            tell(rotation);
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// What is to be replaced among a mirror's secrets, and how many of that are thrown away.
    fn replacements(
        &self,
        key: MirrorKey,
        fields: &Fields,
        discard: bool,
        rotation: &mut Rotation,
    ) -> (Vec<Replacement>, usize) {
        let record = fields.get("record").cloned().unwrap_or_default();
        let mirror = read(key, record).map(|record| record.mirror);
        let (mut replacements, mut thrown_away) = (Vec::new(), 0);
        for (name, sealed) in secrets(fields) {
            // What was read may be no text at all.
            let seen = fields.get(&name.to_string()).cloned().unwrap_or_default();
            if self.keys.is_up_to_date(&sealed) {
                rotation.current += 1;
                continue;
            }
            // Of what a secret is bound to is known nothing without the record: our keys may well open it.
            let (problem, is_lost) = match &mirror {
                Ok(mirror) => match self.keys.reseal(mirror, mirror, &name, &sealed) {
                    Ok(resealed) => {
                        replacements.push((name.to_string(), seen, resealed));
                        continue;
                    }
                    Err(problem) => (problem.to_string(), true),
                },
                Err(problem) => (problem.to_string(), false),
            };
            if rotation.named.len() < NAMED {
                rotation.named.push(Unopened { mirror: key, secret: name.clone(), problem });
            }
            if discard && is_lost {
                thrown_away += 1;
                replacements.push((name.to_string(), seen, String::new()));
            } else {
                rotation.unreadable += 1;
            }
        }
        (replacements, thrown_away)
    }

    /// Some mirrors, and where to go on; 0 when these were the last. One may be met twice.
    async fn page(&self, direction: Direction, cursor: u64) -> Result<(u64, Vec<MirrorKey>), StoreError> {
        let mut scan = redis::cmd("SSCAN");
        scan.arg(Keys::all(direction)).arg(cursor).arg("COUNT").arg(PAGE);
        let (next, members): (u64, Vec<Vec<u8>>) = self.redis.query(&scan).await?;
        let ids = members.iter().filter_map(|member| member_id(member));
        Ok((next, ids.map(|id| MirrorKey { direction, id }).collect()))
    }

    /// The fields of these mirrors' records; a key that somebody made something else of has none.
    async fn fields(&self, keys: &[MirrorKey]) -> Result<Vec<(MirrorKey, Fields)>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.add_command(Cmd::hgetall(Keys::record(*key)));
        }
        pipeline.ignore_errors();
        let fields: Vec<RedisResult<Fields>> = self.redis.pipeline(&pipeline).await?;
        Ok(keys.iter().copied().zip(fields.into_iter().map(Result::unwrap_or_default)).collect())
    }
}

/// The sealed texts among the fields of a record.
fn secrets(fields: &Fields) -> impl Iterator<Item = (SecretName, String)> {
    let text = |sealed: &[u8]| String::from_utf8_lossy(sealed).into_owned();
    fields.iter().filter_map(move |(field, sealed)| Some((SecretName::parse(field)?, text(sealed))))
}
