//! What can go wrong, told in one sentence: whose fault it is and what to do; and the exit codes.
//!
//! The one file that reads a gRPC status or an error of a connection.

use std::{error::Error, io, path::PathBuf};

use proto::{
    fault::{Reason, reason_of},
    transport::root_cause,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    output::harmless,
    words::{Lang, Phrase},
};

/// The gateway refused, or there is no such thing.
pub const REFUSED: u8 = 1;
/// The command line is at fault; clap ends with the same code.
pub const USAGE: u8 = 2;
/// The configuration or a certificate is at fault.
pub const CONFIGURATION: u8 = 3;
/// The gateway cannot be reached or does not answer.
pub const UNREACHABLE: u8 = 4;

/// For `--help`.
pub const EXIT_CODES: &str = "\
Exit codes / 退出码:
  0  done / 完成
  1  refused by the gateway, or not found / 网关拒绝或未找到
  2  usage / 命令行用法错误
  3  configuration or certificates / 配置或证书有误
  4  gateway unreachable / 无法连接网关";

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something impossible, or names a file that cannot be read.
    Usage(String),
    /// No configuration was named, and none is where it is looked for.
    NoConfig {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The configuration cannot be read or does not check.
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where there are any.
        problem: String,
    },
    /// One of the TLS files cannot be read.
    CertificateFile {
        /// Its key in the configuration's `[tls]`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        problem: String,
    },
    /// The TLS files do not check, or name somebody else.
    Certificate(String),
    /// The gateway's certificate was refused here.
    GatewayDistrusted(String),
    /// The gateway refused the own certificate.
    CertificateRefused(String),
    /// No connection, or one that ended.
    Unreachable(String),
    /// No answer in time.
    Deadline,
    /// The gateway said no, with a reason of the protocol.
    Refused {
        /// The reason's word on the wire.
        reason: String,
        /// The gateway's words.
        message: String,
    },
    /// An answer that the protocol does not foresee.
    Unforeseen(String),
    /// The own output cannot be written.
    Output(io::Error),
}

impl Failure {
    /// There is no such thing among those that the gateway lists.
    pub fn not_found(message: String) -> Self {
        Self::Refused { reason: Reason::NotFound.as_str().into(), message }
    }

    /// Sorts what `proto::transport` says about a connection that could not be made.
    pub fn of_connection(problem: String) -> Self {
        // The transport has only words for this, and these are among them.
        let of_gateway = ["TLS with", "was expected", "certificate"];
        let of_own_configuration = ["server_name", "dns name"];
        let tells = |marks: &[&str]| marks.iter().any(|mark| problem.contains(mark));
        if problem.contains("received fatal alert") {
            Self::CertificateRefused(problem)
        } else if tells(&of_own_configuration) {
            Self::Certificate(problem)
        } else if tells(&of_gateway) {
            Self::GatewayDistrusted(problem)
        } else {
            Self::Unreachable(problem)
        }
    }

    /// Whether asking again later may help: the watch goes on.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Deadline | Self::Unforeseen(_) => true,
            Self::Refused { reason, .. } => {
                [Reason::Busy, Reason::StoreUnavailable, Reason::Internal, Reason::NotLoaded]
                    .iter()
                    .any(|passing| passing.as_str() == reason)
            }
            _ => false,
        }
    }

    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::NoConfig { .. }
            | Self::Config { .. }
            | Self::CertificateFile { .. }
            | Self::Certificate(_)
            | Self::GatewayDistrusted(_)
            | Self::CertificateRefused(_) => CONFIGURATION,
            Self::Unreachable(_) | Self::Deadline => UNREACHABLE,
            Self::Refused { .. } | Self::Unforeseen(_) | Self::Output(_) => REFUSED,
        }
    }

    /// One word for programs: the protocol's where the gateway gave one.
    pub fn reason(&self) -> &str {
        match self {
            Self::Usage(_) => "USAGE",
            Self::NoConfig { .. } | Self::Config { .. } => "CONFIGURATION",
            Self::CertificateFile { .. } | Self::Certificate(_) => "CERTIFICATE",
            Self::GatewayDistrusted(_) | Self::CertificateRefused(_) => "TLS_REFUSED",
            Self::Unreachable(_) => "UNREACHABLE",
            Self::Deadline => "DEADLINE",
            Self::Refused { reason, .. } => reason,
            Self::Unforeseen(_) => "UNFORESEEN",
            Self::Output(_) => "OUTPUT",
        }
    }

    /// One JSON object for standard error.
    pub fn json(&self, lang: Lang) -> Value {
        json!({ "error": {
            "reason": self.reason(),
            "message": self.tell(lang),
            "exit_code": self.exit_code(),
        }})
    }

    /// One sentence for people: whose fault it is, and what to do.
    pub fn tell(&self, lang: Lang) -> String {
        let (phrase, detail): (Phrase, String) = match self {
            Self::Usage(problem) => {
                (("命令行有误：{}。", "The command line is at fault: {}."), problem.clone())
            }
            Self::NoConfig { looked } => (NO_CONFIG, list(looked)),
            Self::Config { path, problem } => {
                (CONFIG, format!("{}: {}", path.display(), problem.trim_end()))
            }
            Self::CertificateFile { key, path, problem } => {
                (CERTIFICATE_FILE, format!("tls.{key}, {}: {problem}", path.display()))
            }
            Self::Certificate(problem) => (CERTIFICATE, problem.clone()),
            Self::GatewayDistrusted(problem) => (DISTRUSTED, harmless(problem)),
            Self::CertificateRefused(problem) => (CERTIFICATE_REFUSED, harmless(problem)),
            Self::Unreachable(problem) => (NO_CONNECTION, harmless(problem)),
            Self::Deadline => (DEADLINE, String::new()),
            Self::Refused { reason, message } => return refusal(reason, message, lang),
            Self::Unforeseen(problem) => (UNFORESEEN, harmless(problem)),
            Self::Output(error) => {
                (("无法写出结果：{}。", "The output cannot be written: {}."), error.to_string())
            }
        };
        fill(phrase, &detail, lang)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let message = status.message().to_owned();
        if let Some(reason) = reason_of(&status) {
            return Self::Refused { reason, message };
        }
        match (status.code(), status.source()) {
            (Code::DeadlineExceeded, _) => Self::Deadline,
            // What a timeout on either side becomes in the library.
            (Code::Cancelled, _) if message == "Timeout expired" => Self::Deadline,
            (_, Some(source)) => Self::of_connection(root_cause(source)),
            (Code::Unavailable, None) => Self::Unreachable(message),
            (code, None) => Self::Unforeseen(format!("{code:?}: {message}")),
        }
    }
}

