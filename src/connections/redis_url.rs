//! The address of a Redis server, checked before anything is opened.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use secrecy::{ExposeSecret, SecretString};

/// Where a Redis server is and how to log in there.
///
/// Understood are `redis://[user[:password]@]host[:port][/db]`, the same with `rediss://` for TLS, and
/// `unix:///path[?db=N]`. Printing it, also with `{:?}`, gives host, port and database only.
#[derive(Clone)]
pub struct RedisUrl {
    info: ConnectionInfo,
    server: Arc<str>,
}

impl RedisUrl {
    /// What is accepted, for messages about what is not.
    pub const ACCEPTED: &str =
        "redis://[user[:password]@]host[:port][/database], the same with rediss:// for TLS, or unix:///path[?db=N]";

    /// Host, port and database, or the socket's path and database.
    pub fn server(&self) -> Arc<str> {
        Arc::clone(&self.server)
    }

    /// Whether TLS is asked for.
    pub fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// The host; `None` for a socket.
    pub fn host(&self) -> Option<&str> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => Some(host),
            _ => None,
        }
    }

    /// The user it names.
    pub fn username(&self) -> Option<&str> {
        self.info.redis_settings().username()
    }

    /// Whether it holds a password.
    pub fn has_password(&self) -> bool {
        self.info.redis_settings().password().is_some()
    }

    /// The same address with a login from elsewhere; what the URL says itself holds.
    #[must_use]
    pub fn with_login(self, username: Option<&str>, password: Option<&SecretString>) -> Self {
        let mut login = self.info.redis_settings().clone();
        if login.password().is_none() {
            if let (None, Some(username)) = (login.username(), username) {
                login = login.set_username(username);
            }
            if let Some(password) = password {
                login = login.set_password(password.expose_secret());
            }
        }
        Self { info: self.info.set_redis_settings(login), ..self }
    }

    pub(super) fn connection_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl FromStr for RedisUrl {
    type Err = BadRedisUrl;

    fn from_str(text: &str) -> Result<Self, BadRedisUrl> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        if !["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix", "valkey+unix"].contains(&scheme) {
            return Err(BadRedisUrl::Scheme);
        }
        // The library's own text may quote what it was given, password and all.
        let info = text.into_connection_info().map_err(|_| BadRedisUrl::Malformed)?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(BadRedisUrl::Insecure);
        }
        let database = info.redis_settings().db();
        if database < 0 {
            return Err(BadRedisUrl::Malformed);
        }
        let server = match info.addr() {
            ConnectionAddr::Unix(path) => format!("{} (database {database})", path.display()),
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
                format!("[{host}]:{port}/{database}")
            }
            address => format!("{address}/{database}"),
        };
        // What servers before 6.0 do not know is not asked for, whatever the URL says.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        Ok(Self { info: info.set_redis_settings(settings), server: server.into() })
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
    /// TLS without a look at the certificate was asked for.
    #[error("#insecure asks for TLS with anybody; name the CA in mirror.redis.ca_file instead")]
    Insecure,
    /// Neither `redis`, `rediss` nor `unix`.
    #[error("it does not begin with redis://, rediss:// or unix://")]
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
            ("rediss://worker:geheim@redis.example/3", "redis.example:6379/3"),
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
            ("rediss://localhost#insecure", BadRedisUrl::Insecure),
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

    #[test]
    fn a_login_of_the_url_beats_one_from_elsewhere() {
        let login = |text: &str| {
            let url: RedisUrl = text.parse().unwrap();
            let url = url.with_login(Some("worker"), Some(&"elsewhere".into()));
            let settings = url.info.redis_settings();
            (settings.username().map(ToOwned::to_owned), settings.password().map(ToOwned::to_owned))
        };
        let both = |user: &str, password: &str| (Some(user.to_owned()), Some(password.to_owned()));
        assert_eq!(login("redis://h"), both("worker", "elsewhere"));
        assert_eq!(login("redis://other@h"), both("other", "elsewhere"));
        assert_eq!(login("redis://other:own@h"), both("other", "own"));
        assert_eq!(login("redis://:own@h"), (None, Some("own".to_owned())));
    }
}
