//! Which servers are believed: one that proves at least one of the keys that are stored for it.

use sidemirror::net::Access;

use crate::rig::sshd::me;
use crate::rig::sshd::{Sshd, keygen, our_key, public_key};
use crate::world::{World, engines, with_key};

struct Scene {
    world: World,
    sshd: Sshd,
    private: String,
}

impl Scene {
    fn new(kinds: &[&str]) -> Self {
        let world = World::new();
        let sshd = Sshd::start(world.folder.path(), kinds, &[]);
        let (private, public) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
        sshd.authorise(&public);
        world.far("far.git");
        Self { world, sshd, private }
    }

    fn access(&self, known_hosts: &str) -> Access {
        with_key(&me(), &self.private, known_hosts)
    }

    fn url(&self) -> String {
        format!("ssh://127.0.0.1:{}{}", self.sshd.port, self.world.path("far.git").display())
    }

    fn is_accepted(&self, lines: &[String]) -> bool {
        self.world.list(&self.url(), &self.access(&lines.join("\n"))).is_ok()
    }

    fn refusal(&self, lines: &[String]) -> String {
        self.world.refusal(&self.url(), &self.access(&lines.join("\n")))
    }

    /// Another key of this kind under the server's name.
    fn wrong(&self, kind: &str) -> String {
        let (_, public) = our_key(self.world.folder.path(), &["-t", kind, "-N", ""]);
        format!("[127.0.0.1]:{} {public}", self.sshd.port)
    }
}

const THREE: &[&str] = &["ed25519", "rsa", "ecdsa"];

#[test]
fn the_right_rsa_key_alone_is_enough() {
    let scene = Scene::new(THREE);
    assert!(scene.is_accepted(&[scene.sshd.known("rsa")]));
    assert_eq!(scene.sshd.connections(), engines().len());
}

#[test]
fn a_wrong_ed25519_key_does_not_hide_the_right_rsa_key() {
    let scene = Scene::new(THREE);
    assert!(scene.is_accepted(&[scene.wrong("ed25519"), scene.sshd.known("rsa")]));
    assert_eq!(scene.sshd.connections(), 2 * engines().len(), "one attempt for each kind of key");
}

#[test]
fn the_right_ed25519_key_is_enough_beside_a_wrong_rsa_key() {
    let scene = Scene::new(THREE);
    assert!(scene.is_accepted(&[scene.sshd.known("ed25519"), scene.wrong("rsa")]));
    assert_eq!(scene.sshd.connections(), engines().len());
}

#[test]
fn of_two_stored_keys_of_one_kind_one_has_to_be_right() {
    let scene = Scene::new(THREE);
    assert!(scene.is_accepted(&[scene.wrong("ed25519"), scene.sshd.known("ed25519")]));
}

#[test]
fn wrong_keys_alone_and_no_keys_at_all_are_refused() {
    let scene = Scene::new(THREE);
    assert!(!scene.is_accepted(&[scene.wrong("ed25519"), scene.wrong("rsa")]));
    assert!(!scene.is_accepted(&[]));
    assert!(!scene.sshd.log().contains("Accepted publickey"), "nobody logs in at a stranger's: {}", scene.sshd.log());
}

#[test]
fn an_unknown_server_is_refused_with_its_fingerprint() {
    let scene = Scene::new(&["ed25519"]);
    let said = scene.refusal(&[format!("other.example.org {}", scene.sshd.public("ed25519"))]);
    let (authority, shown) = (format!("127.0.0.1:{}", scene.sshd.port), scene.sshd.fingerprint("ed25519"));
    assert!(
        said.starts_with(&format!("The host key of {authority} is not known: the server shows {shown} (ED25519).")),
        "{said}"
    );
}

