//! What the far side's shell is told.

use crate::net::{RemoteUrl, Service};

/// `git-upload-pack '/group/project.git'`.
pub(super) fn command(url: &RemoteUrl, service: Service) -> String {
    format!("{} {}", service.program(), quoted(&url.path()))
}

/// Quoted as git itself quotes: servers that are no shell (gitolite, forges) take this form apart and no other.
fn quoted(path: &str) -> String {
    let mut text = String::with_capacity(path.len() + 2);
    text.push('\'');
    for letter in path.chars() {
        match letter {
            '\'' | '!' => text.extend(["'\\", letter.encode_utf8(&mut [0; 4]), "'"]),
            _ => text.push(letter),
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str) -> String {
        command(&RemoteUrl::parse(url).unwrap(), Service::UploadPack)
    }

    #[test]
    fn a_path_is_quoted_as_git_does() {
        for (url, command) in [
            ("ssh://h/a/b.git", "git-upload-pack '/a/b.git'"),
            ("ssh://h/~me/b.git", "git-upload-pack '~me/b.git'"),
            ("ssh://h/a%20b;ls.git", "git-upload-pack '/a b;ls.git'"),
            ("ssh://h/it's%21", r"git-upload-pack '/it'\''s'\!''"),
        ] {
            assert_eq!(told(url), command);
        }
    }
}
