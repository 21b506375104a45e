//! What to try next after a failed step, where the error itself does not say it.

use crate::git::GitError;
use crate::net::NetError;
use crate::net::ssh::SshError;

/// One sentence, or nothing.
pub(super) fn on(error: &GitError) -> Option<&'static str> {
    match error {
        GitError::Net(error) => on_the_way(error),
        GitError::NotARepository { .. } => {
            Some("compare the mirror's --repository with the folder under mirror.repositories")
        }
        GitError::NotOurs { .. } => Some("run sidemirror as the user that owns the repositories, or give them to it"),
        GitError::NoProgram(_) => Some("install git 2.39 or newer, or name one in mirror.git.program"),
        _ => None,
    }
}

fn on_the_way(error: &NetError) -> Option<&'static str> {
    Some(match error {
        NetError::Forbidden { .. } => "if the host is meant, let mirror.network.allow name it",
        NetError::Unresolved { .. } => {
            "compare the host with the URL's; `getent hosts HOST` shows what this machine knows of it"
        }
        NetError::Refused { .. } => "look whether the port is right, and whether the server runs",
        NetError::ConnectTimeout { .. } | NetError::Unreachable { .. } => {
            "look at the firewalls between here and there; if a proxy is needed, name it with --proxy or in \
             mirror.network.proxy"
        }
        NetError::Stalled { .. } => "look whether this port speaks what the URL's scheme says",
        NetError::Ssh(SshError::HostKeyUnknown { .. }) => {
            "compare the fingerprint with what the host's owner says, then `sidemirror host-keys trust … --detect \
             --fingerprint SHA256:…`"
        }
        NetError::Ssh(SshError::HostKeyChanged { .. }) => {
            "ask the host's owner whether the key was changed; if so, `sidemirror host-keys trust … --detect`"
        }
        NetError::Ssh(SshError::KeyRefused { .. }) => {
            "give the host the public key that `sidemirror key show` prints, with leave to write if it is a push mirror"
        }
        NetError::LoginRefused { .. } | NetError::LoginNeeded { .. } => {
            "try a new token, and give it with `sidemirror mirror update … --user NAME --password-file FILE`"
        }
        NetError::AccessDenied { .. } => "look whether the token may do this: read for a pull, write for a push",
        NetError::NotFound { .. } => {
            "compare the path with the host's page; many hosts say this, too, when the login may not see the repository"
        }
        _ => return None,
    })
}
