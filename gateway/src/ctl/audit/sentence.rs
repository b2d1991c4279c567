//! Entries as people read them: who, what, about what; in Chinese and English.

use proto::{
    act::{Act, AlertState, ReviewFinding},
    entry::{Actor, Entry},
};

use super::case_sentence;
use crate::{
    output::grouped,
    words::{Lang, Phrase},
};

const WHEN: Phrase = ("时间", "when");
const WHO: Phrase = ("操作者", "who");
const WHAT: Phrase = ("操作", "what");
const ABOUT: Phrase = ("内容", "about");
const ENTRY: Phrase = ("序号", "entry");
/// The headings of a table of entries.
pub const HEADINGS: [Phrase; 5] = [ENTRY, WHEN, WHO, WHAT, ABOUT];

/// Whose act it is.
pub fn who(by: &Actor, lang: Lang) -> String {
    match by {
        Actor::Gateway => lang.say(("网关", "the gateway")).into(),
        Actor::Officer(id) => id.to_string(),
        Actor::Agency(id) => format!("{} {id}", lang.say(("部门", "agency"))),
        Actor::Unknown => lang.say(("未知", "unknown")).into(),
    }
}

/// What was done.
pub fn what(act: &Act) -> Phrase {
    match act {
        Act::Started { .. } => ("网关启动", "the gateway started"),
        Act::Stopping {} => ("网关停止", "the gateway stopped"),
        Act::Failed { .. } => ("操作未完成", "acts did not come about"),
        Act::LogResumed { .. } => ("日志恢复写入", "the log is written again"),
        Act::ManifestAccepted { .. } => ("联邦清单生效", "federation manifest accepted"),
        Act::EpochChanged { .. } => ("密钥周期更替", "epoch changed"),
        Act::TlsFilesRead {} => ("重新读取证书", "TLS files read"),
        Act::PolicyRead {} => ("重新读取策略", "policy read"),
        Act::PolicyInForce { .. } => ("策略生效", "policy in force"),
        Act::PolicyRefused {} => ("策略被拒绝", "policy refused"),
        Act::SyncAccepted { .. } => ("接收数据", "data taken over"),
        Act::ReleaseUsed { .. } => ("使用释放的密钥", "release used"),
        Act::SyncRefused { .. } | Act::ReleaseRefused { .. } => ("拒收数据", "data refused"),
        Act::GrantsCarried { .. } => ("转交授权", "grants carried"),
        Act::EvaluationsRelayed { .. } => ("转交密钥运算", "evaluations carried"),
        Act::OrdersReturned { .. } => ("退回工单", "work orders returned"),
        Act::RulesRun { .. } => ("运行规则", "rules run"),
        Act::AlertChanged { .. } => ("预警变更", "alert changed"),
        Act::CaseChanged { event, .. } => case_sentence::what(event),
        Act::CasesFollowed { .. } => ("开始跟进办件", "cases followed"),
        Act::CasesListed { .. } => ("查看办件列表", "cases listed"),
        Act::CaseRead { .. } => ("查看办件", "case read"),
        Act::AlertsListed { .. } => ("查看预警列表", "alerts listed"),
        Act::AlertRead { .. } => ("查看预警", "alert read"),
        Act::WatchOpened { .. } => ("开始持续查看", "watch opened"),
        Act::AlertsDelivered { .. } => ("推送预警", "alerts delivered"),
        Act::DryRun { .. } => ("试算规则", "rule tried out"),
        Act::RulesListed { .. } => ("查看规则", "rules listed"),
        Act::AgenciesListed { .. } => ("查看部门", "agencies listed"),
        Act::DatasetsListed { .. } => ("查看数据集", "datasets listed"),
        Act::GrantsListed { .. } => ("查看授权", "grants listed"),
        Act::EpochsListed { .. } => ("查看密钥周期", "epochs listed"),
        Act::RefusalsListed { .. } => ("查看被拒请求", "refused calls listed"),
        Act::NotificationSent { .. } => ("发送通知", "notification sent"),
        Act::NotificationParked { .. } => ("通知搁置", "notification parked"),
        Act::NotificationsListed { .. } => ("查看通知", "notifications listed"),
        Act::NotificationsRetried { .. } => ("重发通知", "notifications tried again"),
        Act::ScreeningRead { .. } => ("查看排查统计", "screening read"),
        Act::StatisticsRead { .. } => ("查看统计报表", "report read"),
        Act::LogRead { .. } => ("查阅日志", "log read"),
        Act::ReceiptGiven { .. } => ("出具凭证", "receipt given"),
        Act::DisclosureRequested { emergency: true, .. } => {
            ("【紧急】申请披露联系方式", "EMERGENCY disclosure requested")
        }
        Act::DisclosureRequested { .. } => ("申请披露联系方式", "disclosure requested"),
        Act::DisclosureApproved { .. } => ("批准披露", "disclosure approved"),
        Act::DisclosureRefused { .. } => ("驳回披露", "disclosure refused"),
        Act::DisclosureCarried { emergency: true, .. } => {
            ("【紧急】转交披露申请", "EMERGENCY disclosure carried")
        }
        Act::DisclosureCarried { .. } => ("转交披露申请", "disclosure carried"),
        Act::DisclosureAnswered { .. } => ("部门已答复披露", "disclosure answered"),
        Act::DisclosureDeclined { .. } => ("部门拒绝披露", "disclosure declined"),
        Act::DisclosureCollected { .. } => ("领取披露结果", "disclosure collected"),
        Act::DisclosureReviewed { .. } => ("复核紧急披露", "emergency disclosure reviewed"),
        Act::DisclosuresListed { .. } => ("查看披露申请", "disclosures listed"),
        Act::CallsRefused { .. } => ("拒绝请求", "calls refused"),
    }
}

