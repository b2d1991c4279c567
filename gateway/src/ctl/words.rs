//! What the program says to people, in Chinese and English: headings, states, truths, parts of a rule.
//!
//! Owns no sentence about a failure (`failure`) and no wording of times (`moment`).

use clap::ValueEnum;
use proto::wire::{AlertState, DatasetKind, Freshness, Label, RulePart, Truth};

/// The language of everything that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// The same words in Chinese and in English.
pub type Phrase = (&'static str, &'static str);

impl Lang {
    /// The language that a value of `$LANG` asks for; English where it asks for another or for none.
    pub fn of_environment(value: Option<&str>) -> Self {
        match value {
            Some(value) if value.to_ascii_lowercase().starts_with("zh") => Self::Zh,
            _ => Self::En,
        }
    }

    /// The phrase in this language.
    pub fn say(self, (zh, en): Phrase) -> &'static str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The label in this language; failing that in the other; failing that `id`.
    pub fn label<'a>(self, label: Option<&'a Label>, id: &'a str) -> &'a str {
        let Some(label) = label else { return id };
        let (first, second) = match self {
            Self::Zh => (&label.zh, &label.en),
            Self::En => (&label.en, &label.zh),
        };
        [first, second].into_iter().find(|text| !text.is_empty()).map_or(id, |text| text)
    }
}

pub const ALERT: Phrase = ("预警编号", "alert");
pub const STATE: Phrase = ("状态", "state");
pub const RULE: Phrase = ("规则", "rule");
pub const SITUATION: Phrase = ("情形", "situation");
pub const REGION: Phrase = ("区划", "region");
pub const RAISED: Phrase = ("预警时间", "raised");
pub const CHANGED: Phrase = ("变更时间", "changed");
pub const DUE: Phrase = ("办理期限", "due");
pub const ASSIST: Phrase = ("救助措施", "assistance");
pub const VERSION: Phrase = ("版本", "version");
pub const LOG_ENTRY: Phrase = ("日志序号", "log entry");
pub const LOG: Phrase = ("访问日志", "access log");
pub const WITNESS: Phrase = ("日志见证", "witnesses");
pub const WITNESSED: Phrase = ("已经各部门见证", "cosigned by the agencies");
pub const NOT_YET_WITNESSED: Phrase = ("尚未见证", "not yet witnessed");
pub const COSIGNED: Phrase = (
    "{log} 条记录，其中 {cosigned} 条已见证（{at}）；已连接 {connected} 个见证方，需要 {needed} 个",
    "{cosigned} of {log} entries cosigned ({at}); {connected} witnesses connected, {needed} needed",
);
pub const BEHIND: Phrase =
    ("见证滞后：请查看各部门连接", "the witnesses do not keep up: look at the connections");
pub const SUBJECT: Phrase = ("对象假名", "subject");
pub const WHAT: Phrase = ("预警事项", "what");
pub const NO_REGION: Phrase = ("未提供", "not given");

pub const TRUTH: Phrase = ("是否成立", "holds");
pub const FINDING: Phrase = ("依据", "finding");
pub const PREDICATE: Phrase = ("条件", "predicate");
pub const ON_THE_WORD_OF: Phrase = ("数据来源", "on the word of");
pub const AS_OF: Phrase = ("数据时间", "as of");
pub const NO_FINDINGS: Phrase = ("网关未给出依据。", "The gateway gave no findings.");

pub const LABEL: Phrase = ("名称", "label");
pub const NOT_FRESH: Phrase = ("数据过期或未到", "not fresh now");
pub const WHEN: Phrase = ("触发条件", "when");
pub const UNLESS: Phrase = ("排除条件", "unless");
pub const MEANS: Phrase = ("经济条件", "means");
pub const POLICY_VERSION: Phrase = ("策略版本", "policy version");
pub const RULES: Phrase = ("规则数", "rules");
pub const WORKING_DAYS_UNTIL: Phrase = ("工作日历截至", "working days known until");
pub const ADD_A_YEAR: Phrase = (
    "工作日历即将用完或已用完，之后每天都按工作日计算期限。请管理员按国务院办公厅关于下一年部分节假日安排的通知\
     （一般 11 月发布，见 https://www.gov.cn）在策略文件中添加 [[cases.year]]，再运行 gatewayctl rules reload。",
    "The calendar of working days ends before long, or has ended; after that every day counts as a working \
     day. Have the administrator add a [[cases.year]] to the policy by the State Council's notice on the \
     holidays of the next year (usually out in November, at https://www.gov.cn), and run \
     gatewayctl rules reload.",
);

pub const OUTCOME: Phrase = ("结果", "outcome");
pub const PEOPLE: Phrase = ("人数", "people");
pub const ALERTS: Phrase = ("将产生预警", "alert would be raised");
pub const COVERED: Phrase = ("已保障", "covered already");
pub const OVER_MEANS: Phrase = ("超出经济条件", "over means");
pub const PENDING: Phrase = ("待定", "pending");
pub const BASE: Phrase = ("监测总人数", "whole base");
pub const SUPPRESSED: Phrase = (
    "<10：不足 10 人，或公布后可推算出不足 10 人的数字。",
    "<10: fewer than ten people, or a number from which such a number could be computed.",
);

