//! A user with the documented rights and no others, and what is said when one of them is missing.

use sidemirror::connections::rights;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::ruby;
use crate::rig::wait;
use crate::server::{Server, version};
use crate::work::{WORK, installation, push};

fn rules() -> String {
    // Before 6.2 there were no rights to channels.
    let channels = if version() >= (6, 2) { rights::CHANNELS } else { "" };
    format!("{} {channels} {}", rights::KEYS, rights::COMMANDS)
}

/// A server with a user `worker` who has these rights, and an installation that logs in as that user.
fn server_and_installation(rules: &str) -> (Server, Installation) {
    let user = format!("user worker on >geheim {rules}");
    let server = Server::start(&[&user]);
    let file = server.folder().join("password");
    std::fs::write(&file, "geheim\n").unwrap();
    let keys = format!("username: worker, password_file: {}", file.display());
    let installation = installation(&format!("redis://127.0.0.1:{}/0", server.port), &keys);
    (server, installation)
}

fn denials(server: &Server) -> Vec<String> {
    let log: Vec<Vec<redis::Value>> = server.run("ACL LOG");
    log.into_iter().map(|entry| format!("{entry:?}")).collect()
}

#[test]
fn a_user_with_the_documented_rights_can_do_all_that_a_worker_does() {
    let (server, installation) = server_and_installation(&rules());
    let git = GitServer::start();
    git.create("up/stream.git").commit("main", "first");
    let installation = installation.mirror("scheduler", true).mirror("poller", true).set("poll_interval_average", 0.3);
    installation.add_mirror("pull", 1, "group/project.git", &git.url("up/stream.git"), &[]);
    let mut worker = installation.start_worker();
    let jids = ruby::eval(
        &format!("redis://127.0.0.1:{}/0", server.port),
        r#"
        class UpdateMirror
          include Sidekiq::Worker
          sidekiq_options queue: "mirrors", retry: 1
        end
        [UpdateMirror.perform_async(1), UpdateMirror.perform_in(0.5, 1), UpdateMirror.perform_async("fails"),
         Sidekiq::Client.push("class" => "Elsewhere", "args" => [], "queue" => "mirrors", "retry" => false)]
        "#,
    );
    assert_eq!(jids.as_array().unwrap().len(), 4);
    wait::until("the mirror to be up to date", WORK, || {
        installation.mirror_state("pull", 1)["update_status"] == "finished"
    });
    wait::until("the jobs to be over", WORK, || {
        worker.log().matches("outcome=\"done\"").count() >= 2 && server.run::<usize>("ZCARD retry") == 1
    });
    assert!(worker.terminate().success());
    assert_eq!(denials(&server), Vec::<String>::new());
    // The foreign one.
    assert_eq!(server.run::<usize>("LLEN queue:mirrors"), 1);
}

#[test]
fn a_right_that_is_missing_is_named() {
    let missing = |rules: &str, said: &str| {
        let (server, installation) = server_and_installation(rules);
        let told = || String::from_utf8(installation.cli(&["mirror", "list"]).stderr).unwrap();
        (server, told(), said.to_owned())
    };
    for (_server, told, said) in [
        missing(&format!("{} -hgetall -ping", rules()), "ACL SETUSER worker +ping would permit it"),
        missing(&rules().replace("~sidemirror:*", ""), "ACL SETUSER worker"),
    ] {
        assert!(told.contains(&said) && told.contains("the user worker may not use"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn a_worker_that_may_not_fetch_says_so_once_and_works_when_it_may() {
    let (server, installation) = server_and_installation(&format!("{} -rpoplpush", rules()));
    let worker = installation.start_worker();
    push(&mut server.connection(), "0123456789abcdef01234567");
    let told = "the user worker may not use the command RPOPLPUSH; ACL SETUSER worker +rpoplpush would permit it";
    wait::until("the denial to be told", WORK, || worker.log().contains(told));
    let before = denials_of(&server);
    wait::until("further tries", WORK, || denials_of(&server) >= before + 3);
    assert_eq!(worker.log().matches(told).count(), 1);
    // What the line says is what helps.
    server.run::<()>("ACL SETUSER worker +rpoplpush");
    crate::work::wait_for(&worker, "0123456789abcdef01234567");
}

/// How often the user was denied something.
fn denials_of(server: &Server) -> usize {
    let log: Vec<std::collections::HashMap<String, redis::Value>> = server.run("ACL LOG");
    log.into_iter().map(|mut entry| redis::from_redis_value::<usize>(entry.remove("count").unwrap()).unwrap()).sum()
}

#[test]
fn the_documentation_has_the_rights_as_they_are() {
    let page = include_str!("../../deploy/redis/README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for rights in [rights::KEYS, rights::CHANNELS, rights::COMMANDS] {
        assert!(page.contains(rights), "deploy/redis/README.md lacks {rights}");
    }
}
