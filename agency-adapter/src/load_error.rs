//! Why a whole file cannot be loaded: the file, the cause and how to mend it.
//!
//! Single rows are refused with `reject`. Cells are never shown; headers are, once they have proved to
//! be headers.

use std::{fmt, io, path::PathBuf};

use crate::{dataset_config::ConfigError, lang::Lang, reject::Reject};

/// Why a file cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The configuration is at fault.
    Config(ConfigError),
    /// The file cannot be opened or read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The file begins with the mark of another encoding.
    OtherEncoding {
        /// The file.
        file: PathBuf,
        /// The encoding of the mark.
        found: &'static str,
    },
    /// There is nothing in the file.
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// None of the needed columns is in the first line.
    NoHeader {
        /// The file.
        file: PathBuf,
        /// The columns that the configuration names.
        needed: Vec<String>,
    },
    /// Some of the needed columns are not in the header.
    MissingColumns {
        /// The file.
        file: PathBuf,
        /// The columns that are not there.
        missing: Vec<String>,
        /// The columns that are.
        found: Vec<String>,
    },
    /// A needed column is in the header more than once.
    ColumnTwice {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
    },
    /// A quoted cell does not end.
    EndlessRow {
        /// The file.
        file: PathBuf,
        /// The row in which it begins.
        row: u64,
    },
    /// Lines end in another way than rows do.
    LineEnds {
        /// The file.
        file: PathBuf,
    },
    /// Somebody wrote to the file while it was read.
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// There are rows, and none or only the smaller part could be used.
    Refused {
        /// The file.
        file: PathBuf,
        /// How many rows could not.
        refused: u64,
        /// Of so many.
        of: u64,
        /// Why most of them were refused.
        mostly: Reject,
    },
    /// There are fewer people than the configuration says there must be.
    TooFew {
        /// The file.
        file: PathBuf,
        /// How many there are.
        people: u64,
        /// How many there must be.
        fewest: u64,
    },
    /// There are far fewer people than are published.
    Shrunk {
        /// The file.
        file: PathBuf,
        /// How many there are.
        people: u64,
        /// How many are published.
        published: u64,
    },
    /// So many identifiers end in 000 that a spreadsheet must have rounded them.
    Rounded {
        /// The file.
        file: PathBuf,
        /// How many end in 000.
        ids: u64,
        /// Of so many.
        of: u64,
    },
}

impl LoadError {
    /// What happened and how to mend it, in one or two sentences.
    pub fn text(&self, lang: Lang) -> String {
        match self.file() {
            Some(file) => lang.pick(
                format!("文件 {}：{}", file.display(), self.chinese()),
                format!("file {}: {}", file.display(), self.english()),
            ),
            None => lang.pick(self.chinese(), self.english()),
        }
    }

    fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Config(_) => None,
            Self::Unreadable { file, .. }
            | Self::OtherEncoding { file, .. }
            | Self::Empty { file }
            | Self::NoHeader { file, .. }
            | Self::MissingColumns { file, .. }
            | Self::ColumnTwice { file, .. }
            | Self::EndlessRow { file, .. }
            | Self::LineEnds { file }
            | Self::Changed { file }
            | Self::Refused { file, .. }
            | Self::TooFew { file, .. }
            | Self::Shrunk { file, .. }
            | Self::Rounded { file, .. } => Some(file),
        }
    }

    fn chinese(&self) -> String {
        match self {
            Self::Config(error) => format!("配置有误：{error}"),
            Self::Unreadable { cause, .. } => {
                format!("无法读取（{cause}）。请核对 csv 路径，并确认本程序的用户有读取权限。")
            }
            Self::OtherEncoding { found, .. } => {
                format!(
                    "文件开头的标记表明编码为 {found}，与 encoding 设置不符。{}",
                    chinese_mark(found)
                )
            }
            Self::Empty { .. } => "文件为空。请重新导出，首行应为表头。".into(),
            Self::NoHeader { needed, .. } => format!(
                "首行中没有任何所需的列（{}）。请确认首行为表头，并核对 encoding 和 delimiter 设置。",
                needed.join("、")
            ),
            Self::MissingColumns { missing, found, .. } => format!(
                "表头缺少列：{}；现有列：{}。请重新导出，或更改配置中的列名。",
                missing.join("、"),
                found.join("、")
            ),
            Self::ColumnTwice { column, .. } => {
                format!("表头中“{column}”出现多次，无法确定用哪一列。请改名后重新导出。")
            }
            Self::EndlessRow { row, .. } => {
                format!("第 {row} 行起的引号没有结束。请补上或删除该引号，或重新导出。")
            }
            Self::LineEnds { .. } => {
                "表头中有单独的回车符，整个文件会被当作一行。请以换行符（LF 或 CRLF）结束各行后重新导出。"
                    .into()
            }
            Self::Changed { .. } => {
                "读取期间文件被改写。已放弃本次读取，下次会重试：请先以其他文件名导出，完成后再改名。"
                    .into()
            }
            Self::Refused { refused, of, mostly, .. } => format!(
                "{of} 行中有 {refused} 行未采用，已放弃本次读取，原有数据保持不变。多数原因为 {mostly}：{}",
                mostly.sentence(Lang::Zh)
            ),
            Self::TooFew { people, fewest, .. } => format!(
                "只有 {people} 人，而配置要求 fewest_people = {fewest}。已放弃本次读取，原有数据保持不变。\
                 请核对导出是否完整；如人数确已减少，请调低该值。"
            ),
            Self::Shrunk { people, published, .. } => format!(
                "只有 {people} 人，不及已发布的 {published} 人的一半。已放弃本次读取，原有数据保持不变。\
                 请核对导出是否完整；如人数确已减少，请在 adapter.toml 中设置 fewest_people。"
            ),
            Self::Rounded { ids, of, .. } => format!(
                "{of} 个证件号中有 {ids} 个以000结尾，说明号码曾被电子表格按数值保存而损坏，\
                 部分损坏的号码仍能通过校验。已中止：请将该列设为文本后从源系统重新导出。"
            ),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::Config(error) => error.to_string(),
            Self::Unreadable { cause, .. } => format!(
                "cannot be read ({cause}). Check `csv`, and that this program's user may read it."
            ),
            Self::OtherEncoding { found, .. } => {
                let mending = match *found {
                    "utf-16" => "Save the file as UTF-8 and set `encoding = \"utf-8\"`.".into(),
                    found => format!("Set `encoding = \"{found}\"`."),
                };
                format!("begins with the mark of {found}, which is not its `encoding`. {mending}")
            }
            Self::Empty { .. } => {
                "is empty. Export it again, with a header in its first row.".into()
            }
            Self::NoHeader { needed, .. } => format!(
                "has none of the needed columns ({}) in its first row. Check that this row is the \
                 header, and check `encoding` and `delimiter`.",
                needed.join(", ")
            ),
            Self::MissingColumns { missing, found, .. } => format!(
                "lacks the columns {}; it has {}. Export it again, or change the names in \
                 adapter.toml.",
                missing.join(", "),
                found.join(", ")
            ),
            Self::ColumnTwice { column, .. } => format!(
                "has the column {column} more than once. Rename all but one and export it again."
            ),
            Self::EndlessRow { row, .. } => format!(
                "has a quote in or after row {row} that never closes. Close or remove it, or export \
                 the file again."
            ),
            Self::LineEnds { .. } => {
                "has a carriage return in its header, so that all of it would be one row. Export it \
                 again with line ends of LF or CRLF."
                    .into()
            }
            Self::Changed { .. } => {
                "was written to while it was read. Nothing was loaded; the next reading tries again. \
                 Export it under another name, and rename it when it is whole."
                    .into()
            }
            Self::Refused { refused, of, mostly, .. } => format!(
                "{refused} of its {of} rows were refused; nothing was loaded. Most for {mostly}: {}",
                mostly.sentence(Lang::En)
            ),
            Self::TooFew { people, fewest, .. } => format!(
                "has {people} people, and adapter.toml says `fewest_people = {fewest}`; nothing was \
                 loaded. Check that the export is whole; if there are so few now, lower that number."
            ),
            Self::Shrunk { people, published, .. } => format!(
                "has {people} people, less than half of the {published} that are published; nothing was \
                 loaded. Check that the export is whole; if there are so few now, set `fewest_people` in \
                 adapter.toml."
            ),
            Self::Rounded { ids, of, .. } => format!(
                "{ids} of {of} identifiers end in 000: a spreadsheet has rounded them, and some of \
                 the damaged ones still pass their check. Nothing was loaded. Export the column \
                 again from its source, as text."
            ),
        }
    }
}

fn chinese_mark(found: &str) -> String {
    match found {
        "utf-16" => "请另存为 UTF-8，并设置 encoding = \"utf-8\"。".into(),
        found => format!("请设置 encoding = \"{found}\"。"),
    }
}

impl From<ConfigError> for LoadError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl std::error::Error for LoadError {}
