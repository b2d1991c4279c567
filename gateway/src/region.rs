//! Regions: 12-digit codes, as numbers where they are kept and as text where they are compared.

/// Where a subject lives and where the subject is registered, 12-digit codes as numbers; 0 where no
/// agency says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SubjectRegions {
    /// Where the subject lives.
    pub residence: u64,
    /// Where the subject is registered.
    pub registration: u64,
}

impl SubjectRegions {
    /// What two lists know together: of each kind the more precise code, of equally precise ones the
    /// first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let better = |one, other| if precision(other) > precision(one) { other } else { one };
        Self {
            residence: better(self.residence, other.residence),
            registration: better(self.registration, other.registration),
        }
    }

    /// Where the subject lives, or else is registered.
    pub fn foremost(self) -> u64 {
        if self.residence == 0 { self.registration } else { self.residence }
    }
}

/// A code as an agency gave it, as far as it can be one: of more than 12 digits it is none, and
/// whoever looks at people without a region sees the person.
pub fn checked(code: u64) -> u64 {
    if code < 10_u64.pow(12) { code } else { 0 }
}

/// 12 digits; empty where there is no region.
pub fn text(region: u64) -> String {
    if region == 0 { String::new() } else { format!("{region:012}") }
}

/// How many of a region's 12 digits say something.
pub fn precision(region: u64) -> u32 {
    if region == 0 {
        return 0;
    }
    let zeros = (1..12).find(|&digits| !region.is_multiple_of(10_u64.pow(digits))).unwrap_or(12);
    13 - zeros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_without_a_usable_region_is_in_no_region_rather_than_in_a_false_one() {
        assert_eq!(text(checked(320_104_002_003)), "320104002003");
        assert_eq!(text(checked(0)), "");
        assert_eq!(text(checked(3_201_040_020_031)), "", "13 digits");
        assert_eq!(text(checked(10_104_002_003)), "010104002003");
    }

    #[test]
    fn a_residence_comes_before_a_registration_however_precise() {
        let list = |residence, registration| SubjectRegions { residence, registration };
        let (district, street) = (320_104_000_000, 320_104_002_000);
        let both = list(0, street).and(list(district, 0)).and(list(0, 320_106_001_000));
        assert_eq!(both, list(district, street));
        assert_eq!(both.foremost(), district);
        assert_eq!(list(0, street).foremost(), street);
        assert_eq!(both.and(list(street, 0)).foremost(), street, "the more precise residence");
    }

    #[test]
    fn the_region_that_says_more_is_the_more_precise() {
        let ascending = [0, 320_000_000_000, 320_104_000_000, 320_104_002_000, 320_104_002_003];
        assert!(ascending.map(precision).is_sorted_by(|a, b| a < b));
    }
}
