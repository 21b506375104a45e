//! Work that shows whether a worker works: jobs for mirrors that do not exist are over as soon as they are begun.

use std::time::Duration;

use redis::Commands as _;

use crate::rig::installation::Installation;
use crate::rig::wait;
use crate::rig::worker::Worker;

/// Longer than any outage of a test plus everything that has to notice its end.
pub(crate) const WORK: Duration = Duration::from_mins(1);

/// An installation with quick timeouts, whose `mirror.redis` section has these further lines in YAML's short form.
pub(crate) fn installation(url: &str, redis: &str) -> Installation {
    Installation::new(url)
        .mirror("redis", format!("{{connect_timeout: 2s, response_timeout: 2s, {redis}}}"))
        .mirror("scheduler", false)
}

/// Pushes one job and waits until the worker has done it.
pub(crate) fn assert_works(redis: &mut redis::Connection, worker: &Worker) {
    let jid = format!("{:024x}", rand::random::<u64>());
    push(redis, &jid);
    wait_for(worker, &jid);
}

/// Pushes one job.
pub(crate) fn push(redis: &mut redis::Connection, jid: &str) {
    let job = format!(r#"{{"class":"UpdateMirror","args":[1],"queue":"mirrors","jid":"{jid}","retry":false}}"#);
    redis.lpush::<_, _, ()>("queue:mirrors", job).unwrap();
}

/// Waits until the worker has done this job.
pub(crate) fn wait_for(worker: &Worker, jid: &str) {
    wait::until("the job", WORK, || worker.log().lines().any(|line| line.contains(jid) && line.contains("end")));
}

/// So often the log tells that Redis went away, and that it came back.
pub(crate) fn outages(worker: &Worker) -> (usize, usize) {
    let log = worker.log();
    (log.matches("trying again every second").count(), log.matches("Redis is online").count())
}

pub(crate) fn wait_for_outages(worker: &Worker, times: (usize, usize)) {
    wait::until(&format!("{times:?} lines of outage and recovery"), WORK, || outages(worker) == times);
}

/// The one line that a subcommand says when it cannot reach Redis.
pub(crate) fn complaint(installation: &Installation) -> String {
    let output = installation.cli(&["mirror", "list"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    told
}
