//! The open work orders of a hotline that a release carries (PROTOCOL.md section 20.4): a number and
//! how urgent it is, and nothing of what was said.

use crate::{case_event::Urgency, wire};

/// More orders of one subject than this are not released; the least numbers are.
pub const MOST_ORDERS: usize = u8::MAX as usize;

/// A work order that the hotline has not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkOrder {
    /// The hotline's own number for it.
    pub number: u64,
    /// How soon somebody must act.
    pub urgency: Urgency,
}

/// A subject's orders are not as section 20.4 has them. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrdersError {
    /// More or fewer numbers or urgencies than are counted.
    #[error("the columns of work orders are of different lengths")]
    Uneven,
    /// Numbers ascend.
    #[error("a work order is out of order or occurs twice")]
    OutOfOrder,
    /// A byte that says nothing.
    #[error("a work order is of no known urgency")]
    Urgency,
}

/// What stands for an urgency in a column.
pub fn urgency_byte(urgency: Urgency) -> u8 {
    match urgency {
        Urgency::Routine => 1,
        Urgency::Urgent => 2,
        Urgency::Emergency => 3,
    }
}

/// What a byte of a column stands for.
fn urgency(byte: u8) -> Option<Urgency> {
    use Urgency::{Emergency, Routine, Urgent};
    [Routine, Urgent, Emergency].into_iter().find(|urgency| urgency_byte(*urgency) == byte)
}

/// The orders of each subject of a frame, in the frame's order.
///
/// # Errors
/// [`OrdersError`].
pub fn of_frame(frame: &wire::SubjectColumns) -> Result<Vec<Vec<WorkOrder>>, OrdersError> {
    let counted: usize = frame.order_counts.iter().map(|&count| usize::from(count)).sum();
    if frame.order_numbers.len() != counted || frame.order_urgencies.len() != counted {
        return Err(OrdersError::Uneven);
    }
    let mut orders = frame.order_numbers.iter().zip(&frame.order_urgencies);
    let of_subject = |&count: &u8| -> Result<Vec<WorkOrder>, OrdersError> {
        let order = |(&number, &byte): (&u64, &u8)| {
            let urgency = urgency(byte).ok_or(OrdersError::Urgency)?;
            Ok(WorkOrder { number, urgency })
        };
        let own: Vec<WorkOrder> =
            orders.by_ref().take(count.into()).map(order).collect::<Result<_, _>>()?;
        let ascending = own.is_sorted_by(|a, b| a.number < b.number);
        if ascending { Ok(own) } else { Err(OrdersError::OutOfOrder) }
    };
    frame.order_counts.iter().map(of_subject).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(counts: &[u8], numbers: &[u64], urgencies: &[u8]) -> wire::SubjectColumns {
        wire::SubjectColumns {
            order_counts: counts.to_vec(),
            order_numbers: numbers.to_vec(),
            order_urgencies: urgencies.to_vec(),
            ..Default::default()
        }
    }

    #[test]
    fn each_subject_has_its_own_orders() {
        let of = of_frame(&frame(&[0, 2, 0, 1], &[7, 9, 7], &[1, 3, 2])).expect("good");
        let order = |number, urgency| WorkOrder { number, urgency };
        let second = vec![order(7, Urgency::Routine), order(9, Urgency::Emergency)];
        assert_eq!(of, [vec![], second, vec![], vec![order(7, Urgency::Urgent)]]);
    }

    #[test]
    fn orders_that_are_not_as_counted_are_refused() {
        let error = |counts: &[u8], numbers: &[u64], urgencies: &[u8]| {
            of_frame(&frame(counts, numbers, urgencies)).expect_err("refused")
        };
        assert_eq!(error(&[1], &[], &[1]), OrdersError::Uneven);
        assert_eq!(error(&[1], &[7, 8], &[1, 1]), OrdersError::Uneven);
        assert_eq!(error(&[1], &[7], &[]), OrdersError::Uneven);
        assert_eq!(error(&[2], &[7, 7], &[1, 2]), OrdersError::OutOfOrder);
        assert_eq!(error(&[2], &[8, 7], &[1, 1]), OrdersError::OutOfOrder);
        assert_eq!(error(&[1], &[7], &[0]), OrdersError::Urgency);
        assert_eq!(error(&[1], &[7], &[4]), OrdersError::Urgency);
    }
}
