//! Who is let in.

use secrecy::SecretString;
use sidemirror::net::{Access, SshAccess};

use crate::rig::asyncssh::AsyncSsh;
use crate::rig::repository::Repository;
use crate::rig::sshd::me;
use crate::rig::sshd::{Sshd, our_key};
use crate::world::{World, engines, with_key, with_password};

/// A world with a repository `far.git`, and a server that lets in by `mode`.
fn scene(mode: &str) -> (World, AsyncSsh) {
    let world = World::new();
    world.far("far.git");
    let server = AsyncSsh::start(world.path("asyncssh"), mode);
    (world, server)
}

fn url(server: &AsyncSsh, world: &World) -> String {
    format!("ssh://127.0.0.1:{}{}", server.port, world.path("far.git").display())
}

#[test]
fn keys_of_every_kind_and_format_log_in() {
    let world = World::new();
    let sshd = Sshd::start(world.folder.path(), &["ed25519"], &[]);
    let far = world.far("far.git");
    let url = format!("ssh://127.0.0.1:{}{}", sshd.port, far.path().display());
    for (arguments, passphrase) in [
        (&["-t", "rsa", "-b", "4096", "-m", "PEM", "-N", ""][..], None),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "a pass phrase"], Some("a pass phrase")),
        (&["-t", "rsa", "-b", "2048", "-N", "a pass phrase"], Some("a pass phrase")),
        (&["-t", "rsa", "-b", "3072", "-m", "PKCS8", "-N", ""], None),
        (&["-t", "ed25519", "-N", ""], None),
        (&["-t", "ed25519", "-N", "a pass phrase"], Some("a pass phrase")),
        (&["-t", "ecdsa", "-b", "256", "-m", "PEM", "-N", ""], None),
        (&["-t", "ecdsa", "-b", "384", "-N", "a pass phrase"], Some("a pass phrase")),
        (&["-t", "ecdsa", "-b", "521", "-N", ""], None),
    ] {
        let (private, public) = our_key(world.folder.path(), arguments);
        sshd.authorise(&public);
        let mut access = with_key(&me(), &private, &sshd.known("ed25519"));
        access.ssh.passphrase = passphrase.map(SecretString::from);
        let listed = world.list(&url, &access);
        assert!(listed.is_ok(), "{arguments:?}: {}", listed.unwrap_err());
        if passphrase.is_some() {
            access.ssh.passphrase = Some(SecretString::from("another one"));
            let said = world.refusal(&url, &access);
            assert_eq!(said, "The mirror's SSH key cannot be used: its passphrase does not open it.", "{arguments:?}");
            access.ssh.passphrase = None;
            let said = world.refusal(&url, &access);
            assert_eq!(said, "The mirror's SSH key cannot be used: it is encrypted, and there is no passphrase.");
        }
    }
}

#[test]
fn a_key_that_the_server_does_not_know_is_named() {
    let world = World::new();
    let sshd = Sshd::start(world.folder.path(), &["ed25519"], &[]);
    let (private, _) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
    let said = world
        .refusal(&format!("ssh://127.0.0.1:{}/x.git", sshd.port), &with_key(&me(), &private, &sshd.known("ed25519")));
    let expected =
        format!("The server 127.0.0.1:{} does not let user {} in with the mirror's key SHA256:", sshd.port, me());
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.contains("(ED25519); add its public key there"), "{said}");
}

#[test]
fn what_is_no_key_is_refused_before_anybody_is_asked() {
    let world = World::new();
    let sshd = Sshd::start(world.folder.path(), &["ed25519"], &[]);
    let access = with_key(&me(), "-----BEGIN RSA PRIVATE KEY-----\nnonsense\n", &sshd.known("ed25519"));
    let said = world.refusal(&format!("ssh://127.0.0.1:{}/x.git", sshd.port), &access);
    assert_eq!(said, "The mirror's SSH key cannot be used: it is not a private key that can be read.");
}

