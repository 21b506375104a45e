//! An older install, whose Ruby keeps all of Sidekiq's keys in a namespace.

use sidemirror::sidekiq::{Keys, Outcome};

use crate::redis_server::{RedisServer, until};
use crate::ruby::run;
use crate::worker::{settings, start};

const NAMESPACE: &str = "resque:gitlab";

#[tokio::test]
async fn ruby_in_a_namespace_pushes_what_we_run_and_sees_us() {
    let server = RedisServer::start().await;
    run(&server, "push_for_us.rb", &[NAMESPACE]).await;
    let mut settings = settings(3, &[("mirrors", 1)]);
    settings.keys = Keys::new(NAMESPACE);
    settings.timeout = std::time::Duration::from_secs(1);
    let (process, record) = start(&server.redis, settings).await;
    until("all but the long one settled", async || record.ended.lock().unwrap().len() == 12).await;
    until("figures and busy jobs are written", async || {
        server.run::<Option<String>>(&["GET", "resque:gitlab:stat:processed"]).await.is_some_and(|count| count == "12")
            && server.run::<usize>(&["EXISTS", &format!("resque:gitlab:{}:workers", process.identity())]).await == 1
    })
    .await;
    let seen = run(&server, "read_ours.rb", &[NAMESPACE]).await;
    assert_eq!(record.count(Outcome::Done), 10);
    assert_eq!(seen["processes"][0]["identity"].as_str(), Some(process.identity().as_str()));
    assert_eq!(seen["workers"][0]["class"], "Tested");
    assert_eq!((&seen["processed"], &seen["failed"]), (&12.into(), &2.into()));
    assert_eq!(
        (&seen["retry"][0]["error_class"], &seen["dead"][0]["error_class"]),
        (&"IOError".into(), &"IOError".into())
    );

    process.stop().await;
    let left = run(&server, "read_ours.rb", &[NAMESPACE]).await;
    assert_eq!((&left["processes"], &left["queued"]), (&serde_json::json!([]), &1.into()));
    let keys: Vec<String> = server.run(&["KEYS", "*"]).await;
    let bare: Vec<_> = keys.iter().filter(|key| !key.starts_with("resque:gitlab:")).collect();
    assert!(bare.is_empty(), "{bare:?}");
}

#[tokio::test]
async fn what_a_dead_process_left_in_a_namespace_is_rescued_there() {
    let server = RedisServer::start().await;
    let job = r#"{"class":"Tested","args":["ok"],"jid":"j1"}"#;
    server.run::<()>(&["LPUSH", "resque:gitlab:working:queue:mirrors:host:1:0123456789ab", job]).await;
    server.run::<()>(&["LPUSH", "working:queue:mirrors:host:1:0123456789ab", job]).await;
    let mut settings = settings(1, &[("mirrors", 1)]);
    settings.keys = Keys::new(NAMESPACE);
    let (process, record) = start(&server.redis, settings).await;
    until("rescued and run", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*working*"]).await, ["working:queue:mirrors:host:1:0123456789ab"]);
}
