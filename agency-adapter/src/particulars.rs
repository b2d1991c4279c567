//! What a watch dataset releases of a person besides flags: where the person lives and is registered,
//! and the work orders about them.

use proto::work_order::{MOST_ORDERS, WorkOrder};

use crate::region::UNKNOWN_REGION;

/// Of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Particulars {
    /// A 12-digit code, or [`UNKNOWN_REGION`].
    pub residence: u64,
    /// The same of where the person is registered.
    pub registration: u64,
    /// Ascending by number, no number twice.
    pub orders: Vec<WorkOrder>,
}

impl Particulars {
    /// Adds what another row of the person says. The first region that is known stays; of an order that
    /// is there twice the more urgent counts.
    pub(crate) fn merge(&mut self, row: Self) {
        if self.residence == UNKNOWN_REGION {
            self.residence = row.residence;
        }
        if self.registration == UNKNOWN_REGION {
            self.registration = row.registration;
        }
        for order in row.orders {
            match self.orders.binary_search_by_key(&order.number, |known| known.number) {
                Ok(place) => {
                    let known = &mut self.orders[place];
                    known.urgency = known.urgency.max(order.urgency);
                }
                Err(place) => self.orders.insert(place, order),
            }
        }
    }

    /// Leaves out the orders beyond those that a release has room for; says how many.
    pub(crate) fn limit_orders(&mut self) -> usize {
        let beyond = self.orders.len().saturating_sub(MOST_ORDERS);
        self.orders.truncate(MOST_ORDERS);
        beyond
    }
}

#[cfg(test)]
mod tests {
    use proto::case_event::Urgency;

    use super::*;

    fn row(residence: u64, registration: u64, orders: &[(u64, Urgency)]) -> Particulars {
        let orders = orders.iter().map(|&(number, urgency)| WorkOrder { number, urgency });
        Particulars { residence, registration, orders: orders.collect() }
    }

    #[test]
    fn rows_of_one_person_add_up() {
        use Urgency::{Emergency, Routine, Urgent};
        let mut person = row(0, 7, &[(9, Routine)]);
        person.merge(row(3, 8, &[(5, Urgent)]));
        person.merge(row(4, 0, &[(9, Emergency)]));
        person.merge(row(0, 0, &[(9, Urgent)]));
        assert_eq!(person, row(3, 7, &[(5, Urgent), (9, Emergency)]));
    }

    #[test]
    fn orders_beyond_the_room_of_a_release_are_left_out_and_counted() {
        let orders: Vec<_> = (0..300).map(|number| (number, Urgency::Routine)).collect();
        let mut person = row(0, 0, &orders);
        assert_eq!((person.limit_orders(), person.orders.len()), (45, 255));
        assert_eq!(person.orders[254].number, 254, "the least numbers stay");
    }
}
