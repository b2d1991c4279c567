//! Runs an expression over many people at once, block by block; nothing is interpreted per person.
//!
//! A plan is an expression bound to what may be believed at one moment. The same plan runs over
//! everybody and over a few, and asks each part only about people for whom it still decides; households,
//! which are dear, come last. Owns three-valued logic over sets: what can be true and what can be false,
//! both where it is unknown. What may be believed is `facts`' business.

use std::cell::RefCell;

use crate::{
    bitset::Bitset,
    expression::{Expression, HouseholdTerm, Predicate, Quantity, Tree},
    facts::{Facts, Known},
    household_answers::Answers,
    lanes::{Column, EVERYBODY, LANES, Lanes, NOBODY, Words, and_with, ones, or_with, some_of},
    lists::Lists,
};

pub use crate::facts::Reading;

/// Of whom an expression can be true, and of whom it can be false. Everybody is in at least one of
/// the sets; who is in both is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truths {
    /// Some possible value makes it true.
    pub can_true: Bitset,
    /// Some possible value makes it false.
    pub can_false: Bitset,
}

/// The same about the people of a block, as far as they were asked about.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) can_true: Words,
    pub(crate) can_false: Words,
}

/// What a household's members come to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// How many are listed.
    pub listed: usize,
    /// Of how many it is certainly true.
    pub certain: usize,
    /// Of how many it can be true.
    pub possible: usize,
    /// Whether the list names everybody.
    pub complete: bool,
}

/// An expression bound to the columns that it reads.
pub(crate) enum Plan<'a> {
    /// The same for everybody.
    Same { can_true: bool, can_false: bool },
    /// A question to one dataset.
    Values(Values<'a>),
    /// A question about the household.
    Household(HouseholdPlan<'a>),
    /// The opposite.
    Not(Box<Self>),
    /// All of them.
    And(Vec<Self>),
    /// Any of them.
    Or(Vec<Self>),
}

/// Whoever is in one of the columns; people beyond the columns' reach are unknown.
pub(crate) struct Values<'a> {
    can_true: Vec<Column<'a>>,
    can_false: Vec<Column<'a>>,
    reach: usize,
}

pub(crate) struct HouseholdPlan<'a> {
    quantity: Quantity,
    inner: Box<Plan<'a>>,
    members: &'a Lists,
    complete: &'a Bitset,
    /// What was found before and still holds; absent where nothing is kept.
    answers: Option<&'a RefCell<Answers>>,
}

/// Room for the members of a block's households, used again and again.
#[derive(Default)]
pub(crate) struct Room {
    members: Vec<u32>,
    /// The lanes whose households they are, each with the end of its members.
    households: Vec<(usize, usize)>,
}

impl Expression {
    /// What the expression comes to for every subject.
    pub fn run(&self, facts: &Facts<'_>, reading: Reading) -> Truths {
        let plan = Plan::new(&self.tree, facts, reading);
        let empty = || Bitset::filled(facts.subjects, false);
        let mut truths = Truths { can_true: empty(), can_false: empty() };
        let (mut block, mut room) = (Block::new(), Room::default());
        for (first, lanes) in Lanes::of_everybody(facts.subjects) {
            plan.run(lanes, &lanes.occupied(), &mut block, &mut room);
            truths.can_true.merge_words(first, &EVERYBODY, &block.can_true);
            truths.can_false.merge_words(first, &EVERYBODY, &block.can_false);
        }
        truths
    }
}

impl Block {
    pub(crate) fn new() -> Self {
        Self { can_true: NOBODY, can_false: NOBODY }
    }

    /// The same of everybody.
    pub(crate) fn filled(can_true: bool, can_false: bool) -> Self {
        let words = |value| if value { EVERYBODY } else { NOBODY };
        Self { can_true: words(can_true), can_false: words(can_false) }
    }

    fn swap(&mut self) {
        std::mem::swap(&mut self.can_true, &mut self.can_false);
    }

    /// What all parts must share, and what one part is enough for: of "and", or of "or" where true
    /// and false are exchanged.
    fn joined(&mut self, exchanged: bool) -> (&mut Words, &mut Words) {
        let Self { can_true, can_false } = self;
        if exchanged { (can_false, can_true) } else { (can_true, can_false) }
    }
}

impl Quantity {
    /// Whether so many of the members can be, and can fail to be.
    pub(crate) fn possible(self, tally: Tally) -> (bool, bool) {
        let Tally { listed, certain, possible, complete } = tally;
        match self {
            Self::Exists => (possible > 0 || !complete, certain == 0),
            Self::All => (possible == listed, certain < listed || !complete),
            Self::Count { comparison, number } => {
                let most = if complete { possible as u64 } else { u64::MAX };
                comparison.possible(certain as u64, most, u64::from(number))
            }
        }
    }
}

