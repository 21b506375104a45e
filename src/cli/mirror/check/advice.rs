//! What to try next after a failed step, where the error itself does not say it.

use crate::git::GitError;
use crate::mirror::key::{Direction, MirrorKey};
use crate::net::ssh::SshError;
use crate::net::{CertificateProblem, Forbidden, NetError};

/// One sentence, or nothing.
pub(super) fn on(error: &GitError, mirror: MirrorKey) -> Option<String> {
    let advice = match error {
        GitError::Net(error) => return on_the_way(error, mirror),
        GitError::Limit(_) => {
            return Some(format!(
                "`sidemirror mirror update {} {} --limit NAME=VALUE` raises a limit for this mirror",
                mirror.direction, mirror.id
            ));
        }
        GitError::NotARepository { .. } => {
            "compare the mirror's --repository with the folders under mirror.repositories"
        }
        GitError::NotOurs { .. } => "run sidemirror as the user that owns the repositories, or give them to it",
        GitError::NoProgram(_) => "install git 2.39 or newer, or name one in mirror.git.program",
        GitError::OtherFormat { .. } => "mirror it into a new repository, with --repository",
        GitError::Corrupt(_) => "`git fsck` in the repository tells more",
        GitError::Protocol(_) => "compare the path with the one that the host shows for cloning",
        GitError::Io { .. } => "`sidemirror doctor` looks at the folders that a worker needs",
        _ => return None,
    };
    Some(advice.to_owned())
}

/// The same where reading is no problem and pushing is.
pub(super) fn on_push(error: &GitError, mirror: MirrorKey) -> Option<String> {
    match error {
        GitError::Protocol(_)
        | GitError::Net(
            NetError::AccessDenied { .. }
            | NetError::NotFound { .. }
            | NetError::LoginRefused { .. }
            | NetError::LoginNeeded { .. }
            | NetError::TokenRefused { .. }
            | NetError::Ssh(SshError::CommandRefused { .. } | SshError::Program { .. }),
        ) => Some(
            "the repository can be read; have the host let this login push, too, or give the mirror one that may"
                .to_owned(),
        ),
        _ => on(error, mirror),
    }
}

fn on_the_way(error: &NetError, mirror: MirrorKey) -> Option<String> {
    let which = format!("{} {}", mirror.direction, mirror.id);
    let update = format!("sidemirror mirror update {which}");
    let leave = match mirror.direction {
        Direction::Pull => "read",
        Direction::Push => "write",
    };
    Some(match error {
        NetError::Forbidden { kind: Forbidden::Denied, .. } => {
            "if the host is meant, mirror.network.deny must not name it".to_owned()
        }
        NetError::Forbidden { .. } => "if the host is meant, let mirror.network.allow name it".to_owned(),
        NetError::Unresolved { host } => {
            format!("look for a slip in the URL; `getent hosts {host}` shows what this machine knows of it")
        }
        NetError::Refused { .. } => "look whether the port is right, and whether the server runs".to_owned(),
        NetError::ConnectTimeout { .. } | NetError::Unreachable { .. } => {
            "look at the firewalls on the way; if there is a proxy, name it in mirror.network.proxy or with --proxy"
                .to_owned()
        }
        NetError::Stalled { .. } | NetError::Broken { .. } => {
            "look whether this port speaks what the URL's scheme says, and into the server's log".to_owned()
        }
        NetError::DeadlinePassed { .. } => "the host is slow, or has very many refs; try again later".to_owned(),
        NetError::Untrusted { problem, .. } => return on_certificate(problem, &update),
        NetError::Tls { reason, .. } if reason.contains("client certificate") => {
            format!("`{update} --client-certificate FILE --client-key-file FILE`")
        }
        NetError::ProxyLoginNeeded { .. } | NetError::ProxyLoginRefused { .. } => format!(
            "`{update} --proxy-user NAME --proxy-password-file FILE`, or mirror.network.proxy_password_file for all"
        ),
        NetError::Proxy { .. } => {
            "look whether the proxy runs, and whether it lets this machine to that port".to_owned()
        }
        NetError::LoginRefused { .. } | NetError::LoginNeeded { .. } => {
            format!("`{update} --user NAME --password-file FILE`, with a token that is valid and may {leave}")
        }
        NetError::TokenRefused { .. } | NetError::TokenNeeded { .. } => {
            format!("`{update} --bearer-file FILE`, with a token that is valid and may {leave}")
        }
        NetError::AccessDenied { .. } => format!("ask the host's administrators to let this user or token {leave}"),
        NetError::NotFound { .. } => {
            format!("compare the path with the host's page; many hosts say this, too, where the login may not {leave}")
        }
        NetError::Redirected { .. } => format!("`{update} --url …`, with that address"),
        NetError::NotGit { .. } => "give the address that the host shows for cloning".to_owned(),
        NetError::Busy { .. } => "wait; runs for this host are put off by themselves".to_owned(),
        NetError::Ssh(error) => return over_ssh(error, &which, &update, leave),
        _ => return None,
    })
}

fn on_certificate(problem: &CertificateProblem, update: &str) -> Option<String> {
    Some(match problem {
        CertificateProblem::UnknownIssuer { .. } => {
            format!("`{update} --ca-file FILE`, or mirror.network.ca_file for all mirrors")
        }
        CertificateProblem::SelfSigned { fingerprint }
        | CertificateProblem::OtherFingerprint { found: fingerprint, .. } => {
            format!("`{update} --certificate-fingerprint {fingerprint}`, once the host's owner has confirmed it")
        }
        _ => return None,
    })
}

fn over_ssh(error: &SshError, which: &str, update: &str, leave: &str) -> Option<String> {
    Some(match error {
        SshError::HandshakeTimeout { .. } | SshError::Protocol { .. } => "look whether this port speaks SSH".to_owned(),
        SshError::HostKeyUnknown { .. } => {
            format!("`sidemirror host-keys trust {which} --detect --fingerprint SHA256:…`")
        }
        SshError::HostKeyChanged { .. } => {
            format!("`sidemirror host-keys show {which}` shows what is stored, `trust {which} --detect` replaces it")
        }
        SshError::KeyRefused { .. } => {
            format!("`sidemirror key show {which}` prints the line for the host, where the key has to be let {leave}")
        }
        SshError::PasswordRefused { .. } => {
            format!("`{update} --user NAME --password-file FILE`, or a key: `sidemirror key generate {which}`")
        }
        SshError::LoginMismatch { .. } | SshError::Questions { .. } => format!(
            "a key of its own: `sidemirror key generate {which}`; or a password: `{update} --auth-method password \
             --user NAME --password-file FILE`"
        ),
        SshError::Key(_) => format!("`sidemirror key generate {which} --replace` makes a new one"),
        SshError::CommandRefused { .. } | SshError::Program { .. } => {
            format!("compare the path with the one that the host shows, and ask whether this user or key may {leave}")
        }
        _ => return None,
    })
}
