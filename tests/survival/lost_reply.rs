//! A proxy between worker and Redis swallows the answer to a fetch: the job has moved, and the worker does not know.

use crate::far_side::listings;
use crate::jobs;
use crate::rig::proxy::Proxy;
use crate::rig::redis::Redis;
use crate::rig::wait;
use crate::world::{WORK, World, count};

/// A world whose workers reach Redis through this proxy, one job at a time.
fn world_behind_a_proxy(mirrors: u64) -> (World, Proxy) {
    let mut world = World::new(mirrors);
    let proxy = Proxy::to(world.redis.port());
    world.installation = world.installation.with_redis(&Redis::url_at(proxy.port())).set("concurrency", 1);
    (world, proxy)
}

fn assert_each_was_run_once(world: &World) {
    world.wait_until_done(WORK);
    world.assert_all_is_well();
    for mirror in world.numbers() {
        assert_eq!(listings(world, mirror), 1, "runs of mirror {mirror}");
    }
}

pub(crate) fn a_job_whose_fetch_is_not_answered_is_run() {
    let (world, proxy) = world_behind_a_proxy(1);
    let job = world.jobs();
    jobs::push(&mut world.connection(), &job);
    proxy.lose_replies_after("RPOPLPUSH");
    let worker = world.installation.start_worker();
    wait::until("the job to be taken", WORK, || jobs::in_hand_of(&mut world.connection(), worker.id()) == 1);
    wait::until("the answer to be lost", WORK, || proxy.lost_bytes() > job[0].len());
    assert_each_was_run_once(&world);
    assert_eq!(count(worker.metric("sidemirror_recovered_jobs_total")), 1);
}

pub(crate) fn a_job_whose_blocking_fetch_is_not_answered_is_run() {
    let (world, proxy) = world_behind_a_proxy(1);
    let mut redis = world.connection();
    let worker = world.installation.start_worker();
    let is_waiting = |redis: &mut redis::Connection| {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(redis).unwrap();
        clients.contains("cmd=brpoplpush")
    };
    wait::until("the worker to wait for a job", WORK, || is_waiting(&mut redis));
    proxy.lose_replies_after("BRPOPLPUSH");
    wait::until("its next wait", WORK, || proxy.has_noticed_request() && is_waiting(&mut redis));
    let job = world.jobs();
    jobs::push(&mut redis, &job);
    wait::until("the answer to be lost", WORK, || proxy.lost_bytes() > job[0].len());
    assert_each_was_run_once(&world);
    assert_eq!(count(worker.metric("sidemirror_recovered_jobs_total")), 1);
}

pub(crate) fn a_job_whose_fetch_with_an_acknowledgement_is_not_answered_is_run() {
    let (world, proxy) = world_behind_a_proxy(2);
    let jobs = world.jobs();
    jobs::push(&mut world.connection(), &jobs);
    proxy.lose_replies_after("LREM");
    let worker = world.installation.start_worker();
    wait::until("the answer to be lost", WORK, || proxy.lost_bytes() > jobs[1].len());
    assert_each_was_run_once(&world);
    assert_eq!(count(worker.metric("sidemirror_recovered_jobs_total")), 1);
}
