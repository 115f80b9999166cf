//! Starts the program, feeds it, watches over it, and ends all that is left of it.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, ChildStdin, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Access, OFlags, access, fcntl_setfl},
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, pidfd_open, set_child_subreaper,
        setsid, wait, waitpid,
    },
};

use super::{BECOME, Limit, Limits, OWN_BINARY, Order, SUBCOMMAND, Verdict, tree};

/// How often the processes are counted.
const TICK: Duration = Duration::from_millis(20);

/// How long processes may take to end once they were told to; those that wait for a disk may not hear at once.
const MOST_TO_END: Duration = Duration::from_secs(5);

/// Threads that each process may have, on average.
const THREADS: u32 = 256;

/// Bytes of the context that are under way at once.
const PIECE: usize = 64 << 10;

/// Serves one order.
pub(super) fn run() -> io::Result<()> {
    // The terminal of the server is not for programs, nor are its signals.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    let mut server = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let order = Order::read(&mut server)?;
    let verdict = match start(&order) {
        Ok(mut child) => {
            let watched = watch(&mut child, &server, &order);
            let status = end_all(Pid::from_child(&child));
            watched?.or(status.and_then(ended)).unwrap_or(Verdict::Signalled(Signal::KILL.as_raw()))
        }
        Err(problem) => Verdict::NotStarted(problem),
    };
    // A server that is gone needs no answer.
    let _ = server.write_all(&serde_json::to_vec(&verdict)?);
    Ok(())
}

fn start(order: &Order) -> Result<Child, String> {
    if !tree::visible() {
        return Err(
            "this system does not tell which processes a program starts (/proc/<pid>/task/<tid>/children)".to_owned()
        );
    }
    let program = order.command.first().ok_or("no program is named")?;
    access(program.as_str(), Access::EXEC_OK).map_err(|error| format!("{program}: {error}"))?;
    let directory = order.directory.display();
    access(&order.directory, Access::EXEC_OK).map_err(|error| format!("{directory}: {error}"))?;
    let limits = serde_json::to_string(&order.limits).map_err(|error| error.to_string())?;
    let mut command = Command::new(OWN_BINARY);
    command.args([SUBCOMMAND, BECOME, &limits]).args(&order.command);
    command.env_clear().envs(&order.environment).current_dir(&order.directory).process_group(0);
    command.stdin(Stdio::piped()).spawn().map_err(|error| error.to_string())
}

/// Waits until the program ends, which is no verdict yet, exceeds a limit, or the server is gone.
fn watch(child: &mut Child, server: &UnixStream, order: &Order) -> io::Result<Option<Verdict>> {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut feed = child.stdin.take().map(|pipe| Feed::new(pipe, order.context)).transpose()?;
    let mut next_count = Instant::now();
    loop {
        let now = Instant::now();
        if now >= next_count {
            if let Some(limit) = exceeded(Pid::from_child(child), &order.limits)? {
                return Ok(Some(Verdict::Exceeded(limit)));
            }
            next_count = Instant::now() + TICK;
        }
        feed = feed.filter(|feed| !feed.done());
        let found = Found::wait(&end, server, feed.as_ref(), next_count.saturating_duration_since(now))?;
        if found.over {
            return Ok(None);
        }
        if let Some(some) = &mut feed
            && !some.step(server, &found)?
        {
            feed = None;
        }
    }
}

/// What happened while waiting.
struct Found {
    /// The program ended, or the server is gone.
    over: bool,
    context_there: bool,
    program_reads: bool,
}

impl Found {
    fn wait(end: &OwnedFd, server: &UnixStream, feed: Option<&Feed>, most: Duration) -> io::Result<Self> {
        let hungry = feed.is_some_and(Feed::is_empty);
        let wanted = if hungry { PollFlags::IN } else { PollFlags::empty() };
        let mut waits = vec![PollFd::new(end, PollFlags::IN), PollFd::new(server, wanted)];
        if let Some(feed) = feed.filter(|_| !hungry) {
            waits.push(PollFd::new(&feed.pipe, PollFlags::OUT));
        }
        let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() };
        match poll(&mut waits, Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let gone = PollFlags::HUP | PollFlags::ERR;
        let found = |place: usize, flags| waits.get(place).is_some_and(|wait| wait.revents().intersects(flags));
        Ok(Self {
            over: found(0, PollFlags::IN) || found(1, gone),
            context_there: found(1, PollFlags::IN),
            program_reads: found(2, PollFlags::OUT | gone),
        })
    }
}

/// Carries the context from the server to the program, as fast as it reads.
struct Feed {
    pipe: ChildStdin,
    /// Bytes that have not come from the server yet.
    left: u64,
    piece: Vec<u8>,
}

impl Feed {
    fn new(pipe: ChildStdin, left: u64) -> io::Result<Self> {
        fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
        Ok(Self { pipe, left, piece: Vec::new() })
    }

    fn is_empty(&self) -> bool {
        self.piece.is_empty()
    }

    fn done(&self) -> bool {
        self.left == 0 && self.is_empty()
    }

    /// Carries one piece. Tells whether the program still wants more.
    fn step(&mut self, mut server: &UnixStream, found: &Found) -> io::Result<bool> {
        if self.is_empty() && found.context_there {
            self.piece.resize(PIECE.min(self.left as usize), 0);
            let length = server.read(&mut self.piece)?;
            if length == 0 {
                return Ok(false);
            }
            self.piece.truncate(length);
            self.left -= length as u64;
        } else if found.program_reads {
            match self.pipe.write(&self.piece) {
                Ok(length) => drop(self.piece.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It reads no more, and needs not.
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Counts the processes, and waits for those that ended and fell to the supervisor.
fn exceeded(program: Pid, limits: &Limits) -> io::Result<Option<Limit>> {
    let (usage, ended) = tree::usage(getpid())?;
    for orphan in ended.into_iter().filter(|pid| *pid != program) {
        let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
    }
    let most_threads = limits.processes.saturating_mul(THREADS);
    Ok(if usage.processes > limits.processes || usage.threads > most_threads {
        Some(Limit::Processes)
    } else if usage.cpu > limits.cpu {
        Some(Limit::Cpu)
    } else if usage.memory > limits.memory && tree::memory(getpid()) > limits.memory {
        Some(Limit::Memory)
    } else {
        None
    })
}

/// Ends the program and all that descends from it, and tells how the program ended.
fn end_all(program: Pid) -> Option<WaitStatus> {
    let latest = Instant::now() + MOST_TO_END;
    let mut status = None;
    loop {
        // Its number is its own only until it was waited for. One call ends the whole group, so that none escapes by
        // starting others meanwhile; those that left the group are found one by one.
        if status.is_none() {
            let _ = kill_process_group(program, Signal::KILL);
        }
        tree::end_below(getpid());
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, how))) if pid == program => status = Some(how),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return status,
            }
        }
        if Instant::now() > latest {
            return status;
        }
        sleep(Duration::from_millis(1));
    }
}

fn ended(status: WaitStatus) -> Option<Verdict> {
    status.exit_status().map(Verdict::Exited).or(status.terminating_signal().map(Verdict::Signalled))
}
