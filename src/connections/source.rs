//! Where connections lead: to a fixed address, or to whom the Sentinels name.

use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, TlsMode};
use tokio::sync::Mutex;

use super::redis_settings::Sentinels;
use super::{RedisSettings, tls};

/// A silent connection is probed after so long, and then as often, three times. Blocking commands are silent, too.
const KEEPALIVE: Duration = Duration::from_secs(15);

pub(super) enum Source {
    Address(Client),
    Sentinels {
        client: Mutex<Box<SentinelClient>>,
        /// How long they may take to answer, all together.
        limit: Duration,
    },
}

impl Source {
    pub(super) fn new(settings: &RedisSettings) -> redis::RedisResult<Self> {
        tls::use_ring();
        match &settings.sentinels {
            None => address(settings).map(Self::Address),
            Some(sentinels) => Ok(Self::Sentinels {
                client: Mutex::new(Box::new(sentinel_client(settings, sentinels)?)),
                limit: settings.connect_timeout + settings.response_timeout,
            }),
        }
    }

    /// What opens connections to the server that is to be spoken to now.
    pub(super) async fn client(&self) -> redis::RedisResult<Client> {
        match self {
            Self::Address(client) => Ok(client.clone()),
            Self::Sentinels { client, limit } => {
                let ask = async { client.lock().await.async_get_client().await };
                tokio::time::timeout(*limit, ask).await.unwrap_or_else(|_| Err(silent_sentinels()))
            }
        }
    }

    pub(super) fn is_moving(&self) -> bool {
        matches!(self, Self::Sentinels { .. })
    }
}

fn address(settings: &RedisSettings) -> redis::RedisResult<Client> {
    let info = settings.url.connection_info().set_tcp_settings(tcp_settings());
    // Servers before 7.2 count the library's introduction of itself as an error, and log it as a denial.
    let login = info.redis_settings().clone().set_skip_set_lib_name();
    let info = info.set_redis_settings(login);
    match settings.tls.certificates() {
        Some(certificates) if settings.url.is_tls() => Client::build_with_tls(info, certificates.clone()),
        _ => Client::open(info),
    }
}

fn sentinel_client(settings: &RedisSettings, sentinels: &Sentinels) -> redis::RedisResult<SentinelClient> {
    let addresses = sentinels.addresses.iter().cloned().map(|(host, port)| {
        if sentinels.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        }
    });
    let mut builder = SentinelClientBuilder::new(addresses, &sentinels.master, SentinelServerType::Master)?
        .set_client_to_redis_tcp_settings(tcp_settings())
        .set_client_to_sentinel_tcp_settings(tcp_settings());
    let info = settings.url.connection_info();
    let login = info.redis_settings();
    builder = builder.set_client_to_redis_db(login.db());
    if let Some(username) = login.username() {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = login.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(username) = &sentinels.username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &sentinels.password {
        builder = builder.set_client_to_sentinel_password(secrecy::ExposeSecret::expose_secret(password));
    }
    if settings.url.is_tls() {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = settings.tls.certificates() {
        if settings.url.is_tls() {
            builder = builder.set_client_to_redis_certificates(certificates.clone());
        }
        if sentinels.tls {
            builder = builder.set_client_to_sentinel_certificates(certificates.clone());
        }
    }
    builder.build()
}

fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(3);
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive)
}

fn silent_sentinels() -> redis::RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the Sentinels did not answer in time").into()
}
