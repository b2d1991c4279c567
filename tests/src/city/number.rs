//! Numbers of synthetic people: check digits, and county 320199, which no living person's number has.
//!
//! Written from GB 11643 for the tests alone; the product's reading of identifiers is the adapter's.

use jiff::civil::Date;

/// The county of every synthetic resident.
pub const COUNTY: &str = "320199";

/// Three residence permits of Hong Kong, Macao and Taiwan people, from public examples.
pub const PERMITS: [&str; 3] = ["810000199001010019", "820000199001010010", "830000199001010012"];

/// Seventeen digits and their MOD 11-2 check character.
pub fn with_check(seventeen: &str) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits = seventeen.bytes().map(|b| u32::from(b - b'0'));
    let sum: u32 = digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let check = char::from(b"10X98765432"[sum as usize % 11]);
    format!("{seventeen}{check}")
}

/// The number of the `sequence`th birth (1 to 999) of a day.
pub fn number(born: Date, sequence: u16) -> String {
    let (year, month, day) = (born.year(), born.month(), born.day());
    with_check(&format!("{COUNTY}{year:04}{month:02}{day:02}{sequence:03}"))
}

/// The 15-digit form that was issued until 1999, of a number that has one.
pub fn legacy(number: &str) -> Option<String> {
    let old = number.starts_with(COUNTY) && &number[6..8] == "19";
    old.then(|| format!("{}{}", &number[..6], &number[8..17]))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn check_characters_are_those_of_the_standard() {
        for known in ["320102198001010016", "32010419550615003X", PERMITS[0], PERMITS[2]] {
            assert_eq!(with_check(&known[..17]), known);
        }
        let one = number(date(1980, 1, 1), 1);
        assert_eq!(&one[..17], "32019919800101001");
        assert_eq!(legacy(&one).as_deref(), Some("320199800101001"));
        assert_eq!(legacy(PERMITS[0]), None);
    }
}
