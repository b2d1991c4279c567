//! Short lists of numbers, one for each of many numbers, all in one vector: who lives with whom, and
//! whose household names whom.
//!
//! A list that grows moves to the end; the room it leaves is taken back once it is half of all.

use std::ops::Range;

/// Room that is left behind and not worth moving everybody for.
const LITTLE: usize = 4096;

/// The lists. A number without a list has an empty one.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    spans: Vec<Span>,
    items: Vec<u32>,
    /// Items in the vector that belong to no list.
    left: usize,
}

/// Where a list is. Small, since looking for it is what takes time where there are many lists.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn len(self) -> usize {
        self.len as usize
    }

    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len()
    }
}

impl Lists {
    /// A number's list.
    pub fn of(&self, number: usize) -> &[u32] {
        let span = self.spans.get(number).copied().unwrap_or_default();
        &self.items[span.range()]
    }

    /// Puts a list in the place of a number's list.
    pub fn replace(&mut self, number: usize, list: &[u32]) {
        if self.of(number) == list {
            return;
        }
        if number >= self.spans.len() {
            self.spans.resize(number + 1, Span::default());
        }
        let before = self.spans[number];
        let len = u32::try_from(list.len()).expect("lists are short");
        if list.len() <= before.len() {
            self.items[before.range()][..list.len()].copy_from_slice(list);
            self.spans[number].len = len;
            self.left += before.len() - list.len();
        } else {
            self.spans[number] = Span { start: position(self.items.len()), len };
            self.items.extend_from_slice(list);
            self.left += before.len();
        }
        self.take_back();
    }

    /// Adds an item to a number's list.
    pub fn add(&mut self, number: usize, item: u32) {
        let mut list = self.of(number).to_vec();
        list.push(item);
        self.replace(number, &list);
    }

    /// Takes an item out of a number's list, once where it is in it several times.
    pub fn remove(&mut self, number: usize, item: u32) {
        let mut list = self.of(number).to_vec();
        if let Some(place) = list.iter().position(|&other| other == item) {
            list.swap_remove(place);
            self.replace(number, &list);
        }
    }

    fn take_back(&mut self) {
        if self.left <= LITTLE.max(self.items.len() / 2) {
            return;
        }
        let mut items = Vec::with_capacity(self.items.len() - self.left);
        for span in &mut self.spans {
            let start = position(items.len());
            items.extend_from_slice(&self.items[span.range()]);
            span.start = start;
        }
        (self.items, self.left) = (items, 0);
    }
}

fn position(index: usize) -> u32 {
    u32::try_from(index).expect("all lists together have fewer than 2^32 items")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn lists_are_what_was_last_put_in(
            steps in vec((0usize..20, vec(0u32..50, 0..8), 0u32..50, any::<bool>()), 0..300),
        ) {
            let (mut lists, mut plain) = (Lists::default(), HashMap::<usize, Vec<u32>>::new());
            for (number, list, item, whole) in steps {
                let other = plain.entry(number).or_default();
                if whole {
                    lists.replace(number, &list);
                    *other = list;
                } else if other.len() < 5 {
                    lists.add(number, item);
                    other.push(item);
                } else {
                    lists.remove(number, item);
                    if let Some(place) = other.iter().position(|&it| it == item) {
                        other.swap_remove(place);
                    }
                }
                for number in 0..21 {
                    let wanted = plain.get(&number).map(Vec::as_slice).unwrap_or_default();
                    prop_assert_eq!(lists.of(number), wanted);
                }
            }
        }
    }

    #[test]
    fn room_that_lists_leave_behind_is_taken_back() {
        let mut lists = Lists::default();
        for turn in 0..10_000 {
            lists.replace(3, &[turn; 4]);
            lists.replace(3, &[turn; 5]);
            lists.replace(4, &[turn]);
        }
        assert!(lists.items.len() < 3 * LITTLE, "{}", lists.items.len());
        assert_eq!((lists.of(3), lists.of(4)), ([9_999; 5].as_slice(), [9_999].as_slice()));
    }
}
