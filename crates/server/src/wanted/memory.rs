//! The bounded memory behind the list: who asked for what, how often, and what goes when it is full.
//!
//! Time is counted in turns, one per request. The entry whose last turn is the oldest goes first. A client that
//! asks for thousands of names has a share of its own and pushes out what it alone has asked for; what a second
//! client asks for as well counts against nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use landfall_net::server::client_of;
use landfall_oci::{Platform, Reference};
use serde::{Deserialize, Serialize};

use super::name::Meant;

/// Clients and platforms that an entry keeps.
const KEPT: usize = 8;

/// One thing that was asked for and is not here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What was asked for: its arrival ends the entry. For a member of an index that is here, the member.
    pub(super) asked: Reference,
    /// The image that would bring it.
    pub(super) image: Reference,
    /// The image's name as a list must write it.
    pub(super) written: String,
    pub(super) platforms: Vec<String>,
    pub(super) clients: Vec<IpAddr>,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    pub(super) count: u64,
}

/// One request for something that is not here.
#[derive(Clone, Debug)]
pub(super) struct Miss {
    pub(super) asked: Reference,
    pub(super) image: Meant,
    pub(super) platform: Option<Platform>,
    pub(super) client: IpAddr,
}

struct Slot {
    turn: u64,
    /// The only client that has asked so far.
    owner: Option<IpAddr>,
    entry: Entry,
}

/// Everything that is wanted.
pub(super) struct Memory {
    slots: HashMap<Reference, Slot>,
    by_turn: BTreeMap<u64, Reference>,
    owned: HashMap<IpAddr, BTreeSet<u64>>,
    next: u64,
    capacity: usize,
    share: usize,
}