pub const AGENCY: Phrase = ("部门", "agency");
pub const ADDRESS: Phrase = ("地址", "address");
pub const CONNECTION: Phrase = ("连接", "connection");
pub const CONNECTED: Phrase = ("已连接", "connected");
pub const DISCONNECTED: Phrase = ("未连接", "not connected");
pub const SINCE: Phrase = ("起始时间", "since");
pub const PROBLEM: Phrase = ("问题", "problem");
pub const DATASETS: Phrase = ("数据集数", "datasets");
pub const DATASET: Phrase = ("数据集", "dataset");
pub const KIND: Phrase = ("类别", "kind");
pub const FRESHNESS: Phrase = ("时效", "freshness");
pub const ARRIVING: Phrase = ("接收中，已到 {count}", "arriving, {count} so far");
pub const RELEASES: Phrase = (
    "监测数据集 {all} 个，已重新接收 {in} 个；其余接收完成前，其预警保持不变、照常可查。",
    "{in} of {all} watch datasets are released; until the others are, their alerts are served as they stand.",
);
pub const ROWS: Phrase = ("行数", "rows");
pub const UNOPENABLE: Phrase = ("无法打开", "unopenable");
pub const OWNER: Phrase = ("提供方", "owner");
pub const GRANTEE: Phrase = ("被授权方", "grantee");
pub const IN_USE: Phrase = ("使用中", "in use");
pub const PROGRAMME: Phrase = ("项目", "programme");
pub const EPOCH: Phrase = ("密钥周期", "epoch");
pub const IN_FORCE: Phrase = ("现行", "in force");
pub const NEXT_EPOCH: Phrase = ("筹备中", "being prepared");
pub const ENDS: Phrase = ("截止时间", "ends");
pub const WHOLE: Phrase = ("齐备的数据集", "datasets that are whole");
pub const EXPECTED: Phrase = ("本期行数", "rows now");
pub const WAITING_FOR: Phrase = ("等待", "waiting for");
pub const SUITE: Phrase = ("算法套件", "suite");

pub const NOTHING: Phrase = ("没有记录。", "Nothing to show.");
pub const MORE: Phrase =
    ("还有更多预警；请加大 --limit。", "There are more alerts; raise --limit to see them.");

pub const UNKNOWN_WORD: Phrase = ("（本版本不认识）", "(newer than this program)");

/// An alert's state; a number that this program does not know is said to be one.
pub fn state(number: i32) -> Phrase {
    match AlertState::try_from(number) {
        Ok(AlertState::Open) => ("待处理", "open"),
        Ok(AlertState::Pending) => ("待定", "pending"),
        Ok(AlertState::Incomplete) => ("核查不全", "incomplete"),
        Ok(AlertState::Withdrawn) => ("已撤销", "withdrawn"),
        Ok(AlertState::Unspecified) | Err(_) => UNKNOWN_WORD,
    }
}

/// What a predicate came to.
pub fn truth(number: i32) -> Phrase {
    match Truth::try_from(number) {
        Ok(Truth::True) => ("是", "yes"),
        Ok(Truth::False) => ("否", "no"),
        // Whatever is not known to be one or the other must not read as "no".
        Ok(Truth::Unknown | Truth::Unspecified) | Err(_) => ("未知", "unknown"),
    }
}

/// The question that a part of a rule answers.
pub fn part(part: RulePart) -> Phrase {
    match part {
        RulePart::When => ("触发条件：困难情形是否出现", "When: has the situation occurred?"),
        RulePart::Unless => ("排除条件：是否已有保障", "Unless: is there help already?"),
        RulePart::Means => ("经济条件：家庭是否困难", "Means: is the household in need?"),
        RulePart::Unspecified => ("其他", "Other"),
    }
}

/// What a dataset is for.
pub fn kind(number: i32) -> Phrase {
    match DatasetKind::try_from(number) {
        Ok(DatasetKind::Watch) => ("监测", "watch"),
        Ok(DatasetKind::CrossCheck) => ("比对", "cross-check"),
        Ok(DatasetKind::Unspecified) | Err(_) => UNKNOWN_WORD,
    }
}

/// Whether a dataset's answers count.
pub fn freshness(number: i32) -> Phrase {
    match Freshness::try_from(number) {
        Ok(Freshness::Fresh) => ("有效", "fresh"),
        Ok(Freshness::Stale) => ("过期", "stale"),
        Ok(Freshness::Missing) => ("未收到", "missing"),
        Ok(Freshness::Unspecified) | Err(_) => UNKNOWN_WORD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_follows_the_environment_and_is_english_by_default() {
        assert_eq!(Lang::of_environment(Some("zh_CN.UTF-8")), Lang::Zh);
        assert_eq!(Lang::of_environment(Some("de_DE.UTF-8")), Lang::En);
        assert_eq!(Lang::of_environment(None), Lang::En);
    }

    #[test]
    fn a_label_missing_in_one_language_is_shown_in_the_other() {
        let label = Label { zh: "残疾".into(), en: String::new() };
        assert_eq!(Lang::En.label(Some(&label), "id"), "残疾");
        assert_eq!(Lang::En.label(Some(&Label::default()), "id"), "id");
        assert_eq!(Lang::Zh.label(None, "id"), "id");
    }

    #[test]
    fn an_unknown_truth_never_reads_as_no() {
        for number in [0, 3, 77] {
            assert_eq!(Lang::En.say(truth(number)), "unknown");
        }
    }
}
