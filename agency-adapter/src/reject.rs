//! Why a row is refused: a closed set of codes, and for each a sentence that says what to do.
//!
//! A refusal never carries the value that was refused; row numbers are the load report's business.

use std::fmt;

use serde::Serialize;

use crate::lang::Lang;

/// Why a row is refused. Codes are stable: people filter reports by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reject {
    /// Bytes that the declared encoding does not have.
    Encoding,
    /// Another number of cells than the header has.
    Columns,
    /// A stand-in for a number that somebody did not have.
    Placeholder,
    /// A spreadsheet kept the first 15 digits only.
    Precision,
    /// A character that this kind of number does not have.
    Char,
    /// Too short or too long.
    Length,
    /// The leading digits name no province.
    Region,
    /// The date of birth does not exist or is before 1850.
    Date,
    /// The date of birth is after today.
    Future,
    /// Sequence number 000, which is never issued.
    Sequence,
    /// The check character does not fit the rest.
    Checksum,
    /// A passport without a two- or three-letter country.
    Country,
    /// A disability certificate without a category from 1 to 7 and a level from 1 to 4.
    Category,
}

impl Reject {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 13] = [
        Self::Encoding,
        Self::Columns,
        Self::Placeholder,
        Self::Precision,
        Self::Char,
        Self::Length,
        Self::Region,
        Self::Date,
        Self::Future,
        Self::Sequence,
        Self::Checksum,
        Self::Country,
        Self::Category,
    ];

    /// The stable code, e.g. `CHECKSUM`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Encoding => "ENCODING",
            Self::Columns => "COLUMNS",
            Self::Placeholder => "PLACEHOLDER",
            Self::Precision => "PRECISION",
            Self::Char => "CHAR",
            Self::Length => "LENGTH",
            Self::Region => "REGION",
            Self::Date => "DATE",
            Self::Future => "FUTURE",
            Self::Sequence => "SEQUENCE",
            Self::Checksum => "CHECKSUM",
            Self::Country => "COUNTRY",
            Self::Category => "CATEGORY",
        }
    }

    /// What is wrong and what to do, in one sentence.
    pub fn sentence(self, lang: Lang) -> &'static str {
        lang.pick(self.chinese(), self.english())
    }

    fn chinese(self) -> &'static str {
        match self {
            Self::Encoding => {
                "该行含有所声明编码中不存在的字节：请核对 encoding 设置，或重新导出。"
            }
            Self::Columns => "该行单元格数与表头不一致：请检查多余或缺少的分隔符和引号。",
            Self::Placeholder => "证件号是占位内容（空、无、连续或相同数字）：请补录真实号码。",
            Self::Precision => {
                "证件号被电子表格按数值保存而丢失末位：请将该列设为文本后从源系统重新导出。"
            }
            Self::Char => "证件号含有该类型不应有的字符：请在源系统更正，不要用 * 遮盖。",
            Self::Length => "证件号位数与该类型不符：请核对号码，或核对该列声明的证件类型。",
            Self::Region => {
                "证件号开头不是该类型的地区代码：请核对号码，或核对该列声明的证件类型。"
            }
            Self::Date => "证件号中的出生日期不存在或早于1850年：请对照证件更正。",
            Self::Future => "证件号中的出生日期晚于今天：请对照证件更正，并核对本机日期。",
            Self::Sequence => "证件号顺序码为000，不会签发：请对照证件更正。",
            Self::Checksum => "证件号校验位不符，多为录入错误：请对照证件更正。",
            Self::Country => "护照缺少两位或三位字母的国家代码：请补充国家列或 country 设置。",
            Self::Category => "残疾人证号缺少1至7的类别或1至4的等级：请对照证件更正。",
        }
    }

    fn english(self) -> &'static str {
        match self {
            Self::Encoding => {
                "The row has bytes that the declared encoding lacks: check `encoding`, or export again."
            }
            Self::Columns => {
                "The row's cells do not match the header: look for a stray or missing delimiter or quote."
            }
            Self::Placeholder => "The number is a placeholder: enter the real one at the source.",
            Self::Precision => {
                "A spreadsheet cut the number's last digits: export the column again, as text."
            }
            Self::Char => {
                "The number has a character that its type does not allow: correct it at the source, unmasked."
            }
            Self::Length => {
                "The number is too short or too long: check it, and the type declared for the column."
            }
            Self::Region => {
                "The number begins with no region of its type: check it, and the type declared for the column."
            }
            Self::Date => {
                "The number's date of birth does not exist or is before 1850: correct it from the document."
            }
            Self::Future => {
                "The number's date of birth is after today: correct it, and check this machine's date."
            }
            Self::Sequence => {
                "The number's sequence is 000, which is never issued: correct it from the document."
            }
            Self::Checksum => {
                "The check digit does not fit, mostly a typing error: correct it from the document."
            }
            Self::Country => {
                "The passport has no two- or three-letter country: add a country column or setting."
            }
            Self::Category => {
                "The certificate lacks a category 1-7 or a level 1-4: correct it from the document."
            }
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_stable_listed_once_and_explained_in_both_languages() {
        for (place, reject) in Reject::ALL.into_iter().enumerate() {
            assert_eq!(reject as usize, place, "{reject} is listed in its place");
            let json = serde_json::to_string(&reject).expect("serialises");
            assert_eq!(json, format!("\"{reject}\""));
            assert!(reject.sentence(Lang::Zh).contains('：'), "{reject} says what to do");
            assert!(reject.sentence(Lang::En).contains(':'), "{reject} says what to do");
        }
    }
}
