//! The command line of `disclosure`.

use clap::{Args, Subcommand, ValueEnum};
use proto::{
    alert_id::AlertId,
    contact::ContactField,
    disclosure_request::{LegalBasis, Purpose},
    name::DatasetId,
    wire::ReviewFinding,
};

use crate::{confirm::Assent, typed_id::alert_id};

/// Commands about disclosures.
#[derive(Debug, Subcommand)]
pub enum DisclosureCommand {
    /// Ask for the contact details of the person whom an alert is about / 申请
    Request {
        /// What is asked.
        #[command(flatten)]
        asked: Asked,
        /// Whether to ask before it is sent.
        #[command(flatten)]
        assent: Assent,
    },
    /// Your requests; for approvers, those of your region / 申请列表
    List,
    /// Approve what somebody else asks for / 批准
    Approve {
        /// The first digits of its id, as the list shows them / 申请编号
        id: String,
        /// Whether to ask before it is signed.
        #[command(flatten)]
        assent: Assent,
    },
    /// Refuse what somebody else asks for / 驳回
    Refuse {
        /// The first digits of its id / 申请编号
        id: String,
        /// Whether to ask first.
        #[command(flatten)]
        assent: Assent,
    },
    /// Fetch the answer, once, and open it with your own key / 领取并解密
    Open {
        /// The first digits of its id / 申请编号
        id: String,
    },
    /// Say of an emergency afterwards whether it was one (approvers) / 复核紧急披露
    Review {
        /// The first digits of its id / 申请编号
        id: String,
        /// Whether it was one / 复核结论
        #[arg(long, value_enum)]
        finding: Finding,
        /// Whether to ask first.
        #[command(flatten)]
        assent: Assent,
    },
}

/// What is asked for.
#[derive(Debug, Clone, Args)]
pub struct Asked {
    /// The alert's id / 预警编号
    #[arg(value_parser = alert_id)]
    pub alert: AlertId,
    /// What for / 用途
    #[arg(long, value_enum)]
    pub purpose: PurposeName,
    /// By what law: Personal Information Protection Law, article 13 / 法律依据（个保法第十三条）
    #[arg(long, value_enum, default_value_t = BasisName::StatutoryDuty)]
    pub basis: BasisName,
    /// What / 申请内容
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',',
          default_values_t = [FieldName::Name, FieldName::Address])]
    pub fields: Vec<FieldName>,
    /// The watch dataset whose owner is asked; one by which the alert was raised where left out / 数据集
    #[arg(long, value_name = "DATASET")]
    pub dataset: Option<DatasetId>,
    /// For how many hours the request is good / 有效小时数
    #[arg(long, value_name = "N", default_value_t = 24,
          value_parser = clap::value_parser!(i64).range(1..=72))]
    pub hours: i64,
    /// A life is in danger: disclose at once, review afterwards / 危及生命健康，先披露后复核
    #[arg(long)]
    pub emergency: bool,
}

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PurposeName {
    /// Visit the person and verify / 入户走访
    HomeVisit,
    /// Speak to the person / 电话联系
    TelephoneContact,
    /// Bring help / 送达救助
    ReliefDelivery,
    /// See that the person is safe / 安全探视
    SafetyCheck,
}

/// By what law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BasisName {
    /// Item 1: the person agreed / 第（一）项 本人同意
    Consent,
    /// Item 3: a duty of social assistance / 第（三）项 履行法定职责
    StatutoryDuty,
    /// Item 4: life, health or property in danger / 第（四）项 紧急情况
    VitalInterest,
}

/// What.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FieldName {
    /// 姓名
    Name,
    /// 电话
    Phone,
    /// 住址
    Address,
}

/// What a review came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Finding {
    /// 确属紧急
    Justified,
    /// 不属紧急
    Unjustified,
}

impl Asked {
    /// The fields in the protocol's order, none twice.
    pub fn fields(&self) -> Vec<ContactField> {
        let field = |name: &FieldName| match name {
            FieldName::Name => ContactField::Name,
            FieldName::Phone => ContactField::Phone,
            FieldName::Address => ContactField::Address,
        };
        let mut fields: Vec<_> = self.fields.iter().map(field).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// An emergency has one legal basis only.
    pub fn basis(&self) -> LegalBasis {
        match self.basis {
            _ if self.emergency => LegalBasis::VitalInterest,
            BasisName::Consent => LegalBasis::Consent,
            BasisName::StatutoryDuty => LegalBasis::StatutoryDuty,
            BasisName::VitalInterest => LegalBasis::VitalInterest,
        }
    }
}

impl From<PurposeName> for Purpose {
    fn from(name: PurposeName) -> Self {
        match name {
            PurposeName::HomeVisit => Self::HomeVisit,
            PurposeName::TelephoneContact => Self::TelephoneContact,
            PurposeName::ReliefDelivery => Self::ReliefDelivery,
            PurposeName::SafetyCheck => Self::SafetyCheck,
        }
    }
}

impl From<Finding> for ReviewFinding {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Justified => Self::Justified,
            Finding::Unjustified => Self::Unjustified,
        }
    }
}
