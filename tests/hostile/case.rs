//! What one hostile far side does, and how a run that meets it has to end.

use std::time::Duration;

use crate::server::Behaviour;

/// The limits that the workers of these tests are given.
pub(crate) const STALL: Duration = Duration::from_secs(2);
pub(crate) const DEADLINE: Duration = Duration::from_secs(8);

/// One row.
pub(crate) struct Case {
    /// A sentence without a verb for the reader of the test's output.
    pub(crate) name: &'static str,
    pub(crate) direction: Direction,
    pub(crate) way: Way,
    pub(crate) far: Behaviour,
    pub(crate) end: End,
    pub(crate) takes: Takes,
    /// Whether the local repository holds some megabytes.
    pub(crate) is_large: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Pull,
    Push,
}

impl Direction {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

/// How the far side is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Http,
    Https,
    Ssh,
    /// Git's own protocol.
    Git,
}

impl Way {
    pub(crate) fn url(self, port: u16) -> String {
        let before = match self {
            Self::Http => "http://",
            Self::Https => "https://",
            Self::Ssh => "ssh://git@",
            Self::Git => "git://",
        };
        format!("{before}127.0.0.1:{port}/group/project.git")
    }

    /// Whether it knows user and password.
    pub(crate) const fn has_logins(self) -> bool {
        !matches!(self, Self::Git)
    }
}

/// How the run ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// It fails, changes nothing here, and its owner is told something that this expression describes from beginning to
    /// end; `AT` stands for the far side's host and port, `HOST` for its host.
    Fails(&'static str),
    /// It fails with such a message, but all that could be done is done.
    FailsInPart(&'static str),
    /// Such a failure, or none: engines may differ.
    FailsOrNot(&'static str),
    /// It succeeds, and the local repository then has just these branches and tags.
    Has(&'static [&'static str]),
}

/// The limit by which it has to be over.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// Nothing is waited for.
    NoTime,
    /// Silence is waited for.
    Stall,
    /// It goes on until it is ended.
    Deadline,
}

impl Takes {
    pub(crate) const fn limit(self) -> Duration {
        match self {
            Self::NoTime => Duration::ZERO,
            Self::Stall => STALL,
            Self::Deadline => DEADLINE,
        }
    }
}

/// A pull that fails at once.
pub(crate) fn pull(name: &'static str, far: Behaviour, told: &'static str) -> Case {
    Case {
        name,
        direction: Direction::Pull,
        way: Way::Http,
        far,
        end: End::Fails(told),
        takes: Takes::NoTime,
        is_large: false,
    }
}

/// A push that fails at once.
pub(crate) fn push(name: &'static str, far: Behaviour, told: &'static str) -> Case {
    Case { direction: Direction::Push, ..pull(name, far, told) }
}

impl Case {
    /// The same over another transport.
    pub(crate) fn over(self, way: Way) -> Self {
        Self { way, ..self }
    }

    /// One that fails only after the stall limit.
    pub(crate) fn stalling(self) -> Self {
        Self { takes: Takes::Stall, ..self }
    }

    /// One that fails only at the end of the run's time.
    pub(crate) fn endless(self) -> Self {
        Self { takes: Takes::Deadline, ..self }
    }

    /// One for which there is more to send than fits into the buffers on the way.
    pub(crate) fn with_much_to_send(self) -> Self {
        Self { is_large: true, ..self }
    }

    /// One that fails after what is right has been done.
    pub(crate) fn in_part(self) -> Self {
        let end = match self.end {
            End::Fails(told) => End::FailsInPart(told),
            other => other,
        };
        Self { end, ..self }
    }

    /// One that need not fail, since nothing was lost.
    pub(crate) fn or_not(self) -> Self {
        let end = match self.end {
            End::Fails(told) => End::FailsOrNot(told),
            other => other,
        };
        Self { end, ..self }
    }

    /// One that harms nothing after all.
    pub(crate) fn has(self, refs: &'static [&'static str]) -> Self {
        Self { end: End::Has(refs), ..self }
    }
}
