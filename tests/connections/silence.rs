//! Connections that are open and dead, and servers that take their time.

use crate::rig::proxy::Proxy;
use crate::rig::wait;
use crate::server::{Server, with_debug};
use crate::work::{self, WORK, installation, outages, wait_for_outages};

#[test]
fn connections_that_never_answer_again_are_replaced() {
    let server = Server::start(&[]);
    let proxy = Proxy::to(server.port);
    let installation = installation(&format!("redis://127.0.0.1:{}/0", proxy.port()), "");
    let worker = installation.start_worker();
    work::assert_works(&mut server.connection(), &worker);
    proxy.lose_replies();
    wait_for_outages(&worker, (1, 1));
    work::assert_works(&mut server.connection(), &worker);
    assert_eq!(outages(&worker), (1, 1));
    // A job that a lost reply brought is found in the working list and run after all.
    let mut redis = server.connection();
    wait::until("no job to be left", WORK, || {
        redis::cmd("LLEN").arg("queue:mirrors").query::<usize>(&mut redis).unwrap() == 0
    });
}

#[test]
fn slow_replies_are_no_outage() {
    let server = Server::start(&[with_debug()]);
    let installation = installation(&format!("redis://127.0.0.1:{}/0", server.port), "");
    let worker = installation.start_worker();
    for _ in 0..5 {
        server.run::<()>("DEBUG SLEEP 1");
    }
    work::assert_works(&mut server.connection(), &worker);
    assert_eq!(outages(&worker), (0, 0));
}

#[test]
fn silent_connections_are_kept_alive_by_the_kernel() {
    let server = Server::start(&[]);
    let installation = installation(&format!("redis://127.0.0.1:{}/0", server.port), "");
    let worker = installation.start_worker();
    // Column 3 is whom a connection leads to, column 6 begins with the timer that runs: 02 is keepalive.
    let there = format!("0100007F:{:04X}", server.port);
    let timers = || -> Vec<String> {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        columns
            .filter(|columns| columns[2] == there && columns[3] == "01")
            .map(|columns| columns[5].to_owned())
            .collect()
    };
    wait::until("all connections to be kept alive", WORK, || {
        let timers = timers();
        timers.len() >= 2 && timers.iter().all(|timer| timer.starts_with("02:"))
    });
    drop(worker);
}
