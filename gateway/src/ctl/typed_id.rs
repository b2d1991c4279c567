//! Ids as people type them: an alert's, read from paper or a telephone, with or without `AL-` and hyphens;
//! a disclosure's, by its first digits.
//!
//! The spelling of an alert's id itself is `proto::alert_id`'s.

use proto::alert_id::AlertId;

/// How many characters there are without `AL` and hyphens.
const CHARACTERS: usize = 12;
/// Fewer digits are no way to name something.
const FEWEST_DIGITS: usize = 4;
/// A disclosure's id has no more.
const MOST_DIGITS: usize = 32;

/// The id that was meant: small letters, full-width ones, other dashes and the look-alikes O, I and L
/// are read as what they must be.
///
/// # Errors
/// What an id looks like, for the person who typed something else.
pub fn alert_id(typed: &str) -> Result<AlertId, String> {
    let characters: Vec<char> = typed.chars().map(narrow).filter(|c| !is_gap(*c)).collect();
    let meant = match &characters[..] {
        ['A', 'L', rest @ ..] if rest.len() == CHARACTERS => rest,
        all => all,
    };
    let meant: Vec<char> = meant.iter().map(|c| told_apart(*c)).collect();
    let groups: Vec<String> = meant.chunks(4).map(|group| group.iter().collect()).collect();
    format!("AL-{}", groups.join("-")).parse::<AlertId>().map_err(|error| error.to_string())
}

/// The first digits of a disclosure's id, as ids are written.
///
/// # Errors
/// How an id is given, for the person who typed something else.
pub fn first_digits(typed: &str) -> Result<String, String> {
    let digits = typed.trim().to_ascii_lowercase();
    let enough = (FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len());
    if !enough || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("an id is given by its first {FEWEST_DIGITS} or more digits"));
    }
    Ok(digits)
}

/// The capital letter or digit that a full-width or small one stands for.
fn narrow(character: char) -> char {
    let plain = match u32::from(character) {
        wide @ 0xFF01..=0xFF5E => char::from_u32(wide - 0xFEE0).unwrap_or(character),
        _ => character,
    };
    plain.to_ascii_uppercase()
}

fn is_gap(character: char) -> bool {
    character.is_whitespace() || matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Crockford's reading of the letters that his alphabet leaves out.
fn told_apart(character: char) -> char {
    match character {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_however_it_was_written_down() {
        for typed in [
            "AL-0123-ABCD-XY19",
            "al-0123-abcd-xy19",
            "0123-abcd-xy19",
            "0123ABCDXY19",
            " AL 0123 ABCD XY19 ",
            "AL-OI23-ABCD-XYl9",
            "ＡＬ－０１２３－ＡＢＣＤ－ＸＹ１９",
            "AL—0123—ABCD—XY19",
        ] {
            let id = alert_id(typed).map(String::from);
            assert_eq!(id.as_deref(), Ok("AL-0123-ABCD-XY19"), "{typed}");
        }
    }

    #[test]
    fn an_id_that_begins_with_look_alikes_of_the_mark_keeps_them() {
        let id = alert_id("AL23-ABCD-XY19").map(String::from);
        assert_eq!(id.as_deref(), Ok("AL-A123-ABCD-XY19"));
    }

    #[test]
    fn a_disclosure_is_named_by_enough_digits() {
        assert_eq!(first_digits(" 0AbC ").as_deref(), Ok("0abc"));
        assert_eq!(first_digits(&"5c".repeat(16)), Ok("5c".repeat(16)));
        for typed in ["", "0ab", "0abg", "AL-0123-ABCD-XY19", "5c ".repeat(16).as_str()] {
            assert!(first_digits(typed).is_err(), "{typed}");
        }
        assert!(first_digits(&"5".repeat(33)).is_err(), "no id is so long");
    }

    #[test]
    fn what_cannot_be_an_id_is_refused_with_what_one_looks_like() {
        for typed in ["", "AL-", "0123-ABCD", "AL-0123-ABCD-XYU9", "AL-0123-ABCD-XY19-0", "李娜"]
        {
            let refused = alert_id(typed).expect_err(typed);
            assert!(refused.contains("AL-XXXX-XXXX-XXXX"), "{refused}");
        }
    }
}
