//! What real git packs, and what is made of them.

use std::process::{Command, Stdio};

use super::*;

/// A pack of a history with deltas, both by place and (thin) by name.
fn pack(arguments: &[&str], revisions: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str], input: String| {
        let mut command = Command::new("/usr/bin/git");
        command.args(arguments).current_dir(folder.path()).env_clear().env("PATH", "/usr/bin:/bin");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    git(&["init", "-q", "--bare", "-b", "main"], String::new());
    let lines = (0..2000).map(|line| (line * 7919).to_string()).collect::<Vec<_>>().join("\n");
    let stream = (0..20).fold(String::new(), |stream, number| {
        let text = format!("{lines}{}", "more\n".repeat(number));
        format!(
            "{stream}commit refs/heads/main\ncommitter R <r@example.org> 1700000000 +0000\ndata 1\nx\n\
             M 100644 inline file.txt\ndata {}\n{text}\n",
            text.len()
        )
    });
    git(&["fast-import", "--quiet"], stream);
    git(
        &[&["pack-objects", "--stdout", "--revs", "--delta-base-offset", "-q"], arguments].concat(),
        revisions.to_owned(),
    )
}

fn scan(pack: &[u8], piece: usize, limits: Limits) -> Result<PackScan, Refusal> {
    let mut scan = PackScan::new(limits);
    pack.chunks(piece).try_for_each(|piece| scan.take(piece))?;
    Ok(scan)
}

#[test]
fn what_git_packs_is_read_to_its_end_however_it_is_cut() {
    for pack in [pack(&[], "main\n"), pack(&["--thin"], "main\n^main~5\n")] {
        for piece in [1, 2, 3, 19, 4096, usize::MAX] {
            let scan = scan(&pack, piece, Limits::NONE).ok().unwrap();
            assert!(matches!(scan.state, State::Trailer(0)), "{piece}");
            assert_eq!((scan.entries_left, scan.at), (0, pack.len() as u64), "{piece}");
        }
    }
}

#[test]
fn an_object_is_as_large_as_its_delta_says_also_in_a_thin_pack() {
    for pack in [pack(&[], "main\n"), pack(&["--thin"], "main\n^main~5\n")] {
        let refused = scan(&pack, 64, Limits { object: 10_000, ..Limits::NONE }).err();
        let Some(Refusal::Excess(Excess { kind: LimitKind::Object, seen, .. })) = refused else {
            panic!("{refused:?}");
        };
        assert!(seen > 10_000, "{seen}");
        assert!(scan(&pack, 64, Limits { object: 20_000, ..Limits::NONE }).is_ok());
    }
}

#[test]
fn no_damage_makes_it_panic_or_run_on() {
    let pack = pack(&[], "main\n");
    for at in (0..pack.len()).step_by(pack.len() / 500 + 1) {
        for bit in [1, 0x80] {
            let mut damaged = pack.clone();
            damaged[at] ^= bit;
            let _ = scan(&damaged, 64, Limits { in_process: 1 << 20, ..Limits::NONE });
        }
    }
}
