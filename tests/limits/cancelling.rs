//! How soon a run that is cancelled is over, whatever it is doing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use redis::Commands as _;

use crate::far_side::{FarSide, Script, head};
use crate::rig::wait;
use crate::world::World;

/// From the order to the mirror's end. The order is looked for twice a second.
const AT_ONCE: Duration = Duration::from_millis(1500);
const SOON: Duration = Duration::from_secs(60);

/// Orders the end of the first job, and waits for it.
fn cancel(world: &World, direction: &str) -> Duration {
    let mut connection = world.redis.connection();
    let () = connection.set("sidemirror:cancel:000000000000000000000001", "1").unwrap();
    let ordered = Instant::now();
    wait::until("the run to be over", SOON, || {
        connection.keys::<_, Vec<String>>("sidemirror:run:*").unwrap().is_empty()
    });
    let took = ordered.elapsed();
    let state = world.state(direction, 1);
    assert_eq!(state.error(), Some("Cancelled by an administrator."), "{state:?}");
    took
}

#[test]
fn a_run_that_receives_a_byte_now_and_then_ends_at_once() {
    for (name, in_listing) in [("listing", true), ("receiving", false)] {
        let world = World::start();
        let drip = |kind: &'static str, begin: &'static [u8]| {
            move |stream: &mut std::net::TcpStream| {
                head(stream, kind)?;
                stream.write_all(begin)?;
                loop {
                    stream.write_all(b"x")?;
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        };
        let script = if in_listing {
            let kind = "application/x-git-upload-pack-advertisement";
            Script { listing: Box::new(drip(kind, b"001e# service=git-upload-pack\n0000fff0")), ..Script::empty() }
        } else {
            let kind = "application/x-git-upload-pack-result";
            Script {
                pack: Box::new(drip(kind, b"0008NAK\nPACK\0\0\0\x02\0\0\x01\0\xb0\x80\x80\x04\x78\x01\0\xff\xff\0\0")),
                ..Script::sending(Vec::new())
            }
        };
        let far = FarSide::start(0, script);
        world.installation.add_mirror("pull", 1, "group/project-1.git", &far.url("up.git"), &["--engine", "libgit2"]);
        world.push_job("pull", 1);
        wait::until("the far side to be asked", SOON, || far.asked().len() == 1 && far.at_once() == 1);
        let took = cancel(&world, "pull");
        assert!(took < AT_ONCE, "{name}: {took:?}");
    }
}

/// A megabyte of text that begins anew in every file, so that each pair of files has to be compared.
fn files(count: usize) -> String {
    let mut text = String::new();
    for file in 0..count {
        let mut content = String::new();
        for line in 0..20_000_usize {
            let _ = writeln!(content, "{}", (line * 7919 + file * (line % 13)).wrapping_mul(2_654_435_761) % 1_000_003);
        }
        let _ = write!(text, "blob\nmark :{}\ndata {}\n{content}\n", file + 1, content.len());
    }
    text += "commit refs/heads/main\ncommitter R <r@example.org> 1700000000 +0000\ndata 1\nx\n";
    for file in 0..count {
        let _ = writeln!(text, "M 100644 :{} file{file}.txt", file + 1);
    }
    text
}

#[test]
fn a_push_that_builds_its_pack_ends_at_once_and_lets_go_of_the_repository_soon() {
    let world = World::start();
    let local = world.create_local(1);
    local.import(&files(300));
    world.git.create("far.git");
    world.add_push(1, "far.git", &["--engine", "libgit2"]);
    world.push_job("push", 1);
    // The list has come, and nothing is sent as long as the pack is built.
    wait::until("the push to begin", SOON, || !world.git.requests("far.git").is_empty());
    std::thread::sleep(Duration::from_millis(700));
    let took = cancel(&world, "push");
    println!("a push that builds its pack: {took:?}");
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(world.git.requests("far.git").iter().filter(|request| request.method == "POST").count(), 0);
    let lock = std::fs::File::open(local.path().join("sidemirror/lock")).unwrap();
    let freed = Instant::now();
    wait::until("the repository to be free", SOON, || lock.try_lock().is_ok());
    assert!(freed.elapsed() < Duration::from_secs(1), "{:?}", freed.elapsed());
}
