//! Regions: 12-digit codes, as numbers where they are kept and as text where they are compared.

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
    fn the_region_that_says_more_is_the_more_precise() {
        let ascending = [0, 320_000_000_000, 320_104_000_000, 320_104_002_000, 320_104_002_003];
        assert!(ascending.map(precision).is_sorted_by(|a, b| a < b));
    }
}
