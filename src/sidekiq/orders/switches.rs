//! A pause of everything, and classes of jobs switched off: orders that stand in Redis until somebody takes them back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::connections::{Redis, RedisError};
use crate::sidekiq::clock;
use crate::sidekiq::job::perform::constant;
use crate::sidekiq::keys::Keys;

/// An order that stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// When it was given, in seconds since 1970; zero if that cannot be told.
    pub since: f64,
    /// Why, in the words of whoever gave it.
    pub reason: Option<String>,
}

/// All orders that stand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// Nothing is fetched or scheduled anywhere.
    pub paused: Option<Order>,
    /// Jobs of these classes wait.
    pub off: BTreeMap<String, Order>,
}

/// Gives orders and takes them back. Every process obeys within a second or two; jobs in hand go on.
#[derive(Debug, Clone)]
pub struct Switches {
    redis: Redis,
    keys: Keys,
}

impl Switches {
    /// The switches of the Sidekiq under these keys.
    pub fn new(redis: Redis, keys: Keys) -> Self {
        Self { redis, keys }
    }

    /// Pauses everything. A pause that stands already is given anew.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn pause(&self, reason: Option<&str>) -> Result<(), RedisError> {
        self.redis.query(redis::cmd("SET").arg(self.keys.pause()).arg(order(reason))).await
    }

    /// Ends the pause. `false` if there was none.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn resume(&self) -> Result<bool, RedisError> {
        self.redis.query(redis::cmd("DEL").arg(self.keys.pause())).await
    }

    /// Switches a class off, given by its Ruby name.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn switch_off(&self, class: &str, reason: Option<&str>) -> Result<(), RedisError> {
        let mut command = redis::cmd("HSET");
        self.redis.query(command.arg(self.keys.switched_off()).arg(constant(class)).arg(order(reason))).await
    }

    /// Switches a class on again. `false` if it was not off.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn switch_on(&self, class: &str) -> Result<bool, RedisError> {
        self.redis.query(redis::cmd("HDEL").arg(self.keys.switched_off()).arg(constant(class))).await
    }

    /// Whether jobs of this class are kept from running, by a pause or by their own switch.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn hold(&self, class: &str) -> Result<bool, RedisError> {
        let mut question = redis::pipe();
        question.cmd("EXISTS").arg(self.keys.pause());
        question.cmd("HEXISTS").arg(self.keys.switched_off()).arg(constant(class));
        let (paused, off): (bool, bool) = self.redis.pipeline(&question).await?;
        Ok(paused || off)
    }

    /// All orders that stand.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn standing(&self) -> Result<Standing, RedisError> {
        let mut question = redis::pipe();
        question.cmd("GET").arg(self.keys.pause()).cmd("HGETALL").arg(self.keys.switched_off());
        let (paused, off): (Option<String>, BTreeMap<String, String>) = self.redis.pipeline(&question).await?;
        let read = |text: String| serde_json::from_str(&text).unwrap_or_default();
        Ok(Standing {
            paused: paused.map(read),
            off: off.into_iter().map(|(class, text)| (class, read(text))).collect(),
        })
    }
}

/// The text of an order given now.
pub(super) fn order(reason: Option<&str>) -> String {
    let order = Order { since: clock::now(), reason: reason.map(str::to_owned) };
    // Writing numbers and texts does not fail.
    serde_json::to_string(&order).unwrap_or_default()
}
