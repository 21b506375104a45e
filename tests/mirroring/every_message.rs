//! The page and the code say the same: every text that can be made is listed, and every one that is listed can be made.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use sidemirror::git::{Excess, GitError, LimitKind, Reason};
use sidemirror::jobs::{RunError, Shortfall};
use sidemirror::mirror::branches::BadBranchRegex;
use sidemirror::mirror::key::{MirrorId, MirrorKey};
use sidemirror::mirror::refs::{ObjectId, RefChange, RefName, RefOutcome};
use sidemirror::net::ssh::SshError;
use sidemirror::net::{
    Budget, CertificateProblem, Forbidden, LocalError, NetError, RedirectProblem, RemoteText, Scheme, UrlError,
};
use sidemirror::store::StoreError;
use sidemirror::store::redis::SealError;

use crate::messages::{all, listed};

/// Makes one of each variant, and does not compile while one is missing.
macro_rules! one_of_each {
    ($kind:ident: $($variant:ident $(($($value:expr),*))? $({$($field:ident: $given:expr),*})?;)*) => {{
        #[allow(dead_code, reason = "only the compiler reads it: it knows whether a variant is missing")]
        fn complete(error: &$kind) {
            match error {
                $($kind::$variant { .. } => {})*
            }
        }
        vec![$($kind::$variant $(($($value),*))? $({$($field: $given),*})?.to_string()),*]
    }};
}

fn host() -> String {
    "git.example.org".to_owned()
}

fn authority() -> String {
    "git.example.org:443".to_owned()
}

fn reason() -> String {
    "for some reason".to_owned()
}

const LIMIT: Duration = Duration::from_secs(5);

fn of_the_network() -> Vec<String> {
    let mut texts = one_of_each!(NetError:
        Forbidden { host: host(), kind: Forbidden::Loopback };
        Unresolved { host: host() };
        Refused { authority: authority() };
        ConnectTimeout { authority: authority(), limit: LIMIT };
        Unreachable { authority: authority(), reason: reason() };
        NotFromHere { authority: authority(), reason: reason() };
        Tls { authority: authority(), reason: reason() };
        Stalled { authority: authority(), limit: LIMIT };
        Broken { authority: authority(), reason: reason() };
        DeadlinePassed { authority: authority(), limit: LIMIT };
        Cancelled;
        Untrusted { authority: authority(), problem: CertificateProblem::Other(reason()) };
        Proxy { proxy: authority(), reason: reason() };
        ProxyLoginNeeded { proxy: authority() };
        ProxyLoginRefused { proxy: authority() };
        LoginRefused { host: host(), remote: RemoteText::default() };
        TokenRefused { host: host(), remote: RemoteText::default() };
        LoginNeeded { host: host(), realm: Some("git".to_owned()), remote: RemoteText::default() };
        TokenNeeded { host: host() };
        LoginUnsupported { host: host(), schemes: "negotiate, ntlm".to_owned() };
        LoginNotSent { host: host(), own: authority() };
        AccessDenied { host: host(), remote: RemoteText::default() };
        NotFound { host: host(), status: 404, remote: RemoteText::default() };
        Busy { host: host(), status: 429, pause: Some(LIMIT), until: None, remote: RemoteText::default() };
        Redirected { host: host(), status: 301, to: "https://example.org/p.git".to_owned() };
        RedirectNotFollowed {
            host: host(), status: 301, to: "https://example.org/p.git".to_owned(), problem: RedirectProblem::Circle
        };
        Status { host: host(), status: 503, reason: None, remote: RemoteText::default() };
        Unusable { what: "proxy".to_owned(), problem: reason() };
        NotGit { host: host(), content_type: "text/html".to_owned() };
        TooLarge { host: host() };
        OverBudget { host: host(), budget: Budget::Received, limit: 1, seen: 2 };
        Setup(reason());
        Ssh(SshError::Key("it is encrypted, and there is no passphrase"));
        Local(LocalError::NotAllowed);
    );
    texts.extend(of_folders());
    texts.extend(of_ssh());
    let kinds = one_of_each!(Forbidden:
        Loopback; LocalNetwork; LinkLocal; SharedAddress; Metadata; Unspecified; Broadcast; Multicast; Reserved; Port; Denied;
        NotAllowed;
    );
    texts.extend(kinds.iter().map(|kind| format!("{kind} (git.example.org).")));
    texts.push(NetError::OverBudget { host: host(), budget: Budget::Listing, limit: 1, seen: 2 }.to_string());
    let remote = RemoteText::default;
    texts.push(NetError::LoginNeeded { host: host(), realm: None, remote: remote() }.to_string());
    texts.push(NetError::Busy { host: host(), status: 429, pause: None, until: None, remote: remote() }.to_string());
    let untrusted = |problem| NetError::Untrusted { authority: authority(), problem }.to_string();
    let fingerprint = || "0".repeat(64);
    let (at, from) = (std::time::UNIX_EPOCH, std::time::UNIX_EPOCH);
    texts.extend(
        [
            CertificateProblem::SelfSigned { fingerprint: fingerprint() },
            CertificateProblem::UnknownIssuer { fingerprint: fingerprint() },
            CertificateProblem::Expired { at },
            CertificateProblem::NotYetValid { from },
            CertificateProblem::OtherHost { names: "a.example.org, b.example.org".to_owned() },
            CertificateProblem::OtherFingerprint { found: fingerprint(), accepted: fingerprint() },
        ]
        .map(untrusted),
    );
    texts.extend(one_of_each!(UrlError:
        Scheme; Malformed(reason()); ControlCharacter; Space; QueryOrFragment; Credentials; Option; User;
        Loginless(Scheme::Git); ShortForm; NotAsStored;
    ));
    texts
}