#[test]
fn a_changed_host_key_is_refused_with_both_fingerprints() {
    let mut scene = Scene::new(&["ed25519"]);
    let (known, before) = (scene.sshd.known("ed25519"), scene.sshd.fingerprint("ed25519"));
    assert!(scene.is_accepted(std::slice::from_ref(&known)));
    scene.sshd = scene.sshd.with_new_host_key("ed25519");
    let said = scene.refusal(&[known]);
    let (port, after) = (scene.sshd.port, scene.sshd.fingerprint("ed25519"));
    let expected = format!(
        "The host key of 127.0.0.1:{port} has changed: the server shows {after} (ED25519), and {before} (ED25519) was stored."
    );
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn a_server_without_a_key_of_the_stored_kind_has_changed() {
    let scene = Scene::new(&["ecdsa"]);
    let said = scene.refusal(&[scene.wrong("ed25519")]);
    assert!(said.contains("has changed") && said.contains(&scene.sshd.fingerprint("ecdsa")), "{said}");
}

#[test]
fn servers_with_a_single_key_of_any_kind_are_believed() {
    for kind in THREE {
        let scene = Scene::new(&[kind]);
        assert!(scene.is_accepted(&[scene.sshd.known(kind)]), "{kind}");
    }
}

#[test]
fn a_revoked_key_is_refused_whatever_else_speaks_for_it() {
    let scene = Scene::new(THREE);
    let known = scene.sshd.known("ed25519");
    for revoked in [format!("@revoked {known}"), format!("@revoked * {}", scene.sshd.public("ed25519"))] {
        for lines in [[known.clone(), revoked.clone()], [revoked.clone(), known.clone()]] {
            let said = scene.refusal(&lines);
            assert!(said.contains("is marked as revoked"), "{said}");
        }
    }
    let other = format!("@revoked elsewhere.example.org {}", scene.sshd.public("ed25519"));
    assert!(scene.is_accepted(&[known, other]), "revoked for another host only");
}

#[test]
fn hashed_names_patterns_lists_and_missing_ports_are_understood() {
    let scene = Scene::new(&["ed25519"]);
    let (port, key) = (scene.sshd.port, scene.sshd.public("ed25519"));
    let file = scene.world.path("known_hosts");
    std::fs::write(&file, scene.sshd.known("ed25519") + "\n").unwrap();
    keygen(&["-q", "-H", "-f", file.to_str().unwrap()]);
    let hashed = std::fs::read_to_string(&file).unwrap();
    assert!(hashed.starts_with("|1|"), "{hashed}");
    for line in [
        hashed,
        format!("git.example.org,[127.0.0.1]:{port} {key} a comment of words"),
        format!("[127.0.0.*]:{port}\t{key}"),
        format!("[127.?.0.1]:* {key}"),
        format!("# a comment\n\n  127.0.0.1 {key}\r\n"),
        format!("not a line\n127.0.0.1 ssh-ed25519 AAAA\n127.0.0.1 {key}"),
    ] {
        assert!(scene.is_accepted(std::slice::from_ref(&line)), "{line}");
    }
    for line in [
        format!("[127.0.0.1]:{} {key}", port.wrapping_add(1)),
        format!("127.0.0.2 {key}"),
        format!("*,!127.0.0.1 {key}").replace("!127.0.0.1", &format!("![127.0.0.1]:{port},!127.0.0.1")),
    ] {
        assert!(!scene.is_accepted(std::slice::from_ref(&line)), "{line}");
    }
    let elsewhere = public_key(&scene.sshd.file("host_ed25519.pub"));
    assert_eq!(elsewhere, key);
}

#[test]
fn every_host_key_is_detected_and_proved() {
    let scene = Scene::new(THREE);
    let found = scene.world.session(&scene.url(), Access::default()).host_keys().unwrap();
    let found: Vec<String> = found.iter().map(|key| key.to_openssh().unwrap().trim_end().to_owned()).collect();
    assert_eq!(found, [scene.sshd.public("ed25519"), scene.sshd.public("ecdsa"), scene.sshd.public("rsa")]);
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    let scene = Scene::new(THREE);
    for kind in THREE {
        let text = scene.sshd.known(kind);
        let known = sidemirror::net::host_keys::KnownHosts::parse_strictly(&text).unwrap();
        let found = known.fingerprints().remove(0);
        let kind_shown = found.kind.to_uppercase();
        assert_eq!(
            format!("{} {} no comment ({kind_shown})", found.bits, found.sha256),
            scene.sshd.listed(kind, "sha256")
        );
        assert_eq!(
            format!("{} MD5:{} no comment ({kind_shown})", found.bits, found.md5),
            scene.sshd.listed(kind, "md5")
        );
    }
}