#[test]
fn a_server_that_takes_only_keys_gets_no_password() {
    let world = World::new();
    let sshd = Sshd::start(world.folder.path(), &["ed25519"], &[]);
    let url = format!("ssh://127.0.0.1:{}/x.git", sshd.port);
    let said = world.refusal(&url, &with_password(&me(), "s3cret", &sshd.known("ed25519")));
    let server =
        format!("The server 127.0.0.1:{} lets user {} in with publickey only, and the mirror has", sshd.port, me());
    assert_eq!(said, format!("{server} only a password."));
    let nothing = SshAccess { known_hosts: sshd.known("ed25519"), ..SshAccess::default() };
    let said = world.refusal(&url, &Access { ssh: nothing, ..Access::default() });
    assert!(
        said.contains("lets user git in with publickey only, and the mirror has neither a key nor a password"),
        "{said}"
    );
    assert!(!sshd.log().contains("Failed password"), "{}", sshd.log());
}

#[test]
fn a_password_logs_in() {
    let (world, server) = scene("password");
    world.list(&url(&server, &world), &with_password("mirror", AsyncSsh::PASSWORD, &server.known())).unwrap();
    let said = world.refusal(&url(&server, &world), &with_password("mirror", "wrong", &server.known()));
    assert_eq!(said, format!("The server 127.0.0.1:{} refused the password of user mirror.", server.port));
}

#[test]
fn a_question_for_the_password_is_answered() {
    let (world, server) = scene("keyboard");
    world.list(&url(&server, &world), &with_password("mirror", AsyncSsh::PASSWORD, &server.known())).unwrap();
    let said = world.refusal(&url(&server, &world), &with_password("mirror", "wrong", &server.known()));
    assert_eq!(said, format!("The server 127.0.0.1:{} refused the password of user mirror.", server.port));
    let expected = [AsyncSsh::PASSWORD, AsyncSsh::PASSWORD, "wrong", "wrong"];
    assert_eq!(server.answers(), expected, "each password was given once by each engine");
}

#[test]
fn a_wrong_password_is_sent_once_where_two_methods_take_it() {
    let (world, server) = scene("either");
    let said = world.refusal(&url(&server, &world), &with_password("mirror", "wrong", &server.known()));
    assert_eq!(said, format!("The server 127.0.0.1:{} refused the password of user mirror.", server.port));
    assert!(server.log().contains("password wrong"), "{}", server.log());
    assert_eq!(server.answers(), [""; 0], "it is not tried again");
}

#[test]
fn a_question_for_anything_else_is_not_answered() {
    let (world, server) = scene("code");
    let said = world.refusal(&url(&server, &world), &with_password("mirror", AsyncSsh::PASSWORD, &server.known()));
    let expected = "asks user mirror for more than a password (\"Verification code:\"), which a mirror cannot answer.";
    assert!(said.ends_with(expected), "{said}");
    assert_eq!(server.answers(), [""; 0]);
}

#[test]
fn a_server_that_asks_for_a_key_and_then_a_password_gets_both() {
    let (world, server) = scene("both");
    let (private, public) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
    server.authorise(&public);
    let mut access = with_key("mirror", &private, &server.known());
    let url = url(&server, &world);
    let said = world.refusal(&url, &access);
    assert!(said.contains("password") && said.ends_with("only, and the mirror has only a key."), "{said}");
    access.credentials = Some(sidemirror::net::Credentials::new("mirror", AsyncSsh::PASSWORD));
    world.list(&url, &access).unwrap();
}

#[test]
fn a_public_server_lets_in_who_brings_nothing() {
    let (world, server) = scene("nobody");
    let ssh = SshAccess { known_hosts: server.known(), ..SshAccess::default() };
    world.list(&url(&server, &world), &Access { ssh, ..Access::default() }).unwrap();
    assert!(server.log().contains("user git"), "{}", server.log());
}

#[test]
fn a_repository_goes_both_ways_over_another_ssh_server() {
    let (world, server) = scene("password");
    let far = world.far("far.git");
    far.commits("main", 300);
    let session = || {
        let access = with_password("mirror", AsyncSsh::PASSWORD, &server.known());
        world.session(&url(&server, &world), access)
    };
    for engine in engines() {
        let name = format!("{}.git", engine.name());
        world.pull(&*engine, &name, &session()).unwrap();
        let ours = Repository::open(&world.path("ours").join(&name));
        assert_eq!(ours.mirrored_refs(), far.refs());
        ours.commits("main", 200);
        world.push(&*engine, &name, &session()).unwrap();
        assert_eq!(far.refs(), ours.mirrored_refs());
    }
}
