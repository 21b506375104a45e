//! A server that knows no command that Redis 4.0 did not know.

use crate::rig::git_http::GitServer;
use crate::rig::ruby;
use crate::rig::wait;
use crate::server::{Server, version};
use crate::work::{WORK, installation};

/// The commands of this server that came after 4.0, and CLIENT, whose subcommands ID and UNBLOCK did.
fn newer_commands() -> Vec<String> {
    if version() < (7, 0) {
        // It cannot tell, and lacks them itself.
        return Vec::new();
    }
    let server = Server::start(&[]);
    let all: Vec<(String, redis::Value)> = server.run("COMMAND DOCS");
    let is_newer = |docs: &redis::Value| {
        let fields: Vec<redis::Value> = redis::from_redis_value(docs.clone()).unwrap();
        let field = |name: &str| {
            let mut pairs = fields.chunks(2);
            let pair = pairs.find(|pair| redis::from_redis_value::<String>(pair[0].clone()).unwrap() == name)?;
            Some(redis::from_redis_value::<String>(pair[1].clone()).unwrap())
        };
        // Modules are loaded after the renaming.
        let Some(since) = field("since").filter(|_| field("module").is_none()) else { return false };
        let major: u32 = since.split('.').next().unwrap().parse().unwrap();
        major > 4 || (major == 4 && !since.starts_with("4.0."))
    };
    let newer = all.into_iter().filter(|(_, docs)| is_newer(docs)).map(|(name, _)| name);
    newer.chain(["client".to_owned()]).collect()
}

#[test]
fn a_server_without_the_commands_of_later_versions_is_enough() {
    let newer = newer_commands();
    let known =
        if newer.is_empty() { &[][..] } else { &["lmove", "getdel", "hello", "acl", "xadd", "bzpopmin", "smismember"] };
    for name in known {
        assert!(newer.iter().any(|newer| newer == name), "{name} is not among {newer:?}");
    }
    let lines: Vec<String> = newer.iter().map(|name| format!("rename-command {name} \"\"")).collect();
    let server = Server::start(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let git = GitServer::start();
    git.create("up/stream.git").commit("main", "first");
    let url = format!("redis://127.0.0.1:{}/0", server.port);
    let installation = installation(&url, "").set("poll_interval_average", 0.3);
    installation.add_mirror("pull", 1, "group/project.git", &git.url("up/stream.git"), &[]);
    let mut worker = installation.start_worker();
    let push = r#"
        class UpdateMirror
          include Sidekiq::Worker
          sidekiq_options queue: "mirrors", retry: 1
        end
        [UpdateMirror.perform_async(1), UpdateMirror.perform_in(0.5, 1), UpdateMirror.perform_async("fails")]"#;
    ruby::eval(&url, push);
    wait::until("the jobs to be over", WORK, || {
        worker.log().matches("outcome=\"done\"").count() == 2 && server.run::<usize>("ZCARD retry") == 1
    });
    assert_eq!(installation.mirror_state("pull", 1)["update_status"], "finished");
    assert!(worker.terminate().success());
    // The job that fails is the only one to warn of.
    let log = worker.log();
    assert_eq!((log.matches(" WARN ").count(), log.matches(" ERROR ").count()), (1, 0), "{log}");
}
