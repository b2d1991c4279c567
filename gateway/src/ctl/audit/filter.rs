//! Which entries an auditor looks for. The gateway sends all of a span of time and never learns more.

use clap::{Args, ValueEnum, builder::PossibleValuesParser};
use jiff::Timestamp;
use proto::{
    act::WORDS,
    alert_id::AlertId,
    entry::{Actor, Entry},
    name::{AgencyId, DatasetId, RuleId},
};

use crate::{
    arguments::Keys,
    failure::Failure,
    moment::{range_end, range_start},
    typed_id::{alert_id, first_digits},
};

/// Which entries, and whose keys prove them.
#[derive(Debug, Default, Clone, Args)]
pub struct Chosen {
    /// From this day or RFC 3339 time on / 时间起
    #[arg(long, value_name = "TIME", value_parser = range_start)]
    pub from: Option<Timestamp>,
    /// Before this RFC 3339 time, or until the end of this day / 时间止（含当日）
    #[arg(long, value_name = "TIME", value_parser = range_end)]
    pub until: Option<Timestamp>,
    /// Acts of the gateway itself, of any officer or agency, or of callers whose certificate names nobody
    /// of this programme / 操作者类别：网关、工作人员、部门、未知
    #[arg(long, value_enum, value_name = "KIND")]
    pub actor: Option<ActorKind>,
    /// Acts of this officer / 工作人员
    #[arg(long, value_name = "ID")]
    pub officer: Option<AgencyId>,
    /// Acts of or about this agency / 部门
    #[arg(long, value_name = "ID")]
    pub agency: Option<AgencyId>,
    /// Acts about this dataset / 数据集
    #[arg(long, value_name = "ID")]
    pub dataset: Option<DatasetId>,
    /// What was done, e.g. alert_read / 操作
    #[arg(long, value_name = "ACTION", value_parser = PossibleValuesParser::new(WORDS))]
    pub action: Option<String>,
    /// Acts that changed or showed this alert / 预警编号
    #[arg(long, value_name = "ID", value_parser = alert_id)]
    pub alert: Option<AlertId>,
    /// Acts about this disclosure, by the first digits of its id / 披露申请编号的前几位
    #[arg(long, value_name = "ID", value_parser = first_digits)]
    pub disclosure: Option<String>,
    /// Acts about this rule / 规则编号
    #[arg(long, value_name = "ID")]
    pub rule: Option<RuleId>,
    /// Whose keys prove them.
    #[command(flatten)]
    pub keys: Keys,
}

/// What kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActorKind {
    /// The gateway itself / 网关
    Gateway,
    /// A member of staff / 工作人员
    Officer,
    /// An agency / 部门
    Agency,
    /// Somebody whose certificate names nobody of this programme / 证书不属于本项目者
    Unknown,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Export {
    /// One JSON object a line, with the entry's bytes as they were hashed.
    Jsonl,
    /// A table for a spreadsheet.
    Csv,
}

impl Chosen {
    /// Demands that some time can be between the two.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn check(&self) -> Result<(), Failure> {
        match (self.from, self.until) {
            (Some(from), Some(until)) if from >= until => {
                Err(Failure::Usage("--from is not before --until".into()))
            }
            _ => Ok(()),
        }
    }

    /// Whether an entry is one of those looked for.
    pub fn takes(&self, entry: &Entry) -> bool {
        let act = entry.act();
        let by_officer = |id: &AgencyId| *entry.by() == Actor::Officer(id.clone());
        let of_agency = |id: &AgencyId| {
            act.agencies().contains(&id) || *entry.by() == Actor::Agency(id.clone())
        };
        let about_disclosure = |digits: &String| {
            act.disclosure().is_some_and(|id| id.to_string().starts_with(digits.as_str()))
        };
        let is = |wanted: Option<bool>| wanted.unwrap_or(true);
        self.is_within(entry.at())
            && is(self.actor.map(|kind| kind.takes(entry.by())))
            && is(self.officer.as_ref().map(by_officer))
            && is(self.agency.as_ref().map(of_agency))
            && is(self.dataset.as_ref().map(|id| act.datasets().contains(id)))
            && is(self.action.as_ref().map(|word| act.word() == word))
            && is(self.alert.as_ref().map(|id| act.alerts().contains(id)))
            && is(self.disclosure.as_ref().map(about_disclosure))
            && is(self.rule.as_ref().map(|id| act.rule() == Some(id)))
    }

    /// Whether a time is within the span.
    pub fn is_within(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

impl ActorKind {
    fn takes(self, by: &Actor) -> bool {
        match by {
            Actor::Gateway => self == Self::Gateway,
            Actor::Officer(_) => self == Self::Officer,
            Actor::Agency(_) => self == Self::Agency,
            Actor::Unknown => self == Self::Unknown,
        }
    }
}
