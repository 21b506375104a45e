//! The engines as the configuration wants them.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Config, ConfigError, ProgramPlace};
use crate::git::{ChildLimits, Engine, Engines, GitProgram};
use crate::mirror::reach::EngineChoice;

/// The `git` program, if there is one that can be used. One that the configuration insists on has to be there.
pub(in crate::cli) fn program(config: &Config) -> Result<Option<GitProgram>, ConfigError> {
    let settings = &config.mirror.git;
    let wrong = |problem| {
        config.error("mirror.git.program", problem, "a git program of version 2.39 or newer, or \"\" to do without")
    };
    let (place, insisted) = match &settings.program {
        ProgramPlace::Nowhere => return Ok(None),
        ProgramPlace::At(path) => (Some(path.clone()), true),
        ProgramPlace::InPath(name) => {
            (in_path(name), settings.strict || settings.engine == EngineChoice::Git || name != "git")
        }
    };
    let found = place.as_deref().map(GitProgram::find).transpose().map_err(|error| wrong(error.to_string()))?.flatten();
    match (&found, place) {
        (None, Some(path)) if insisted => Err(wrong(format!("{} is not there, or is older than that", path.display()))),
        (None, None) if insisted => Err(wrong("it is in no folder of PATH".to_owned())),
        _ => Ok(found.map(|program| program.limited(child_limits(config)).at_most(config.mirror.children.most))),
    }
}

fn child_limits(config: &Config) -> ChildLimits {
    // Memory and time are each run's own.
    ChildLimits { nice: config.mirror.children.nice, ..ChildLimits::default() }
}

/// All engines, once it is known whether there is a program.
pub(in crate::cli) fn engines(config: &Config, program: Option<&GitProgram>) -> Engines {
    let settings = &config.mirror.git;
    if let Some(program) = program {
        tracing::info!(version = program.version(), "the git program is there");
    } else {
        tracing::warn!(
            "there is no git program that can be used: libgit2 does all it can; repositories with SHA-256 ids or \
             reftable and pushes as a whole need one (mirror.git.program)"
        );
    }
    let program = program.cloned().map(|program| Arc::new(program) as Arc<dyn Engine>);
    Engines::new(program, settings.handover_objects).preferring(settings.engine.named()).strictly(settings.strict)
}

fn in_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut paths = env::split_paths(&folders).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name));
    paths.find(|path| path.is_file())
}
