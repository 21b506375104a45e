//! The address of a Redis server, checked before anything is opened.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// Where a Redis server is and how to log in there.
///
/// Understood are `redis://[user[:password]@]host[:port][/db]` and `unix:///path[?db=N]`. Printing it, also with
/// `{:?}`, gives host, port and database only.
#[derive(Clone)]
pub struct RedisUrl {
    info: ConnectionInfo,
    server: Arc<str>,
}

impl RedisUrl {
    /// What is accepted, for messages about what is not.
    pub const ACCEPTED: &str = "redis://[user[:password]@]host[:port][/database] or unix:///path[?db=N]";

    /// Host, port and database, or the socket's path and database.
    pub fn server(&self) -> Arc<str> {
        Arc::clone(&self.server)
    }

    pub(super) fn connection_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl FromStr for RedisUrl {
    type Err = BadRedisUrl;

    fn from_str(text: &str) -> Result<Self, BadRedisUrl> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "redis" | "unix" | "redis+unix" => {}
            "rediss" => return Err(BadRedisUrl::Tls),
            _ => return Err(BadRedisUrl::Scheme),
        }
        // The library's own text may quote what it was given, password and all.
        let info = text.into_connection_info().map_err(|_| BadRedisUrl::Malformed)?;
        let database = info.redis_settings().db();
        if database < 0 {
            return Err(BadRedisUrl::Malformed);
        }
        let server = match info.addr() {
            ConnectionAddr::Unix(path) => format!("{} (database {database})", path.display()),
            ConnectionAddr::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}/{database}"),
            address => format!("{address}/{database}"),
        };
        Ok(Self { info, server: server.into() })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.server)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.server)
    }
}

/// Why a text is no usable address of a Redis server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRedisUrl {
    /// `rediss://` was asked for.
    #[error("rediss:// asks for TLS, which this version does not have; use redis:// or unix://")]
    Tls,
    /// Neither `redis` nor `unix`.
    #[error("it does not begin with redis:// or unix://")]
    Scheme,
    /// The rest of it cannot be understood.
    #[error("not a Redis URL")]
    Malformed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_without_its_password() {
        for (text, printed) in [
            ("redis://localhost", "localhost:6379/0"),
            ("redis://:geheim@redis.example:7000/3", "redis.example:7000/3"),
            ("redis://worker:geheim@[::1]:7000/3", "[::1]:7000/3"),
            ("unix:///run/redis.sock?db=2&pass=geheim", "/run/redis.sock (database 2)"),
        ] {
            let url: RedisUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), printed);
            assert_eq!(format!("{url:?}"), format!("RedisUrl({printed})"));
        }
    }

    #[test]
    fn what_cannot_work_is_refused_before_connecting() {
        for (text, problem) in [
            ("rediss://localhost", BadRedisUrl::Tls),
            ("http://localhost", BadRedisUrl::Scheme),
            ("localhost:6379", BadRedisUrl::Scheme),
            ("", BadRedisUrl::Scheme),
            ("redis://", BadRedisUrl::Malformed),
            ("redis://localhost/geheim", BadRedisUrl::Malformed),
            ("redis://localhost/-1", BadRedisUrl::Malformed),
            ("redis://localhost:99999", BadRedisUrl::Malformed),
        ] {
            assert_eq!(text.parse::<RedisUrl>().map(|url| url.to_string()), Err(problem), "{text}");
        }
    }
}
