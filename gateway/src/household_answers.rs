//! What households came to when rules asked about them, so that a household is asked the same again only
//! after something about it changed.
//!
//! Owns which answers still hold: those of whom nothing was learnt since, as long as the same datasets
//! are fresh. What a question comes to is `plan`'s business.

use std::{cell::RefCell, sync::Arc};

use crate::{
    bitset::Bitset,
    catalogue::DatasetNumber,
    expression::{HouseholdTerm, Quantity, Tree},
    facts::Facts,
    lanes::{NOBODY, Words, or_with},
    plan::Block,
    rule::Rule,
};

/// The answers, question by question. Two rules that ask the same share one.
#[derive(Debug, Default)]
pub struct HouseholdAnswers(Vec<Question>);

#[derive(Debug)]
struct Question {
    quantity: Quantity,
    inner: Tree,
    /// Of each dataset that it reads, whether it was fresh.
    fresh: Vec<bool>,
    /// Filled while rules run.
    answers: RefCell<Answers>,
}

/// What one question came to, as far as anybody asked it.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    answered: Bitset,
    can_true: Bitset,
    can_false: Bitset,
}

impl HouseholdAnswers {
    /// Keeps what still holds of the answers to these rules' questions, and nothing of others. `touched`
    /// are the subjects of whom, or of whose household, anything was learnt since this was last called.
    pub fn refresh(&mut self, rules: &[Arc<Rule>], facts: &Facts<'_>, touched: &Bitset) {
        let mut before = std::mem::take(&mut self.0);
        for term in rules.iter().flat_map(|rule| rule.household_terms()) {
            if self.of(term).is_some() {
                continue;
            }
            let fresh =
                |number: DatasetNumber| facts.datasets.get(number).is_some_and(|it| it.fresh);
            let fresh: Vec<bool> = term.datasets().into_iter().map(fresh).collect();
            let known = before.iter().position(|it| it.is(term) && it.fresh == fresh);
            let mut question = match known {
                Some(place) => before.swap_remove(place),
                None => Question::new(term, fresh),
            };
            question.answers.get_mut().forget(touched, facts.subjects);
            self.0.push(question);
        }
    }

    /// The answers to a question; absent where none are kept.
    pub(crate) fn of(&self, term: &HouseholdTerm) -> Option<&RefCell<Answers>> {
        self.0.iter().find(|question| question.is(term)).map(|question| &question.answers)
    }
}

impl Question {
    fn new(term: &HouseholdTerm, fresh: Vec<bool>) -> Self {
        let (quantity, inner) = (term.quantity, (*term.inner).clone());
        Self { quantity, inner, fresh, answers: RefCell::default() }
    }

    fn is(&self, term: &HouseholdTerm) -> bool {
        self.quantity == term.quantity && self.inner == *term.inner
    }
}

impl Answers {
    fn forget(&mut self, touched: &Bitset, subjects: usize) {
        let mut touched = touched.clone();
        for set in [&mut self.answered, &mut self.can_true, &mut self.can_false, &mut touched] {
            set.grow(subjects);
        }
        self.answered.and_not_with(&touched);
    }

    /// Of the people in `open` lanes from word `first` on, those whose answer is not known.
    pub(crate) fn unanswered(&self, first: usize, open: &Words) -> Words {
        let mut unanswered = *open;
        let answered = self.answered.words().get(first..).unwrap_or_default();
        unanswered.iter_mut().zip(answered).for_each(|(word, answered)| *word &= !answered);
        unanswered
    }

    /// Takes down what a block says of people in these lanes.
    pub(crate) fn keep(&mut self, first: usize, lanes: &Words, block: &Block) {
        let Self { answered, can_true, can_false } = self;
        for (set, words) in [(can_true, &block.can_true), (can_false, &block.can_false)] {
            set.merge_words(first, lanes, words);
        }
        answered.merge_words(first, lanes, lanes);
    }

    /// What the answers are; of people without one the block says nothing.
    pub(crate) fn read(&self, first: usize, block: &mut Block) {
        for (set, words) in
            [(&self.can_true, &mut block.can_true), (&self.can_false, &mut block.can_false)]
        {
            *words = NOBODY;
            or_with(words, set.words().get(first..).unwrap_or_default());
        }
    }
}
