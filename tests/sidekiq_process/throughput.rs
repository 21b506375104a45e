//! How many jobs that do nothing one process runs in a second. By hand:
//! `cargo test --test sidekiq_process -- --ignored --nocapture throughput`.

use std::time::Instant;

use sidemirror::sidekiq::{Client, Keys, NewJob, Outcome, Profile};

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

const JOBS: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn throughput() {
    let server = RedisServer::start().await;
    let jobs: Vec<NewJob> =
        (0..JOBS).map(|number| NewJob::new("Tested", vec!["no-op".into(), number.into()]).queue("a")).collect();
    Client::new(server.redis.clone(), Keys::default(), Profile::V6_4).push_bulk(&jobs).await.unwrap();
    server.run::<()>(&["CONFIG", "RESETSTAT"]).await;
    let began = Instant::now();
    let (process, record) = start(&server.redis, settings(25, &[("a", 1)])).await;
    until("all done", async || record.count(Outcome::Done) == JOBS).await;
    let elapsed = began.elapsed();
    process.stop().await;
    println!("{:.0} jobs/s", JOBS as f64 / elapsed.as_secs_f64());
    println!("{}", server.run::<String>(&["INFO", "commandstats"]).await);
}
