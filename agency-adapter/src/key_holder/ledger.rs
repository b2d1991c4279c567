//! How much every agency has had evaluated, kept so that neither a crash nor a restart gives any of it
//! back (PROTOCOL.md section 15.4).
//!
//! The journal is the truth; the accounts are what its lines come to. Starting is reading it again.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use proto::name::AgencyId;

use super::{
    account::{Account, AccountError, Batch, Standing, Usage},
    journal::{Entry, Journal, JournalError},
};

type Accounts = BTreeMap<(u32, AgencyId), Account>;

/// The accounts of all agencies in all epochs.
pub struct Ledger(Mutex<Inner>);

struct Inner {
    journal: Journal,
    accounts: Accounts,
}

/// Why a batch is not counted, and so not answered.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The requester's fault.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Ours.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Ledger {
    /// Opens the journal and counts.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let mut accounts = Accounts::new();
        let journal = Journal::open(directory, &mut |entry| count(&mut accounts, &entry))?;
        Ok(Self(Mutex::new(Inner { journal, accounts })))
    }

    /// What the batch is, before the work of evaluating it.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn look(&self, batch: &Batch, quota: u64) -> Result<Standing, AccountError> {
        self.inner().look(batch, quota)
    }

    /// Counts the batch, unless it is a replay. When this returns, the disk has it: only then may the
    /// evaluation leave.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is counted then.
    pub fn book(&self, batch: Batch, quota: u64, at: Timestamp) -> Result<Standing, LedgerError> {
        let mut inner = self.inner();
        // Another batch may have come first since `look`.
        let standing = inner.look(&batch, quota)?;
        if standing == Standing::New {
            let entry = Entry::Evaluated { at, batch };
            inner.journal.append(&entry)?;
            count(&mut inner.accounts, &entry);
        }
        Ok(standing)
    }

    /// What every agency has used, from a journal that may be in use, and whether it can be gone on
    /// with.
    pub fn usage(directory: &Path) -> (Vec<Usage>, Result<(), JournalError>) {
        let mut accounts = Accounts::new();
        let read = Journal::read(directory, &mut |entry| count(&mut accounts, &entry));
        let usage = accounts.into_iter().map(|((epoch, requester), account)| Usage {
            epoch,
            requester,
            used: account.used(),
            last_number: account.last_number(),
        });
        (usage.collect(), read)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked had not begun to count: a line is written first.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn look(&self, batch: &Batch, quota: u64) -> Result<Standing, AccountError> {
        let key = (batch.epoch, batch.requester.clone());
        match self.accounts.get(&key) {
            Some(account) => account.look(batch, quota),
            None => Account::default().look(batch, quota),
        }
    }
}

fn count(accounts: &mut Accounts, entry: &Entry) {
    if let Entry::Evaluated { batch, .. } = entry {
        accounts.entry((batch.epoch, batch.requester.clone())).or_default().book(batch);
    }
}

#[cfg(test)]
mod tests;
