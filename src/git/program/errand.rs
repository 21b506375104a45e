//! One call of `git`: what it is told, what it sees of this machine, what it answers.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::fd::OwnedFd;

use super::child::{Group, Trouble, Watch};
use super::processor::ProcessorTime;
use super::{ChildLimits, GitProgram, memory};
use crate::git::{GitError, Limits};
use crate::net::NetError;

/// Of what a child says on its standard error, the end is kept: there it says why it failed.
const KEPT_WORDS: usize = 64 * 1024;

/// What holds for every call, over all that a configuration file may say. Neither a hook nor any other program may be
/// started by what somebody wrote into a repository.
const OVERRIDES: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("core.pager", "cat"),
    ("core.alternateRefsCommand", "true"),
    ("core.attributesFile", "/dev/null"),
    ("core.warnAmbiguousRefs", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.pushUpdateRejected", "false"),
    ("pack.threads", "2"),
    ("log.excludeDecoration", ""),
];

/// Seconds by which the system would end a child later than we do.
const LATER: u64 = 5;

/// A call that is being put together.
pub(in crate::git) struct Errand<'a> {
    program: &'a GitProgram,
    folder: &'a Path,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    handed_over: Vec<FdMapping>,
    input: Vec<u8>,
    longest_answer: u64,
    keeps_answer: bool,
    limits: ChildLimits,
    far: bool,
}

/// What a call brought.
pub(in crate::git) struct Report {
    /// Its standard output.
    pub(in crate::git) answer: Vec<u8>,
    /// The end of its standard error.
    pub(in crate::git) words: String,
    /// How it ended.
    pub(in crate::git) status: ExitStatus,
}

/// What is done while a child works.
pub(in crate::git) trait Company {
    /// Whether it may go on, or wait to begin; asked about twenty times a second.
    fn look(&mut self) -> Result<(), GitError>;

    /// It begins now.
    fn begun(&mut self) {}

    /// Called with each piece of its standard output, and how many bytes there were with it.
    fn answered(&mut self, bytes: &[u8], so_far: u64) -> Result<(), GitError> {
        let _ = (bytes, so_far);
        Ok(())
    }

    /// Called with each piece of its standard error.
    fn said(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        let _ = bytes;
        Ok(())
    }
}

/// Nothing is done but to ask whether the run goes on.
impl<F: Fn() -> Result<(), NetError>> Company for F {
    fn look(&mut self) -> Result<(), GitError> {
        Ok(self()?)
    }
}

impl<'a> Errand<'a> {
    /// `git` with these arguments in the repository at `folder`. It sees no configuration but that folder's, with
    /// [`OVERRIDES`] over it.
    pub(in crate::git) fn new(
        program: &'a GitProgram,
        folder: &'a Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        Self {
            program,
            folder,
            arguments,
            environment: Vec::new(),
            handed_over: Vec::new(),
            input: Vec::new(),
            longest_answer: u64::MAX,
            keeps_answer: true,
            limits: program.limits,
            far: false,
        }
    }

    /// Its standard input.
    pub(in crate::git) fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// A variable of its environment.
    pub(in crate::git) fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// An open file that it gets under this number.
    pub(in crate::git) fn hand_over(mut self, file: OwnedFd, number: i32) -> Self {
        self.handed_over.push(FdMapping { parent_fd: file, child_fd: number });
        self
    }

    /// It speaks with a far side, which may take hours: it gets none of the places of those who do not.
    pub(in crate::git) fn with_far_side(mut self) -> Self {
        self.far = true;
        self
    }

    /// The most that it may write to its standard output.
    pub(in crate::git) fn longest_answer(mut self, bytes: u64) -> Self {
        self.longest_answer = bytes;
        self
    }

    /// What it writes to its standard output is for its company only.
    pub(in crate::git) fn without_answer(mut self) -> Self {
        self.keeps_answer = false;
        self
    }

    /// What one run may take, where that is less than every child may.
    pub(in crate::git) fn within(mut self, limits: &Limits) -> Self {
        let (memory, cpu) = (self.limits.memory.unwrap_or(u64::MAX), self.limits.cpu.unwrap_or(Duration::MAX));
        self.limits.memory = Some(memory.min(limits.child_memory)).filter(|memory| *memory < u64::MAX);
        self.limits.cpu = Some(cpu.min(limits.child_cpu)).filter(|cpu| *cpu < Duration::MAX);
        self
    }

    /// The most that it may write to one file, if that is less than all may.
    pub(in crate::git) fn largest_file(mut self, bytes: u64) -> Self {
        self.limits.file_size = Some(self.limits.file_size.unwrap_or(u64::MAX).min(bytes));
        self
    }

    /// Runs it to its end, whatever its exit code is. When `company` says no, it is ended at once with all that it has
    /// started.
    pub(in crate::git) fn run(mut self, company: &mut dyn Company) -> Result<Report, GitError> {
        let places = if self.far { &self.program.far_places } else { &self.program.places };
        let _place = places.take(company)?;
        company.begun();
        let mut command = self.command();
        let mapped = command.fd_mappings(std::mem::take(&mut self.handed_over));
        let started = mapped.map_err(io::Error::other).and_then(Command::spawn);
        // Ours of what was handed over is closed with it, so that its end is seen at the other side.
        drop(command);
        let group = started.and_then(Group::of).map_err(GitError::io("start git"))?;
        let (keeps, room) = (self.keeps_answer, self.longest_answer);
        let processor = self.limits.cpu.map(|limit| ProcessorTime::new(group.leader(), limit));
        let mut listener =
            Listener { company, processor, answer: Vec::new(), keeps, words: Vec::new(), answered: 0, room };
        let status = group.see_through(&self.input, &mut listener).map_err(|trouble| match trouble {
            Trouble::Ended(error) => error,
            Trouble::System(error) => GitError::io("run git")(error),
        })?;
        let words = String::from_utf8_lossy(&listener.words).into_owned();
        Ok(Report { answer: listener.answer, words, status })
    }

    fn command(&self) -> Command {
        let mut command = bound(self.program, self.limits);
        command.args(&self.arguments).env_clear();
        command.envs(NEUTRAL.iter().copied()).env("GIT_DIR", self.folder);
        let within = self.limits.memory.into_iter().flat_map(memory::within);
        let overrides = OVERRIDES.iter().map(|(key, value)| (*key, OsString::from(value)));
        let overrides = overrides.chain([("safe.directory", self.folder.into())]);
        let overrides = overrides.chain(within.map(|(key, value)| (key, value.into())));
        command.envs(overriding(overrides)).envs(self.environment.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command.current_dir("/");
        command
    }
}