/// About what.
pub fn about(entry: &Entry, lang: Lang) -> String {
    match entry.act() {
        Act::Started { manifest_version, epoch, .. } => format!(
            "{} {manifest_version}, {} {epoch}",
            lang.say(("清单版本", "manifest")),
            lang.say(("密钥周期", "epoch"))
        ),
        Act::Failed { first, end } | Act::LogRead { first, end } => {
            format!("{} {}-{}", lang.say(ENTRY), grouped(*first), grouped(end.saturating_sub(1)))
        }
        Act::LogResumed { acts } => {
            format!("{} {}", grouped(*acts), lang.say(("项操作未能进行", "acts did not happen")))
        }
        Act::ManifestAccepted { manifest_version, .. } => manifest_version.to_string(),
        Act::EpochChanged { from, to } => format!("{from} -> {to}"),
        Act::PolicyInForce { rules, .. } => {
            format!("{rules} {}", lang.say(("条规则", "rules")))
        }
        Act::SyncAccepted { agency, dataset, rows, version, .. } => {
            format!("{agency} {dataset} #{version}: {}", grouped(*rows))
        }
        Act::ReleaseUsed { agency, dataset, subjects, version, .. } => {
            format!("{agency} {dataset} #{version}: {}", grouped(*subjects))
        }
        Act::SyncRefused { agency, dataset, version, fault, .. }
        | Act::ReleaseRefused { agency, dataset, version, fault, .. } => {
            format!("{agency} {dataset} #{version}: {fault}")
        }
        Act::GrantsCarried { grantee, datasets, .. } => {
            let datasets: Vec<&str> = datasets.iter().map(|dataset| dataset.as_str()).collect();
            format!("{grantee}: {}", datasets.join(" "))
        }
        Act::EvaluationsRelayed { requester, holder, elements, .. } => {
            format!("{requester} -> {holder}: {}", grouped(*elements))
        }
        Act::OrdersReturned { agency, dataset, orders } => {
            format!("{agency}.{dataset}: {}", grouped(orders.len() as u64))
        }
        Act::RulesRun { subjects, changed, .. } => format!(
            "{} {}, {} {}",
            grouped(*subjects),
            lang.say(("人", "people")),
            grouped(*changed),
            lang.say(("条预警变更", "alerts changed"))
        ),
        Act::RulesListed { count }
        | Act::AgenciesListed { count }
        | Act::DatasetsListed { count }
        | Act::GrantsListed { count }
        | Act::EpochsListed { count }
        | Act::RefusalsListed { count }
        | Act::DisclosuresListed { count }
        | Act::NotificationsListed { count }
        | Act::NotificationsRetried { count } => grouped(*count),
        Act::NotificationSent { target, alerts, attempt, .. } => {
            let alerts: Vec<&str> = alerts.iter().map(|alert| alert.as_str()).collect();
            format!("{target} #{attempt}: {}", alerts.join(" "))
        }
        Act::NotificationParked { target, notification } => format!("{target}: {notification}"),
        Act::ScreeningRead { date, .. } => date.to_string(),
        Act::StatisticsRead { month, .. } => month.strftime("%Y-%m").to_string(),
        Act::ReceiptGiven { index } => format!("{} {}", lang.say(ENTRY), grouped(*index)),
        Act::CallsRefused { method, reason, count } => {
            let method = method.as_ref().map_or("?", |method| method.as_str());
            format!("{method}: {} x {count}", reason.as_str())
        }
        other => about_disclosure(other, lang).unwrap_or_else(|| about_alerts(other, lang)),
    }
}