fn of_folders() -> Vec<String> {
    let (path, remote) = (|| "/srv/git/project.git".to_owned(), RemoteText::default);
    one_of_each!(LocalError:
        NotAllowed; Elsewhere { path: path() }; Own { path: path() }; OtherUser { path: path(), owner: 1000, user: 999 };
        NotBare { path: path() }; NoProgram; Failed { path: path(), reason: reason() };
        Program { path: path(), program: "git-upload-pack", ending: "status 128".to_owned(), remote: remote() };
    )
}

fn of_ssh() -> Vec<String> {
    let shown = || "SHA256:AAAA (ED25519)".to_owned();
    let (user, remote) = (|| "git".to_owned(), RemoteText::default);
    one_of_each!(SshError:
        HandshakeTimeout { authority: authority(), limit: LIMIT };
        Protocol { authority: authority(), reason: reason() };
        HostKeyUnknown { authority: authority(), shown: shown() };
        HostKeyChanged { authority: authority(), shown: shown(), stored: shown() };
        HostKeyRevoked { authority: authority(), shown: shown() };
        HostCertificate { authority: authority(), reason: reason() };
        Key("it is encrypted, and there is no passphrase");
        KeyRefused { authority: authority(), user: user(), fingerprint: shown(), remote: remote() };
        PasswordRefused { authority: authority(), user: user(), remote: remote() };
        LoginMismatch { authority: authority(), user: user(), offered: "publickey".to_owned(), ours: "only a password" };
        Questions { authority: authority(), user: user(), prompt: "Code:".to_owned() };
        CommandRefused { authority: authority(), user: user(), program: "git-upload-pack", remote: remote() };
        Program { authority: authority(), program: "git-upload-pack", ending: "status 128".to_owned(), remote: remote() };
    )
}

fn of_git() -> Vec<String> {
    use LimitKind::{ChildCpu, ChildMemory, Growth, InProcess, Object, PackObjects, Refs};
    let name = || "group/project.git".to_owned();
    let kinds = [Refs, PackObjects, Growth, Object, InProcess, ChildMemory, ChildCpu];
    let excesses = kinds.map(|kind| GitError::Limit(Excess { kind, limit: 1, seen: 2 }).to_string());
    let others = one_of_each!(GitError:
        Net(NetError::Cancelled);
        Locked { holder: "another run".to_owned(), waited: LIMIT };
        BadPath { name: name(), reason: "for some reason" };
        NotARepository { name: name() };
        NotOurs { name: name() };
        Corrupt(reason());
        BadObjects(reason());
        Protocol(reason());
        PushFailed { reason: reason(), remote_text: "a hook's words\nin two lines".to_owned() };
        NoProgram(Reason::Wanted);
        OtherFormat { ours: "SHA-1", theirs: "SHA-256" };
        Program { command: "update-ref".to_owned(), complaint: reason() };
        BadName(name());
        NotWritten { name: RefName::branch("x"), reason: reason() };
        Setup(reason());
        Io { action: "write a file", source: io::Error::other("disk full") };
        Library { action: "read the refs", source: git2::Error::from_str("damaged") };
        Limit(Excess { kind: Refs, limit: 1, seen: 2 });
    );
    others.into_iter().chain(excesses).collect()
}

