//! A private redis-server on a free port, gone with the test.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::FromRedisValue;
use sidemirror::connections::{Redis, RedisSettings};
use tempfile::TempDir;

pub(crate) struct RedisServer {
    child: Child,
    pub(crate) port: u16,
    folder: TempDir,
    pub(crate) redis: Redis,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The port is free until another test is quicker: then try again.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = spawn(port, folder.path());
            loop {
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                if let Ok(redis) = connect(port).await {
                    return Self { child, port, folder, redis };
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        panic!("redis-server does not start");
    }

    /// Stops the server and starts an empty one at the same place.
    pub(crate) async fn crash(&mut self, down: Duration) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        tokio::time::sleep(down).await;
        self.child = spawn(self.port, self.folder.path());
        until("Redis is back", async || connect(self.port).await.is_ok()).await;
        self.redis = connect(self.port).await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Runs a command given as words.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        self.redis.query(&command).await.unwrap()
    }

    /// How often the server has read from its clients: about once for each round trip.
    pub(crate) async fn reads(&self) -> f64 {
        let stats: String = self.run(&["INFO", "stats"]).await;
        let reads = stats.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
        reads.unwrap().trim().parse().unwrap()
    }

    /// Pushes a payload as it is.
    pub(crate) async fn push(&self, queue: &str, payload: &[u8]) {
        self.redis.query::<()>(redis::cmd("LPUSH").arg(format!("queue:{queue}")).arg(payload)).await.unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, folder: &Path) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
        .arg(port.to_string())
        .arg("--dir")
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

pub(crate) async fn connect(port: u16) -> Result<Redis, sidemirror::connections::RedisError> {
    Redis::connect(&RedisSettings::new(format!("redis://127.0.0.1:{port}/0").parse().unwrap())).await
}

/// Waits until `condition` holds, at most 60 seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while !condition().await {
        assert!(std::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
