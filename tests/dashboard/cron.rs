//! The Cron page of sidekiq-cron: our schedule, and the buttons that stop it and ask for it.

use crate::dashboard::{Dashboard, is_about_now};
use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository;
use crate::rig::ruby::Ruby;
use crate::rig::wait;
use crate::scene::PATIENCE;

const ENTRY: &str = "sidemirror_update_all_mirrors";
const ASKED_FOR: &str = r#"sidemirror_jobs_total{class="UpdateAllMirrors",outcome="done"}"#;

pub(crate) fn our_schedule_is_shown_disabled_and_asked_for() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url()).mirror("cron_tab", true).mirror("sidekiq", "6.4");
    let worker = installation.start_worker();
    let dashboard = Dashboard::open(Ruby::Bookworm, &redis.url());

    let page = dashboard.until_shown("cron", "the first minute of our schedule", |page| {
        page.rows("Name").iter().any(|row| row["Name"].contains(ENTRY) && is_about_now(&row["Last enqueued"]))
    });
    dashboard.keep("cron");
    let entry = page.row(ENTRY);
    assert_eq!((entry["Status"].as_str(), entry["Cron"].as_str()), ("enabled", "* * * * *"), "{entry:?}");

    dashboard.press_in_row(ENTRY, "disable");
    dashboard.until_shown("cron", "that it is disabled", |page| page.row(ENTRY)["Status"] == "disabled");
    dashboard.keep("cron-disabled");

    // So it is not our own minute that brings this one up to date.
    installation.add_mirror("pull", 1, "group/project.git", &git.url("up/stream.git"), &[]);
    dashboard.press_in_row(ENTRY, "enque");
    let (ours, upstream) = (installation.repository("group/project.git"), git.repository_path("up/stream.git"));
    wait::until("the mirror to be up to date", PATIENCE, || {
        ours.path().join("HEAD").exists() && ours.mirrored_refs() == repository::refs(&upstream)
    });
    assert_eq!(worker.metric(ASKED_FOR), Some(1.0), "{}", worker.log());
}
