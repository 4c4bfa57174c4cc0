//! The vocabulary of a model: tokens and their numbers. All texts are in one string.

use std::hash::{DefaultHasher, Hash, Hasher};

const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Vocabulary {
    text: String,
    /// The end of each token's text.
    ends: Vec<usize>,
    /// Numbers of tokens by the hash of their text. The length is a power of two.
    slots: Vec<u32>,
}

impl Vocabulary {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn text(&self, token: u32) -> &str {
        let token = token as usize;
        let start = token.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[token]]
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|token| self.text(token as u32))
    }

    pub fn find(&self, text: &str) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let token = self.slots[self.place(text)];
        (token != NONE).then_some(token)
    }

    /// The number of a token. A new token gets the next one.
    pub fn insert(&mut self, text: &str) -> u32 {
        if self.slots.len() <= self.len() * 2 {
            self.slots = vec![NONE; (self.slots.len() * 2).max(16)];
            for token in 0..self.len() as u32 {
                let place = self.place(self.text(token));
                self.slots[place] = token;
            }
        }
        let place = self.place(text);
        if self.slots[place] == NONE {
            self.slots[place] = self.len() as u32;
            self.text.push_str(text);
            self.ends.push(self.text.len());
        }
        self.slots[place]
    }

    pub fn size_bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<usize>() + self.slots.capacity() * 4
    }

    fn place(&self, text: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mask = self.slots.len() - 1;
        let mut place = hasher.finish() as usize & mask;
        while self.slots[place] != NONE && self.text(self.slots[place]) != text {
            place = (place + 1) & mask;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_their_numbers() {
        let mut vocabulary = Vocabulary::default();
        assert_eq!(vocabulary.find("a"), None);
        for round in 0..2 {
            for i in 0..100 {
                assert_eq!(vocabulary.insert(&format!("소{i}")), i, "round {round}");
            }
        }
        assert_eq!(vocabulary.find("소99"), Some(99));
        assert_eq!(vocabulary.find("소100"), None);
        assert_eq!(vocabulary.text(7), "소7");
        assert_eq!(vocabulary.texts().count(), 100);
    }
}
