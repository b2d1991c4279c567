//! What the lines of statistics are called.

use proto::wire::StatisticsLine;

use crate::words::{Lang, Phrase};

/// The words of PROTOCOL.md section 23.
const TERMS: [(&str, Phrase); 26] = [
    ("total", ("合计", "total")),
    ("a", ("A 类（已保障）", "class A (covered)")),
    ("b", ("B 类（可能困难）", "class B (may be in difficulty)")),
    ("neither", ("不涉及", "neither")),
    ("judged", ("已认定", "judged")),
    ("right", ("预警准确", "the rule was right")),
    ("wrong", ("预警不准", "the rule was wrong")),
    ("dibao", ("低保", "subsistence allowance (dibao)")),
    ("marginal", ("低保边缘", "marginal to the subsistence allowance")),
    ("rigid_expenditure", ("刚性支出困难", "in difficulty by unavoidable spending")),
    ("temporary_relief", ("临时救助", "temporary relief")),
    ("referral", ("转介", "referred to another agency")),
    ("other_help", ("其他帮扶", "other help")),
    ("no_need", ("无需救助", "no need")),
    ("not_found", ("查无此人", "not found")),
    ("money", ("现金", "money")),
    ("goods", ("实物", "goods")),
    ("service", ("服务", "services")),
    ("time_bank", ("时间银行", "time bank")),
    ("screening", ("排查情况", "Screening")),
    ("raised", ("预警数", "Alerts raised")),
    ("outcomes", ("走访认定结果", "Outcomes")),
    ("assistance", ("救助次数", "Assistance given")),
    ("", ("区划未提供", "region not given")),
    ("precision", ("准确率", "precision")),
    ("visits", ("从预警到走访（小时）", "From alert to visit, hours")),
];

/// What a line is called: as it is labelled, by the protocol's word, or by its id.
pub fn line(line: &StatisticsLine, lang: Lang) -> &str {
    match &line.label {
        Some(label) => lang.label(Some(label), &line.id),
        None => term(&line.id, lang),
    }
}

/// What a word is called; a word that this program does not know is its own name.
pub fn term(word: &str, lang: Lang) -> &str {
    let found = TERMS.iter().find(|(known, _)| *known == word);
    found.map_or(word, |(_, phrase)| lang.say(*phrase))
}
