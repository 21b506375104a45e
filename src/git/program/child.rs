//! One child process and all that it starts, from its start to its end.

use std::io::{self, ErrorKind, Read, Write};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, test_kill_process_group};

/// How often it is asked whether the run may go on.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a child gets to clear up after it was told to end.
const GRACE: Duration = Duration::from_millis(300);

/// The most that is read or written at once.
const PIECE: usize = 64 * 1024;

/// How many pieces are taken from one stream before the others get their turn. All that a pipe can hold is less.
const PIECES_BETWEEN_LOOKS: usize = 32;

/// Who watches over a child while it works.
pub(super) trait Watch {
    /// Why it must end now, if it must.
    type Reason;

    /// Asked about twenty times a second.
    fn look(&mut self) -> Result<(), Self::Reason>;

    /// It wrote to its standard output.
    fn answered(&mut self, bytes: &[u8]) -> Result<(), Self::Reason>;

    /// It wrote to its standard error.
    fn said(&mut self, bytes: &[u8]) -> Result<(), Self::Reason>;
}

/// How watching over a child ended, if it did not end by itself.
pub(super) enum Trouble<R> {
    /// The watch ended it.
    Ended(R),
    /// The system did not do what it should.
    System(io::Error),
}

impl<R> From<io::Error> for Trouble<R> {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl<R> From<rustix::io::Errno> for Trouble<R> {
    fn from(error: rustix::io::Errno) -> Self {
        Self::System(error.into())
    }
}

/// A process group of its own, with its three streams. Dropped, it is no more.
pub(super) struct Group {
    leader: Child,
    id: Pid,
    exit: OwnedFd,
    reaped: bool,
}

impl Group {
    /// Takes a child that was started as the leader of a group, its streams piped.
    pub(super) fn of(mut leader: Child) -> io::Result<Self> {
        let group = i32::try_from(leader.id()).ok().and_then(Pid::from_raw);
        let found = group.ok_or(ErrorKind::NotFound.into());
        let found = found.and_then(|group: Pid| Ok((group, pidfd_open(group, PidfdFlags::empty())?)));
        match found {
            Ok((id, exit)) => Ok(Self { leader, id, exit, reaped: false }),
            Err(error) => {
                let _ = leader.kill();
                let _ = leader.wait();
                Err(error)
            }
        }
    }

    /// The process that was started.
    pub(super) const fn leader(&self) -> Pid {
        self.id
    }

    /// Gives it `input`, hands all that it writes to `watch`, and waits for its end.
    pub(super) fn see_through<W: Watch>(
        mut self,
        mut input: &[u8],
        watch: &mut W,
    ) -> Result<ExitStatus, Trouble<W::Reason>> {
        let mut stdin = self.leader.stdin.take();
        let (mut stdout, mut stderr) = (self.leader.stdout.take(), self.leader.stderr.take());
        for stream in
            [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)]
        {
            stream.map_or(Ok(()), |stream| ioctl_fionbio(stream, true))?;
        }
        let mut buffer = vec![0; PIECE];
        loop {
            watch.look().map_err(Trouble::Ended)?;
            if input.is_empty() {
                stdin = None;
            }
            let exited = self.wait_for_news(stdin.as_ref(), stdout.as_ref(), stderr.as_ref())?;
            give(&mut stdin, &mut input)?;
            drain(&mut stdout, &mut buffer, &mut |bytes| watch.answered(bytes))?;
            drain(&mut stderr, &mut buffer, &mut |bytes| watch.said(bytes))?;
            if exited {
                // What it had written before its end was in the pipes by then, and has been read just now. Others of
                // its group may still hold the pipes open; nobody waits for them.
                return Ok(self.reap()?);
            }
        }
    }

    /// Waits until a stream is ready or the leader has ended, which is the answer, or until it is time to look again.
    fn wait_for_news(
        &self,
        stdin: Option<&impl AsFd>,
        stdout: Option<&impl AsFd>,
        stderr: Option<&impl AsFd>,
    ) -> io::Result<bool> {
        let mut fds = vec![PollFd::new(&self.exit, PollFlags::IN)];
        fds.extend(stdin.map(|stream| PollFd::new(stream, PollFlags::OUT)));
        fds.extend(stdout.map(|stream| PollFd::new(stream, PollFlags::IN)));
        fds.extend(stderr.map(|stream| PollFd::new(stream, PollFlags::IN)));
        match poll(&mut fds, Some(&timespec(LOOK_EVERY))) {
            Ok(_) => Ok(fds.first().is_some_and(|exit| exit.revents().contains(PollFlags::IN))),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends what is left of the group, and takes the leader's status. Killed before that: as long as nobody has asked
    /// for it, no other process can have its number.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        let _ = kill_process_group(self.id, Signal::KILL);
        let status = self.leader.wait();
        self.reaped = true;
        let give_up = Instant::now() + GRACE;
        while test_kill_process_group(self.id).is_ok() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(2));
        }
        status
    }

    /// Whether the leader has ended within `patience`.
    fn ended_within(&self, patience: Duration) -> bool {
        let mut fds = [PollFd::new(&self.exit, PollFlags::IN)];
        poll(&mut fds, Some(&timespec(patience))).is_ok_and(|ready| ready > 0)
    }
}

impl Drop for Group {
    /// Told to end first, so that git can remove what it was writing.
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        let _ = kill_process_group(self.id, Signal::TERM);
        self.ended_within(GRACE);
        let _ = self.reap();
    }
}

fn give(stream: &mut Option<impl Write>, input: &mut &[u8]) -> io::Result<()> {
    let Some(open) = stream else { return Ok(()) };
    match open.write(input.get(..PIECE).unwrap_or(input)) {
        Ok(written) => *input = input.get(written..).unwrap_or_default(),
        Err(error) if is_for_later(&error) => {}
        // It does not want to know; its exit code will say why.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => *input = &[],
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Reads what is there, and what comes meanwhile up to a limit; a stream that has ended becomes none.
fn drain<R>(
    stream: &mut Option<impl Read>,
    buffer: &mut [u8],
    take: &mut dyn FnMut(&[u8]) -> Result<(), R>,
) -> Result<(), Trouble<R>> {
    for _ in 0..PIECES_BETWEEN_LOOKS {
        let Some(open) = stream else { break };
        match open.read(buffer) {
            Ok(0) => *stream = None,
            Ok(read) => take(&buffer[..read]).map_err(Trouble::Ended)?,
            Err(error) if is_for_later(&error) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() }
}
