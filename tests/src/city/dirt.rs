//! How numbers are mistyped, mangled and truncated in real files: forms that still say who is meant,
//! and rows of nobody that a reader must refuse.

use std::collections::BTreeMap;

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::number::with_check;

/// Stands in a line for bytes that no decoder accepts; no file holds it otherwise.
pub(super) const UNDECODABLE: &str = "@@BYTES@@";

/// A row that a correct reader refuses, and the reason in the words of the identifier rules.
pub(super) struct Refused {
    pub(super) reason: &'static str,
    pub(super) identifier: String,
    /// Columns too many (or, negative, too few).
    pub(super) columns: i8,
}

/// A written form that means exactly `id`.
pub(super) fn disguise(id: &str, rng: &mut ChaCha8Rng) -> String {
    let (front, check) = id.split_at(17);
    let spaced = |mark: &str| format!("{}{mark}{}{mark}{}", &id[..6], &id[6..14], &id[14..]);
    match rng.random_range(0..12) {
        0 => spaced("-"),
        1 => spaced(" "),
        2 => full_width(id),
        3 => format!("'{id}"),
        4 => format!("=\"{id}\""),
        5 => spaced("\u{200B}"),
        6 => format!("\u{3000}{id}\u{A0}"),
        7 => format!("\t{id} "),
        8 => format!("\u{FEFF}{id}"),
        _ if !check.starts_with('X') => format!(" {id}"),
        _ => {
            let alike = ['x', 'Х', 'х', 'Χ', 'χ', '×', 'Ⅹ', 'ｘ', 'Ｘ'];
            format!("{front}{}", alike.choose(rng).expect("not empty"))
        }
    }
}

fn full_width(id: &str) -> String {
    let wide = |c: char| char::from_u32(u32::from(c) + 0xFEE0).expect("ASCII has a wide form");
    id.chars().map(wide).collect()
}

/// The `turn`th way in which a number can be beyond repair. Only files of a thousand rows may
/// hold one that Excel has rounded: in a small one it would pass for wholesale damage.
pub(super) fn refused(turn: usize, large: bool, rng: &mut ChaCha8Rng) -> Refused {
    let day =
        format!("{:04}{:02}{:02}", rng.random_range(1940..2010), turn % 12 + 1, 1 + turn % 28);
    let seventeen = format!("320199{day}{:03}", rng.random_range(1..900));
    let good = with_check(&seventeen);
    let refused = |reason, identifier: String| Refused { reason, identifier, columns: 0 };
    let with_date = |date| with_check(&format!("320199{date}{}", &seventeen[14..]));
    match turn % 24 {
        0 => {
            let wrong = if good.ends_with('1') { '2' } else { '1' };
            refused("checksum", format!("{seventeen}{wrong}"))
        }
        1 => refused("date", with_date("19800230")),
        2 => refused("date", with_date("20011301")),
        3 => refused("future", with_date("20990101")),
        4 => refused("placeholder", String::new()),
        5 => refused("placeholder", "无".into()),
        6 => refused("placeholder", "不详".into()),
        7 => refused("placeholder", "/".into()),
        8 => refused("placeholder", "1".repeat(18)),
        9 => refused("placeholder", "123456789012345678".into()),
        10 => refused("region", with_check(&format!("990101{day}{}", &seventeen[14..]))),
        11 => refused("sequence", with_check(&format!("320199{day}000"))),
        12 => refused("character", format!("{seventeen}*")),
        13 => refused("character", format!("{}Х{}", &good[..4], &good[5..])),
        14 => refused("character", format!("{}O{}", &good[..10], &good[11..])),
        15 => refused("precision", "3.20199E+17".into()),
        16 if large => refused("precision", format!("{}0000", &seventeen[..14])),
        17 => refused("length", seventeen),
        18 => refused("length", format!("{good}1")),
        19 => refused("date", format!("320199{}0231{}", &day[2..4], &seventeen[14..])),
        20 => refused("encoding", UNDECODABLE.into()),
        21 => Refused { reason: "columns", identifier: good, columns: -1 },
        22 => Refused { reason: "columns", identifier: good, columns: 1 },
        _ => refused("date", with_date("18490101")),
    }
}

/// How often each reason occurs.
pub type Reasons = BTreeMap<&'static str, usize>;
