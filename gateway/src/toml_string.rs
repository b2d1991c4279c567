//! Where a byte of a TOML string's value stands in the file: expressions are checked after the
//! quotes and escapes are gone, and their faults are told where they were written.

/// The offset in `raw`, a TOML string with its quotes, of the byte at `decoded` in its value.
pub(crate) fn raw_offset(raw: &str, decoded: usize) -> usize {
    let multi_line = raw.starts_with("\"\"\"") || raw.starts_with("'''");
    let escapes = raw.starts_with('"');
    let mut at = if multi_line { 3 } else { 1 };
    if multi_line {
        let rest = raw.get(at..).unwrap_or_default();
        at += ["\r\n", "\n"].into_iter().find(|end| rest.starts_with(end)).map_or(0, str::len);
    }
    let mut produced = 0;
    loop {
        let rest = raw.get(at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else { return raw.len() };
        let (consumed, yields) = match rest.strip_prefix('\\') {
            Some(escape) if escapes => {
                let (consumed, yields) = unescape(escape);
                (1 + consumed, yields)
            }
            _ => (first.len_utf8(), first.len_utf8()),
        };
        if produced + yields > decoded {
            return at;
        }
        produced += yields;
        at += consumed;
    }
}

/// How many bytes an escape takes after its backslash, and how many it stands for.
fn unescape(escape: &str) -> (usize, usize) {
    let hexadecimal = |digits: usize| {
        let code = escape.get(1..=digits).and_then(|text| u32::from_str_radix(text, 16).ok());
        (1 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    match escape.chars().next() {
        Some('x') => hexadecimal(2),
        Some('u') => hexadecimal(4),
        Some('U') => hexadecimal(8),
        Some(first) if first.is_ascii_whitespace() => {
            (escape.len() - escape.trim_ascii_start().len(), 0)
        }
        Some(first) => (first.len_utf8(), 1),
        None => (0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to write a string whose value is known.
    #[test]
    fn every_character_of_a_value_is_found_where_it_was_written() {
        let cases = [
            (r#""a b""#, "a b"),
            ("'a b'", "a b"),
            (r#""say \"民\" \u6c11 X""#, "say \"民\" 民 X"),
            ("\"\"\"\nfirst\nX\"\"\"", "first\nX"),
            ("\"\"\"a \\\n    X\"\"\"", "a X"),
            ("'''\nC:\\X'''", "C:\\X"),
        ];
        for (raw, value) in cases {
            let parsed: toml::Table = toml::from_str(&format!("k = {raw}")).expect("good TOML");
            assert_eq!(parsed["k"].as_str(), Some(value), "{raw}");
            for (decoded, character) in value.char_indices().filter(|(_, c)| *c == 'X') {
                let at = raw_offset(raw, decoded);
                assert_eq!(raw[at..].chars().next(), Some(character), "{raw}");
            }
            assert_eq!(raw_offset(raw, 0), raw.find(&value[..1]).expect("it is there"));
        }
    }
}
