//! Groups of packed columns: their shape, order, count and digest (PROTOCOL.md section 7.2).
//!
//! Both ends use this file: the sender to close a group with its trailer, the receiver to check one.
//! Opening rows and keeping them is the gateway's business.

use crate::{
    person_secret::LookupTag,
    sealed_row::SEAL_OVERHEAD,
    subject::Subject,
    wire,
    work_order::{self, OrdersError},
};

/// The most bytes of columns a sender puts in one frame; a receiver takes four times as many.
pub const FRAME_BYTES: usize = 1 << 20;

/// What is wrong with a group. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Columns do not have the same number of rows.
    #[error("the columns of a frame are of different lengths")]
    UnequalColumns,
    /// More bytes than a frame may have.
    #[error("a frame is larger than {} bytes", 4 * FRAME_BYTES)]
    Oversized,
    /// Tags must ascend through the whole group.
    #[error("a tag or subject is out of order or occurs twice")]
    OutOfOrder,
    /// A snapshot deletes nothing.
    #[error("a snapshot holds deletions")]
    DeletionInSnapshot,
    /// Counts or digest differ from the trailer's.
    #[error("what arrived is not what the trailer counts: rows were lost or changed on the way")]
    Incomplete,
    /// Work orders are not as they are counted.
    #[error("{0}")]
    Orders(#[from] OrdersError),
    /// Header, columns and trailer did not come in that order.
    #[error("frames came in a wrong order")]
    WrongFrame,
}

/// The running check of one group.
#[derive(Default)]
pub struct GroupCheck {
    hasher: blake3::Hasher,
    upserted: u64,
    deleted: u64,
    last: Option<[u8; 16]>,
    last_deleted: Option<[u8; 16]>,
}

impl GroupCheck {
    /// Takes a frame of sealed rows into account, on either end.
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn rows(
        &mut self,
        frame: &wire::SealedRowColumns,
        row_size: usize,
    ) -> Result<(), GroupError> {
        let rows = frame.tags.len() / 16;
        let shape = [
            (frame.tags.len(), 16),
            (frame.nonces.len(), 12),
            (frame.ciphertexts.len(), row_size + SEAL_OVERHEAD),
        ];
        equal_columns(rows, &shape)?;
        let columns = [&frame.tags, &frame.nonces, &frame.ciphertexts, &frame.deleted_tags];
        self.columns(&frame.tags, &frame.deleted_tags, columns)
    }

    /// Takes a frame of subjects into account, on either end.
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn subjects(
        &mut self,
        frame: &wire::SubjectColumns,
        flags: usize,
        secrets: usize,
    ) -> Result<(), GroupError> {
        let rows = frame.subjects.len() / 16;
        let shape = [
            (frame.subjects.len(), 16),
            (frame.residences.len(), 1),
            (frame.registrations.len(), 1),
            (frame.flags.len(), flags),
            (frame.secrets.len(), 32 * secrets),
            (frame.order_counts.len(), 1),
        ];
        equal_columns(rows, &shape)?;
        work_order::of_frame(frame)?;
        let numbers = |column: &[u64]| -> Vec<u8> {
            column.iter().flat_map(|number| number.to_be_bytes()).collect()
        };
        let columns = [
            &frame.subjects,
            &numbers(&frame.residences),
            &numbers(&frame.registrations),
            &frame.flags,
            &frame.secrets,
            &frame.order_counts,
            &numbers(&frame.order_numbers),
            &frame.order_urgencies,
            &frame.deleted_subjects,
        ];
        self.columns(&frame.subjects, &frame.deleted_subjects, columns)
    }

    /// Closes the group: what the sender puts in its trailer.
    pub fn trailer(&self) -> wire::Trailer {
        wire::Trailer {
            upserted: self.upserted,
            deleted: self.deleted,
            digest: self.hasher.finalize().as_bytes().to_vec(),
        }
    }

    /// Compares a received trailer with what arrived.
    ///
    /// # Errors
    /// [`GroupError::Incomplete`], or [`GroupError::DeletionInSnapshot`].
    pub fn verify(&self, trailer: &wire::Trailer, snapshot: bool) -> Result<(), GroupError> {
        if snapshot && self.deleted > 0 {
            return Err(GroupError::DeletionInSnapshot);
        }
        if self.trailer() == *trailer { Ok(()) } else { Err(GroupError::Incomplete) }
    }

    fn columns<const N: usize>(
        &mut self,
        keys: &[u8],
        deleted: &[u8],
        columns: [&Vec<u8>; N],
    ) -> Result<(), GroupError> {
        if columns.iter().map(|column| column.len()).sum::<usize>() > 4 * FRAME_BYTES {
            return Err(GroupError::Oversized);
        }
        self.last = ascending(self.last, keys)?;
        self.last_deleted = ascending(self.last_deleted, deleted)?;
        self.upserted += (keys.len() / 16) as u64;
        self.deleted += (deleted.len() / 16) as u64;
        for column in columns {
            self.hasher.update(&(column.len() as u64).to_be_bytes()).update(column);
        }
        Ok(())
    }
}

