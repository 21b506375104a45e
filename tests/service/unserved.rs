//! A job that nobody serves.

use std::time::Duration;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::wait;

#[test]
fn a_job_of_an_unknown_class_that_is_not_to_be_retried_is_gone_and_the_log_says_so() {
    let redis = Redis::start();
    // Otherwise the worker would wait for a process that serves it.
    let installation = Installation::new(&redis.url()).mirror("foreign_grace", "0s");
    let worker = installation.start_worker();
    let mut connection = redis.connection();
    for (jid, retry) in [("once", "false"), ("again", "true")] {
        let job = format!(r#"{{"class":"Unknown","args":[],"jid":"{jid}","queue":"mirrors","retry":{retry}}}"#);
        redis::cmd("LPUSH").arg("queue:mirrors").arg(job).exec(&mut connection).unwrap();
    }
    let told = |jid: &str| {
        let log = worker.log();
        let lines = log.lines().filter(|line| line.contains(&format!("jid={jid} ")));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let is_over = |jid: &str| told(jid).iter().any(|line| line.contains("outcome=\"failed\""));
    wait::until("both failed", Duration::from_secs(20), || is_over("once") && is_over("again"));
    let says_gone = |line: &String| line.contains("WARN") && line.contains("it is gone, as it would be in Ruby");
    assert!(told("once").iter().any(says_gone), "{}", worker.log());
    assert!(!told("again").iter().any(says_gone), "{}", worker.log());
}
