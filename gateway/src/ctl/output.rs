//! How an answer is written: one JSON document, tables with borders and colour for a terminal, or
//! the same columns plain and aligned for a pipe.
//!
//! What the columns hold is the commands' business.

use std::io::Write;

use comfy_table::{
    Cell, CellAlignment, Color, ContentArrangement, Table,
    presets::{NOTHING, UTF8_FULL_CONDENSED},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    failure::Failure,
    words::{self, Lang, Phrase},
};

/// The form of what goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One document.
    Json,
    /// Aligned columns without ornament.
    Plain,
    /// Borders, wrapped to the terminal's width.
    Terminal {
        /// Whether states are coloured.
        colour: bool,
    },
}

/// For whom an answer is written.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// The language of everything that is not JSON.
    pub lang: Lang,
    /// What a reader expects on standard output.
    pub form: Form,
    /// The clock that relative times refer to.
    pub clock: fn() -> Timestamp,
}

/// How good or bad the news in a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Somebody may have to look.
    Doubtful,
    /// Somebody must act.
    Urgent,
    /// Of no concern any more.
    Past,
}

impl Screen {
    /// The answer in the form asked for, ending with a line break.
    pub fn answer(&self, json: impl FnOnce() -> Value, people: impl FnOnce() -> String) -> String {
        let text = match self.form {
            Form::Json => format!("{:#}", json()),
            Form::Plain | Form::Terminal { .. } => people(),
        };
        format!("{}\n", text.trim_end_matches('\n'))
    }

    /// An empty table with these headings.
    pub fn table(&self, headings: &[Phrase]) -> Table {
        let mut table = Table::new();
        table.set_header(headings.iter().map(|heading| self.lang.say(*heading)));
        match self.form {
            Form::Terminal { .. } => {
                table
                    .load_style(UTF8_FULL_CONDENSED)
                    .set_content_arrangement(ContentArrangement::Dynamic);
            }
            Form::Json | Form::Plain => {
                table.load_style(NOTHING).force_no_tty();
                table.column_iter_mut().for_each(|column| {
                    column.set_padding((0, 2));
                });
            }
        }
        table
    }

    /// Columns without headings or borders, also on a terminal.
    pub fn list(&self) -> Table {
        let mut table = Table::new();
        table.load_style(NOTHING).force_no_tty();
        table
    }

    /// The table as text, or words for an empty one.
    pub fn draw(&self, table: &Table) -> String {
        if table.is_empty() {
            return self.lang.say(words::NOTHING).into();
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
    }

    /// Names and values below one another, the values aligned. Empty values are `-`.
    pub fn card(&self, entries: &[(Phrase, String)]) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).force_no_tty();
        for (name, value) in entries {
            let value = if value.is_empty() { "-" } else { value };
            table.add_row([Cell::new(self.lang.say(*name)), cell(value)]);
        }
        table.column_iter_mut().for_each(|column| {
            column.set_padding((0, 2));
        });
        self.draw(&table)
    }

    /// A cell whose colour, on a terminal, tells at a glance what its text says.
    pub fn toned(&self, text: &str, tone: Tone) -> Cell {
        let colour = match tone {
            _ if self.form != (Form::Terminal { colour: true }) => return cell(text),
            Tone::Good => Color::Green,
            Tone::Doubtful => Color::Yellow,
            Tone::Urgent => Color::Red,
            Tone::Past => Color::DarkGrey,
        };
        cell(text).fg(colour)
    }
}

/// A cell of text from elsewhere.
pub fn cell(text: &str) -> Cell {
    Cell::new_owned(harmless(text))
}

/// A cell with a number of things, in groups of three digits.
pub fn number_cell(number: u64) -> Cell {
    Cell::new_owned(grouped(number)).set_alignment(CellAlignment::Right)
}

/// The number in groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text on one line without control characters: a label or a peer's words must not be able to
/// steer the reader's terminal.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Writes at once, so that a reader of a pipe waits for nothing.
///
/// # Errors
/// Why it cannot be written, e.g. a full disk.
pub fn write_out(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn screen(form: Form, lang: Lang) -> Screen {
        Screen { lang, form, clock: || "2026-11-24T12:00:00Z".parse().expect("a timestamp") }
    }

    #[test]
    fn a_pipe_gets_aligned_columns_without_borders_or_trailing_blanks() {
        let screen = screen(Form::Plain, Lang::Zh);
        let mut table = screen.table(&[words::AGENCY, words::ROWS]);
        table.add_row([cell("民政局"), number_cell(9_500_000)]);
        table.add_row([cell("tax"), number_cell(12)]);
        assert_eq!(screen.draw(&table), "部门    行数\n民政局  9,500,000\ntax            12");
    }

    #[test]
    fn a_terminal_gets_borders() {
        let screen = screen(Form::Terminal { colour: false }, Lang::En);
        let mut table = screen.table(&[words::AGENCY]);
        table.add_row([cell("tax")]);
        assert!(screen.draw(&table).starts_with('┌'));
    }

    #[test]
    fn nothing_is_said_in_words() {
        let screen = screen(Form::Plain, Lang::En);
        assert_eq!(screen.draw(&screen.table(&[words::AGENCY])), "Nothing to show.");
    }

    #[test]
    fn words_of_a_peer_cannot_steer_the_terminal() {
        assert_eq!(harmless("\u{1b}[2Jgone\nnext"), " [2Jgone next");
    }

    #[test]
    fn json_is_one_document_whatever_the_language() {
        let screen = screen(Form::Json, Lang::Zh);
        let text = screen.answer(|| json!({ "rules": 3 }), || "unused".into());
        assert_eq!(text, "{\n  \"rules\": 3\n}\n");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (510_000, "510,000")] {
            assert_eq!(grouped(number), text);
        }
    }
}