/// The same of disclosures: whose alert, which agency, and what decided.
fn about_disclosure(act: &Act, lang: Lang) -> Option<String> {
    let text = match act {
        Act::DisclosureRequested { disclosure, alert, agency, dataset, fields, .. } => {
            let fields: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
            format!("{disclosure} {alert}: {agency} {dataset} ({})", fields.join(" "))
        }
        Act::DisclosureCarried { disclosure, alert, agency, approvers, .. } => {
            let approvers: Vec<&str> = approvers.iter().map(|id| id.as_str()).collect();
            let approved = lang.say(("批准人", "approved by"));
            format!("{disclosure} {alert} -> {agency}, {approved}: {}", approvers.join(" "))
        }
        Act::DisclosureAnswered { disclosure, alert, agency } => {
            format!("{disclosure} {alert} <- {agency}")
        }
        Act::DisclosureDeclined { disclosure, alert, agency, reason } => {
            format!("{disclosure} {alert} <- {agency}: {}", reason.as_str())
        }
        Act::DisclosureApproved { disclosure, alert, .. }
        | Act::DisclosureRefused { disclosure, alert }
        | Act::DisclosureCollected { disclosure, alert } => format!("{disclosure} {alert}"),
        Act::DisclosureReviewed { disclosure, alert, finding } => {
            let finding = lang.say(match finding {
                ReviewFinding::Justified => ("确属紧急", "justified"),
                ReviewFinding::Unjustified => ("不属紧急", "UNJUSTIFIED"),
            });
            format!("{disclosure} {alert}: {finding}")
        }
        _ => return None,
    };
    Some(text)
}

/// The same of acts that make or show alerts; nothing of those of which the word says it all.
fn about_alerts(act: &Act, lang: Lang) -> String {
    let alerts =
        |count: usize| format!("{} {}", grouped(count as u64), lang.say(("条预警", "alerts")));
    match act {
        Act::AlertChanged { alert, rule, state, revision, .. } => {
            format!("{alert} {rule}: {} #{revision}", lang.say(word(*state)))
        }
        Act::AlertsListed { alerts: shown }
        | Act::AlertsDelivered { alerts: shown, .. }
        | Act::CasesListed { alerts: shown } => alerts(shown.len()),
        Act::CaseChanged { alert, number, event } => {
            format!("{alert} #{number} {}", case_sentence::about(event, lang)).trim_end().to_owned()
        }
        Act::CasesFollowed { after } => format!("{} {}", lang.say(ENTRY), grouped(*after)),
        Act::AlertRead { alert } | Act::CaseRead { alert } => alert.to_string(),
        Act::WatchOpened { after } => format!("#{after}"),
        Act::DryRun { rule, .. } => rule.as_ref().map_or_else(
            || lang.say(("策略之外的规则", "a rule that is not the policy's")).into(),
            ToString::to_string,
        ),
        _ => String::new(),
    }
}

fn word(state: AlertState) -> Phrase {
    match state {
        AlertState::Open => ("待处理", "open"),
        AlertState::Pending => ("待定", "pending"),
        AlertState::Incomplete => ("核查不全", "incomplete"),
        AlertState::Withdrawn => ("已撤销", "withdrawn"),
    }
}