/// What every environment begins with; nothing of ours is in it.
pub(super) const NEUTRAL: &[(&str, &str)] = &[
    ("PATH", "/usr/bin:/bin"),
    ("HOME", "/nonexistent"),
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_OPTIONAL_LOCKS", "0"),
];

/// `program`, to be started by ourselves, bound to us and limited. Its arguments are missing.
pub(super) fn bound(program: &GitProgram, limits: ChildLimits) -> Command {
    let mut command = Command::new(&program.ourselves);
    command.args(["internal", "exec", "--parent"]).arg(std::process::id().to_string());
    let ChildLimits { memory, file_size, cpu, nice } = limits;
    // We look at it ourselves, and know why it ended then; this is for what we do not see.
    let cpu = cpu.map(|time| time.as_secs().saturating_add(LATER));
    for (flag, value) in [("--memory", memory), ("--file-size", file_size), ("--cpu", cpu)] {
        if let Some(value) = value {
            command.arg(format!("{flag}={value}"));
        }
    }
    command.arg(format!("--nice={nice}")).arg("--").arg(&program.git);
    command
}

/// The variables that make `settings` hold over all that configuration files say.
pub(super) fn overriding(
    settings: impl IntoIterator<Item = (&'static str, impl Into<OsString>)>,
) -> Vec<(String, OsString)> {
    let mut environment = Vec::new();
    let mut count = 0;
    for (key, value) in settings {
        environment.push((format!("GIT_CONFIG_KEY_{count}"), key.into()));
        environment.push((format!("GIT_CONFIG_VALUE_{count}"), value.into()));
        count += 1;
    }
    environment.push(("GIT_CONFIG_COUNT".to_owned(), count.to_string().into()));
    environment
}

struct Listener<'a> {
    company: &'a mut dyn Company,
    processor: Option<ProcessorTime>,
    answer: Vec<u8>,
    keeps: bool,
    words: Vec<u8>,
    /// Bytes of its answer so far.
    answered: u64,
    room: u64,
}

impl Watch for Listener<'_> {
    type Reason = GitError;

    fn look(&mut self) -> Result<(), GitError> {
        self.processor.as_mut().map_or(Ok(()), ProcessorTime::check)?;
        self.company.look()
    }

    fn answered(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.answered += bytes.len() as u64;
        self.company.answered(bytes, self.answered)?;
        if self.answered > self.room {
            return Err(GitError::Protocol("git answered more than is accepted".to_owned()));
        }
        if self.keeps {
            self.answer.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn said(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.words.extend_from_slice(bytes);
        let surplus = self.words.len().saturating_sub(KEPT_WORDS);
        self.words.drain(..surplus);
        self.company.said(bytes)
    }
}
