//! A server that answers but does not serve: nothing exits, nothing spins, one line says so and one that it is over.

use std::time::{Duration, Instant};

use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::server::Server;
use crate::work::{self, installation, outages, wait_for_outages};

/// So many times a server says no before its trouble is over.
const TRIES: usize = 12;
/// All loops of one worker together take at least so long for that.
const QUICKEST: Duration = Duration::from_secs(1);

/// Brings a server into trouble by one command and out of it by another.
fn outlives(code: &str, said: &str, into: &str, out: &str) {
    let server = Server::start(&["repl-diskless-load disabled"]);
    let installation = installation(&format!("redis://127.0.0.1:{}/0", server.port), "");
    let mut worker = installation.start_worker();
    work::assert_works(&mut server.connection(), &worker);

    server.run::<()>(into);
    wait_for_outages(&worker, (1, 0));
    assert!(worker.log().contains(said), "the log does not say {said}");
    let (before, start) = (server.refusals(code), Instant::now());
    wait::until("further tries", work::WORK, || server.refusals(code) >= before + TRIES);
    assert!(start.elapsed() > QUICKEST, "{TRIES} tries in {:?}", start.elapsed());
    assert_eq!(outages(&worker), (1, 0), "{code} is told more than once");

    server.run::<()>(out);
    work::assert_works(&mut server.connection(), &worker);
    wait_for_outages(&worker, (1, 1));
    assert!(worker.terminate().success());
    assert_eq!(outages(&worker), (1, 1));
}

#[test]
fn a_server_that_was_made_a_replica_is_waited_for() {
    // The blocked fetch is the first to notice.
    outlives("READONLY", "UNBLOCKED", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE");
}

#[test]
fn a_server_that_is_out_of_memory_is_waited_for() {
    outlives("OOM", "OOM", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0");
}

#[test]
fn a_server_that_misses_its_replicas_is_waited_for() {
    outlives("NOREPLICAS", "NOREPLICAS", "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0");
}

#[test]
fn a_worker_with_no_free_slot_does_not_take_its_own_waiting_for_a_recovery() {
    let (server, far) = (Server::start(&[]), SilentServer::start());
    let installation = installation(&format!("redis://127.0.0.1:{}/0", server.port), "").set("concurrency", 1);
    installation.add_mirror("pull", 1, "group/project.git", &format!("http://127.0.0.1:{}/p.git", far.port()), &[]);
    let worker = installation.start_worker();
    work::push(&mut server.connection(), "0123456789abcdef01234567");
    wait::until("the job to hang", work::WORK, || far.connections() > 0);
    server.run::<()>("REPLICAOF 127.0.0.1 1");
    wait_for_outages(&worker, (1, 0));
    let before = server.refusals("READONLY");
    wait::until("further tries", work::WORK, || server.refusals("READONLY") >= before + TRIES);
    assert_eq!(outages(&worker), (1, 0));
    server.run::<()>("REPLICAOF NO ONE");
    wait_for_outages(&worker, (1, 1));
}

#[test]
fn a_request_that_is_refused_each_time_is_told_once_and_is_no_outage() {
    let server = Server::start(&[]);
    let installation =
        installation(&format!("redis://127.0.0.1:{}/0", server.port), "").set("queues", "[[mirrors, 1], [odd, 1]]");
    let worker = installation.start_worker();
    server.run::<()>("SET queue:odd text");
    let told = || worker.log().matches("fetching failed").count();
    wait::until("the refusal", work::WORK, || told() > 0);
    let before = server.refusals("WRONGTYPE");
    wait::until("more refusals", work::WORK, || server.refusals("WRONGTYPE") > before + 3);
    assert_eq!((told(), outages(&worker)), (1, (0, 0)));
}
