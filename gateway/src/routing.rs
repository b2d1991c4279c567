//! Who looks to a subject: the region in which the subject is looked for, and the office that is
//! responsible there (PROTOCOL.md section 20.3).
//!
//! Pure. What becomes of it is the case's business.

use std::collections::BTreeSet;

use jiff::civil::Date;
use proto::region_code::RegionCode;

use crate::{
    authorise::{Officer, Role},
    region::{self, SubjectRegions},
    regions::Regions,
};

/// Regions and the offices registered for them.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    regions: Regions,
    offices: BTreeSet<RegionCode>,
}

/// Where a subject is looked for, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The region in force, 12 digits; empty where none is known.
    pub place: RegionCode,
    /// The region of whoever is responsible there; nothing where nobody is.
    pub office: Option<RegionCode>,
    /// How it was found.
    pub how: How,
}

/// How a route was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By where the subject lives.
    Residence,
    /// By where the subject is registered.
    Registration,
    /// No region is known.
    Nowhere,
}

impl Routing {
    /// `offices` are the regions that officers are registered for who take cases.
    pub fn new(regions: Regions, offices: impl IntoIterator<Item = RegionCode>) -> Self {
        Self { regions, offices: offices.into_iter().collect() }
    }

    /// The same for registered officers.
    ///
    /// # Panics
    /// If an officer's region was not checked.
    pub fn of_officers(regions: Regions, officers: &[Officer]) -> Self {
        let takes_cases = |role: &Role| matches!(role, Role::Caseworker | Role::Supervisor);
        let offices = officers.iter().filter(|officer| officer.roles.iter().any(takes_cases));
        Self::new(regions, offices.map(|officer| officer.region.parse().expect("checked before")))
    }

    /// What regions are called.
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    /// Where a subject is looked for on a day: where the subject lives, or else is registered, if
    /// somebody is responsible there or above; otherwise by whoever is responsible for everywhere.
    pub fn route(&self, of: SubjectRegions, on: Date) -> Route {
        let known = [(of.residence, How::Residence), (of.registration, How::Registration)];
        let known = known.into_iter().filter(|(region, _)| *region != 0);
        let mut routes: Vec<Route> =
            known.map(|(region, how)| self.by(&region::text(region), how, on)).collect();
        let particular =
            |route: &Route| route.office.as_ref().is_some_and(|office| !office.as_str().is_empty());
        match routes.iter().position(particular) {
            Some(first) => routes.swap_remove(first),
            None if routes.is_empty() => {
                let place = RegionCode::default();
                Route { office: self.office(&place).cloned(), place, how: How::Nowhere }
            }
            None => routes.swap_remove(0),
        }
    }

    /// The office for a region: of all that are registered, the one with the longest prefix of the code.
    pub fn office(&self, place: &RegionCode) -> Option<&RegionCode> {
        let digits = place.as_str();
        (0..=digits.len()).rev().find_map(|length| {
            let prefix: RegionCode = digits.get(..length)?.parse().ok()?;
            self.offices.get(&prefix)
        })
    }