const NO_CONFIG: Phrase = (
    "没有配置文件：已查找 {}；请建立一个，或用 --config 或 GATEWAYCTL_CONFIG 指定。",
    "There is no configuration file: looked for {}; write one, or name it with --config or GATEWAYCTL_CONFIG.",
);
const CONFIG: Phrase =
    ("配置文件有误，请改正：{}", "The configuration file is at fault and must be mended: {}");
const CERTIFICATE_FILE: Phrase = (
    "证书文件无法读取：{}；请检查配置中的路径和文件权限。",
    "A certificate file cannot be read: {}; check its path in the configuration and its permissions.",
);
const CERTIFICATE: Phrase = (
    "您的证书文件有误：{}；请改正配置中的 [tls]，或向项目管理员索取新证书。",
    "Your certificate files are at fault: {}; mend [tls] in the configuration, or ask the programme's administrator for new ones.",
);
const DISTRUSTED: Phrase = (
    "本机不信任对方的证书：{}；请检查配置中的 gateway、server_name、gateway_id 和 tls.trust；若无误，请告知网关运维人员。",
    "The other side's certificate is not trusted here: {}; check gateway, server_name, gateway_id and tls.trust in the configuration, and if they are right, tell those who run the gateway.",
);
const CERTIFICATE_REFUSED: Phrase = (
    "网关拒绝了您的证书：{}；证书可能已过期、被吊销或由他人签发，请向项目管理员索取新证书。",
    "The gateway refused your certificate: {}; it may have expired, been revoked, or come from another issuer: ask the programme's administrator for a new one.",
);
const NO_CONNECTION: Phrase = (
    "无法连接网关：{}；请检查配置中的 gateway 和网络，稍后再试；若仍不行，请告知网关运维人员。",
    "The gateway cannot be reached: {}; check gateway in the configuration and the network, try again later, and then tell those who run the gateway.",
);
const DEADLINE: Phrase = (
    "网关没有按时答复；请稍后再试，若仍不行，请告知网关运维人员。",
    "The gateway did not answer in time; try again later, and if that does not help, tell those who run it.",
);
const UNFORESEEN: Phrase = (
    "网关的答复不符合协议（{}）；它的版本可能与本程序不同，请告知网关运维人员。",
    "The gateway answered in a way that the protocol does not foresee ({}); its version may differ from this program's: tell those who run it.",
);

/// What the people who get a refusal can do about it.
const ADVICE: [(Reason, Phrase); 7] = [
    (
        Reason::NotPermitted,
        (
            "网关不允许您执行此操作：{}；如工作需要，请向项目管理员申请相应角色。",
            "The gateway does not permit you this: {}; if your work needs it, ask the programme's administrator for the role.",
        ),
    ),
    (
        Reason::NotFound,
        (
            "未找到，或不在您的权限范围内：{}；请核对编号。",
            "Not found, or not yours to see: {}; check the id.",
        ),
    ),
    (
        Reason::InvalidPolicy,
        (
            "规则或策略未通过检查，原策略继续有效；请改正后再试：{}",
            "The rule or policy does not check, and the policy in force stays; mend it and try again: {}",
        ),
    ),
    (
        Reason::InvalidArgument,
        ("请求有误：{}；请改正后再试。", "The request is at fault: {}; mend it and try again."),
    ),
    (
        Reason::StoreUnavailable,
        (
            "网关的存储已满或有故障：{}；查询仍可用，请告知网关运维人员。",
            "The gateway's store is full or failing: {}; reading still works: tell those who run the gateway.",
        ),
    ),
    (Reason::Busy, ("网关繁忙：{}；请稍后再试。", "The gateway is busy: {}; try again later.")),
    (
        Reason::Internal,
        (
            "网关内部出错：{}；不是您的问题，请告知网关运维人员。",
            "The gateway failed: {}; the fault is not yours: tell those who run it.",
        ),
    ),
];

