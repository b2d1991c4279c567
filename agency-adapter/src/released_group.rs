//! One group of a `Release` stream: header, frames of subjects, trailer (PROTOCOL.md section 7.2).

use std::ops::ControlFlow;

use proto::{
    cursor::Cursor,
    group::{FRAME_BYTES, GroupCheck},
    name::{AgencyId, DatasetId},
    scope::Scope,
    subject::Subject,
    wire::{self, release_frame::Frame},
    work_order::urgency_byte,
};

use crate::{clock, released::Released, resume::Resume, subjects::Row};

/// Whose people are released.
pub struct ReleasedGroup<'g> {
    /// The scope of everything in the group.
    pub scope: &'g Scope,
    /// This agency.
    pub agency: &'g AgencyId,
    /// The dataset.
    pub dataset: &'g DatasetId,
    /// The version to send.
    pub released: &'g Released,
}

/// Frames under construction.
struct Frames<'f> {
    emit: &'f mut dyn FnMut(wire::ReleaseFrame) -> ControlFlow<()>,
    check: GroupCheck,
    columns: wire::SubjectColumns,
    bytes: usize,
    flag_count: usize,
    secret_count: usize,
}

impl ReleasedGroup<'_> {
    /// Emits the whole group, frame by frame, until `emit` breaks off.
    pub fn send(
        &self,
        resume: Resume,
        emit: &mut dyn FnMut(wire::ReleaseFrame) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        emit(frame(Frame::Header(self.header(resume))))?;
        let mut frames = Frames {
            emit,
            check: GroupCheck::default(),
            columns: wire::SubjectColumns::default(),
            bytes: 0,
            flag_count: self.released.subjects().flag_count(),
            secret_count: self.released.secrets_for.len(),
        };
        for (subject, row) in self.released.rows(resume) {
            frames.push(subject, row)?;
        }
        frames.flush()?;
        let trailer = frames.check.trailer();
        emit(frame(Frame::Trailer(trailer)))
    }

    fn header(&self, resume: Resume) -> wire::ReleaseHeader {
        let cursor = self.released.cursor();
        let (transfer, from) = match resume {
            Resume::Snapshot => (wire::Transfer::Snapshot, None),
            Resume::After(version) => {
                (wire::Transfer::Delta, Some(Cursor { version, ..cursor }.into()))
            }
        };
        let flag_count = self.released.subjects().flag_count();
        wire::ReleaseHeader {
            scope: Some(self.scope.into()),
            agency: self.agency.to_string(),
            dataset: self.dataset.to_string(),
            transfer: transfer.into(),
            from,
            to: Some(cursor.into()),
            as_of: Some(clock::to_wire(self.released.as_of)),
            secrets_for: self.released.secrets_for.iter().map(ToString::to_string).collect(),
            flag_count: u32::try_from(flag_count).expect("at most 32"),
        }
    }
}

impl Frames<'_> {
    fn push(&mut self, subject: Subject, row: Option<Row<'_>>) -> ControlFlow<()> {
        let columns = &mut self.columns;
        match row {
            Some(row) => {
                columns.subjects.extend_from_slice(&subject.0);
                columns.residences.push(row.residence);
                columns.registrations.push(row.registration);
                columns.flags.extend_from_slice(row.flags);
                columns.secrets.extend_from_slice(row.secrets);
                let orders = u8::try_from(row.orders.len()).expect("a load has at most 255");
                columns.order_counts.push(orders);
                columns.order_numbers.extend(row.orders.iter().map(|order| order.number));
                let urgencies = row.orders.iter().map(|order| urgency_byte(order.urgency));
                columns.order_urgencies.extend(urgencies);
                self.bytes += 33 + row.flags.len() + row.secrets.len() + 9 * row.orders.len();
            }
            None => {
                columns.deleted_subjects.extend_from_slice(&subject.0);
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
        self.check
            .subjects(&columns, self.flag_count, self.secret_count)
            .expect("subjects are whole and in order");
        (self.emit)(frame(Frame::Subjects(columns)))
    }
}

fn frame(frame: Frame) -> wire::ReleaseFrame {
    wire::ReleaseFrame { frame: Some(frame) }
}
