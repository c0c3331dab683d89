//! Tells a model of events, with a method for each of the more frequent ones.

use greenloop_core::observe::{
    EventBody, EventKind, Model, Outcome, TaskState, WaitKind, WakeCause,
};

/// Tells a model of events, each at its time.
#[derive(Default)]
pub struct Teller {
    pub model: Model,
    now: u64,
}

impl Teller {
    pub fn tell(&mut self, event: EventBody) -> &mut Self {
        self.model.apply(&event.at(self.now));
        self
    }

    pub fn at(&mut self, now: u64) -> &mut Self {
        self.now = now;
        self
    }

    pub fn created(&mut self, task: u32) -> &mut Self {
        self.tell(of(EventKind::TaskCreated, 0, task))
    }

    pub fn began(&mut self, task: u32) -> &mut Self {
        self.tell(of(EventKind::StepBegan, task, 0))
    }

    pub fn ended(&mut self, task: u32) -> &mut Self {
        self.tell(of(EventKind::StepEnded, task, 0))
    }

    pub fn waits(&mut self, task: u32, kind: WaitKind, party: u32) -> &mut Self {
        let event = of(EventKind::WaitBegan, task, party);
        self.tell(EventBody {
            detail: kind.number(),
            ..event
        })
    }

    pub fn woken(&mut self, waker: u32, task: u32, cause: WakeCause) -> &mut Self {
        let event = of(EventKind::Woken, waker, task);
        self.tell(EventBody {
            detail: cause.number(),
            ..event
        })
    }

    pub fn finished(&mut self, task: u32) -> &mut Self {
        let event = of(EventKind::TaskFinished, task, 0);
        self.tell(EventBody {
            detail: Outcome::Returned.number(),
            ..event
        })
    }

    pub fn made(&mut self, resource: u32, kind: WaitKind, capacity: i64) -> &mut Self {
        let event = of(EventKind::ResourceMade, 0, resource);
        self.tell(EventBody {
            detail: kind.number(),
            value: capacity,
            ..event
        })
    }

    pub fn acquired(&mut self, task: u32, resource: u32, left: i64) -> &mut Self {
        let event = of(EventKind::Acquired, task, resource);
        self.tell(EventBody {
            value: left,
            ..event
        })
    }

    pub fn released(&mut self, task: u32, resource: u32, free: i64) -> &mut Self {
        let event = of(EventKind::Released, task, resource);
        self.tell(EventBody {
            value: free,
            ..event
        })
    }

    pub fn lost(&mut self, events: i64) -> &mut Self {
        self.tell(EventBody {
            value: events,
            ..EventBody::new(EventKind::Lost)
        })
    }

    pub fn state(&self, task: u32) -> TaskState {
        self.model.task(task).expect("it was heard of").state
    }

    /// All owners of a resource, if they are known.
    pub fn owners(&self, resource: u32) -> Option<Vec<u32>> {
        let resource = self.model.resource(resource).expect("it was heard of");
        let owners = resource.owners.all()?;
        Some(owners.iter().map(|holder| holder.task).collect())
    }

    pub fn certain(&self, resource: u32) -> Vec<u32> {
        let resource = self.model.resource(resource).expect("it was heard of");
        let certain = resource.owners.certain().iter();
        certain.map(|holder| holder.task).collect()
    }

    pub fn waiters(&self, party: u32) -> Vec<u32> {
        self.model.waiters(party).collect()
    }
}

/// An event with its two parties.
pub fn of(kind: EventKind, task: u32, other: u32) -> EventBody {
    EventBody {
        task,
        other,
        ..EventBody::new(kind)
    }
}
