//! What can go wrong, sorted by who can mend it; and the exit codes.
//!
//! The sentences are `advice`'s. The one file that reads a gRPC status or an error of a connection.

use std::{error::Error, io, path::PathBuf};

use proto::{
    fault::{Reason, reason_of},
    transport::root_cause,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    advice,
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
/// The access log, or an answer about it, is not what was signed: tell the agencies.
pub const UNPROVEN: u8 = 5;
/// What cannot be undone was not confirmed, and nothing was done.
pub const UNCONFIRMED: u8 = 6;

/// For `--help`.
pub const EXIT_CODES: &str = "\
Exit codes / 退出码:
  0  done / 完成
  1  refused by the gateway, or not found / 网关拒绝或未找到
  2  usage / 命令行用法错误
  3  configuration or certificates / 配置或证书有误
  4  gateway unreachable / 无法连接网关
  5  the access log or a receipt does not verify / 访问日志或凭证未通过核验
  6  not confirmed, nothing was done / 未经确认，未执行";

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
    /// Whoever answered is not the gateway, as far as its certificate says.
    GatewayDistrusted(String),
    /// The gateway refused the own certificate.
    CertificateRefused(String),
    /// No connection.
    Unreachable(String),
    /// A connection that was closed before there was an answer.
    Closed(String),
    /// No answer in time.
    Deadline,
    /// The gateway said no, with a reason of the protocol.
    Refused {
        /// The reason's word on the wire.
        reason: String,
        /// The gateway's words.
        message: String,
    },
    /// What was verified last was signed with another key than the one that is trusted now.
    OtherLog {
        /// Where it is kept.
        path: PathBuf,
    },
    /// An answer that the protocol does not foresee.
    Unforeseen(String),
    /// The own output cannot be written.
    Output(io::Error),
    /// No federation manifest was named, and the configuration names none.
    NoManifest,
    /// The federation manifest cannot be read or is not signed by its holders.
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The checkpoint that was kept cannot be read or written.
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The key to which answers are encrypted cannot be read or made.
    AnswerKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file of the checkpoint that was kept has something else in it.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// What the log or the gateway says is not what was signed.
    Unproven(String),
    /// The log contradicts the checkpoint that was kept.
    Fork {
        /// The checkpoint kept.
        kept: PathBuf,
        /// How many entries it is of.
        kept_size: u64,
        /// Where the other one was put.
        other: PathBuf,
        /// How many entries that is of.
        other_size: u64,
    },
    /// A disclosure has no answer that could be opened now: its id, and how far it has come.
    NoAnswer(String),
    /// What cannot be undone was not confirmed.
    Unconfirmed {
        /// Whether there was anybody to ask.
        asked: bool,
    },
}

impl Failure {
    /// There is no such thing among those that the gateway lists.
    pub fn not_found(message: String) -> Self {
        Self::Refused { reason: Reason::NotFound.as_str().into(), message }
    }

    /// Something that should have been proved, and was not.
    pub fn unproven(error: impl std::fmt::Display) -> Self {
        Self::Unproven(error.to_string())
    }

    /// Sorts what `proto::transport` says about a connection that could not be made.
    pub fn of_connection(problem: String) -> Self {
        // The transport has only words for this, and these are among them.
        let of_gateway = ["TLS with", "was expected", "certificate"];
        let of_nobody = ["eof", "reset by peer", "closed"];
        let of_own_configuration = ["server_name", "dns name"];
        let tells = |marks: &[&str]| marks.iter().any(|mark| problem.contains(mark));
        if problem.contains("received fatal alert") {
            Self::CertificateRefused(problem)
        } else if tells(&of_own_configuration) {
            Self::Certificate(problem)
        } else if !tells(&of_nobody) && tells(&of_gateway) {
            Self::GatewayDistrusted(problem)
        } else {
            Self::Unreachable(problem)
        }
    }

