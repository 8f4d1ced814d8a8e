//! Services: containers that are started together and kept running.

pub(crate) mod backoff;
pub(crate) mod control;
pub(crate) mod status;

mod supervisor;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::console::say;
use crate::container::bundle::{self, Section};
use crate::machine::Machine;
use crate::sync::lock;
use supervisor::{Event, Supervisor};

/// The supervisors of this machine, by the services' names.
#[derive(Default)]
pub(crate) struct Services {
    events: Mutex<BTreeMap<String, Sender<Event>>>,
}

/// What can be asked of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// End it and leave it.
    Stop,
    /// Start it unless it runs.
    Start,
    /// End it and start it.
    Restart,
}

impl Services {
    /// Carries out an order; returns when it is done, or why it cannot be.
    fn order(&self, name: &str, order: Order) -> Result<(), String> {
        let Some(events) = lock(&self.events).get(name).cloned() else {
            return Err(format!("there is no service {name}"));
        };
        let (reply, answer) = channel();
        let gone = |_| "its supervisor has ended".to_owned();
        events
            .send(Event::Order(order, reply))
            .map_err(|_| "its supervisor has ended".to_owned())?;
        answer.recv().map_err(gone)?
    }
}

/// Starts every service, each under a supervisor of its own.
pub(crate) fn start_all(machine: &Arc<Machine>) {
    let _ = std::fs::create_dir_all(Path::new("/var/log"));
    for bundle in bundle::list(Section::Services) {
        let (sender, events) = channel();
        lock(&machine.services.events).insert(bundle.name.clone(), sender.clone());
        let name = bundle.name.clone();
        let supervisor = Supervisor::new(Arc::clone(machine), bundle, sender, events);
        let started = thread::Builder::new()
            .name("service".to_owned())
            .spawn(move || supervisor.run());
        if let Err(error) = started {
            say!("nodeimage: {name} cannot be supervised: {error}");
        }
    }
}
