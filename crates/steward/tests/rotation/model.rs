//! A model world in which `next_step` decides and everything else goes wrong: stewards die between the deed and its
//! record, three of them race with what they read long ago, the application is slow to read its secret, the server does
//! not answer. The five invariants hold after every event, and when the trouble ends the rotation comes to its end.

use std::collections::BTreeMap;

use proptest::prelude::*;
use steward::rotation::State;
use steward::rotation::next_step::{Ledger, Login, Observed, Patience, Step, Written, next_step};

/// 0 is the role from before, 1 and 2 are the slots.
type Role = usize;
const PATIENCE: Patience = Patience { grace: 600, quiet: 5 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Secret {
    role: Role,
    generation: i64,
    /// Names the verifier; each one that is made is another.
    verifier: u32,
}

#[derive(Clone, Debug)]
struct Journal {
    revision: u64,
    state: State,
    current: Secret,
    pending: Option<Secret>,
    previous: Option<Secret>,
    expects: i64,
    delivered_at: Option<i64>,
    quiet_since: Option<i64>,
    seen: bool,
}

/// What one steward has read, decided and perhaps done, but not written down yet.
#[derive(Clone, Debug)]
struct Thought {
    read: Journal,
    step: Step,
    done: bool,
    now: i64,
}

#[derive(Debug)]
struct World {
    now: i64,
    passwords: [Option<u32>; 3],
    ledger: [(i64, Option<u32>); 3],
    place: Secret,
    /// The application: what each worker has read, and the role of its session.
    workers: [(Secret, Option<Role>); 3],
    journal: Journal,
    thoughts: [Option<Thought>; 3],
    made: u32,
    /// I3: which verifier the database ever had for a generation.
    set: BTreeMap<i64, u32>,
    finished: u32,
}

#[derive(Clone, Debug)]
enum Event {
    /// A steward looks; the flags say whether the server answers and whether a change is wanted.
    Look(usize, bool, bool),
    Act(usize),
    Record(usize),
    Crash(usize),
    Reread(usize),
    Connect(usize),
    Disconnect(usize),
    Time(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let who = 0_usize..3;
    prop_oneof![
        6 => (who.clone(), prop::bool::weighted(0.9), prop::bool::weighted(0.5)).prop_map(|(a, b, c)| Event::Look(a, b, c)),
        6 => who.clone().prop_map(Event::Act),
        6 => who.clone().prop_map(Event::Record),
        1 => who.clone().prop_map(Event::Crash),
        2 => who.clone().prop_map(Event::Reread),
        3 => who.clone().prop_map(Event::Connect),
        2 => who.prop_map(Event::Disconnect),
        2 => prop_oneof![1_i64..10, 100_i64..2_000].prop_map(Event::Time),
    ]
}

impl World {
    fn new() -> Self {
        let first = Secret { role: 0, generation: 0, verifier: 1 };
        Self {
            now: 1_000,
            passwords: [Some(1), None, None],
            ledger: [(0, None); 3],
            place: first,
            workers: [(first, Some(0)), (first, Some(0)), (first, None)],
            journal: Journal {
                revision: 1,
                state: State::Stable,
                current: first,
                pending: None,
                previous: None,
                expects: 0,
                delivered_at: None,
                quiet_since: None,
                seen: false,
            },
            thoughts: [None, None, None],
            made: 1,
            set: BTreeMap::new(),
            finished: 0,
        }
    }

    fn works(&self, secret: Secret) -> bool {
        self.passwords[secret.role] == Some(secret.verifier)
    }

    fn login(&self, secret: Secret, answers: bool) -> Login {
        match (answers, self.works(secret)) {
            (false, _) => Login::Unknown,
            (true, true) => Login::Works,
            (true, false) => Login::Refused,
        }
    }

    fn sessions(&self, role: Role) -> i64 {
        self.workers.iter().map(|(_, session)| i64::from(*session == Some(role))).sum()
    }

    fn newest(&self) -> i64 {
        self.ledger.iter().map(|(generation, _)| *generation).max().unwrap_or_default()
    }

    fn look(&self, answers: bool, wanted: bool) -> Thought {
        let read = self.journal.clone();
        let after = matches!(read.state, State::Promoted | State::Adopted);
        let newer = if after { Some(read.current) } else { read.pending };
        let ledger = match newer {
            Some(newer) if answers => {
                let (generation, verifier) = self.ledger[newer.role];
                if generation == newer.generation
                    && verifier == Some(newer.verifier)
                    && generation == self.newest()
                {
                    Ledger::Ours
                } else if self.newest() == read.expects {
                    Ledger::Before
                } else {
                    Ledger::Moved
                }
            }
            _ => Ledger::Unknown,
        };
        let count =
            |secret: Option<Secret>| secret.filter(|_| answers).map(|secret| self.sessions(secret.role));
        let current = self.login(read.current, answers);
        let observed = Observed {
            wanted,
            operator: current,
            current,
            pending: read.pending.map_or(Login::Unknown, |pending| self.login(pending, answers)),
            ledger,
            newer_sessions: count(newer),
            previous_sessions: count(read.previous),
            nodes_behind: Some(0),
        };
        let written = Written {
            state: read.state,
            delivered_at: read.delivered_at,
            quiet_since: read.quiet_since,
            seen: read.seen,
            previous_is_administrator: false,
        };
        Thought {
            step: next_step(&written, &observed, &PATIENCE, self.now),
            read,
            done: false,
            now: self.now,
        }
    }

    /// The ledger's `rotate`: a comparison of generations in one transaction.
    fn rotate(&mut self, secret: Secret, expects: i64) -> bool {
        let newest = self.newest();
        let again = newest == secret.generation
            && self.ledger[secret.role] == (secret.generation, Some(secret.verifier));
        if !again && newest != expects {
            return false;
        }
        if !self.works(secret) {
            assert_eq!(
                self.sessions(secret.role),
                0,
                "I2: a password was changed under its sessions: {self:#?}"
            );
            assert_ne!(self.journal.current.role, secret.role, "I2: the credential in use was changed");
            assert_ne!(self.place.role, secret.role, "I2: the delivered credential was changed");
        }
        assert!(secret.generation >= self.newest(), "I4: the ledger went back");
        let first = *self.set.entry(secret.generation).or_insert(secret.verifier);
        assert_eq!(first, secret.verifier, "I3: generation {} got a second verifier", secret.generation);
        self.ledger[secret.role] = (secret.generation, Some(secret.verifier));
        self.passwords[secret.role] = Some(secret.verifier);
        true
    }

    /// The ledger's `retire`.
    fn retire(&mut self, secret: Secret) -> bool {
        if self.ledger[secret.role].0 != secret.generation || secret.generation >= self.newest() {
            return false;
        }
        if self.works(secret) {
            assert_ne!(self.place, secret, "I5: what is delivered was retired");
            assert_ne!(self.journal.current, secret, "I5: the credential in use was retired");
        }
        self.passwords[secret.role] = None;
        self.ledger[secret.role].1 = None;
        for (_, session) in &mut self.workers {
            if *session == Some(secret.role) {
                *session = None;
            }
        }
        true
    }

    /// The deed, before it is written down. False: the world has moved on, think again.
    fn act(&mut self, thought: &mut Thought) -> bool {
        let read = &mut thought.read;
        match thought.step {
            Step::Prepare => {
                let role = if read.current.role == 1 { 2 } else { 1 };
                self.made += 1;
                let generation = read.current.generation.max(self.newest()) + 1;
                read.pending = Some(Secret { role, generation, verifier: self.made });
                read.expects = self.newest();
                (read.delivered_at, read.quiet_since, read.seen) = (None, None, false);
                read.state = State::Prepared;
            }
            Step::Set => {
                let after = matches!(read.state, State::Promoted | State::Adopted);
                let Some(secret) = (if after { Some(read.current) } else { read.pending }) else {
                    return false;
                };
                if !self.rotate(secret, read.expects) {
                    return false;
                }
                if !after {
                    read.state = State::Set;
                }
            }
            Step::RecordSet => read.state = State::Set,
            Step::Discard => (read.state, read.pending) = (State::Stable, None),
            Step::Test => read.state = State::Tested,
            Step::Promote => {
                let Some(pending) = read.pending.take() else { return false };
                read.previous = Some(std::mem::replace(&mut read.current, pending));
                read.state = State::Promoted;
            }
            Step::Deliver => {
                // Just before it writes, a steward reads the journal again.
                if self.journal.current != read.current {
                    return false;
                }
                self.place = read.current;
                read.delivered_at = Some(thought.now);
            }
            Step::NoteSeen => read.seen = true,
            Step::NoteQuiet => read.quiet_since = Some(thought.now),
            Step::NoteNoise => read.quiet_since = None,
            Step::RecordAdopted => read.state = State::Adopted,
            Step::Unadopt => (read.state, read.quiet_since) = (State::Promoted, None),
            Step::Retire => {
                let Some(previous) = read.previous else { return false };
                if self.place != read.current {
                    (read.state, read.delivered_at, read.quiet_since) = (State::Promoted, None, None);
                } else if self.retire(previous) {
                    assert!(!self.works(previous), "the proof: the old one is dead");
                    read.state = State::Stable;
                } else {
                    return false;
                }
            }
            Step::Rest | Step::Wait { .. } => return false,
            Step::RetireByAdministrator | Step::Halt(_) => return false,
        }
        true
    }

    fn record(&mut self, thought: Thought) {
        if thought.read.revision != self.journal.revision {
            return;
        }
        let next = Journal { revision: self.journal.revision + 1, ..thought.read };
        assert!(next.current.generation >= self.journal.current.generation, "I4: a generation went back");
        self.finished += u32::from(next.state == State::Stable && self.journal.state == State::Adopted);
        self.journal = next;
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Look(who, answers, wanted) => {
                if self.thoughts[who].is_none() {
                    self.thoughts[who] = Some(self.look(answers, wanted));
                }
            }
            Event::Act(who) => {
                if let Some(mut thought) = self.thoughts[who].take()
                    && (thought.done || self.act(&mut thought))
                {
                    thought.done = true;
                    self.thoughts[who] = Some(thought);
                }
            }
            Event::Record(who) => {
                if let Some(thought) = self.thoughts[who].take() {
                    if thought.done {
                        self.record(thought);
                    } else {
                        self.thoughts[who] = Some(thought);
                    }
                }
            }
            Event::Crash(who) => self.thoughts[who] = None,
            Event::Reread(worker) => self.workers[worker].0 = self.place,
            Event::Disconnect(worker) => self.workers[worker].1 = None,
            Event::Connect(worker) => {
                // Refused once, a worker reads its secret again, and that must log in: no failed request.
                if !self.works(self.workers[worker].0) {
                    self.workers[worker].0 = self.place;
                }
                let secret = self.workers[worker].0;
                assert!(self.works(secret), "a failed request: {secret:?} in {self:#?}");
                self.workers[worker].1 = Some(secret.role);
            }
            Event::Time(seconds) => self.now += seconds,
        }
        self.check();
    }

    fn check(&self) {
        assert!(self.works(self.journal.current), "I1: the journal's credential does not log in: {self:#?}");
        assert!(self.works(self.place), "the delivered credential does not log in: {self:#?}");
        for (_, session) in &self.workers {
            if let Some(role) = session {
                assert!(self.passwords[*role].is_some(), "I5: a role with sessions was retired: {self:#?}");
            }
        }
    }

    /// The trouble ends: one steward, an application that reads its secret, time that goes on.
    fn calm(&mut self) {
        self.thoughts = [None, None, None];
        let before = self.finished;
        for round in 0..200 {
            for worker in 0..3 {
                self.happen(&Event::Disconnect(worker));
                self.happen(&Event::Reread(worker));
                self.happen(&Event::Connect(worker));
            }
            self.happen(&Event::Time(3));
            let wanted = self.finished == before;
            self.happen(&Event::Look(0, true, wanted));
            self.happen(&Event::Act(0));
            self.happen(&Event::Record(0));
            self.thoughts[0] = None;
            if self.finished > before && self.journal.state == State::Stable && round > 3 {
                let alive = self.passwords.iter().flatten().count();
                assert_eq!(alive, 1, "after the end exactly one password logs in: {self:#?}");
                return;
            }
        }
        panic!("the rotation does not come to its end: {self:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_whatever_happens(events in prop::collection::vec(event(), 0..250)) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.calm();
    }
}

/// A crash at every arrow, each time between the deed and its record and just after the record, and then calm.
#[test]
fn a_crash_at_every_arrow_is_survived() {
    for arrow in 0..14 {
        for recorded in [false, true] {
            let mut world = World::new();
            for number in 0..=arrow {
                for worker in 0..3 {
                    world.happen(&Event::Disconnect(worker));
                    world.happen(&Event::Reread(worker));
                    world.happen(&Event::Connect(worker));
                }
                world.happen(&Event::Time(6));
                world.happen(&Event::Look(0, true, true));
                world.happen(&Event::Act(0));
                if number < arrow || recorded {
                    world.happen(&Event::Record(0));
                }
                world.happen(&Event::Crash(0));
            }
            // A long downtime, then another steward.
            world.happen(&Event::Time(1_000_000));
            world.calm();
        }
    }
}

/// Three stewards that look at the same moment and act in every order: one prepares, and one password is set.
#[test]
fn of_three_that_race_one_wins() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut world = World::new();
        for who in 0..3 {
            world.happen(&Event::Look(who, true, true));
        }
        for _ in 0..4 {
            for who in order {
                world.happen(&Event::Act(who));
            }
            for who in order {
                world.happen(&Event::Record(who));
                world.happen(&Event::Look(who, true, false));
            }
        }
        assert_eq!(world.set.len(), 1, "one generation was set: {:?}", world.set);
        world.calm();
    }
}

/// A steward hangs with its decision while others finish one or two whole rotations, and acts then.
#[test]
fn a_steward_that_hung_for_whole_rotations_does_no_harm() {
    for arrow in 0..14 {
        for rotations in [1, 2] {
            let mut world = World::new();
            for _ in 0..arrow {
                for event in [Event::Disconnect(0), Event::Disconnect(1), Event::Time(6)] {
                    world.happen(&event);
                }
                for event in [Event::Look(0, true, true), Event::Act(0), Event::Record(0), Event::Crash(0)] {
                    world.happen(&event);
                }
            }
            world.happen(&Event::Look(1, true, true));
            let hung = world.thoughts[1].take();
            for _ in 0..rotations {
                world.calm();
            }
            world.thoughts[1] = hung;
            world.happen(&Event::Act(1));
            world.happen(&Event::Record(1));
            world.calm();
        }
    }
}