fn equal_columns(rows: usize, shape: &[(usize, usize)]) -> Result<(), GroupError> {
    let equal = shape.iter().all(|&(length, width)| length == rows * width);
    if equal { Ok(()) } else { Err(GroupError::UnequalColumns) }
}

fn ascending(mut last: Option<[u8; 16]>, keys: &[u8]) -> Result<Option<[u8; 16]>, GroupError> {
    let (keys, rest) = keys.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(GroupError::UnequalColumns);
    }
    for &key in keys {
        if last.is_some_and(|last| last >= key) {
            return Err(GroupError::OutOfOrder);
        }
        last = Some(key);
    }
    Ok(last)
}

/// Tags of a packed column whose length is known to be a multiple of 16.
pub fn tags(column: &[u8]) -> impl Iterator<Item = LookupTag> + '_ {
    column.as_chunks::<16>().0.iter().map(|&tag| LookupTag(tag))
}

/// Subjects of a packed column whose length is known to be a multiple of 16.
pub fn subjects(column: &[u8]) -> impl Iterator<Item = Subject> + '_ {
    column.as_chunks::<16>().0.iter().map(|&subject| Subject(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tags: &[u8]) -> wire::SealedRowColumns {
        wire::SealedRowColumns {
            tags: tags.iter().flat_map(|&t| [t; 16]).collect(),
            nonces: vec![0; 12 * tags.len()],
            ciphertexts: vec![0; 19 * tags.len()],
            deleted_tags: vec![],
        }
    }

    #[test]
    fn a_group_checks_against_its_own_trailer_only() {
        let mut sent = GroupCheck::default();
        sent.rows(&frame(&[1, 2]), 3).expect("good");
        sent.rows(&frame(&[3]), 3).expect("good");
        let trailer = sent.trailer();

        let mut truncated = GroupCheck::default();
        truncated.rows(&frame(&[1, 2]), 3).expect("good");
        assert_eq!(truncated.verify(&trailer, true), Err(GroupError::Incomplete));

        let mut changed = GroupCheck::default();
        let mut first = frame(&[1, 2]);
        first.ciphertexts[0] = 1;
        changed.rows(&first, 3).expect("good");
        changed.rows(&frame(&[3]), 3).expect("good");
        assert_eq!(changed.verify(&trailer, true), Err(GroupError::Incomplete));
        assert_eq!(sent.verify(&trailer, true), Ok(()));
    }

    #[test]
    fn every_column_of_subjects_counts_for_the_digest() {
        let frame = wire::SubjectColumns {
            subjects: [[1; 16], [2; 16]].concat(),
            residences: vec![320_104_002_001, 0],
            registrations: vec![0, 320_106_000_000],
            flags: vec![0, 1],
            secrets: vec![7; 64],
            order_counts: vec![1, 0],
            order_numbers: vec![12],
            order_urgencies: vec![2],
            deleted_subjects: vec![3; 16],
        };
        let trailer = |frame: &wire::SubjectColumns| {
            let mut check = GroupCheck::default();
            check.subjects(frame, 1, 1).map(|()| check.trailer())
        };
        let sent = trailer(&frame).expect("good");
        let changes: [fn(&mut wire::SubjectColumns); 9] = [
            |frame| frame.subjects[0] = 0,
            |frame| frame.residences[1] = 1,
            |frame| frame.registrations[0] = 1,
            |frame| frame.flags[0] = 1,
            |frame| frame.secrets[0] = 0,
            |frame| frame.order_counts.reverse(),
            |frame| frame.order_numbers[0] = 13,
            |frame| frame.order_urgencies[0] = 3,
            |frame| frame.deleted_subjects[0] = 0,
        ];
        for change in changes {
            let mut changed = frame.clone();
            change(&mut changed);
            assert_ne!(trailer(&changed), Ok(sent.clone()));
        }
        let mut short = frame;
        short.order_urgencies.clear();
        assert_eq!(trailer(&short), Err(GroupError::Orders(OrdersError::Uneven)));
    }

    #[test]
    fn order_shape_and_size_are_checked() {
        let check = |f: &wire::SealedRowColumns| GroupCheck::default().rows(f, 3);
        assert_eq!(check(&frame(&[2, 1])), Err(GroupError::OutOfOrder));
        assert_eq!(check(&frame(&[1, 1])), Err(GroupError::OutOfOrder));
        let mut short = frame(&[1]);
        short.nonces.pop();
        assert_eq!(check(&short), Err(GroupError::UnequalColumns));
        let mut across = GroupCheck::default();
        across.rows(&frame(&[5]), 3).expect("good");
        assert_eq!(across.rows(&frame(&[5]), 3), Err(GroupError::OutOfOrder));
        let big = wire::SealedRowColumns {
            deleted_tags: vec![0; 4 * FRAME_BYTES + 16],
            ..Default::default()
        };
        assert_eq!(check(&big), Err(GroupError::Oversized));
    }
}