impl<'a> Plan<'a> {
    /// Binds an expression to what may be believed.
    pub(crate) fn new(tree: &Tree, facts: &Facts<'a>, reading: Reading) -> Self {
        Self::of_subjects(tree, &facts.about_subjects(reading), facts)
    }

    fn of_subjects(tree: &Tree, known: &Known<'a>, facts: &Facts<'a>) -> Self {
        match tree {
            Tree::Const(value) => Self::Same { can_true: *value, can_false: !*value },
            Tree::Predicate(predicate) => Self::of_predicate(predicate, known),
            Tree::Household(term) => Self::of_household(term, facts),
            Tree::Not(inner) => match Self::of_subjects(inner, known, facts) {
                Self::Values(Values { can_true, can_false, reach }) => {
                    Self::Values(Values { can_true: can_false, can_false: can_true, reach })
                }
                inner => Self::Not(Box::new(inner)),
            },
            Tree::And(parts) => Self::And(Self::of_parts(parts, known, facts)),
            Tree::Or(parts) => Self::Or(Self::of_parts(parts, known, facts)),
        }
    }

    fn of_parts(parts: &[Tree], known: &Known<'a>, facts: &Facts<'a>) -> Vec<Self> {
        let parts = parts.iter().map(|part| Self::of_subjects(part, known, facts));
        let mut parts: Vec<Self> = parts.collect();
        parts.sort_by_key(Self::cost);
        parts
    }

    fn of_predicate(predicate: &Predicate, known: &Known<'a>) -> Self {
        let Predicate { true_values, false_values, .. } = *predicate;
        let Some(columns) = known.columns(predicate.dataset) else {
            return Self::Same { can_true: true_values != 0, can_false: false_values != 0 };
        };
        let any_of = |values: u32| -> Vec<Column<'a>> {
            let wanted = |value: usize| values >> value & 1 == 1;
            match predicate.flag {
                Some(flag) => {
                    let columns = columns.values(flag).iter().enumerate();
                    let wanted = columns.filter(|(value, _)| wanted(*value));
                    wanted.map(|(_, set)| Column { words: set.words(), opposite: false }).collect()
                }
                None => {
                    let words = columns.listed().map(Bitset::words).unwrap_or_default();
                    let sides = [0, 1].into_iter().filter(|&value| wanted(value));
                    sides.map(|value| Column { words, opposite: value == 0 }).collect()
                }
            }
        };
        let (can_true, can_false) = (any_of(true_values), any_of(false_values));
        Self::Values(Values { can_true, can_false, reach: columns.len() })
    }

    fn of_household(term: &HouseholdTerm, facts: &Facts<'a>) -> Self {
        let Some(household) = facts.household.as_ref().filter(|household| household.fresh) else {
            // An old list may name people who have left: it names nobody.
            let (can_true, can_false) = term.quantity.possible(Tally::default());
            return Self::Same { can_true, can_false };
        };
        Self::Household(HouseholdPlan {
            quantity: term.quantity,
            inner: Box::new(Self::of_subjects(&term.inner, &facts.about_members(), facts)),
            members: household.members,
            complete: household.complete,
            answers: household.answers.and_then(|answers| answers.of(term)),
        })
    }

    /// 0 is a look at columns, 1 takes more, and 2 asks households.
    fn cost(&self) -> u8 {
        match self {
            Self::Values(_) => 0,
            Self::Same { .. } => 1,
            Self::Household(_) => 2,
            Self::Not(inner) => inner.cost().max(1),
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().map(Self::cost).max().unwrap_or(1).max(1)
            }
        }
    }

    fn as_values(&self) -> Option<&Values<'a>> {
        match self {
            Self::Values(values) => Some(values),
            _ => None,
        }
    }

    /// What it comes to for the people in `open` lanes; of others the block says nothing.
    pub(crate) fn run(&self, lanes: Lanes<'_>, open: &Words, block: &mut Block, room: &mut Room) {
        match self {
            Self::Same { can_true, can_false } => *block = Block::filled(*can_true, *can_false),
            Self::Values(values) => values.run(lanes, block),
            Self::Household(household) => household.run(lanes, open, block, room),
            Self::Not(inner) => {
                inner.run(lanes, open, block, room);
                block.swap();
            }
            Self::And(parts) => all(parts, lanes, open, block, room, false),
            Self::Or(parts) => all(parts, lanes, open, block, room, true),
        }
    }
}

