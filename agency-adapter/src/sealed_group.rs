//! One group of a `Sync` stream: header, frames of sealed rows, trailer (PROTOCOL.md section 7.2).

use std::ops::ControlFlow;

use proto::{
    group::{FRAME_BYTES, GroupCheck},
    name::{AgencyId, DatasetId},
    person_secret::LookupTag,
    scope::Scope,
    wire::{self, sync_frame::Frame},
};

use crate::{clock, resume::Resume, version_log::StoreError, version_reading::VersionReading};

/// Whose rows are sent.
pub struct SealedGroup<'g> {
    /// The scope of everything in the group.
    pub scope: &'g Scope,
    /// This agency.
    pub agency: &'g AgencyId,
    /// The dataset.
    pub dataset: &'g DatasetId,
    /// The version to send.
    pub reading: &'g VersionReading,
}

/// Frames under construction.
struct Frames<'f> {
    emit: &'f mut dyn FnMut(wire::SyncFrame) -> ControlFlow<()>,
    check: GroupCheck,
    columns: wire::SealedRowColumns,
    bytes: usize,
    row_size: usize,
}

impl SealedGroup<'_> {
    /// Emits the whole group, frame by frame, until `emit` breaks off.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn send(
        &self,
        resume: Resume,
        emit: &mut dyn FnMut(wire::SyncFrame) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        if emit(frame(Frame::Header(self.header(resume)))).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let mut frames = Frames {
            emit,
            check: GroupCheck::default(),
            columns: wire::SealedRowColumns::default(),
            bytes: 0,
            row_size: self.reading.head().row_size,
        };
        let sent = self.reading.rows(resume, &mut |tag, row| frames.push(tag, row))?;
        if sent.is_break() || frames.flush().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let trailer = frames.check.trailer();
        Ok(emit(frame(Frame::Trailer(trailer))))
    }

    fn header(&self, resume: Resume) -> wire::SyncHeader {
        let head = self.reading.head();
        let (transfer, from) = match resume {
            Resume::Snapshot => (wire::Transfer::Snapshot, None),
            Resume::After(version) => {
                let from = proto::cursor::Cursor { version, ..head.cursor() };
                (wire::Transfer::Delta, Some(from.into()))
            }
        };
        wire::SyncHeader {
            scope: Some(self.scope.into()),
            agency: self.agency.to_string(),
            dataset: self.dataset.to_string(),
            transfer: transfer.into(),
            from,
            to: Some(head.cursor().into()),
            as_of: Some(clock::to_wire(head.as_of)),
            row_size: u32::try_from(head.row_size).expect("schemas are far smaller"),
        }
    }
}

impl Frames<'_> {
    fn push(&mut self, tag: LookupTag, row: Option<&[u8]>) -> ControlFlow<()> {
        let columns = &mut self.columns;
        match row {
            Some(row) => {
                let (nonce, ciphertext) = row.split_at(12);
                columns.tags.extend_from_slice(&tag.0);
                columns.nonces.extend_from_slice(nonce);
                columns.ciphertexts.extend_from_slice(ciphertext);
                self.bytes += 16 + row.len();
            }
            None => {
                columns.deleted_tags.extend_from_slice(&tag.0);
                self.bytes += 16;
            }
        }
        if self.bytes < FRAME_BYTES { ControlFlow::Continue(()) } else { self.flush() }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        if self.bytes == 0 {
            return ControlFlow::Continue(());
        }
        let columns = std::mem::take(&mut self.columns);
        self.bytes = 0;
        self.check.rows(&columns, self.row_size).expect("the store holds whole rows in order");
        (self.emit)(frame(Frame::Rows(columns)))
    }
}

fn frame(frame: Frame) -> wire::SyncFrame {
    wire::SyncFrame { frame: Some(frame) }
}
