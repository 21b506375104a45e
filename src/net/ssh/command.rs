//! What the far side's shell is told.

use crate::net::{NetError, RemoteUrl, Service};

/// `git-upload-pack '/group/project.git'`. A path that begins with `/~` is a user's own folder, as git has it.
pub(super) fn command(url: &RemoteUrl, service: Service) -> Result<String, NetError> {
    let path = url.decoded_path().map_err(|error| NetError::Setup(error.to_string()))?;
    let path = path.strip_prefix('/').filter(|rest| rest.starts_with('~')).unwrap_or(&path);
    Ok(format!("{} {}", service.program(), quoted(path)))
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
        command(&RemoteUrl::parse(url).unwrap(), Service::UploadPack).unwrap()
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
        assert!(command(&RemoteUrl::parse("ssh://h/a%0ab").unwrap(), Service::UploadPack).is_err());
    }
}