fn of_a_run() -> Vec<String> {
    let mut texts = one_of_each!(RunError:
        Url(UrlError::Scheme);
        Git(GitError::Corrupt(reason()));
        LockedForLong(GitError::Corrupt(reason()));
        KeyMissingForLong(StoreError::Seal(SealError::Damaged));
        Branches(BadBranchRegex::TooLong(300));
        Store(StoreError::Seal(SealError::Damaged));
        Incomplete(everything_undone());
        NothingToPush("group/project.git".to_owned());
        HostDown { host: authority(), since: chrono::DateTime::UNIX_EPOCH, error: "It broke.".to_owned(), wait: LIMIT };
        HostAway { host: authority(), since: chrono::DateTime::UNIX_EPOCH, reason: reason(), wait: LIMIT };
        HostBusy { host: authority(), reason: reason(), wait: LIMIT };
        UnderWay;
        Superseded;
        Interrupted;
        CalledOff;
        Broken(reason());
        Redis(unreachable_redis());
    );
    texts.pop();
    texts.extend(one_of_each!(BadBranchRegex: TooLong(300); Syntax(reason());));
    let key = MirrorKey::pull(MirrorId(7));
    texts.extend([
        StoreError::Unreadable { key, problem: reason() }.to_string(),
        StoreError::Contended(key).to_string(),
        StoreError::Outdated(key).to_string(),
        SealError::OtherKey { sealed_with: "12ab".to_owned(), configured: "34cd".to_owned() }.to_string(),
    ]);
    texts.extend(ABANDONED.map(|(_, text)| text.to_owned()));
    texts
}

/// What is written about runs that nobody will end, and where.
const ABANDONED: [(&str, &str); 5] = [
    ("src/jobs/run.rs", "The mirror was disabled before its run began."),
    ("src/scheduler/sweep.rs", "The run ended without a result: its process died."),
    ("src/scheduler/sweep.rs", "Stuck in scheduled for too long: its job was lost."),
    ("src/scheduler/pass.rs", "The job could not be put into its queue."),
    ("src/sidekiq/rescue/quarantine.rs", "Set aside: the worker died {times} while it was at this job."),
];

#[test]
fn what_is_written_about_abandoned_runs_is_in_the_source() {
    for (file, text) in ABANDONED {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(source.contains(&format!("\"{text}\"")), "{text} in {file}");
    }
}

/// What Redis itself says is not in the table, but in the text below it.
fn unreachable_redis() -> sidemirror::connections::RedisError {
    let source = redis::RedisError::from(io::Error::other("gone"));
    sidemirror::connections::RedisError::Command { server: "localhost:6379/0".into(), source, old: false }
}

fn everything_undone() -> Shortfall {
    let id: ObjectId = "1".repeat(40).parse().unwrap();
    let refused = [
        RefChange::create(RefName::branch("new"), id),
        RefChange::update(RefName::tag("moved"), id, id),
        RefChange::delete(RefName::branch("gone"), id),
    ];
    Shortfall {
        default_branch: Some("main".to_owned()),
        diverged: vec![RefName::branch("main"), RefName::tag("v1")],
        held_back: true,
        refused: refused.map(|change| RefOutcome { change, result: Err(reason()) }).to_vec(),
        remote_text: "a hook's words".to_owned(),
    }
}

#[test]
fn every_text_is_listed_and_every_listed_text_is_one() {
    let made: BTreeSet<&str> =
        [of_the_network(), of_git(), of_a_run()].concat().iter().flat_map(|text| listed(text)).collect();
    let listed: BTreeSet<&str> = all().collect();
    assert_eq!(made, listed);
}

#[test]
fn every_text_is_a_sentence() {
    for text in [of_the_network(), of_git(), of_a_run()].concat() {
        assert!(text.starts_with(|first: char| first.is_uppercase()), "{text}");
        assert!(text.ends_with('.') || text.contains("The remote said:"), "{text}");
        assert!(!text.contains(".."), "{text}");
    }
}

#[test]
fn a_text_names_a_hundred_refs_and_counts_the_others() {
    let diverged = (0..250).map(|number| RefName::branch(&format!("b{number:03}"))).collect();
    let text = Shortfall { diverged, ..Shortfall::default() }.to_string();
    assert!(text.contains("refs/heads/b099\nand 150 more") && !text.contains("b100"), "{text}");
    listed(&text);
}
