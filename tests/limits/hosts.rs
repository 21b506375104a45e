//! How hosts are spared, by two workers that know of each other only through Redis.

use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::Commands as _;
use serde_json::Value;

use crate::children::held;
use crate::far_side::{FarSide, Script, write_listing};
use crate::rig::port;
use crate::rig::wait;
use crate::world::World;

/// Longer than anything here takes on a busy machine, but for what waits for a dead worker's lease.
const SOON: Duration = Duration::from_secs(30);

fn add(world: &World, id: u64, far_port: u16) {
    let url = format!("http://127.0.0.1:{far_port}/up.git");
    world.installation.add_mirror("pull", id, &format!("group/project-{id}.git"), &url, &[]);
}

fn hosts(world: &World) -> Vec<Value> {
    let status: Value = serde_json::from_str(&world.installation.cli_ok(&["status", "--json"])).unwrap();
    status["hosts"].as_array().unwrap().clone()
}

fn put_off(world: &World) -> usize {
    world.redis.connection().zcard("schedule").unwrap()
}

fn wait_for_put_off(world: &World, jobs: usize) {
    wait::until("the jobs to be put off", SOON, || put_off(world) == jobs);
}

#[test]
fn a_dead_host_costs_nothing_until_one_run_finds_it_alive_again() {
    let world = World::with(|settings| settings.mirror("hosts", "{failures: 3, pause: 2s}"));
    let second = world.installation.start_worker();
    let dead = port::free();
    for id in 1..=6 {
        add(&world, id, dead);
    }
    let refused = format!("Could not connect to 127.0.0.1:{dead}: connection refused.");
    for id in 1..=3 {
        assert_eq!(world.fail("pull", id), refused);
    }
    let given_up = world.fail("pull", 4);
    assert!(
        given_up.starts_with(&format!("The host 127.0.0.1:{dead} has not been serving anybody since ")),
        "{given_up}"
    );
    assert!(given_up.contains(&format!(" UTC: {refused} It is tried again in ")), "{given_up}");
    let known = hosts(&world);
    assert_eq!((&known[0]["name"], &known[0]["given_up"]), (&format!("127.0.0.1:{dead}").into(), &true.into()));
    assert_eq!(known[0]["failures"], 3);
    let shown = world.installation.cli_ok(&["status"]);
    assert!(shown.contains("given up") && shown.contains(&refused), "{shown}");
    for worker in [&world.worker, &second] {
        wait::until("both to count it", SOON, || worker.metric("sidemirror_host_breakers_open") == Some(1.0));
    }
    let deferred = |worker: &crate::rig::worker::Worker| {
        worker.metric(r#"sidemirror_host_deferrals_total{reason="open"}"#).unwrap_or(0.0)
    };
    assert!((deferred(&world.worker) + deferred(&second) - 1.0).abs() < f64::EPSILON);

    // Other hosts are served meanwhile.
    world.git.create("well.git").commit("main", "one");
    world.add_pull(7, "well.git", &[]);
    world.succeed("pull", 7);

    // The pause is over: one run tries, fails, and the next pause is longer.
    let asked = Instant::now();
    wait::until("a run to try", SOON, || world.fail("pull", 5) == refused);
    wait::until("a run to try again", SOON, || world.fail("pull", 5) == refused);
    assert!(asked.elapsed() > Duration::from_secs(4), "after 2 s comes 4 s: {:?}", asked.elapsed());

    let _far = FarSide::start(dead, Script::empty());
    wait::until("a run to find it alive", Duration::from_secs(60), || world.run("pull", 6).error().is_none());
    assert_eq!(hosts(&world), Vec::<Value>::new());
    for id in 1..=5 {
        world.succeed("pull", id);
    }
    for worker in [&world.worker, &second] {
        wait::until("nobody to count it", SOON, || worker.metric("sidemirror_host_breakers_open") == Some(0.0));
    }
}

#[test]
fn two_workers_together_stay_within_what_a_host_is_asked_at_once() {
    let world = World::with(|settings| settings.mirror("hosts", "{concurrency: 2}"));
    let second = world.installation.start_worker();
    let (script, open) = held();
    let far = FarSide::start(0, script);
    for id in 1..=6 {
        add(&world, id, far.port());
        world.push_job("pull", id);
    }
    wait_for_put_off(&world, 4);
    assert_eq!(far.at_once(), 2);
    let full = |worker: &crate::rig::worker::Worker| {
        worker.metric(r#"sidemirror_host_deferrals_total{reason="full"}"#).unwrap_or(0.0)
    };
    assert!(full(&world.worker) + full(&second) >= 4.0);
    assert_eq!((&hosts(&world)[0]["runs"], &hosts(&world)[0]["given_up"]), (&2.into(), &false.into()));
    // Other hosts are served meanwhile.
    world.git.create("well.git").commit("main", "one");
    world.add_pull(7, "well.git", &[]);
    world.push_job("pull", 7);
    wait::until("the other host's run", SOON, || world.state("pull", 7).status() == "finished");

    open.store(true, Ordering::Release);
    for id in 1..=6 {
        wait::until("all to be run in the end", Duration::from_secs(90), || {
            world.state("pull", id).status() == "finished"
        });
    }
    assert_eq!(far.most_at_once(), 2);
}

#[test]
fn the_place_of_a_worker_that_died_is_free_again() {
    let mut world = World::with(|settings| settings.mirror("hosts", "{concurrency: 1}").set("concurrency", 1));
    let (script, open) = held();
    let far = FarSide::start(0, script);
    add(&world, 1, far.port());
    add(&world, 2, far.port());
    world.push_job("pull", 1);
    wait::until("the first run", SOON, || far.at_once() == 1);
    world.worker.kill();
    open.store(true, Ordering::Release);
    let second = world.installation.start_worker();
    world.push_job("pull", 2);
    wait_for_put_off(&world, 1);
    wait::until("its place to be free", Duration::from_secs(90), || world.state("pull", 2).status() == "finished");
    drop(second);
}

#[test]
fn runs_begin_at_a_host_no_faster_than_it_is_allowed() {
    let world = World::with(|settings| settings.mirror("hosts", "{rate: 4}"));
    let _second = world.installation.start_worker();
    let far = FarSide::start(0, Script::empty());
    for id in 1..=6 {
        add(&world, id, far.port());
    }
    for id in 1..=6 {
        world.push_job("pull", id);
    }
    wait::until("all runs", Duration::from_secs(60), || far.asked().len() == 6);
    let mut asked = far.asked();
    asked.sort();
    let gaps: Vec<_> = asked.windows(2).map(|two| two[1] - two[0]).collect();
    // Each is begun a quarter of a second after the one before; then its way to the server takes a while, too.
    assert!(asked[5] - asked[0] > Duration::from_millis(1100), "{gaps:?}");
}

#[test]
fn a_host_that_asks_to_be_left_alone_is_so_by_all_workers_and_then_asked_again() {
    const ALONE: Duration = Duration::from_secs(12);
    let world = World::start();
    let second = world.installation.start_worker();
    let begun = Instant::now();
    let listing = move |stream: &mut std::net::TcpStream| {
        if begun.elapsed() > Duration::from_secs(5) {
            return write_listing(stream, &[]);
        }
        write!(stream, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {}\r\n", ALONE.as_secs())?;
        write!(stream, "Content-Length: 0\r\nConnection: close\r\n\r\n")
    };
    let far = FarSide::start(0, Script { listing: Box::new(listing), ..Script::empty() });
    add(&world, 1, far.port());
    add(&world, 2, far.port());
    let error = world.fail("pull", 1);
    assert!(error.starts_with("HTTP 429: 127.0.0.1"), "{error}");
    assert!(error.contains("it asks to be left alone for 1"), "{error}");

    // Whoever has met it takes nothing more; the other knows of it all the same.
    let met = if world.worker.log().contains("HTTP 429") { (&world.worker, &second) } else { (&second, &world.worker) };
    met.0.signal(rustix::process::Signal::TSTP);
    wait::until("one to be quiet", SOON, || met.0.get("/readyz").is_some_and(|answer| answer.status == 503));
    world.push_job("pull", 1);
    world.push_job("pull", 2);
    wait_for_put_off(&world, 2);
    assert_eq!(met.1.metric(r#"sidemirror_host_deferrals_total{reason="retry_after"}"#), Some(2.0));
    let known = hosts(&world);
    assert_eq!((&known[0]["given_up"], &known[0]["runs"]), (&false.into(), &0.into()), "{known:?}");
    assert_eq!(far.asked().len(), 1);

    for id in 1..=2 {
        wait::until("all to be run in the end", Duration::from_secs(90), || {
            world.state("pull", id).status() == "finished"
        });
    }
    let asked = far.asked();
    assert!(asked[1] - asked[0] > ALONE - Duration::from_secs(1), "{:?}", asked[1] - asked[0]);
}

#[test]
fn runs_go_on_while_redis_refuses_to_tell_of_hosts() {
    use sha2::Digest as _;
    let world = World::with(|settings| settings.mirror("hosts", "{concurrency: 1}"));
    let far = FarSide::start(0, Script::empty());
    add(&world, 1, far.port());
    let digest = sha2::Sha256::digest(format!("127.0.0.1:{}", far.port()).as_bytes());
    let id: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("sidemirror:hosts:{id}:runs");
    let () = world.redis.connection().set(&key, "of another type").unwrap();
    world.succeed("pull", 1);
    world.succeed("pull", 1);
    let told = |text: &str| world.worker.log().matches(text).count();
    assert_eq!(told("what other nodes know of the hosts is not to be had; runs go on without"), 1);
    assert_eq!(told("what other nodes know of the hosts is known again"), 0);
    let () = world.redis.connection().del(&key).unwrap();
    world.succeed("pull", 1);
    assert_eq!(told("what other nodes know of the hosts is known again"), 1);
    assert_eq!(far.asked().len(), 3);
}
