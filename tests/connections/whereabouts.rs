//! Sockets, databases, logins, and the other two Redises of a GitLab.

use sidemirror::connections::{Redis, RedisSettings, Redises, RedisesSettings};

use crate::rig::wait;
use crate::server::Server;
use crate::work::{self, WORK, complaint, installation, outages};

#[test]
fn a_socket_and_a_database_are_found() {
    let server = Server::start(&["unixsocket FOLDER/socket"]);
    let socket = server.folder().join("socket");
    let installation = installation(&format!("unix://{}?db=3", socket.display()), "");
    let worker = installation.start_worker();
    let mut redis = server.connection();
    redis::cmd("SELECT").arg(3).exec(&mut redis).unwrap();
    work::assert_works(&mut redis, &worker);
}

#[test]
fn a_password_may_stand_in_a_file() {
    let server = Server::with_url(&["requirepass pa#ss"], &[], "redis://:pa%23ss@127.0.0.1:PORT/0");
    let url = format!("redis://127.0.0.1:{}/0", server.port);
    let file = server.folder().join("password");
    std::fs::write(&file, "pa#ss\n").unwrap();
    let keys = format!("password_file: {}", file.display());
    let with_password = installation(&url, &keys);
    let worker = with_password.start_worker();
    work::assert_works(&mut server.connection(), &worker);

    let told = complaint(&installation(&url, ""));
    assert!(told.contains("a password is needed"), "{told}");
    std::fs::write(&file, "hunter2\n").unwrap();
    let told = complaint(&with_password);
    assert!(told.contains("the user or the password is not right") && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn the_other_redises_are_the_first_unless_they_are_named() {
    let (first, second) = (Server::start(&[]), Server::start(&[]));
    let settings =
        |server: &Server| RedisSettings::new(format!("redis://127.0.0.1:{}/0", server.port).parse().unwrap());
    let settings =
        RedisesSettings { queues: settings(&first), queues_metadata: None, shared_state: Some(settings(&second)) };
    let redises = Redises::connect(&settings).await.unwrap();
    let name = async |redis: &Redis, name: &str| {
        redis.query::<()>(redis::cmd("SET").arg("name").arg(name)).await.unwrap();
    };
    name(&redises.queues, "first").await;
    name(&redises.shared_state, "second").await;
    assert_eq!(redises.queues_metadata.query::<String>(redis::cmd("GET").arg("name")).await.unwrap(), "first");
    assert_eq!(second.run::<String>("GET name"), "second");
    // One connection for what is one Redis, and the test's own.
    assert_eq!(first.run::<String>("CLIENT LIST").lines().count(), 2);
}

#[test]
fn an_outage_of_the_redis_for_shared_state_is_told_once_and_apart() {
    let (queues, mut shared) = (Server::start(&[]), Server::start(&[]));
    let keys = format!("shared_state_url: \"redis://127.0.0.1:{}/0\"", shared.port);
    let installation = installation(&format!("redis://127.0.0.1:{}/0", queues.port), &keys);
    let worker = installation.start_worker();
    shared.kill();
    let job = r#"{"class":"UpdateMirror","args":[1],"queue":"mirrors","jid":"forge","status_expiration":60}"#;
    redis::cmd("LPUSH").arg("queue:mirrors").arg(job).exec(&mut queues.connection()).unwrap();
    wait::until("the outage to be told", WORK, || outages(&worker).0 == 1);
    // The others work on, which is no sign that this one is back.
    for _ in 0..3 {
        work::assert_works(&mut queues.connection(), &worker);
    }
    assert_eq!((outages(&worker), worker.log().matches("is online").count()), ((1, 0), 0));
    shared.launch_again();
    work::wait_for(&worker, "forge");
    assert_eq!(worker.log().matches("GitLab's Redis for shared state is online").count(), 1);
}
