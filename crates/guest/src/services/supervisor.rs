//! One service's life: prepared once, then started, watched and started again.
//!
//! Its writable files survive a restart, as those of a process on any machine do; a fresh start
//! is what a reboot is for. What is announced on the consoles: that it runs, once it has lived a
//! second; that it has finished; each failure with what happens next.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Order;
use super::backoff::Backoff;
use super::status::{State, Status};
use crate::console::say;
use crate::container::bundle::Bundle;
use crate::container::config::{self, Restart, RuntimeConfig};
use crate::container::launch::launch;
use crate::container::output::Output;
use crate::container::prepare;
use crate::error::Result;
use crate::exit::Exit;
use crate::machine::Machine;

/// A service that lives this long runs.
const PROVEN: Duration = Duration::from_secs(1);

/// Answer to an order.
pub(super) type Reply = Sender<std::result::Result<(), String>>;

/// What a supervisor hears.
pub(super) enum Event {
    /// The run of this number has ended.
    Ended(u64, Exit),
    /// Someone wants something.
    Order(Order, Reply),
}

/// What follows the end of a service.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Again,
    Finished,
    Failed,
}

/// What to do after waiting.
enum Then {
    Start,
    Rest,
}

fn next(policy: Restart, exit: Exit) -> Next {
    match (policy, exit.success()) {
        (Restart::Always, _) | (Restart::OnFailure, false) => Next::Again,
        (_, true) => Next::Finished,
        (Restart::Never, false) => Next::Failed,
    }
}

pub(super) struct Supervisor {
    machine: Arc<Machine>,
    bundle: Bundle,
    /// For the reaper.
    sender: Sender<Event>,
    events: Receiver<Event>,
    status: Status,
    policy: Restart,
    backoff: Backoff,
    /// Number of the present run.
    run: u64,
    prepared: Option<RuntimeConfig>,
}

impl Supervisor {
    pub(super) fn new(
        machine: Arc<Machine>,
        bundle: Bundle,
        sender: Sender<Event>,
        events: Receiver<Event>,
    ) -> Self {
        let status = Status {
            name: bundle.name.clone(),
            ..Status::default()
        };
        Self {
            machine,
            bundle,
            sender,
            events,
            status,
            policy: Restart::default(),
            backoff: Backoff::default(),
            run: 0,
            prepared: None,
        }
    }

    /// Supervises until the machine stops.
    pub(super) fn run(mut self) {
        let (policy, fault) = config::policy(&self.bundle.path);
        if let Some(fault) = fault {
            say!("nodeimage: {fault}");
        }
        self.policy = policy.restart;
        let mut then = Then::Start;
        let mut waiting: Option<Reply> = None;
        loop {
            if self.machine.shutdown.begun() {
                return;
            }
            then = match then {
                Then::Start => match self.start() {
                    Ok(pid) => {
                        answer(waiting.take(), Ok(()));
                        self.watch(pid, &mut waiting)
                    }
                    Err(error) => {
                        let text = error.to_string();
                        answer(waiting.take(), Err(text.clone()));
                        self.status.pid = None;
                        self.status.last_exit = Some(text.clone());
                        self.after_failure(&text, Duration::ZERO, &mut waiting)
                    }
                },
                Then::Rest => self.rest(&mut waiting),
            };
        }
    }

    fn start(&mut self) -> Result<i32> {
        self.set(State::Starting);
        if self.prepared.is_none() {
            let config = config::runtime(&self.bundle.path)?;
            if let Err(error) = prepare::prepare(&self.bundle, &config) {
                prepare::clean(&self.bundle);
                return Err(error);
            }
            self.prepared = Some(config);
        }
        let config = self.prepared.as_ref();
        let none = RuntimeConfig::default();
        let to_console = self.machine.cmdline.flag("linuxkit.runc_console");
        let output = Output::new(Path::new("/var/log"), &self.bundle.name, to_console)?;
        self.run += 1;
        let (sender, number) = (self.sender.clone(), self.run);
        let notify = Box::new(move |exit| {
            // The supervisor may have ended with the machine.
            let _ = sender.send(Event::Ended(number, exit));
        });
        let pid = launch(
            &self.machine,
            &self.bundle,
            config.unwrap_or(&none),
            &output,
            notify,
        )?;
        self.status.pid = Some(pid);
        self.set(State::Starting);
        Ok(pid)
    }

