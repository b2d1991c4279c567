//! Three-valued logic: what may be true, what may be false.

/// Both fields: unknown. At least one is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) can_true: bool,
    pub(super) can_false: bool,
}

impl Truth {
    pub(super) const UNKNOWN: Self = Self { can_true: true, can_false: true };

    pub(super) fn known(value: bool) -> Self {
        Self { can_true: value, can_false: !value }
    }

    /// Anything the answers to all these possibilities leave open.
    pub(super) fn any_of(answers: impl Iterator<Item = bool>) -> Self {
        let none = Self { can_true: false, can_false: false };
        answers.fold(none, |so_far, answer| Self {
            can_true: so_far.can_true || answer,
            can_false: so_far.can_false || !answer,
        })
    }

    pub(super) fn is_true(self) -> bool {
        !self.can_false
    }

    pub(super) fn is_false(self) -> bool {
        !self.can_true
    }

    pub(super) fn not(self) -> Self {
        Self { can_true: self.can_false, can_false: self.can_true }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            can_true: self.can_true && other.can_true,
            can_false: self.can_false || other.can_false,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}
