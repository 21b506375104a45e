//! What the store promises about secrets, where no command comes between two of its steps.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use redis::Commands as _;
use serde_json::json;
use sidemirror::connections::{self, RedisSettings};
use sidemirror::jobs::RunError;
use sidemirror::mirror::key::{Direction, MirrorId, MirrorKey};
use sidemirror::mirror::record::{Mirror, Settings};
use sidemirror::mirror::state::RunState;
use sidemirror::store::redis::{SealingKey, SealingKeys, key_in_use};
use sidemirror::store::{Change, Declined, MirrorStore, RedisStore, SecretsChange, StoreError};

use crate::rig::redis::Redis;
use crate::rig::wait;
use crate::vault::{key, sealed};
use crate::world::World;

const RECORDED: &str = "sidemirror:secrets:key";

fn keys(current: u8, previous: &[u8]) -> SealingKeys {
    let read = |byte| SealingKey::parse(&key(byte)).unwrap();
    SealingKeys::new(read(current), previous.iter().map(|byte| read(*byte)).collect())
}

async fn connect(redis: &Redis) -> connections::Redis {
    connections::Redis::connect(&RedisSettings::new(redis.url().parse().unwrap())).await.unwrap()
}

/// A store with pull mirror 1, which has a bearer token.
async fn with_mirror(redis: &Redis) -> (RedisStore, Mirror) {
    let store = RedisStore::new(connect(redis).await, TimeDelta::minutes(1), Ok(keys(7, &[])));
    let settings = Settings::new(Direction::Pull, "g/p.git".to_owned(), "https://git.example.com/p.git".to_owned());
    let mirror = Mirror { id: MirrorId(1), settings, state: RunState::new(Direction::Pull, Utc::now()) };
    assert!(store.add(&mirror, &bearer("first")).await.unwrap());
    (store, mirror)
}

fn bearer(token: &str) -> SecretsChange {
    SecretsChange { bearer: Change::Set(token.into()), ..SecretsChange::default() }
}

#[tokio::test]
async fn secrets_are_only_opened_for_the_settings_that_the_mirror_has_now() {
    let redis = Redis::start();
    let (store, before) = with_mirror(&redis).await;
    assert!(store.secrets(&before).await.unwrap().bearer.is_some());
    let mut moves = |mirror: &mut Mirror| -> Result<(), Declined> {
        mirror.settings.url = "https://elsewhere.example.com/p.git".to_owned();
        Ok(())
    };
    store.change(before.key(), &mut moves, &bearer("second")).await.unwrap().unwrap();
    let outdated = store.secrets(&before).await.unwrap_err();
    assert!(matches!(outdated, StoreError::Outdated(_)), "{outdated}");
    assert!(RunError::Store(outdated).is_passing(), "its job is run again, with the new settings");
    store.remove(before.key()).await.unwrap();
    assert!(matches!(store.secrets(&before).await.unwrap_err(), StoreError::Outdated(_)));
}

#[tokio::test]
async fn a_change_that_does_not_apply_stores_no_secret() {
    let redis = Redis::start();
    let (store, _) = with_mirror(&redis).await;
    let before = sealed(&redis, "pull:1");
    let mut declines = |_: &mut Mirror| -> Result<(), Declined> { Err("it does not apply".into()) };
    let refusal = store.change(MirrorKey::pull(MirrorId(1)), &mut declines, &bearer("second")).await.unwrap_err();
    assert_eq!(refusal.to_string(), "it does not apply");
    assert_eq!(sealed(&redis, "pull:1"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_keys_that_come_into_use_at_once_the_later_is_refused() {
    let redis = Redis::start();
    let (ours, theirs) = (keys(8, &[7]), keys(9, &[7]));
    let (our_connection, their_connection) = (connect(&redis).await, connect(&redis).await);
    for _ in 0..300 {
        let _: () = redis.connection().set(RECORDED, keys(7, &[]).current_id()).unwrap();
        let (a, b) = tokio::join!(
            key_in_use::take_into_use(&our_connection, &ours),
            key_in_use::take_into_use(&their_connection, &theirs)
        );
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        let winner = if a.is_ok() { &ours } else { &theirs };
        assert_eq!(redis.connection().get::<_, String>(RECORDED).unwrap(), winner.current_id());
    }
}

#[test]
fn a_worker_without_the_key_leaves_the_mirror_to_others_until_that_takes_too_long() {
    let world = World::start();
    world.git.create("up.git").commit("main", "first");
    world.add_pull(1, "up.git", &[]);
    let mut connection = world.redis.connection();
    let _: u64 = connection.hset("sidemirror:pull:1", "login", "v2:0badc0de:AAAA").unwrap();
    world.push_job("pull", 1);
    wait::until("the job is put off", Duration::from_secs(20), || connection.zcard("schedule") == Ok(1_u64));
    let state = world.state("pull", 1);
    assert_eq!((state.status(), state.error(), state.number("retry_count")), ("scheduled", None, 0));
    assert!(world.worker.log().contains("forgotten when keys are exchanged"), "{}", world.worker.log());

    let _: () = connection.del("schedule").unwrap();
    let hours_ago = Utc::now().timestamp() - 24 * 3600;
    let job = json!({ "class": "UpdateMirror", "args": [1], "retry": false, "queue": "mirrors", "jid": "a".repeat(24),
                      "created_at": hours_ago, "enqueued_at": hours_ago });
    let _: u64 = connection.lpush("queue:mirrors", job.to_string()).unwrap();
    world.wait_for_jobs();
    let state = world.state("pull", 1);
    assert_eq!(state.status(), "failed");
    assert!(state.error().unwrap().contains("sealed with key 0badc0de"), "{state:?}");
}
