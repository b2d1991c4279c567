//! Up to 4096 people at once, one bit each: a stretch of a column as it lies, or any people by number.
//!
//! Owns how columns are read for them. A block is small enough for the first-level cache; that decides
//! how fast a rule runs over everybody.

/// Words of a block.
pub(crate) const WORDS: usize = 64;
/// People of a block.
pub(crate) const LANES: usize = WORDS * WORD;
const WORD: usize = u64::BITS as usize;

/// One bit for each person of a block. What stands where there is nobody means nothing.
pub(crate) type Words = [u64; WORDS];

/// Nobody.
pub(crate) const NOBODY: Words = [0; WORDS];
/// Everybody.
pub(crate) const EVERYBODY: Words = [u64::MAX; WORDS];

/// A column of a dataset, or its opposite.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) opposite: bool,
}

impl Column<'_> {
    /// A whole block of it, from word `first` on.
    fn block(&self, first: usize) -> Option<&Words> {
        self.words.get(first..)?.first_chunk()
    }
}

/// Whom a block is about.
#[derive(Clone, Copy)]
pub(crate) enum Lanes<'a> {
    /// People as they are numbered, from word `first` of every column on; `people` there are in all.
    Stretch { first: usize, people: usize },
    /// These, at most [`LANES`].
    Listed(&'a [u32]),
}

impl Lanes<'_> {
    /// Blocks that together are about everybody.
    pub(crate) fn of_everybody(people: usize) -> impl Iterator<Item = (usize, Self)> {
        let firsts = (0..people.div_ceil(WORD)).step_by(WORDS);
        firsts.map(move |first| (first, Self::Stretch { first, people }))
    }

    /// The lanes in which there is somebody.
    pub(crate) fn occupied(self) -> Words {
        let people = match self {
            Self::Stretch { first, people } => people - first * WORD,
            Self::Listed(numbers) => numbers.len(),
        };
        from_lane(people).map(|word| !word)
    }

    /// Who stands in a lane.
    pub(crate) fn number(self, lane: usize) -> usize {
        match self {
            Self::Stretch { first, .. } => first * WORD + lane,
            Self::Listed(numbers) => numbers[lane] as usize,
        }
    }

    /// Adds those who are in a column.
    pub(crate) fn add(self, column: Column<'_>, to: &mut Words) {
        let flip = if column.opposite { u64::MAX } else { 0 };
        match self {
            Self::Stretch { first, .. } => {
                if let Some(block) = column.block(first) {
                    return to.iter_mut().zip(block).for_each(|(word, &it)| *word |= it ^ flip);
                }
                let there = column.words.get(first..).unwrap_or_default();
                let there = &there[..there.len().min(WORDS)];
                for (word, &column) in to.iter_mut().zip(there) {
                    *word |= column ^ flip;
                }
                to[there.len()..].iter_mut().for_each(|word| *word |= flip);
            }
            Self::Listed(numbers) => {
                for (word, numbers) in to.iter_mut().zip(numbers.chunks(WORD)) {
                    let bit = |(lane, &number): (usize, &u32)| {
                        let column = column.words.get(number as usize / WORD).copied();
                        (column.unwrap_or(0) >> (number as usize % WORD) & 1) << lane
                    };
                    *word |= numbers.iter().enumerate().map(bit).fold(0, |a, b| a | b) ^ flip;
                }
            }
        }
    }

    /// Keeps those who are in a column, where that is one step: everybody of the block is within the
    /// column and within `reach`. Otherwise does nothing and says so.
    pub(crate) fn keep(self, column: Column<'_>, reach: usize, to: &mut Words) -> bool {
        let Self::Stretch { first, people } = self else { return false };
        let Some(block) = column.block(first).filter(|_| reach >= people) else { return false };
        let flip = if column.opposite { u64::MAX } else { 0 };
        to.iter_mut().zip(block).for_each(|(word, &it)| *word &= it ^ flip);
        true
    }

    /// Adds those whose number is `reach` or above.
    pub(crate) fn add_beyond(self, reach: usize, to: &mut Words) {
        match self {
            Self::Stretch { first, people } if reach < people => {
                let beyond = from_lane(reach.saturating_sub(first * WORD));
                to.iter_mut().zip(beyond).for_each(|(word, beyond)| *word |= beyond);
            }
            Self::Stretch { .. } => {}
            Self::Listed(numbers) if numbers.iter().any(|&number| number as usize >= reach) => {
                for (lane, _) in numbers.iter().enumerate().filter(|(_, n)| **n as usize >= reach) {
                    to[lane / WORD] |= 1 << (lane % WORD);
                }
            }
            Self::Listed(_) => {}
        }
    }
}

/// All lanes from one on.
fn from_lane(lane: usize) -> Words {
    std::array::from_fn(|place| match lane.saturating_sub(place * WORD) {
        0 => u64::MAX,
        within if within < WORD => u64::MAX << within,
        _ => 0,
    })
}

/// The lanes that are set, ascending.
pub(crate) fn ones(words: &Words) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(place, &word)| {
        let some = |word: u64| (word != 0).then_some(word);
        std::iter::successors(some(word), move |word| some(word & (word - 1)))
            .map(move |word| place * WORD + word.trailing_zeros() as usize)
    })
}

/// Whether a lane is set.
pub(crate) fn has(words: &Words, lane: usize) -> bool {
    words[lane / WORD] >> (lane % WORD) & 1 == 1
}

/// Up to 64 lanes that stand together, the first in the lowest bit.
pub(crate) fn some_of(words: &Words, start: usize, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    let (place, shift) = (start / WORD, start % WORD);
    let low = words[place] >> shift;
    let high = match words.get(place + 1) {
        Some(next) if shift > 0 => next << (WORD - shift),
        _ => 0,
    };
    (low | high) & u64::MAX >> (WORD - count)
}

/// Keeps what is also among `others`.
pub(crate) fn and_with(words: &mut [u64], others: &[u64]) {
    words.iter_mut().zip(others).for_each(|(word, other)| *word &= other);
}

/// Adds what is among `others`.
pub(crate) fn or_with(words: &mut [u64], others: &[u64]) {
    words.iter_mut().zip(others).for_each(|(word, other)| *word |= other);
}
