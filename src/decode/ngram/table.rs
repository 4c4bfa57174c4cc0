//! N-grams by (context, token): a hash table with open addressing and linear probing, so that a
//! look-up reads one or two cache lines.

/// The entry of an n-gram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gram {
    /// Base-10 logarithm of the probability of its last token after the others.
    pub log10: f32,
    /// The context that follows it.
    pub next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    context: u32,
    token: u32,
    gram: Gram,
}

/// The token of an empty slot.
const NONE: u32 = u32::MAX;

const EMPTY: Slot = Slot {
    context: 0,
    token: NONE,
    gram: Gram {
        log10: 0.0,
        next: 0,
    },
};

#[derive(Clone, Debug, Default)]
pub(super) struct NgramTable {
    slots: Vec<Slot>,
    len: usize,
}

impl NgramTable {
    /// A table with room for `len` n-grams.
    pub fn with_capacity(len: usize) -> Self {
        Self {
            slots: vec![EMPTY; slots_for(len)],
            len: 0,
        }
    }

    pub fn get(&self, context: u32, token: u32) -> Option<Gram> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = &self.slots[self.place(context, token)];
        (slot.token != NONE).then_some(slot.gram)
    }

    /// Adds an n-gram. Returns false if it already exists.
    pub fn insert(&mut self, context: u32, token: u32, gram: Gram) -> bool {
        if slots_for(self.len + 1) > self.slots.len() {
            self.grow();
        }
        let place = self.place(context, token);
        if self.slots[place].token != NONE {
            return false;
        }
        self.slots[place] = Slot {
            context,
            token,
            gram,
        };
        self.len += 1;
        true
    }

    /// All n-grams, in arbitrary order.
    pub fn grams_mut(&mut self) -> impl Iterator<Item = &mut Gram> {
        self.slots
            .iter_mut()
            .filter(|slot| slot.token != NONE)
            .map(|slot| &mut slot.gram)
    }

    pub fn size_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    fn grow(&mut self) {
        let slots = vec![EMPTY; slots_for((self.len + 8) * 2)];
        for slot in std::mem::replace(&mut self.slots, slots) {
            if slot.token != NONE {
                let place = self.place(slot.context, slot.token);
                self.slots[place] = slot;
            }
        }
    }

    /// The slot of an n-gram, or a free slot for it. At most two slots in three are taken, so there is
    /// always a free one.
    fn place(&self, context: u32, token: u32) -> usize {
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        let key = (u64::from(context) << 32 | u64::from(token)).wrapping_mul(MIX);
        let mixed = (key ^ (key >> 32)).wrapping_mul(MIX);
        // The upper half of the product is spread evenly over any number of slots.
        let len = self.slots.len();
        let mut place = ((u128::from(mixed) * len as u128) >> 64) as usize;
        loop {
            let slot = &self.slots[place];
            if slot.token == NONE || (slot.token == token && slot.context == context) {
                return place;
            }
            place += 1;
            if place == len {
                place = 0;
            }
        }
    }
}

/// One and a half slots per n-gram.
fn slots_for(len: usize) -> usize {
    len + len / 2 + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_and_nothing_else() {
        for capacity in [0, 10, 5000] {
            let mut table = NgramTable::with_capacity(capacity);
            assert_eq!(table.get(0, 0), None);
            let gram = |next| Gram { log10: -1.0, next };
            for i in 0..5000 {
                assert!(table.insert(i % 70, i / 70, gram(i)));
            }
            assert!(!table.insert(3, 0, gram(9)));
            for i in 0..5000 {
                assert_eq!(table.get(i % 70, i / 70), Some(gram(i)));
            }
            assert_eq!(table.get(70, 0), None);
            assert_eq!(table.grams_mut().count(), 5000);
        }
    }
}
