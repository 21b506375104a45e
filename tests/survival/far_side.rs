//! What the upstream saw of the mirrors' runs.

use crate::rig::git_http::Request;
use crate::world::{World, far_path};

/// A run speaks to its upstream with one request at a time, so two requests for one mirror at the same moment are
/// two runs. Not for workers that leave a run: the server may still be at work on a request whose client has gone.
pub(crate) fn assert_no_mirror_was_run_by_two_at_once(world: &World) {
    for mirror in world.numbers() {
        let mut requests = world.git.requests(&far_path(mirror));
        requests.sort_by_key(|request| request.began);
        for [one, next] in requests.array_windows() {
            assert!(one.ended <= next.began, "two requests for mirror {mirror} at once: {one:?} and {next:?}");
        }
    }
}

/// How often the refs of a mirror's upstream were asked for, and answered.
pub(crate) fn listings(world: &World, mirror: u64) -> usize {
    let is_listing = |request: &&Request| request.target.contains("/info/refs?") && request.status == 200;
    world.git.requests(&far_path(mirror)).iter().filter(is_listing).count()
}

/// Whether a mirror's upstream has sent what was asked of it.
pub(crate) fn has_sent(world: &World, mirror: u64) -> bool {
    let requests = world.git.requests(&far_path(mirror));
    requests.iter().any(|request| request.method == "POST" && request.status == 200)
}
