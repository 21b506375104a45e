//! A repository through the `git` program: one that libgit2 does not know, and any other where the program is quicker.

mod apply;
mod objects;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use humantime::format_duration;

use super::face::{Face, Look};
use super::program::{Company, Errand};
use super::{GitError, GitProgram};
use crate::mirror::refs::{ObjectId, RefChange, RefName, RefOutcome, Refs};

/// How long a command may take. None of them talks to anybody; moving hundreds of thousands of refs takes a while.
const LONGEST: Duration = Duration::from_mins(10);

/// What a command may answer: the names of two million refs.
const LONGEST_ANSWER: u64 = 256 * 1024 * 1024;

/// A repository on this machine, and the program that works in it.
pub(super) struct ByProgram {
    program: GitProgram,
    path: PathBuf,
}

/// How a command ended.
struct Ending {
    /// The exit code; `None` if a signal ended it.
    code: Option<i32>,
    output: String,
    /// What it complained about, in one line and without the repository's place.
    complaint: String,
}

impl ByProgram {
    pub(super) fn new(program: GitProgram, path: &Path) -> Self {
        Self { program, path: path.to_owned() }
    }

    /// Runs one command in the repository, which must end well.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<String, GitError> {
        let ending = self.end(arguments, input)?;
        match ending.code {
            Some(0) => Ok(ending.output),
            _ => Err(refused(arguments, ending.complaint)),
        }
    }

    /// Runs one command in the repository, which may end as it likes.
    fn end(&self, arguments: &[&str], input: &[u8]) -> Result<Ending, GitError> {
        self.end_while(&|| Ok(()), arguments, input)
    }

    /// Runs one command in the repository for as long as `look` lets it.
    fn end_while(&self, look: Look<'_>, arguments: &[&str], input: &[u8]) -> Result<Ending, GitError> {
        let errand = Errand::new(&self.program, &self.path, arguments).input(input.to_vec());
        let report =
            errand.longest_answer(LONGEST_ANSWER).run(&mut Patience { begun: Instant::now(), arguments, look })?;
        let place = self.path.display().to_string();
        let words = report.words.replace(&place, "the repository");
        let complaint = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        let output = String::from_utf8_lossy(&report.answer).into_owned();
        Ok(Ending { code: report.status.code(), output, complaint })
    }
}

/// A limit on the time of a command, and before that on the wait for its turn.
struct Patience<'a> {
    begun: Instant,
    arguments: &'a [&'a str],
    look: Look<'a>,
}

impl Company for Patience<'_> {
    fn begun(&mut self) {
        self.begun = Instant::now();
    }

    fn look(&mut self) -> Result<(), GitError> {
        (self.look)()?;
        if self.begun.elapsed() <= LONGEST {
            return Ok(());
        }
        Err(refused(self.arguments, format!("it took longer than {}", format_duration(LONGEST))))
    }
}

impl Face for ByProgram {
    fn head(&self) -> Result<Option<RefName>, GitError> {
        let arguments = ["symbolic-ref", "-q", "HEAD"];
        let ending = self.end(&arguments, b"")?;
        match ending.code {
            Some(0) => Ok(Some(RefName::new(ending.output.trim_end()))),
            Some(1) => Ok(None),
            _ => Err(refused(&arguments, ending.complaint)),
        }
    }

    fn set_head(&self, branch: &RefName) -> Result<(), GitError> {
        self.run(&["symbolic-ref", "HEAD", branch.as_str()], b"").map(|_| ())
    }

    fn read_refs(&self, prefixes: &[&str]) -> Result<Refs, GitError> {
        let mut arguments = vec!["for-each-ref", "--format=%(objectname) %(refname) %(symref)"];
        // Patterns of git's are whole parts of names, of which a prefix is the beginning.
        arguments.extend(prefixes.iter().map(|prefix| prefix.trim_end_matches('/')));
        let listed = self.run(&arguments, b"")?;
        let fields = listed.lines().filter_map(|line| line.split_once(' '));
        let own = fields.filter_map(|(id, rest)| Some((id, rest.strip_suffix(' ')?)));
        let named = own.filter(|(_, name)| {
            !name.contains(char::REPLACEMENT_CHARACTER) && prefixes.iter().any(|prefix| name.starts_with(prefix))
        });
        named.map(|(id, name)| Ok((RefName::new(name), id.parse::<ObjectId>()?))).collect()
    }

    fn has_no_refs(&self) -> Result<bool, GitError> {
        Ok(self.run(&["for-each-ref", "--count=1", "--format=x"], b"")?.is_empty())
    }

    fn apply(&self, changes: &[RefChange], look: Look<'_>) -> Result<Vec<RefOutcome>, GitError> {
        self.swap_all(changes, None, look)
    }

    fn is_ancestor(&self, ancestor: ObjectId, descendant: ObjectId) -> Result<bool, GitError> {
        let (ancestor, descendant) = (ancestor.to_string(), descendant.to_string());
        let arguments = ["merge-base", "--is-ancestor", &ancestor, &descendant];
        let ending = self.end(&arguments, b"")?;
        match ending.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            // Git gives no code of its own to what is no commit.
            _ if self.are_commits([&ancestor, &descendant])? => Err(refused(&arguments, ending.complaint)),
            _ => Ok(false),
        }
    }
}

fn refused(arguments: &[&str], complaint: String) -> GitError {
    GitError::Program { command: arguments.first().copied().unwrap_or_default().to_owned(), complaint }
}