    fn by(&self, code: &str, how: How, on: Date) -> Route {
        let place = self.regions.in_force(code, on);
        let place: RegionCode =
            place.parse().expect("codes of subjects and of the file are digits");
        Route { office: self.office(&place).cloned(), place, how }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const TODAY: Date = date(2026, 11, 27);

    fn code(text: &str) -> RegionCode {
        text.parse().expect("a code")
    }

    fn routing(offices: &[&str]) -> Routing {
        let file = "code,zh,en,valid_from,valid_until,merged_into\n\
                    320103,a,a,,2013-02-19,320104\n320104,b,b,,,\n";
        let regions = Regions::parse(file).expect("good");
        Routing::new(regions, offices.iter().map(|office| code(office)))
    }

    fn routed(offices: &[&str], residence: u64, registration: u64) -> (String, String, How) {
        let route = routing(offices).route(SubjectRegions { residence, registration }, TODAY);
        let office = route.office.map_or_else(|| "nobody".to_owned(), String::from);
        (route.place.into(), office, route.how)
    }

    #[test]
    fn a_subject_is_looked_for_where_they_live_by_the_nearest_office() {
        let offices = ["", "3201", "320104", "320104002", "320106"];
        let (street, district) = (320_104_002_003, 320_106_000_000);
        let routed = |residence, registration| routed(&offices, residence, registration);
        let by = |place: &str, office: &str, how| (place.to_owned(), office.to_owned(), how);
        let (residence, registration) = (How::Residence, How::Registration);
        assert_eq!(routed(street, district), by("320104002003", "320104002", residence));
        assert_eq!(routed(district, street), by("320106000000", "320106", residence));
        assert_eq!(routed(0, street), by("320104002003", "320104002", registration));
        assert_eq!(routed(320_104_009_001, 0), by("320104009001", "320104", residence));
        assert_eq!(routed(320_115_001_001, 0), by("320115001001", "3201", residence));
        assert_eq!(routed(320_103_004_001, 0), by("320104000000", "320104", residence), "merged");
    }

    #[test]
    fn whoever_lives_where_nobody_is_responsible_is_looked_for_where_they_are_registered() {
        let offices = ["", "3201"];
        let far = 110_101_001_001;
        let here = ("320104002003".to_owned(), "3201".to_owned(), How::Registration);
        assert_eq!(routed(&offices, far, 320_104_002_003), here);
        let desk = ("110101001001".to_owned(), String::new(), How::Residence);
        assert_eq!(routed(&offices, far, far), desk, "the desk for everywhere");
        assert_eq!(routed(&offices, 0, 0), (String::new(), String::new(), How::Nowhere));
        assert_eq!(routed(&["3201"], 0, 0), (String::new(), "nobody".to_owned(), How::Nowhere));
        assert_eq!(routed(&["3201"], far, 0).1, "nobody");
    }

    /// Every office in turn, and the one with the most digits wins.
    fn naive(offices: &[String], residence: u64, registration: u64) -> (Option<String>, How) {
        let nearest = |region: u64| {
            let code = region::text(region);
            let mut fit: Vec<&String> =
                offices.iter().filter(|office| code.starts_with(office.as_str())).collect();
            fit.sort_by_key(|office| office.len());
            fit.last().map(|office| (*office).clone())
        };
        let near = |region: u64| region != 0 && nearest(region).is_some_and(|it| !it.is_empty());
        if near(residence) {
            (nearest(residence), How::Residence)
        } else if near(registration) {
            (nearest(registration), How::Registration)
        } else if residence != 0 {
            (nearest(residence), How::Residence)
        } else if registration != 0 {
            (nearest(registration), How::Registration)
        } else {
            (offices.iter().find(|office| office.is_empty()).cloned(), How::Nowhere)
        }
    }

    fn any_code() -> impl Strategy<Value = String> {
        // Few digits, so that prefixes meet.
        (
            prop::sample::select(vec![0_usize, 2, 4, 6, 9, 12]),
            "[3][2][01][1][12][1][1][1][12][1][1][12]",
        )
            .prop_map(|(digits, code)| code[..digits].to_owned())
    }

    fn region_of(code: &str) -> u64 {
        if code.is_empty() { 0 } else { format!("{code:0<12}").parse().expect("digits") }
    }

    proptest! {
        #[test]
        fn a_route_is_what_asking_every_office_in_turn_finds(
            offices in prop::collection::vec(any_code(), 0..8),
            residence in any_code(),
            registration in any_code(),
        ) {
            let routing = Routing::new(Regions::default(), offices.iter().map(|office| code(office)));
            let (residence, registration) = (region_of(&residence), region_of(&registration));
            let route = routing.route(SubjectRegions { residence, registration }, TODAY);
            let expected = naive(&offices, residence, registration);
            prop_assert_eq!((route.office.map(String::from), route.how), expected);
        }
    }
}
