//! How we reach Redis, and nothing of what is said to it.
//!
//! [`RedisUrl`] is checked before anything is opened; [`Redis`] is the handle every room shares: short commands go
//! over one multiplexed connection that heals itself, commands that block on the server get a [`Dedicated`]
//! connection of their own. No text of this room ever holds a password.

mod error;
mod redis_handle;
mod redis_url;
mod redises;

pub use error::RedisError;
pub use redis_handle::{Dedicated, Redis, RedisSettings};
pub use redis_url::{BadRedisUrl, RedisUrl};
pub use redises::{Redises, RedisesSettings};
