//! Where others look for what a process is doing.

use sidemirror::sidekiq::Profile;

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

/// The keys of busy hashes while a job is running, and after the end.
async fn busy_keys(profile: Profile) -> (Vec<String>, Vec<String>) {
    let server = RedisServer::start().await;
    server.push("a", br#"{"class":"Tested","args":["until told"]}"#).await;
    let mut settings = settings(1, &[("a", 1)]);
    settings.profile = profile;
    let (process, _record) = start(&server.redis, settings).await;
    let identity = process.identity().to_string();
    let keys = async || {
        let mut keys: Vec<String> = server.run(&["KEYS", &format!("{identity}:*")]).await;
        keys.sort();
        keys.into_iter().map(|key| key.replace(&identity, "")).collect::<Vec<_>>()
    };
    until("the job shows", async || !keys().await.is_empty()).await;
    let during = keys().await;
    process.stop().await;
    (during, keys().await)
}

#[tokio::test]
async fn a_job_shows_where_6_4_looks_and_also_where_an_idle_fleet_of_6_5_would() {
    assert_eq!(busy_keys(Profile::V6_4).await, (vec![":work".to_owned(), ":workers".to_owned()], vec![]));
    assert_eq!(busy_keys(Profile::V6_5).await, (vec![":work".to_owned()], vec![]));
}