fn refusal(reason: &str, message: &str, lang: Lang) -> String {
    let known = ADVICE.iter().find(|(known, _)| known.as_str() == reason);
    match known {
        // A policy's faults are shown as the gateway lays them out: lines with a mark under them.
        Some((Reason::InvalidPolicy, phrase)) => {
            let lines: Vec<String> = message.trim_end().lines().map(harmless).collect();
            fill(*phrase, &lines.join("\n"), lang)
        }
        Some((_, phrase)) => fill(*phrase, harmless(message).trim_end_matches('.'), lang),
        None => {
            let other = ("网关拒绝了请求：{}。", "The gateway refused: {}.");
            fill(other, &format!("{}: {}", harmless(reason), harmless(message)), lang)
        }
    }
}

fn fill(phrase: Phrase, detail: &str, lang: Lang) -> String {
    lang.say(phrase).replace("{}", detail)
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: Status) -> (u8, String) {
        let failure = Failure::from(status);
        (failure.exit_code(), failure.tell(Lang::En))
    }

    #[test]
    fn refusals_end_with_1_and_say_what_to_do() {
        let (code, text) = told(Reason::NotPermitted.status("reloading needs an administrator"));
        assert_eq!(code, REFUSED);
        assert!(text.contains("reloading needs an administrator"), "{text}");
        assert!(text.contains("ask the programme's administrator"), "{text}");
        let chinese = Failure::from(Reason::NotFound.status("alert a-1")).tell(Lang::Zh);
        assert!(chinese.starts_with("未找到") && chinese.contains("alert a-1"), "{chinese}");
    }

    #[test]
    fn a_faulty_policy_is_shown_with_its_lines() {
        let message = "policy.toml, line 3, column 8\n3 | when = \n  |        ^";
        let (code, text) = told(Reason::InvalidPolicy.status(message));
        assert_eq!(code, REFUSED);
        assert!(text.ends_with(message), "{text}");
    }

    #[test]
    fn a_gateway_that_does_not_answer_ends_with_4() {
        assert_eq!(told(Status::deadline_exceeded("late")).0, UNREACHABLE);
        assert_eq!(told(Status::cancelled("Timeout expired")).0, UNREACHABLE);
        assert_eq!(told(Status::unavailable("gone")).0, UNREACHABLE);
        assert_eq!(told(Reason::StoreUnavailable.status("disk full")).0, REFUSED);
    }

    #[test]
    fn connection_problems_are_told_apart_by_who_can_mend_them() {
        let cases = [
            ("no connection to 127.0.0.1:1: Connection refused (os error 111)", UNREACHABLE),
            ("TLS with g:7000: invalid peer certificate: UnknownIssuer", CONFIGURATION),
            ("TLS with g:7000: received fatal alert: CertificateExpired", CONFIGURATION),
            ("received fatal alert: CertificateRevoked", CONFIGURATION),
            (
                "g:7000 is spiffe://a/agency/tax, and spiffe://a/gateway/g was expected",
                CONFIGURATION,
            ),
        ];
        for (problem, code) in cases {
            let failure = Failure::of_connection(problem.into());
            assert_eq!(failure.exit_code(), code, "{problem}");
            assert!(failure.tell(Lang::Zh).contains(problem), "{problem}");
        }
    }

    #[test]
    fn the_watch_goes_on_after_outages_and_ends_on_refusals() {
        for passing in [Reason::Busy, Reason::StoreUnavailable, Reason::Internal] {
            assert!(Failure::from(passing.status("x")).may_pass());
        }
        for lasting in [Reason::NotPermitted, Reason::NotFound, Reason::InvalidArgument] {
            assert!(!Failure::from(lasting.status("x")).may_pass());
        }
        assert!(Failure::Unreachable("x".into()).may_pass());
        assert!(!Failure::CertificateRefused("x".into()).may_pass());
    }

    #[test]
    fn every_failure_has_a_sentence_without_a_gap_in_both_languages() {
        let failures = [
            Failure::Usage("x".into()),
            Failure::NoConfig { looked: vec!["ctl.toml".into()] },
            Failure::Deadline,
            Failure::Refused { reason: "NEW_REASON".into(), message: "x".into() },
            Failure::Unforeseen("x".into()),
        ];
        for failure in failures {
            for lang in [Lang::Zh, Lang::En] {
                let text = failure.tell(lang);
                assert!(!text.is_empty() && !text.contains("{}"), "{text}");
            }
        }
    }
}