    /// Whether asking again later may help: the watch goes on.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Closed(_) | Self::Deadline | Self::Unforeseen(_) => true,
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
            | Self::NoManifest
            | Self::Manifest { .. }
            | Self::State { .. }
            | Self::AnswerKey { .. }
            | Self::Damaged { .. }
            | Self::OtherLog { .. }
            | Self::CertificateRefused(_) => CONFIGURATION,
            Self::Unproven(_) | Self::Fork { .. } => UNPROVEN,
            Self::Unconfirmed { .. } => UNCONFIRMED,
            Self::Unreachable(_) | Self::Closed(_) | Self::Deadline => UNREACHABLE,
            Self::Refused { .. } | Self::NoAnswer(_) | Self::Unforeseen(_) | Self::Output(_) => {
                REFUSED
            }
        }
    }

    /// One word for programs: the protocol's where the gateway gave one.
    pub fn reason(&self) -> &str {
        match self {
            Self::Usage(_) => "USAGE",
            Self::NoConfig { .. } | Self::Config { .. } => "CONFIGURATION",
            Self::NoManifest | Self::Manifest { .. } => "MANIFEST",
            Self::State { .. } => "STATE",
            Self::AnswerKey { .. } => "ANSWER_KEY",
            Self::Damaged { .. } => "DAMAGED",
            Self::OtherLog { .. } => "OTHER_LOG",
            Self::Unproven(_) => "UNPROVEN",
            Self::Fork { .. } => "FORK",
            Self::Unconfirmed { .. } => "UNCONFIRMED",
            Self::CertificateFile { .. } | Self::Certificate(_) => "CERTIFICATE",
            Self::GatewayDistrusted(_) | Self::CertificateRefused(_) => "TLS_REFUSED",
            Self::Unreachable(_) | Self::Closed(_) => "UNREACHABLE",
            Self::Deadline => "DEADLINE",
            Self::Refused { reason, .. } => reason,
            Self::NoAnswer(_) => "NO_ANSWER",
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

    /// What happened, without advice, for a failure that passes.
    pub fn cause(&self, lang: Lang) -> String {
        match self {
            Self::Unreachable(problem) | Self::Closed(problem) | Self::Unforeseen(problem) => {
                harmless(problem)
            }
            Self::Refused { message, .. } => harmless(message),
            Self::Deadline => lang.say(advice::SILENT).into(),
            lasting => lasting.tell(lang),
        }
    }

    /// One sentence for people: whose fault it is, and what to do.
    pub fn tell(&self, lang: Lang) -> String {
        let (phrase, detail): (Phrase, String) = match self {
            Self::Usage(problem) => (advice::USAGE, problem.clone()),
            Self::NoConfig { looked } => (advice::NO_CONFIG, list(looked)),
            Self::Config { path, problem } => {
                (advice::CONFIG, format!("{}: {}", path.display(), problem.trim_end()))
            }
            Self::CertificateFile { key, path, problem } => {
                (advice::CERTIFICATE_FILE, format!("tls.{key}, {}: {problem}", path.display()))
            }
            Self::Certificate(problem) => (advice::CERTIFICATE, problem.clone()),
            Self::GatewayDistrusted(problem) => (advice::DISTRUSTED, harmless(problem)),
            Self::CertificateRefused(problem) => (advice::CERTIFICATE_REFUSED, harmless(problem)),
            Self::Unreachable(problem) => (advice::NO_CONNECTION, harmless(problem)),
            Self::Closed(problem) => (advice::CLOSED, harmless(problem)),
            Self::Deadline => (advice::DEADLINE, String::new()),
            Self::Refused { reason, message } => return refusal(reason, message, lang),
            Self::Unforeseen(problem) => (advice::UNFORESEEN, harmless(problem)),
            Self::Output(error) => (advice::OUTPUT, error.to_string()),
            Self::NoManifest => (advice::NO_MANIFEST, String::new()),
            Self::Manifest { path, problem } => {
                (advice::MANIFEST, format!("{}: {problem}", path.display()))
            }
            Self::State { path, problem } => {
                (advice::STATE, format!("{}: {problem}", path.display()))
            }
            Self::AnswerKey { path, problem } => {
                (advice::ANSWER_KEY, format!("{}: {problem}", path.display()))
            }
            Self::Damaged { path, problem } => {
                (advice::DAMAGED, format!("{}: {problem}", path.display()))
            }
            Self::OtherLog { path } => (advice::OTHER_LOG, path.display().to_string()),
            Self::Unproven(problem) => (advice::UNPROVEN, harmless(problem)),
            Self::NoAnswer(state) => (advice::NO_ANSWER, state.clone()),
            Self::Unconfirmed { asked: true } => (advice::UNCONFIRMED, String::new()),
            Self::Unconfirmed { asked: false } => (advice::NOBODY_TO_ASK, String::new()),
            Self::Fork { kept, kept_size, other, other_size } => {
                let (kept, other) = (kept.display(), other.display());
                (advice::FORK, format!("{kept} ({kept_size}), {other} ({other_size})"))
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
            (_, Some(source)) => match Self::of_connection(root_cause(source)) {
                Self::Unreachable(problem) => Self::Closed(problem),
                other => other,
            },
            (Code::Unavailable, None) => Self::Closed(message),
            (code, None) => Self::Unforeseen(format!("{code:?}: {message}")),
        }
    }
}

fn refusal(reason: &str, message: &str, lang: Lang) -> String {
    let Some(phrase) = advice::for_reason(reason) else {
        let detail = format!("{}: {}", harmless(reason), harmless(message));
        return fill(advice::OTHER_REFUSAL, &detail, lang);
    };
    // A policy's faults are shown as the gateway lays them out: lines with a mark under them.
    let lines: Vec<String> = match reason == Reason::InvalidPolicy.as_str() {
        true => message.trim_end().lines().map(harmless).collect(),
        false => vec![harmless(message.trim_end_matches('.'))],
    };
    fill(phrase, &lines.join("\n"), lang)
}

fn fill(phrase: Phrase, detail: &str, lang: Lang) -> String {
    lang.say(phrase).replace("{}", detail)
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

#[cfg(test)]
mod tests;
