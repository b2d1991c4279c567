//! What one agency has had evaluated in one epoch: how much of its quota is used, and its last batches,
//! so that a replay is known (PROTOCOL.md section 15.4).
//!
//! In memory only; that it is never forgotten is `ledger`'s and `journal`'s business.

use std::collections::BTreeMap;

use proto::{evaluation::EvaluationRequest, name::AgencyId};
use serde::Serialize;

/// How many of an agency's batches are known well enough to be replayed.
pub const KEPT: usize = 1024;

/// A batch, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Under which epoch's key.
    pub epoch: u32,
    /// Whose.
    pub requester: AgencyId,
    /// The requester's number.
    pub number: u64,
    /// How many elements.
    pub elements: u64,
    /// BLAKE3 of everything that the requester signed.
    pub digest: [u8; 32],
}

/// What a batch is to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not seen before; the quota allows it.
    New,
    /// It was counted before: free.
    Replay,
}

/// Why a batch is not evaluated. The requester's fault, or its quota's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// It would go over the quota.
    #[error(
        "{used} of {quota} evaluations are used in this epoch and {elements} more are asked for: have the \
         quota raised in the federation manifest, or wait for the next epoch"
    )]
    Quota {
        /// So far.
        used: u64,
        /// The manifest's.
        quota: u64,
        /// In the batch.
        elements: u64,
    },
    /// The number is another batch's.
    #[error(
        "number {0} was used for another batch: take a higher one. If this happens again, two adapters \
         of the agency are running, or its state was copied"
    )]
    OtherBatch(u64),
    /// The number is lower than all that are still known.
    #[error("number {number} is too old: take one above {last}")]
    TooOld {
        /// The batch's.
        number: u64,
        /// The highest so far.
        last: u64,
    },
}

/// One agency's evaluations in one epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    used: u64,
    /// Numbers up to here may have been used by batches that are no longer known.
    floor: u64,
    kept: BTreeMap<u64, [u8; 32]>,
}

/// An account for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// In which epoch.
    pub epoch: u32,
    /// Whose.
    pub requester: AgencyId,
    /// Evaluations.
    pub used: u64,
    /// The highest number of a batch.
    pub last_number: u64,
}

impl From<&EvaluationRequest> for Batch {
    fn from(request: &EvaluationRequest) -> Self {
        Self {
            epoch: request.scope.epoch,
            requester: request.requester.clone(),
            number: request.number,
            elements: request.elements().len() as u64,
            digest: blake3::hash(&request.signed_bytes()).into(),
        }
    }
}

impl Account {
    /// What this batch is to the account.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn look(&self, batch: &Batch, quota: u64) -> Result<Standing, AccountError> {
        let Batch { number, elements, .. } = *batch;
        match self.kept.get(&number) {
            Some(digest) if *digest == batch.digest => return Ok(Standing::Replay),
            Some(_) => return Err(AccountError::OtherBatch(number)),
            None if number <= self.floor => {
                return Err(AccountError::TooOld { number, last: self.last_number() });
            }
            None => {}
        }
        let used = self.used;
        if used.saturating_add(elements) > quota {
            return Err(AccountError::Quota { used, quota, elements });
        }
        Ok(Standing::New)
    }

    /// Counts a new batch.
    pub fn book(&mut self, batch: &Batch) {
        self.used = self.used.saturating_add(batch.elements);
        self.kept.insert(batch.number, batch.digest);
        while self.kept.len() > KEPT {
            let (oldest, _) = self.kept.pop_first().expect("more than none are kept");
            self.floor = oldest;
        }
    }

    /// How many evaluations are used.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// The highest number of a batch.
    pub fn last_number(&self) -> u64 {
        self.kept.last_key_value().map_or(self.floor, |(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64, elements: u64, content: u8) -> Batch {
        let requester = "aid".parse().expect("a name");
        Batch { epoch: 1, requester, number, elements, digest: [content; 32] }
    }

    #[test]
    fn numbers_may_skip_and_come_out_of_order_but_never_return_from_before_the_kept_ones() {
        let mut account = Account::default();
        let quota = 1 << 20;
        for number in [5, 900, 7] {
            let new = batch(number, 1, 1);
            assert_eq!(account.look(&new, quota), Ok(Standing::New), "{number}");
            account.book(&new);
            assert_eq!(account.look(&new, quota), Ok(Standing::Replay), "{number}");
        }
        let other = account.look(&batch(7, 1, 2), quota);
        assert_eq!(other, Err(AccountError::OtherBatch(7)));
        (0..KEPT as u64).for_each(|number| account.book(&batch(1000 + number, 1, 1)));
        for number in [1, 5, 900] {
            let old = account.look(&batch(number, 1, 1), quota);
            assert_eq!(old, Err(AccountError::TooOld { number, last: 2023 }));
        }
        assert_eq!(account.look(&batch(1000, 1, 1), quota), Ok(Standing::Replay), "still known");
        assert_eq!(account.look(&batch(950, 1, 1), quota), Ok(Standing::New), "never used");
        assert_eq!(account.look(&batch(u64::MAX, 1, 1), quota), Ok(Standing::New));
    }

    #[test]
    fn the_quota_is_used_up_to_the_last_evaluation_and_a_replay_is_free() {
        let mut account = Account::default();
        let first = batch(1, 6, 1);
        account.book(&first);
        let over = account.look(&batch(2, 5, 2), 10);
        assert_eq!(over, Err(AccountError::Quota { used: 6, quota: 10, elements: 5 }));
        let exact = batch(2, 4, 3);
        assert_eq!(account.look(&exact, 10), Ok(Standing::New), "a refused number is not used");
        account.book(&exact);
        assert_eq!((account.used(), account.last_number()), (10, 2));
        assert_eq!(account.look(&first, 10), Ok(Standing::Replay), "also over the quota");
        assert_eq!(account.look(&first, 3), Ok(Standing::Replay), "also under a lowered one");
    }
}
