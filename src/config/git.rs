//! The `mirror.git` section: which engine moves what.

use std::path::PathBuf;

use super::error::ConfigError;
use super::section::Section;
use crate::mirror::reach::EngineChoice;

/// Which engine moves what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitSettings {
    /// Where the `git` program is.
    pub program: ProgramPlace,
    /// The engine of every mirror that does not name one itself.
    pub engine: EngineChoice,
    /// Objects of a transfer above which the program takes it.
    pub handover_objects: u64,
    /// Whether everything goes through the program.
    pub strict: bool,
}

/// Where the `git` program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramPlace {
    /// It is not to be used.
    Nowhere,
    /// In one of the folders of `PATH`, under this name.
    InPath(String),
    /// Here.
    At(PathBuf),
}

const ENGINES: [(&str, EngineChoice); 3] =
    [("auto", EngineChoice::Auto), ("libgit2", EngineChoice::Libgit2), ("git", EngineChoice::Git)];

impl GitSettings {
    pub(super) fn from_section(mut section: Section) -> Result<Self, ConfigError> {
        let settings = Self {
            program: program(&mut section)?,
            engine: section.choice("engine", &ENGINES)?.unwrap_or_default(),
            handover_objects: section.number("handover_objects", 1..=100_000_000)?.unwrap_or(10_000),
            strict: section.flag("strict")?.unwrap_or(false),
        };
        if settings.program == ProgramPlace::Nowhere && (settings.strict || settings.engine == EngineChoice::Git) {
            return Err(section.error(
                "program",
                "got \"\", and strict or engine: git need one",
                "a program, such as git",
            ));
        }
        section.finish()?;
        Ok(settings)
    }
}

fn program(section: &mut Section) -> Result<ProgramPlace, ConfigError> {
    let text = section.text("program")?.unwrap_or_else(|| "git".to_owned());
    if text.is_empty() {
        Ok(ProgramPlace::Nowhere)
    } else if text.starts_with('/') {
        Ok(ProgramPlace::At(text.into()))
    } else if text.contains('/') {
        Err(section.error("program", format!("got {text:?}"), "a name, a path that begins with /, or \"\""))
    } else {
        Ok(ProgramPlace::InPath(text))
    }
}
