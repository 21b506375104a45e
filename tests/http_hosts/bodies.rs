//! What goes in either direction: large, compressed, cut off, or something else than git.

use std::io::Read as _;
use std::process::Command;

use bytes::Bytes;

use crate::rig::certificates::Ca;
use crate::rig::host::{Host, Particulars};
use crate::world::{World, engines, logged_in, pull, send};
use sidemirror::net::HttpSettings;

const MIB: usize = 1024 * 1024;

/// The most memory that this process has had so far, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Forgets the peak.
fn begin_anew() -> usize {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

/// Set in a process that does nothing else, so that its memory can be measured.
const ALONE: &str = "SIDEMIRROR_TEST_ALONE";

#[test]
fn three_hundred_megabytes_pass_in_either_direction_without_being_held() {
    if std::env::var_os(ALONE).is_some() {
        return pass_three_hundred_megabytes();
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let name = "bodies::three_hundred_megabytes_pass_in_either_direction_without_being_held";
    let output = alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.matches("peak grew by").count(), 4, "either direction in either version was measured: {told}");
}

fn pass_three_hundred_megabytes() {
    const SIZE: usize = 300 * MIB;
    const HELD: usize = 16 * MIB;
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    for words in ["", "http2"] {
        // nginx takes the whole body and throws it away.
        let server = "location /sink { client_body_buffer_size 64k; proxy_request_buffering off; \
                      proxy_pass http://127.0.0.1:PORT/eaten; }
                      location /big { alias FOLDER/big; default_type text/plain; }";
        let sink = Host::with(&Particulars { server: EATING, gate: Some(""), ..Particulars::default() });
        let server = server.replace("http://127.0.0.1:PORT", &format!("http://127.0.0.1:{}", sink.port));
        let tls = Some((&ca, "host", words));
        let host = Host::with(&Particulars { server: &server, tls, ..Particulars::default() });
        std::fs::write(host.file("big"), vec![7; SIZE]).unwrap();
        let world = World::with(HttpSettings { ca: Some(ca.text("ca.crt")), ..HttpSettings::default() });
        let session = world.session(&host.url(""));

        let before = begin_anew();
        let mut upload = session.upload("/sink", "text/plain", "text/plain").unwrap();
        let piece = Bytes::from(vec![7; 64 * 1024]);
        for _ in 0..SIZE / piece.len() {
            upload.write(piece.clone()).unwrap();
        }
        upload.finish().unwrap();
        let (grown, sent) = (peak() - before, session.traffic().sent);
        println!("{words:5} sent {sent} bytes, peak grew by {grown}");
        assert_eq!(sent, SIZE as u64);
        assert!(grown < HELD, "{grown}");
        assert!(sink.requests(1).iter().any(|request| request.length > SIZE as u64));

        let before = begin_anew();
        let mut answer = session.get("/big", "text/plain").unwrap();
        let (mut buffer, mut read) = (vec![0; 64 * 1024], 0);
        while let some @ 1.. = answer.read(&mut buffer).unwrap() {
            read += some;
        }
        let grown = peak() - before;
        println!("{words:5} received {read} bytes, peak grew by {grown}");
        assert_eq!(read, SIZE);
        assert!(grown < HELD, "{grown}");
    }
}

/// Reads the body of a request to its end before it answers.
const EATING: &str = "location /eaten { client_body_in_file_only clean; proxy_pass http://127.0.0.1:PORT/done; }
                      location /done { default_type text/plain; return 200 done; }";

#[test]
fn a_pack_larger_than_any_buffer_is_pulled_and_pushed_whole() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    for words in ["", "http2"] {
        let host = Host::with(&Particulars { tls: Some((&ca, "host", words)), ..Particulars::default() });
        let (up, far) = (host.repository("up.git"), host.empty("far.git"));
        // Nothing that could be compressed.
        let noise: Vec<u8> = std::iter::repeat_with(rand::random::<u8>).take(24 * MIB).collect();
        let file = host.file("noise");
        std::fs::write(&file, noise).unwrap();
        let blob = up.git(&["hash-object", "-w", file.to_str().unwrap()]);
        up.set("refs/tags/noise", &blob);
        let world = World::with(HttpSettings { ca: Some(ca.text("ca.crt")), ..HttpSettings::default() });
        for engine in engines() {
            let ours = world.ours(&format!("{}.git", engine.name()));
            pull(&*engine, &ours, &world.session(&host.url("up.git"))).unwrap();
            let sent = send(&*engine, &ours, &world.session(&host.url("far.git"))).unwrap();
            assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
            assert_eq!(far.refs(), up.refs());
            far.git(&["update-ref", "-d", "refs/tags/noise"]);
            far.git(&["update-ref", "-d", "refs/heads/main"]);
            far.git(&["prune", "--expire=now"]);
            far.git(&["repack", "-adq"]);
        }
        let posted = |request: &crate::rig::host::Request| request.uri == "/far.git/git-receive-pack";
        assert!(host.requests(4).iter().any(|request| posted(request) && request.length > 24 * MIB as u64));
    }
}

#[test]
fn compressed_answers_are_read_and_counted_by_their_real_size() {
    let server = "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;
                  location /zeros { alias FOLDER/zeros; default_type text/plain; }";
    let host = Host::with(&Particulars { server, ..Particulars::default() });
    host.repository("p.git").branches("b", 200);
    let world = World::new();
    for engine in engines() {
        let ours = world.ours(&format!("{}.git", engine.name()));
        pull(&*engine, &ours, &world.session(&host.url("p.git"))).unwrap();
    }
    assert!(host.requests(2).iter().any(|request| request.encoding == "gzip"), "{:?}", host.requests(2));

    // A thousand times as large as what goes over the wire: the limit is one of what it unpacks to.
    std::fs::write(host.file("zeros"), vec![0; 8 * MIB]).unwrap();
    let session = world.session(&host.url(""));
    let mut answer = session.get("/zeros", "text/plain").unwrap().limited(MIB as u64);
    let refused = answer.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(refused.to_string(), "The server 127.0.0.1 sent a longer answer than is accepted.");
    let received = session.traffic().received;
    assert!((MIB as u64..2 * MIB as u64).contains(&received), "{received}");
}

#[test]
fn an_answer_of_another_kind_is_told_and_not_read() {
    let server = "location /page/ { default_type text/html; return 200 '<html>p4ge</html>'; }
                  location /dumb/ { default_type text/plain; return 200 'refs'; }
                  location /none/ { default_type ''; return 200 'refs'; }
                  location /empty/ { return 204; }
                  location /wrong/ { default_type application/x-git-receive-pack-advertisement; return 200 '0000'; }
                  location /other/ { default_type text/plain; return 418 'short and stout'; }";
    let host = Host::with(&Particulars { server, ..Particulars::default() });
    let world = World::new();
    let kind = |kind: &str| format!("The server 127.0.0.1 did not answer like a git server (content type {kind}).");
    for (path, words) in [
        ("page", kind("text/html")),
        ("dumb", kind("text/plain")),
        ("none", kind("none")),
        ("empty", "HTTP 204: 127.0.0.1 did not do what was asked (No Content).".to_owned()),
        ("wrong", kind("application/x-git-receive-pack-advertisement")),
        (
            "other",
            "HTTP 418: 127.0.0.1 did not do what was asked (I'm a teapot).\n\nThe remote said:\nshort and stout"
                .to_owned(),
        ),
    ] {
        assert_eq!(world.failure(&host.url(&format!("{path}/p.git")), &logged_in()), words);
    }
}
