//! Our own repository, as it is.

use super::report::Report;
use crate::config::Config;
use crate::git::{GitError, GitProgram, Repositories, Repository};
use crate::mirror::key::Direction;
use crate::mirror::record::Settings;
use crate::mirror::refs::RefName;

/// What there is at home.
pub(super) struct Home {
    /// `None` where the first run makes it.
    pub(super) repository: Option<Repository>,
    /// Whether it has branches or tags, so that it cannot take on other object ids any more.
    pub(super) has_refs: bool,
}

/// Looks at it. The way to the far side can be told without it, too.
pub(super) fn look(config: &Config, settings: &Settings, program: Option<GitProgram>, report: &mut Report) -> Home {
    let name = &settings.repository;
    let opened = Repositories::new(&config.mirror.repositories)
        .and_then(|repositories| repositories.with_program(program).open(name))
        .and_then(|repository| Ok((repository.read_refs(&[RefName::HEADS, RefName::TAGS])?.len(), repository)));
    match opened {
        Ok((refs, repository)) => {
            report.ok("repository", format!("{name}, branches and tags: {refs}"));
            Home { repository: Some(repository), has_refs: refs > 0 }
        }
        Err(GitError::NotARepository { .. }) if settings.direction() == Direction::Pull => {
            report.ok("repository", format!("{name} is not there yet; the first run makes it"));
            Home { repository: None, has_refs: false }
        }
        Err(error) => {
            report.broken("repository", &error, None);
            Home { repository: None, has_refs: false }
        }
    }
}
