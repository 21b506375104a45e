//! How one case is tried.

use std::time::Duration;

use rand::RngExt as _;
use regex::Regex;

use crate::case::{Case, Direction, End};
use crate::intact::{Snapshot, complaints};
use crate::rig::repository::Repository;
use crate::server::Server;
use crate::world::World;

/// The longest that a run may take beside its limit, on a busy machine.
const SLACK: Duration = Duration::from_secs(30);

/// Runs a mirror of the hostile far side on `world`'s worker, and looks at everything that must not have happened.
pub(crate) fn run(world: &World, case: &Case) {
    let server = Server::start(&case.far);
    let id = world.new_id();
    let local = world.create_local(id);
    local.commit("main", "ours");
    local.commit("topic", &if case.is_large { noise() } else { "ours, too".to_owned() });
    let before = Snapshot::of(&local);
    let mut options: Vec<&str> = case.takes.unhurried().to_vec();
    options.extend(case.options.iter().map(String::as_str));
    world.add(case.direction, id, case.way, &case.way.url(server.port()), &options);

    let job = world.push_job(case.direction, id);
    world.see_neighbours();
    world.wait_for(&job);

    let state = world.state(case.direction, id);
    let took = Duration::from_secs_f64(state["last_duration_seconds"].as_f64().expect("a run that has ended"));
    let limit = case.takes.limit();
    assert!(took <= limit + SLACK, "took {took:?}, and the limit is {limit:?}: {state}");
    assert!(server.connections() > 0, "nobody came: {state}");
    let (finished, error) = (state["update_status"] == "finished", state["last_error"].as_str());
    match case.end {
        End::Has(refs) => {
            assert!(finished && error.is_none(), "{state}");
            assert_eq!(local.mirrored_refs().into_keys().collect::<Vec<_>>(), refs);
        }
        End::FailsOrNot(_) if finished => assert_untouched(case.direction, &before, &local),
        End::Fails(told) | End::FailsInPart(told) | End::FailsOrNot(told) => {
            let error = error.unwrap_or_default();
            assert!(is_told(told, error, server.port()), "expected {told}\nbut was {error}\n{}", complaints(&local));
            if !matches!(case.end, End::FailsInPart(_)) {
                assert_untouched(case.direction, &before, &local);
            }
        }
    }
    assert_eq!(complaints(&local), "", "of git fsck");
    world.assert_alive();
}

fn is_told(expected: &str, told: &str, port: u16) -> bool {
    let expected = expected.replace("AT", &format!("127\\.0\\.0\\.1:{port}")).replace("HOST", "127\\.0\\.0\\.1");
    let fit = told.chars().count() <= 10_000 && !told.chars().any(|letter| letter.is_control() && letter != '\n');
    fit && Regex::new(&format!("^(?s:{expected})$")).unwrap().is_match(told)
}

fn assert_untouched(direction: Direction, before: &Snapshot, local: &Repository) {
    let mut after = Snapshot::of(local);
    if direction == Direction::Push {
        // What a push remembers is about the far side.
        after.refs.retain(|name, _| !name.starts_with("refs/sidemirror/"));
    }
    assert_eq!(after.refs, before.refs);
    let mut changed = after.files_changed_since(before);
    changed.retain(|name| !name.starts_with("refs/sidemirror/push/"));
    assert!(changed.is_empty(), "{changed:?}");
}

/// Four megabytes that do not get much smaller by compression; a commit holds them twice.
fn noise() -> String {
    let random = rand::rng().sample_iter(rand::distr::Alphanumeric);
    random.take(4_000_000).map(char::from).collect()
}
