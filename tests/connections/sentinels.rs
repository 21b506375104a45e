//! Sentinels: the master is found through them, and followed when it changes.

use crate::rig::certificates::Ca;
use crate::rig::installation::Installation;
use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::server::Server;
use crate::work::{self, WORK, complaint, installation};

const REDIS_PASSWORD: &str = "geheim";
const SENTINEL_PASSWORD: &str = "verschwiegen";

/// Two servers, the second a replica of the first, and three Sentinels, all with passwords.
struct Fleet {
    servers: Vec<Server>,
    sentinels: Vec<Server>,
}

impl Fleet {
    fn start(tls: Option<&Ca>) -> Self {
        let tls_lines = tls.map(|ca| ca.server_lines("server", "yes")).unwrap_or_default();
        let login = format!("redis://:{REDIS_PASSWORD}@127.0.0.1:PORT/0");
        let socket = format!("unix://FOLDER/socket?pass={REDIS_PASSWORD}");
        let url = if tls.is_some() { &socket } else { &login };
        let with = |lines: &[String]| {
            let all: Vec<&str> = tls_lines.iter().chain(lines).map(String::as_str).collect();
            Server::with_url(&all, &[], url)
        };
        let mut lines = vec![
            format!("requirepass {REDIS_PASSWORD}"),
            format!("masterauth {REDIS_PASSWORD}"),
            "unixsocket FOLDER/socket".to_owned(),
        ];
        let master = with(&lines);
        lines.push(format!("replicaof 127.0.0.1 {}", master.port));
        let replica = with(&lines);
        wait::until("the replica to be in step", WORK, || {
            replica.run::<String>("INFO replication").contains("master_link_status:up")
        });
        let lines = [
            format!("sentinel monitor forge 127.0.0.1 {} 2", master.port),
            format!("sentinel auth-pass forge {REDIS_PASSWORD}"),
            "sentinel down-after-milliseconds forge 1000".to_owned(),
            "sentinel failover-timeout forge 5000".to_owned(),
            format!("requirepass {SENTINEL_PASSWORD}"),
            format!("sentinel sentinel-pass {SENTINEL_PASSWORD}"),
            // Who asks needs no more than this, as deploy/redis/README.md says.
            format!("user mirrors on >{SENTINEL_PASSWORD} -@all +sentinel|masters +role"),
            "unixsocket FOLDER/socket".to_owned(),
        ];
        let lines: Vec<&str> = tls_lines.iter().chain(&lines).map(String::as_str).collect();
        let socket = format!("unix://FOLDER/socket?pass={SENTINEL_PASSWORD}");
        let login = format!("redis://:{SENTINEL_PASSWORD}@127.0.0.1:PORT");
        let url = if tls.is_some() { socket } else { login };
        let sentinels: Vec<Server> = (0..3).map(|_| Server::with_url(&lines, &["--sentinel"], &url)).collect();
        wait::until("the Sentinels to know each other", WORK, || {
            sentinels.iter().all(|sentinel| {
                let known: Vec<Vec<String>> = sentinel.run("SENTINEL SENTINELS forge");
                let replicas: Vec<Vec<String>> = sentinel.run("SENTINEL REPLICAS forge");
                (known.len(), replicas.len()) == (2, 1)
            })
        });
        Self { servers: vec![master, replica], sentinels }
    }

    fn installation(&self, url: &str, more: &str) -> Installation {
        let folder = self.servers[0].folder();
        let (redis, sentinel) = (folder.join("password"), folder.join("sentinel-password"));
        std::fs::write(&redis, REDIS_PASSWORD).unwrap();
        std::fs::write(&sentinel, SENTINEL_PASSWORD).unwrap();
        let addresses: Vec<_> =
            self.sentinels.iter().map(|sentinel| format!("\"localhost:{}\"", sentinel.port)).collect();
        let keys = format!(
            "sentinels: [\"localhost:1\", {}], password_file: {}, sentinel_username: mirrors, sentinel_password_file: {}, {more}",
            addresses.join(", "),
            redis.display(),
            sentinel.display()
        );
        installation(url, &keys)
    }

    /// Waits until this server is the master and nobody doubts it, and until jobs are done that are pushed to it.
    fn assert_works_at(&self, number: usize, worker: &Worker) {
        let server = &self.servers[number];
        wait::until("the server to be master", WORK, || {
            // Whom a Sentinel promotes, it also lets drop all connections.
            server.try_to_run::<String>("INFO replication").is_ok_and(|info| info.contains("role:master"))
        });
        work::assert_works(&mut server.connection(), worker);
    }
}

#[test]
fn a_master_that_becomes_a_replica_is_left_for_the_new_one() {
    let fleet = Fleet::start(None);
    let installation = fleet.installation("redis://localhost", "sentinel_master: forge");
    let worker = installation.start_worker();
    fleet.assert_works_at(0, &worker);
    // The old master goes on and answers READONLY.
    fleet.sentinels[0].run::<()>("SENTINEL FAILOVER forge");
    fleet.assert_works_at(1, &worker);
    wait::until("the old master to follow", WORK, || {
        fleet.servers[0].run::<String>("INFO replication").contains("role:slave")
    });
    let refusals = fleet.servers[0].refusals("READONLY");
    fleet.assert_works_at(1, &worker);
    assert_eq!(fleet.servers[0].refusals("READONLY"), refusals, "the old master is still asked");
}

#[test]
fn a_master_that_dies_is_replaced_also_over_tls() {
    let ca = Ca::new();
    ca.sign("server", "DNS:localhost,IP:127.0.0.1", 30);
    ca.sign("client", "DNS:client", 30);
    let mut fleet = Fleet::start(Some(&ca));
    // As in Sidekiq 6, the host of the URL may be the master's name.
    let installation = fleet.installation("rediss://forge", &ca.client_keys(Some("client")));
    let worker = installation.start_worker();
    fleet.assert_works_at(0, &worker);
    fleet.servers[0].kill();
    fleet.sentinels[0].kill();
    fleet.assert_works_at(1, &worker);
    let (lost, found) = work::outages(&worker);
    assert_eq!(lost, found, "{}", worker.log());
    assert!((1..=2).contains(&lost), "{}", worker.log());
}

#[test]
fn what_the_sentinels_do_not_know_is_told() {
    let fleet = Fleet::start(None);
    let told = complaint(&fleet.installation("redis://localhost", "sentinel_master: farm"));
    assert!(told.contains("cannot connect to Redis at farm/0 (Sentinels localhost:1, localhost:"), "{told}");
    assert!(told.contains("the Sentinels know no master of this name that is up"), "{told}");
    assert!(!told.contains(REDIS_PASSWORD) && !told.contains(SENTINEL_PASSWORD), "{told}");
}