/// Whether all parts are true; or, with true and false exchanged, whether all are false. Whoever is
/// decided is not asked about any more: what else a block says of them changes nothing.
fn all(
    parts: &[Plan<'_>],
    lanes: Lanes<'_>,
    open: &Words,
    block: &mut Block,
    room: &mut Room,
    exchanged: bool,
) {
    *block = Block::filled(!exchanged, exchanged);
    // Columns, which come first, are read sooner than it is found out who is still open.
    let dear = parts.iter().position(|part| part.cost() > 0).unwrap_or(parts.len());
    let (columns, others) = parts.split_at(dear);
    for values in columns.iter().filter_map(Plan::as_values) {
        values.join(lanes, block, exchanged);
    }
    if others.is_empty() {
        return;
    }
    let (mut part, mut open) = (Block::new(), *open);
    for plan in others {
        and_with(&mut open, block.joined(exchanged).0);
        if open == NOBODY {
            break;
        }
        plan.run(lanes, &open, &mut part, room);
        let (both, either) = block.joined(exchanged);
        let (others, other) = part.joined(exchanged);
        and_with(both, others);
        or_with(either, other);
    }
}

impl Values<'_> {
    fn run(&self, lanes: Lanes<'_>, block: &mut Block) {
        *block = Block::new();
        self.add(lanes, true, &mut block.can_true);
        self.add(lanes, false, &mut block.can_false);
    }

    /// As one more part of [`all`].
    fn join(&self, lanes: Lanes<'_>, block: &mut Block, exchanged: bool) {
        let (both, either) = block.joined(exchanged);
        self.add(lanes, exchanged, either);
        match self.columns(!exchanged) {
            [column] if lanes.keep(*column, self.reach, both) => {}
            _ => {
                let mut some = NOBODY;
                self.add(lanes, !exchanged, &mut some);
                and_with(both, &some);
            }
        }
    }

    /// The columns of those of whom it can be true, or can be false.
    fn columns(&self, truth: bool) -> &[Column<'_>] {
        if truth { &self.can_true } else { &self.can_false }
    }

    fn add(&self, lanes: Lanes<'_>, truth: bool, to: &mut Words) {
        let columns = self.columns(truth);
        columns.iter().for_each(|column| lanes.add(*column, to));
        if !columns.is_empty() {
            lanes.add_beyond(self.reach, to);
        }
    }
}

impl HouseholdPlan<'_> {
    fn run(&self, lanes: Lanes<'_>, open: &Words, block: &mut Block, room: &mut Room) {
        let (Some(answers), Lanes::Stretch { first, .. }) = (self.answers, lanes) else {
            return self.ask_all(lanes, open, block, room);
        };
        let mut answers = answers.borrow_mut();
        let unanswered = answers.unanswered(first, open);
        if unanswered != NOBODY {
            self.ask_all(lanes, &unanswered, block, room);
            answers.keep(first, &unanswered, block);
        }
        answers.read(first, block);
    }

    fn ask_all(&self, lanes: Lanes<'_>, open: &Words, block: &mut Block, room: &mut Room) {
        *block = Block::new();
        room.members.clear();
        room.households.clear();
        for lane in ones(open) {
            let members = self.members.of(lanes.number(lane));
            assert!(members.len() <= 64, "a household's row has room for 64 members");
            if room.members.len() + members.len() > LANES {
                self.ask(lanes, block, room);
                room.members.clear();
                room.households.clear();
            }
            // One by one: they are few, and a copy of unknown length is a call.
            members.iter().for_each(|&member| room.members.push(member));
            room.households.push((lane, room.members.len()));
        }
        self.ask(lanes, block, room);
    }

    /// Asks about all members in the room, and then what each household comes to.
    fn ask(&self, lanes: Lanes<'_>, block: &mut Block, room: &Room) {
        let (asked, mut members) = (Lanes::Listed(&room.members), Block::new());
        self.inner.run(asked, &asked.occupied(), &mut members, &mut Room::default());
        let count = |set: u64| set.count_ones() as usize;
        let mut start = 0;
        for &(lane, end) in &room.households {
            let listed = end - start;
            let can_true = some_of(&members.can_true, start, listed);
            let certain = can_true & !some_of(&members.can_false, start, listed);
            let complete = self.complete.get(lanes.number(lane));
            let (possible, certain) = (count(can_true), count(certain));
            let tally = Tally { listed, certain, possible, complete };
            let (can_true, can_false) = self.quantity.possible(tally);
            block.can_true[lane / 64] |= u64::from(can_true) << (lane % 64);
            block.can_false[lane / 64] |= u64::from(can_false) << (lane % 64);
            start = end;
        }
    }
}