impl Memory {
    /// At most `capacity` entries, of which `share` may be one client's alone.
    pub(super) fn new(capacity: usize, share: usize) -> Self {
        Self {
            slots: HashMap::new(),
            by_turn: BTreeMap::new(),
            owned: HashMap::new(),
            next: 0,
            capacity: capacity.max(1),
            share: share.max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// From the least recently wanted to the most.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let slots = self.by_turn.values().filter_map(|key| self.slots.get(key));
        slots.map(|slot| &slot.entry)
    }

    /// Takes note of a request.
    pub(super) fn miss(&mut self, miss: Miss, now_ms: u64) {
        let Miss {
            asked,
            image,
            platform,
            client,
        } = miss;
        let asker = client_of(client);
        let (mut entry, owner) = match self.take(&asked) {
            Some(slot) => (slot.entry, slot.owner.filter(|owner| *owner == asker)),
            None => {
                self.make_room(asker);
                let entry = Entry {
                    asked,
                    image: image.reference,
                    written: image.written,
                    platforms: Vec::new(),
                    clients: Vec::new(),
                    first_ms: now_ms,
                    last_ms: now_ms,
                    count: 0,
                };
                (entry, Some(asker))
            }
        };
        entry.count = entry.count.saturating_add(1);
        entry.last_ms = now_ms;
        keep_last(&mut entry.clients, client);
        if let Some(platform) = platform {
            keep_last(&mut entry.platforms, platform.to_string());
        }
        self.put(entry, owner);
    }

    /// Puts back what was remembered before a restart, the least recently wanted first.
    pub(super) fn restore(&mut self, entry: Entry) {
        let owner = match entry.clients[..] {
            [client] => Some(client_of(client)),
            _ => None,
        };
        let _ = self.take(&entry.asked);
        if self.slots.len() >= self.capacity {
            self.drop_oldest();
        }
        self.put(entry, owner);
    }

    /// What was asked for is here now. Says whether it was wanted.
    pub(super) fn arrived(&mut self, asked: &Reference) -> bool {
        self.take(asked).is_some()
    }

    /// Drops every entry that this image would bring. Says how many there were.
    pub(super) fn forget(&mut self, image: &Reference) -> usize {
        let found: Vec<Reference> = self
            .entries()
            .filter(|entry| entry.image == *image || entry.asked == *image)
            .map(|entry| entry.asked.clone())
            .collect();
        found.iter().filter(|asked| self.arrived(asked)).count()
    }

    fn make_room(&mut self, client: IpAddr) {
        let own = self.owned.get(&client);
        if let Some(oldest) = own
            .filter(|own| own.len() >= self.share)
            .and_then(BTreeSet::first)
        {
            let key = self.by_turn.get(oldest).cloned();
            key.and_then(|key| self.take(&key));
        } else if self.slots.len() >= self.capacity {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.by_turn.first_key_value().map(|(_, key)| key.clone());
        oldest.and_then(|key| self.take(&key));
    }

    fn take(&mut self, key: &Reference) -> Option<Slot> {
        let slot = self.slots.remove(key)?;
        self.by_turn.remove(&slot.turn);
        if let Some(owner) = slot.owner
            && let Some(own) = self.owned.get_mut(&owner)
        {
            own.remove(&slot.turn);
            if own.is_empty() {
                self.owned.remove(&owner);
            }
        }
        Some(slot)
    }

    fn put(&mut self, entry: Entry, owner: Option<IpAddr>) {
        let turn = self.next;
        self.next += 1;
        self.by_turn.insert(turn, entry.asked.clone());
        if let Some(owner) = owner {
            self.owned.entry(owner).or_default().insert(turn);
        }
        self.slots
            .insert(entry.asked.clone(), Slot { turn, owner, entry });
    }
}

/// The last few different values, the newest last.
fn keep_last<T: PartialEq>(values: &mut Vec<T>, value: T) {
    values.retain(|known| *known != value);
    if values.len() >= KEPT {
        values.remove(0);
    }
    values.push(value);
}

#[cfg(test)]
mod tests {
    use landfall_oci::Target;

    use super::*;

    fn client(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn miss(name: &str, from: u8) -> Miss {
        let target = Target::Tag("1".parse().unwrap());
        let image = Meant::new(&name.parse().unwrap(), None, &target).unwrap();
        Miss {
            asked: image.reference.clone(),
            image,
            platform: None,
            client: client(from),
        }
    }

    fn names(memory: &Memory) -> Vec<&str> {
        memory.entries().map(|entry| entry.written.as_str()).collect()
    }

    fn check(memory: &Memory) {
        assert_eq!(memory.slots.len(), memory.by_turn.len());
        let owned: usize = memory.owned.values().map(BTreeSet::len).sum();
        assert_eq!(
            owned,
            memory.slots.values().filter(|slot| slot.owner.is_some()).count()
        );
    }

    #[test]
    fn the_least_recently_wanted_goes_when_it_is_full() {
        let mut memory = Memory::new(3, 3);
        for (from, name) in (1..).zip(["a", "b", "c", "a", "d"]) {
            memory.miss(miss(name, from), u64::from(from));
        }
        assert_eq!(names(&memory), ["c:1", "a:1", "d:1"]);
        let a = memory.entries().nth(1).unwrap();
        assert_eq!((a.count, a.first_ms, a.last_ms), (2, 1, 4));
        assert_eq!(a.clients, [client(1), client(4)]);
        check(&memory);
    }

    #[test]
    fn a_scanner_pushes_out_only_what_it_alone_has_asked_for() {
        let mut memory = Memory::new(100, 5);
        memory.miss(miss("real", 1), 0);
        memory.miss(miss("shared", 9), 0);
        memory.miss(miss("shared", 1), 0);
        for number in 0..1000 {
            memory.miss(miss(&format!("nonsense{number}"), 9), 1);
        }
        assert_eq!(memory.len(), 2 + 5);
        assert_eq!(names(&memory)[..2], ["real:1", "shared:1"]);
        assert_eq!(names(&memory)[6], "nonsense999:1");
        check(&memory);
    }

    #[test]
    fn clients_are_the_last_few() {
        let mut memory = Memory::new(10, 10);
        for from in 0..20 {
            memory.miss(miss("a", from), 0);
        }
        let clients = &memory.entries().next().unwrap().clients;
        assert_eq!(*clients, (12..20).map(client).collect::<Vec<_>>());
    }

    #[test]
    fn arriving_and_forgetting_end_an_entry() {
        let mut memory = Memory::new(10, 10);
        for name in ["a", "b", "c"] {
            memory.miss(miss(name, 1), 0);
        }
        assert!(memory.arrived(&miss("a", 1).asked));
        assert!(!memory.arrived(&miss("a", 1).asked));
        assert_eq!(memory.forget(&miss("c", 1).asked), 1);
        assert_eq!(names(&memory), ["b:1"]);
        let kept: Vec<_> = memory.entries().cloned().collect();
        let mut after = Memory::new(10, 10);
        kept.iter().for_each(|entry| after.restore(entry.clone()));
        assert_eq!(
            after.entries().collect::<Vec<_>>(),
            kept.iter().collect::<Vec<_>>()
        );
        check(&after);
    }
}
