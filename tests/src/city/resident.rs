//! One synthetic resident: who they are, and everything the agencies know about them.
//!
//! These are facts; how a file writes them down, and how badly, is `rows` and `dirt`.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::catalogue::WORK_ORDERS;
use crate::oracle::PersonId;

/// A resident and the truth about them. Amounts are in yuan.
#[derive(Debug, Clone)]
pub struct Resident {
    /// The canonical 18-character number.
    pub id: PersonId,
    /// The full name.
    pub name: String,
    /// Eleven digits from a range no operator assigns.
    pub phone: String,
    /// Street address.
    pub address: String,
    /// The community's 12-digit code.
    pub region: String,
    /// Date of birth.
    pub born: Date,
    /// The household's number.
    pub household: usize,
    /// Watch datasets that list the resident.
    pub listings: BTreeMap<&'static str, Listing>,
    /// Requests for help: their numbers, and how urgent the hotline calls them.
    pub orders: Vec<(i64, &'static str)>,
    /// The status in the household register; absent: not registered.
    pub registration: Option<&'static str>,
    /// The day the registration was cancelled by death.
    pub death: Option<Date>,
    /// Whether the funeral parlour knows.
    pub cremated: bool,
    /// The kind of assistance in force.
    pub assistance: Option<&'static str>,
    /// The status of a disability or old-age allowance.
    pub allowance: Option<&'static str>,
    /// What the marriage register holds; two entries contradict each other.
    pub marriage: Vec<&'static str>,
    /// The price of each vehicle.
    pub vehicles: Vec<i64>,
    /// Social insurance.
    pub insurance: Option<Insurance>,
    /// Monthly pension.
    pub pension: Option<i64>,
    /// The status of an unemployment benefit.
    pub benefit: Option<&'static str>,
    /// The use of each property.
    pub estates: Vec<&'static str>,
    /// Sold a home in the last year; leases one out.
    pub housing: Option<(bool, bool)>,
    /// Kind and days of closure of each market entity.
    pub entities: Vec<(&'static str, i64)>,
    /// Capital subscribed in each company.
    pub capital: Vec<i64>,
    /// Yearly income declared by each payer.
    pub income: Vec<i64>,
    /// Monthly base of provident fund deposits.
    pub deposit: Option<i64>,
    /// Last use of the provident fund.
    pub withdrawal: Option<Date>,
}

/// An entry of a watch dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Since when.
    pub since: Date,
    /// Own payments, where the dataset is about them; one row each.
    pub payments: Vec<i64>,
    /// Category 1 to 7 and level 1 to 4 of a disability certificate.
    pub certificate: (u8, u8),
}

/// Social insurance contributions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insurance {
    /// Monthly base.
    pub base: i64,
    /// When the last contribution came in.
    pub last_paid: Date,
}

impl Resident {
    /// Full years on `today`.
    pub fn age(&self, today: Date) -> i16 {
        let had_birthday = (today.month(), today.day()) >= (self.born.month(), self.born.day());
        today.year() - self.born.year() - i16::from(!had_birthday)
    }

    /// Lists the resident in a watch dataset that keeps no more than a date.
    pub fn list(&mut self, dataset: &'static str, since: Date) {
        self.list_with(dataset, Listing { since, payments: vec![], certificate: (0, 0) });
    }

    /// Lists the resident in a watch dataset; an earlier entry stays as it is.
    pub fn list_with(&mut self, dataset: &'static str, listing: Listing) {
        self.listings.entry(dataset).or_insert(listing);
    }

    /// The hotline has taken a request for help.
    pub fn ask_for_help(&mut self, number: i64, urgency: &'static str, since: Date) {
        self.orders.push((number, urgency));
        self.list(WORK_ORDERS, since);
    }

    /// A woman's sequence number is even.
    pub fn is_woman(&self) -> bool {
        self.id.as_bytes()[16].is_multiple_of(2)
    }
}
