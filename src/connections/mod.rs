//! How we reach Redis, and nothing of what is said to it.
//!
//! [`RedisUrl`] is checked before anything is opened; [`Redis`] is the handle every room shares: short commands go
//! over one multiplexed connection that heals itself, commands that block on the server get a [`Dedicated`]
//! connection of their own. Where Sentinels watch over the server, `source` asks them for the master, at first and
//! whenever the one in use is lost. No text of this room ever holds a password.

mod cause;
mod error;
mod redis_handle;
mod redis_settings;
mod redis_url;
mod redises;
mod refusal;
pub mod rights;
mod source;
mod tls;

pub use error::RedisError;
pub use redis_handle::{Dedicated, Redis};
pub use redis_settings::{RedisSettings, Sentinels};
pub use redis_url::{BadRedisUrl, RedisUrl};
pub use redises::{Redises, RedisesSettings};
pub use tls::{BadTls, Tls};
