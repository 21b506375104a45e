//! What is needed to reach one Redis.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::{RedisUrl, Tls};

/// What is needed to reach one Redis.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where it is and how to log in. With Sentinels only the login, the database and whether TLS is used count.
    pub url: RedisUrl,
    /// For `rediss://`.
    pub tls: Tls,
    /// Who knows where the master is; nobody if the URL itself says.
    pub sentinels: Option<Sentinels>,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long the answer to a command may take; for a blocking command, on top of the time it blocks.
    pub response_timeout: Duration,
}

/// The processes that watch over a master and its replicas and say which of them is the master now.
#[derive(Debug, Clone)]
pub struct Sentinels {
    /// Host and port of each. They are asked until one knows.
    pub addresses: Vec<(String, u16)>,
    /// The name under which they know the master.
    pub master: String,
    /// How to log in to them, which has nothing to do with the login of Redis.
    pub username: Option<String>,
    /// See `username`.
    pub password: Option<SecretString>,
    /// Whether they speak TLS.
    pub tls: bool,
}

impl RedisSettings {
    /// Without Sentinels, with the system's CAs; five seconds to connect and five to answer.
    pub fn new(url: RedisUrl) -> Self {
        Self {
            url,
            tls: Tls::default(),
            sentinels: None,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(5),
        }
    }

    /// Host, port and database; or the name of the master and who knows where it is.
    pub(super) fn server(&self) -> Arc<str> {
        let Some(sentinels) = &self.sentinels else { return self.url.server() };
        let addresses: Vec<_> = sentinels.addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let database = self.url.connection_info().redis_settings().db();
        format!("{}/{database} (Sentinels {})", sentinels.master, addresses.join(", ")).into()
    }

    /// Who we are in the server's access control lists.
    pub(super) fn user(&self) -> &str {
        self.url.username().unwrap_or("default")
    }
}
