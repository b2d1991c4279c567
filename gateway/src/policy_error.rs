//! What is wrong with a policy, and where: one sentence that says how to mend it.
//!
//! Owns positions and sentences. The fault is always the policy author's.

use std::{collections::BTreeSet, ops::Range};

use toml::Spanned;

/// The first fault of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {sentence}")]
pub struct PolicyError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub sentence: String,
}

/// A fault before its byte offset is turned into line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) sentence: String,
}

impl Fault {
    pub(crate) fn new(offset: usize, sentence: impl Into<String>) -> Self {
        Self { offset, sentence: sentence.into() }
    }

    /// A fault of one value.
    pub(crate) fn of<T>(value: &Spanned<T>, sentence: impl Into<String>) -> Self {
        Self::new(value.span().start, sentence)
    }

    /// A fault that the TOML reader found.
    pub(crate) fn of_toml(error: &toml::de::Error) -> Self {
        let Range { start, .. } = error.span().unwrap_or_default();
        Self::new(start, toml_sentence(error.message()))
    }

    pub(crate) fn within(self, text: &str) -> PolicyError {
        let before = text.get(..self.offset).unwrap_or(text);
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        PolicyError {
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            sentence: self.sentence,
        }
    }
}

/// That nothing of this kind has this name, and what was probably meant.
pub(crate) fn no_such<'a>(
    kind: &str,
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    format!("there is no {kind} `{found}`; {}", expected(found, &known))
}

/// Refuses a second entry with the same name.
pub(crate) fn unique<'a>(
    seen: &mut BTreeSet<&'a str>,
    kind: &str,
    name: &'a Spanned<String>,
) -> Result<(), Fault> {
    if seen.insert(name.get_ref()) {
        return Ok(());
    }
    let (again, article) = (name.get_ref(), if kind.starts_with('a') { "an" } else { "a" });
    let sentence = format!("there already is {article} {kind} `{again}`; expected another name");
    Err(Fault::of(name, sentence))
}

fn expected(found: &str, known: &[&str]) -> String {
    if let Some(nearest) = nearest(found, known) {
        return format!("did you mean `{nearest}`?");
    }
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [] => "none is declared".into(),
        [only] => format!("expected {only}"),
        some if some.len() <= 12 => format!("expected one of {}", some.join(", ")),
        many => format!("expected one of the {} that are declared", many.len()),
    }
}

fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = ((found.chars().count() + 1) / 3).min(3);
    let ranked = known.iter().map(|&name| (distance(found, name), name));
    ranked.filter(|(distance, _)| *distance <= close).min().map(|(_, name)| name)
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The TOML reader's message as one of our sentences. It names what it found first and what it
/// expected after that, each in backticks.
fn toml_sentence(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut quoted = message.split('`').skip(1).step_by(2);
    let found = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    if message.starts_with("unknown field") {
        format!("there is no key `{found}` here; {}", expected(found, &known))
    } else if message.starts_with("unknown variant") {
        format!("there is no value `{found}` here; {}", expected(found, &known))
    } else if message.starts_with("missing field") {
        format!("the key `{found}` is missing here")
    } else {
        message.replace("expected u8", "expected a whole number up to 255")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_is_recognised_and_another_word_is_not() {
        let known = ["homes", "non_residential"];
        assert_eq!(nearest("home", &known), Some("homes"));
        assert_eq!(nearest("hmoes", &known), Some("homes"));
        assert_eq!(nearest("non_residental", &known), Some("non_residential"));
        assert_eq!(nearest("houses", &known), Some("homes"));
        assert_eq!(nearest("cars", &known), None);
        assert_eq!(nearest("", &known), None);
    }

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\n民政 = x";
        let at = text.find('x').expect("it is there");
        let error = Fault::new(at, "no").within(text);
        assert_eq!((error.line, error.column), (2, 6));
        assert_eq!(error.to_string(), "line 2, column 6: no");
    }
}
