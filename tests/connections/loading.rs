//! A server that is still reading its data.

use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::server::{Server, with_debug};
use crate::work::{self, complaint, installation, wait_for_outages};

/// A server that takes some seconds to load what it holds.
fn slow_loader() -> Server {
    let server = Server::start(&[with_debug(), "key-load-delay 1000", "loading-process-events-interval-bytes 1024"]);
    let filled: String = server.run("DEBUG POPULATE 4000");
    assert_eq!(filled, "OK");
    server.run::<()>("SAVE");
    server
}

fn restart(server: &mut Server) {
    server.kill();
    server.launch_again();
    wait::until("the server to load", wait::START, || {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/0", server.port)).unwrap();
        let answer = client.get_connection().and_then(|mut connection| redis::cmd("PING").exec(&mut connection));
        answer.is_err_and(|error| error.code() == Some("LOADING"))
    });
}

#[test]
fn a_server_that_loads_its_data_is_waited_for() {
    let mut server = slow_loader();
    let installation = installation(&format!("redis://127.0.0.1:{}/0", server.port), "");
    let worker = installation.start_worker();
    work::assert_works(&mut server.connection(), &worker);
    restart(&mut server);
    wait_for_outages(&worker, (1, 1));
    work::assert_works(&mut server.connection(), &worker);
    wait_for_outages(&worker, (1, 1));
}

#[test]
fn a_worker_that_is_started_meanwhile_waits_and_says_so() {
    let mut server = slow_loader();
    restart(&mut server);
    let installation = installation(&format!("redis://127.0.0.1:{}/0", server.port), "");
    assert!(complaint(&installation).contains("it is still loading its data"));
    let worker = Worker::start(&installation);
    let log = worker.log();
    assert_eq!(log.matches("it is still loading its data; waiting up to 45s for it").count(), 1, "{log}");
    work::assert_works(&mut server.connection(), &worker);
}
