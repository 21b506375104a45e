//! What a job is for, in the forms in which Rails says it, and what becomes of jobs that cannot work.

use chrono::Utc;
use redis::Commands as _;

use crate::rig::store::Store;
use crate::world::World;

/// Pushes a text as it is, and waits until nobody has it in hand.
fn push(world: &World, text: &str) {
    let _: u64 = world.redis.connection().lpush("queue:mirrors", text).unwrap();
    world.wait_for_jobs();
}

#[test]
fn an_active_job_that_names_a_record_runs_the_mirror_of_that_number() {
    let world = World::start();
    world.git.create("up.git").commit("main", "first");
    world.add_pull(42, "up.git", &[]);
    let job = |id: &str| {
        format!(
            r#"{{"class":"ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper","wrapped":"UpdateMirror","queue":"mirrors",
                "args":[{{"job_class":"UpdateMirror","arguments":[{{"_aj_globalid":"{id}"}}],"executions":0}}]}}"#
        )
    };
    push(&world, &job("gid://forge/Project/42"));
    assert_eq!(world.state("pull", 42).status(), "finished");

    push(&world, &job("gid://forge/Project/forty-two"));
    let retry: Vec<String> = world.redis.connection().zrange("retry", 0, -1).unwrap();
    assert!(
        retry[0].contains(r#""error_message":"the job's first argument is not the number of a mirror"#),
        "{retry:?}"
    );
}

#[test]
fn a_job_whose_mirror_can_never_run_is_not_retried_but_dead() {
    let world = World::start();
    let store = Store::open(&world.redis, &world.installation);
    store.add_pull(1, "group/project-1.git", "svn://127.0.0.1/up.git", Utc::now());
    push(&world, r#"{"class":"UpdateMirror","args":[1],"retry":25,"queue":"mirrors"}"#);
    let error = world.state("pull", 1).error().unwrap().to_owned();
    assert!(error.starts_with("The URL is invalid"), "{error}");
    let mut connection = world.redis.connection();
    let dead: Vec<String> = connection.zrange("dead", 0, -1).unwrap();
    assert!(dead.len() == 1 && dead[0].contains(&error), "{dead:?}");
    assert!(!connection.exists::<_, bool>("retry").unwrap());
}
