//! `cases`: the command line.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use proto::{
    alert_id::AlertId,
    name::{AgencyId, DatasetId},
    region_code::RegionCode,
    wire::{AssistanceKind, CaseFilter, CaseOutcome, CaseStage, CaseTier, ReturnReason},
};

use super::codes::{KINDS, OUTCOMES, REASONS, STAGES, TIERS, typed};
use crate::{arguments::region_prefix, confirm::Assent, typed_id::alert_id};

/// Commands about cases.
#[derive(Debug, Subcommand)]
pub enum CasesCommand {
    /// What is to be done, the most pressing first / 待办事项，最紧急的在前
    List {
        /// Which of them.
        #[command(flatten)]
        filter: Chosen,
        /// At most so many people / 最多人数
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// One case: why, what happened, what to do next / 办件详情、经过和下一步
    Show {
        /// The alert's id, also without AL- / 预警编号，可省略 AL-
        #[arg(value_parser = alert_id)]
        id: AlertId,
    },
    /// Something that is done in a case.
    #[command(flatten)]
    Step(StepCommand),
}

/// Steps, in the order of a case's life.
#[derive(Debug, Subcommand)]
pub enum StepCommand {
    /// Take a case: from now on it is yours / 接收
    Take {
        /// Which case.
        #[command(flatten)]
        case: Which,
    },
    /// Hand a case back, with a reason / 退回
    Return {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// Why / 原因
        #[arg(long, value_name = "REASON", value_parser = typed(REASONS))]
        reason: ReturnReason,
    },
    /// Record that you were there / 登记走访
    Visit {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// The day of the visit, as in 2026-11-24 [default: today] / 走访日期
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
    },
    /// Relief first: given now, the papers follow / 先行救助，后补手续
    Relief {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// What was given / 救助形式
        #[arg(long, value_name = "KIND", value_parser = typed(KINDS))]
        kind: AssistanceKind,
        /// Whether to ask.
        #[command(flatten)]
        assent: Assent,
    },
    /// The papers of a relief first are complete / 先行救助手续已补齐
    Papers {
        /// Which case.
        #[command(flatten)]
        case: Which,
    },
    /// Record what was given / 登记救助
    Assist {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// What was given / 救助形式
        #[arg(long, value_name = "KIND", value_parser = typed(KINDS))]
        kind: AssistanceKind,
    },
    /// Record what came of the visit / 登记认定结果
    Outcome {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// What came of it / 结果
        #[arg(value_name = "OUTCOME", value_parser = typed(OUTCOMES))]
        outcome: CaseOutcome,
        /// Whether to ask.
        #[command(flatten)]
        assent: Assent,
    },
    /// Nothing more is to be done / 办结
    Close {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// Whether to ask.
        #[command(flatten)]
        assent: Assent,
    },
    /// Send a work order back to the hotline / 将工单退回热线
    ReturnOrder {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// The work order's number [default: the only one] / 工单号
        #[arg(long, value_name = "NUMBER")]
        order: Option<u64>,
        /// The dataset that it came by, where two have the same number / 工单所在数据集
        #[arg(long, value_name = "ID")]
        dataset: Option<DatasetId>,
        /// Why / 原因
        #[arg(long, value_name = "REASON", value_parser = typed(REASONS))]
        reason: ReturnReason,
    },
    /// Give a case to an officer (supervisors) / 派给工作人员（督导）
    Assign {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// The officer's id / 工作人员编号
        #[arg(long, value_name = "OFFICER")]
        to: AgencyId,
    },
    /// Give a case to another region (supervisors) / 改派其他辖区（督导）
    Reroute {
        /// Which case.
        #[command(flatten)]
        case: Which,
        /// Up to 12 digits / 区划代码
        #[arg(long, value_name = "CODE")]
        region: RegionCode,
    },
    /// Begin a case anew (supervisors) / 重新办理（督导）
    Reopen {
        /// Which case.
        #[command(flatten)]
        case: Which,
    },
}

impl StepCommand {
    /// In which case.
    pub fn which(&self) -> &Which {
        match self {
            Self::Take { case }
            | Self::Return { case, .. }
            | Self::Visit { case, .. }
            | Self::Relief { case, .. }
            | Self::Papers { case }
            | Self::Assist { case, .. }
            | Self::Outcome { case, .. }
            | Self::Close { case, .. }
            | Self::ReturnOrder { case, .. }
            | Self::Assign { case, .. }
            | Self::Reroute { case, .. }
            | Self::Reopen { case } => case,
        }
    }
}

/// Which case, and what was seen of it.
#[derive(Debug, Args)]
pub struct Which {
    /// The alert's id, also without AL- / 预警编号，可省略 AL-
    #[arg(value_parser = alert_id)]
    pub id: AlertId,
    /// Only if nothing happened after this event, which `cases show --json` numbers / 仅当此事件之后无变化
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<u64>,
}

/// Which cases.
#[derive(Debug, Default, Args)]
pub struct Chosen {
    /// Only those that are yours / 仅本人的
    #[arg(long)]
    pub mine: bool,
    /// Only those past a deadline / 仅逾期的
    #[arg(long)]
    pub overdue: bool,
    /// Stages, one or several [default: whatever needs somebody] / 阶段，可多个
    #[arg(long, value_name = "STAGE", value_parser = typed(STAGES), num_args = 1.., value_delimiter = ',')]
    pub stage: Vec<CaseStage>,
    /// First digits of the region code, e.g. 320104 / 区划代码开头
    #[arg(long, value_name = "PREFIX", value_parser = region_prefix)]
    pub region: Option<String>,
    /// A rule's id / 规则编号
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// A situation's id / 情形编号
    #[arg(long, value_name = "ID")]
    pub situation: Option<String>,
    /// Only those that have come up to this tier / 仅已上升到此级的
    #[arg(long, value_name = "TIER", value_parser = typed(TIERS))]
    pub tier: Option<CaseTier>,
}

/// The stages in which somebody has to do something.
const NEEDING_SOMEBODY: [CaseStage; 6] = [
    CaseStage::New,
    CaseStage::Routed,
    CaseStage::Acknowledged,
    CaseStage::Visited,
    CaseStage::Decided,
    CaseStage::Returned,
];

impl Chosen {
    /// The filter as the protocol has it.
    pub fn to_wire(&self) -> CaseFilter {
        let stages = match &self.stage[..] {
            [] => &NEEDING_SOMEBODY[..],
            some => some,
        };
        CaseFilter {
            region_prefix: self.region.clone().unwrap_or_default(),
            stages: stages.iter().map(|stage| i32::from(*stage)).collect(),
            rule: self.rule.clone().unwrap_or_default(),
            situation: self.situation.clone().unwrap_or_default(),
            mine: self.mine,
            overdue: self.overdue,
            tier: self.tier.unwrap_or_default().into(),
        }
    }
}
