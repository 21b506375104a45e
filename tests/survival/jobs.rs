//! The jobs of a test, as the forge pushes them, and where they are at any moment.

use redis::{Commands as _, Connection};

/// The queue of all these tests.
const QUEUE: &str = "queue:mirrors";

/// A pull job as Ruby might write it: numbers in its own spelling, a key that is none of ours.
pub(crate) fn pull_job(mirror: u64, jid: &str) -> String {
    format!(
        r#"{{"retry":false,"queue":"mirrors","class":"UpdateMirror","args":[{mirror}],"jid":"{jid}","created_at":1.7E9,"enqueued_at":1700000000.250,"meta.caller":"Café"}}"#
    )
}

/// Puts jobs into the queue, the first to be fetched first.
pub(crate) fn push(redis: &mut Connection, jobs: &[String]) {
    redis.lpush::<_, _, ()>(QUEUE, jobs).unwrap();
}

/// The jobs in the queue, in the order of their texts.
pub(crate) fn queued(redis: &mut Connection) -> Vec<String> {
    let mut jobs: Vec<String> = redis.lrange(QUEUE, 0, -1).unwrap();
    jobs.sort();
    jobs
}

/// How many jobs lie in the working list of the worker with this process id.
pub(crate) fn in_hand_of(redis: &mut Connection, worker: u32) -> usize {
    let lists: Vec<String> = redis.keys(format!("working:*:{worker}:*")).unwrap();
    lists.iter().map(|list| redis.llen::<_, usize>(list).unwrap()).sum()
}

/// How many jobs are anywhere: in the queue, in hand, put off, to be retried, dead.
pub(crate) fn anywhere(redis: &mut Connection) -> usize {
    let lists: Vec<String> = redis.keys("working:*").unwrap();
    let in_lists: usize = lists.iter().map(|list| redis.llen::<_, usize>(list).unwrap()).sum();
    let others: [usize; 4] =
        redis::pipe().llen(QUEUE).zcard("schedule").zcard("retry").zcard("dead").query(redis).unwrap();
    in_lists + others.iter().sum::<usize>()
}