    /// Watches a run to its end.
    fn watch(&mut self, pid: i32, waiting: &mut Option<Reply>) -> Then {
        let name = self.bundle.name.clone();
        let begin = Instant::now();
        let exit = loop {
            let event = if self.status.state == State::Starting {
                match self
                    .events
                    .recv_timeout(PROVEN.saturating_sub(begin.elapsed()))
                {
                    Err(RecvTimeoutError::Timeout) => {
                        self.set(State::Running);
                        say!("nodeimage: {name} is running");
                        continue;
                    }
                    other => other.ok(),
                }
            } else {
                self.events.recv().ok()
            };
            match event {
                Some(Event::Ended(number, exit)) if number == self.run => break exit,
                Some(Event::Ended(..)) => {}
                Some(Event::Order(Order::Start, reply)) => answer(Some(reply), Ok(())),
                Some(Event::Order(order, reply)) => {
                    let exit = self.stop(pid);
                    self.status.ended(exit);
                    self.remove();
                    self.backoff = Backoff::default();
                    if order == Order::Restart {
                        *waiting = Some(reply);
                        return Then::Start;
                    }
                    self.set(State::Stopped);
                    say!("nodeimage: {name} is stopped");
                    answer(Some(reply), Ok(()));
                    return Then::Rest;
                }
                // We hold a sender ourselves, so the channel cannot close.
                None => return Then::Rest,
            }
        };
        self.status.ended(exit);
        if self.machine.shutdown.begun() {
            return Then::Rest;
        }
        self.remove();
        match next(self.policy, exit) {
            Next::Finished => {
                self.set(State::Finished);
                say!("nodeimage: {name} finished");
                Then::Rest
            }
            Next::Failed => {
                self.set(State::Failed);
                say!("nodeimage: {name} failed ({exit}); see /var/log/{name}.log");
                Then::Rest
            }
            Next::Again => self.after_failure(&exit.to_string(), begin.elapsed(), waiting),
        }
    }

    /// Waits before the next start, if there is to be one.
    fn after_failure(&mut self, why: &str, lived: Duration, waiting: &mut Option<Reply>) -> Then {
        let name = &self.bundle.name;
        if self.policy == Restart::Never {
            say!("nodeimage: {name} failed ({why})");
            self.set(State::Failed);
            return Then::Rest;
        }
        let pause = self.backoff.next(lived);
        say!(
            "nodeimage: {name} ended ({why}); it starts again in {} s; see /var/log/{name}.log",
            pause.as_secs()
        );
        self.set(State::Waiting);
        let end = Instant::now() + pause;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Err(_) => {
                    self.status.restarts += 1;
                    return Then::Start;
                }
                Ok(Event::Ended(..)) => {}
                Ok(Event::Order(Order::Stop, reply)) => {
                    self.set(State::Stopped);
                    answer(Some(reply), Ok(()));
                    return Then::Rest;
                }
                Ok(Event::Order(Order::Start | Order::Restart, reply)) => {
                    *waiting = Some(reply);
                    return Then::Start;
                }
            }
        }
    }

    /// Waits for an order.
    fn rest(&mut self, waiting: &mut Option<Reply>) -> Then {
        loop {
            match self.events.recv() {
                Ok(Event::Order(Order::Stop, reply)) => answer(Some(reply), Ok(())),
                Ok(Event::Order(Order::Start | Order::Restart, reply)) => {
                    *waiting = Some(reply);
                    return Then::Start;
                }
                Ok(Event::Ended(..)) | Err(_) => {}
            }
        }
    }

    /// Asks the service to end, waits, and kills it.
    fn stop(&mut self, pid: i32) -> Exit {
        if let Some(pid) = Pid::from_raw(pid) {
            // Not collected yet, so the number is still its own.
            let _ = kill_process(pid, Signal::TERM);
        }
        let end = Instant::now() + self.machine.shutdown.patience(&self.machine.cmdline);
        let mut killed = false;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left = if killed { PROVEN } else { left };
            match self.events.recv_timeout(left) {
                Ok(Event::Ended(number, exit)) if number == self.run => return exit,
                Ok(Event::Ended(..)) => {}
                Ok(Event::Order(_, reply)) => {
                    answer(Some(reply), Err("it is just being stopped".to_owned()));
                }
                Err(_) => {
                    killed = true;
                    self.remove();
                }
            }
        }
    }

    /// Removes the container and whatever of it still runs.
    fn remove(&self) {
        if let Ok(runtime) = self.machine.runtime() {
            runtime.delete(&self.machine.reaper, &self.bundle.name);
        }
    }

    fn set(&mut self, state: State) {
        self.status.state = state;
        if let Err(error) = self.status.write() {
            say!("nodeimage: {error}");
        }
    }
}

fn answer(reply: Option<Reply>, result: std::result::Result<(), String>) {
    if let Some(reply) = reply {
        // Whoever asked may have gone.
        let _ = reply.send(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_end() {
        let (good, bad, killed) = (Exit::Code(0), Exit::Code(1), Exit::Signal(9));
        assert_eq!(next(Restart::OnFailure, good), Next::Finished);
        assert_eq!(next(Restart::OnFailure, bad), Next::Again);
        assert_eq!(next(Restart::OnFailure, killed), Next::Again);
        assert_eq!(next(Restart::Always, good), Next::Again);
        assert_eq!(next(Restart::Never, good), Next::Finished);
        assert_eq!(next(Restart::Never, killed), Next::Failed);
    }
}
