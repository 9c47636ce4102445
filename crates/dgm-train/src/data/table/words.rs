//! The different texts of a column, each kept once, in little memory.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Most different words of a column whose words are kept.
pub(super) const MOST_WORDS: usize = 65_536;

/// Most bytes that they take.
const MOST_BYTES: usize = 8 << 20;

/// A code for each text: 0, 1, … in the order in which they come.
#[derive(Default)]
pub(super) struct Words {
    /// All texts, one after the other, and where each ends.
    text: String,
    ends: Vec<u32>,
    /// Codes by hash, of a power of two of places, at most half of them taken; [`FREE`] elsewhere.
    places: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl Words {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all texts.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn get(&self, code: u32) -> &str {
        let end = |code: usize| self.ends.get(code).map_or(0, |&end| end as usize);
        let code = code as usize;
        let start = if code == 0 { 0 } else { end(code - 1) };
        self.text.get(start..end(code)).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).map(|code| self.get(code))
    }

    /// The code of a text, and whether it is new. `None`: it would be one too many.
    pub(super) fn code(&mut self, word: &str) -> Option<(u32, bool)> {
        if self.places.len() < 2 * (self.ends.len() + 1) {
            self.grow();
        }
        let place = self.place(word);
        let found = self.places.get(place).copied().unwrap_or(FREE);
        if found != FREE {
            return Some((found, false));
        }
        if self.ends.len() >= MOST_WORDS || self.text.len() + word.len() > MOST_BYTES {
            return None;
        }
        let code = self.ends.len() as u32;
        self.text.push_str(word);
        self.ends.push(self.text.len() as u32);
        if let Some(free) = self.places.get_mut(place) {
            *free = code;
        }
        Some((code, true))
    }

    /// Where the code of a text is, or the free place where it belongs.
    fn place(&self, word: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        let mask = self.places.len() - 1;
        let mut place = hasher.finish() as usize & mask;
        loop {
            match self.places.get(place) {
                Some(&code) if code != FREE && self.get(code) != word => place = (place + 1) & mask,
                _ => return place,
            }
        }
    }

    fn grow(&mut self) {
        self.places = vec![FREE; (2 * self.places.len()).max(4)];
        for code in 0..self.ends.len() as u32 {
            let place = self.place(self.get(code));
            if let Some(free) = self.places.get_mut(place) {
                *free = code;
            }
        }
    }
}
