//! The command line, and nothing that it asks for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;
use proto::{
    alert_id::AlertId,
    wire::{AlertFilter, AlertState},
};

use crate::{
    audit::{Chosen, Export},
    cases::CasesCommand,
    disclosure::DisclosureCommand,
    failure::{EXIT_CODES, Failure},
    moment::{range_end, range_start, to_wire},
    notifications::NotificationsCommand,
    statistics::StatisticsCommand,
    typed_id::alert_id,
    words::Lang,
};

/// Client of civil-affairs staff and auditors / 民政工作人员和审计人员的客户端
#[derive(Debug, Parser)]
#[command(name = "gatewayctl", version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Configuration [default: ~/.config/gatewayctl.toml, then ./ctl.toml] / 配置文件
    #[arg(long, global = true, env = "GATEWAYCTL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One JSON document; for `watch` one JSON object per line / 输出 JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of tables and messages [default: from $LANG] / 语言
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, made at the start")]
pub enum Command {
    /// Something that the gateway is asked.
    #[command(flatten)]
    Ask(Question),
    /// Completions for a shell, on standard output / 命令补全脚本
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What the gateway is asked.
#[derive(Debug, Subcommand)]
pub enum Question {
    /// People who should be visited / 预警
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// What is done about alerts / 预警的办理
    #[command(subcommand)]
    Cases(CasesCommand),
    /// A person's contact details, for one officer after approval / 披露联系方式
    #[command(subcommand)]
    Disclosure(DisclosureCommand),
    /// What raises alerts / 预警规则
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Agencies and their connections / 部门及其连接
    Agencies,
    /// Datasets: freshness, rows, problems / 数据集的时效、行数和问题
    Datasets,
    /// Who may have whose data checked / 数据比对授权
    Grants,
    /// What officers were told of cases (administrators) / 通知（管理员）
    #[command(subcommand)]
    Notifications(NotificationsCommand),
    /// Counts for planning help (analysts, supervisors) / 统计（分析人员、督导）
    #[command(subcommand)]
    Statistics(StatisticsCommand),
    /// Key periods: which is in force, and how far the next one has come / 密钥周期及更替进度
    Epochs,
    /// Whose calls were refused (security) / 被拒绝的请求（安全管理员）
    Refusals,
    /// The access log (auditors) / 访问日志（审计人员）
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Proof that what you were shown is in the access log / 查阅凭证
    #[command(subcommand)]
    Receipt(ReceiptCommand),
}

/// Commands about the access log. Every answer is checked before it is shown.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Who did what, with the proof that nothing was left out / 查询记录，并核验无遗漏
    Search {
        /// Which entries.
        #[command(flatten)]
        chosen: Chosen,
    },
    /// One entry / 一条记录
    Show {
        /// Its place in the log / 序号
        index: u64,
        /// Whose keys prove it.
        #[command(flatten)]
        keys: Keys,
    },
    /// The proof of one entry, for others to check / 一条记录的证明
    Prove {
        /// Its place in the log / 序号
        index: u64,
        /// Whose keys prove it.
        #[command(flatten)]
        keys: Keys,
    },
    /// Check the whole log: every hash, every signature / 核验整个日志
    Verify {
        /// A copy of the gateway's data directory, or of the log in it, instead of the running
        /// gateway / 日志文件目录
        #[arg(long, value_name = "DIRECTORY")]
        tiles: Option<PathBuf>,
        /// Whose keys prove it.
        #[command(flatten)]
        keys: Keys,
    },
    /// Entries for other programs, on standard output / 导出记录
    Export {
        /// Which entries.
        #[command(flatten)]
        chosen: Chosen,
        /// The form / 格式
        #[arg(long, value_enum, default_value_t = Export::Jsonl)]
        format: Export,
    },
    /// Who looked at how much, day by day, and what stands out / 查阅情况报告
    Report {
        /// Which entries.
        #[command(flatten)]
        chosen: Chosen,
    },
}

/// Commands about receipts.
#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    /// The receipt of an answer that you were given, on standard output / 取得凭证
    Get {
        /// The entry's place in the log, as the answer told it / 序号
        index: u64,
    },
    /// Check a receipt, without the gateway / 离线核验凭证
    Verify {
        /// The receipt / 凭证文件
        file: PathBuf,
        /// The federation manifest, whose keys are trusted / 联邦清单
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
    },
}

/// Whose keys are trusted, and what was verified before.
#[derive(Debug, Default, Clone, Args)]
pub struct Keys {
    /// The federation manifest, whose keys are trusted / 联邦清单
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log_key", "witness_key", "quorum"])]
    pub manifest: Option<PathBuf>,
    /// Instead of a manifest: the log's key, as a C2SP verifier key / 日志公钥文件
    #[arg(long, value_name = "FILE", requires_all = ["witness_key", "quorum"])]
    pub log_key: Option<PathBuf>,
    /// A witness's key; once for each / 见证方公钥文件
    #[arg(long, value_name = "FILE", requires = "log_key")]
    pub witness_key: Vec<PathBuf>,
    /// How many of the witnesses must have cosigned / 须见证的部门数
    #[arg(long, value_name = "N", requires = "log_key")]
    pub quorum: Option<usize>,
    /// Where the last checkpoint verified is kept / 上次核验的检查点
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// Commands about alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// The alerts that you may see / 预警列表
    List {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// At most this many / 最多条数
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// One alert, and why it was raised / 一条预警及其依据
    Show {
        /// The alert's id, also without AL- / 预警编号，可省略 AL-
        #[arg(value_parser = alert_id)]
        id: AlertId,
    },
    /// Changes as they happen, until Ctrl-C / 持续显示变更
    Watch {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// The revision of the last change seen / 上次看到的修订号
        #[arg(long, value_name = "REVISION", default_value_t = 0)]
        resume_after: u64,
    },
}

/// Commands about rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// All rules / 规则列表
    List,
    /// One rule in full / 一条规则的全文
    Show {
        /// The rule's id / 规则编号
        id: String,
    },
    /// How many people a rule would concern; raises no alert / 试算规则涉及人数，不产生预警
    Test {
        /// A rule that is in force / 现行规则编号
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        id: Option<String>,
        /// A file with one `[[rule]]` table / 含一个 `[[rule]]` 表的文件
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Have the gateway read its policy again (administrators) / 重新加载策略（管理员）
    Reload,
}

/// Which alerts.
#[derive(Debug, Default, Args)]
pub struct Filter {
    /// First digits of the region code, e.g. 320104 / 区划代码开头
    #[arg(long, value_name = "PREFIX", value_parser = region_prefix)]
    pub region: Option<String>,
    /// A rule's id / 规则编号
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// A situation's id / 情形编号
    #[arg(long, value_name = "ID")]
    pub situation: Option<String>,
    /// States, one or several / 状态，可多个
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',')]
    pub state: Vec<StateName>,
    /// Raised from this day or RFC 3339 time on / 预警时间起
    #[arg(long, value_name = "TIME", value_parser = range_start)]
    pub from: Option<Timestamp>,
    /// Raised before this RFC 3339 time, or until the end of this day / 预警时间止（含当日）
    #[arg(long, value_name = "TIME", value_parser = range_end)]
    pub until: Option<Timestamp>,
}

/// An alert's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateName {
    /// Somebody should be visited / 待处理
    Open,
    /// Something unknown decides / 待定
    Pending,
    /// The check could not be completed in time / 核查不全
    Incomplete,
    /// The rule no longer holds / 已撤销
    Withdrawn,
}

impl Filter {
    /// The filter as the protocol has it. No state means every state but withdrawn.
    ///
    /// # Errors
    /// [`Failure::Usage`] where no time can be between the two.
    pub fn to_wire(&self) -> Result<AlertFilter, Failure> {
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from >= until
        {
            return Err(Failure::Usage("--from is not before --until".into()));
        }
        Ok(AlertFilter {
            region_prefix: self.region.clone().unwrap_or_default(),
            rule: self.rule.clone().unwrap_or_default(),
            situation: self.situation.clone().unwrap_or_default(),
            states: self.state.iter().map(|state| state.to_wire().into()).collect(),
            raised_from: self.from.map(to_wire),
            raised_until: self.until.map(to_wire),
        })
    }
}

impl StateName {
    fn to_wire(self) -> AlertState {
        match self {
            Self::Open => AlertState::Open,
            Self::Pending => AlertState::Pending,
            Self::Incomplete => AlertState::Incomplete,
            Self::Withdrawn => AlertState::Withdrawn,
        }
    }
}

/// The beginning of a region's code.
///
/// # Errors
/// What one is, for the person who typed something else.
pub fn region_prefix(text: &str) -> Result<String, String> {
    let fits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { Ok(text.into()) } else { Err("a region is 1 to 12 digits".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    fn filter_of(line: &str) -> Result<AlertFilter, Failure> {
        let Command::Ask(Question::Alerts(AlertsCommand::List { filter, .. })) =
            parsed(line).expect("the line parses").command
        else {
            panic!("{line} lists no alerts");
        };
        filter.to_wire()
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_tells_the_exit_codes_in_both_languages() {
        let help = Arguments::command().render_help().to_string();
        assert!(help.contains("gateway unreachable / 无法连接网关"), "{help}");
    }

    #[test]
    fn states_can_be_given_in_any_usual_way() {
        let states = vec![AlertState::Open as i32, AlertState::Pending as i32];
        for line in ["--state open,pending", "--state open pending", "--state open --state pending"]
        {
            let filter = filter_of(&format!("gatewayctl alerts list {line}")).expect("a filter");
            assert_eq!(filter.states, states, "{line}");
        }
    }

    #[test]
    fn one_day_can_be_both_ends_of_a_range_and_a_reversed_range_is_refused() {
        let day = "gatewayctl alerts list --from 2026-11-24 --until 2026-11-24";
        let filter = filter_of(day).expect("a filter");
        let seconds = |at: Option<prost_types::Timestamp>| at.expect("a time").seconds;
        assert_eq!(seconds(filter.raised_until) - seconds(filter.raised_from), 24 * 3600);
        let reversed = "gatewayctl alerts list --from 2026-11-24 --until 2026-11-22";
        assert_eq!(filter_of(reversed).expect_err("it is reversed").exit_code(), 2);
    }

    #[test]
    fn wrong_values_are_usage_errors_with_code_2() {
        for line in [
            "gatewayctl alerts list --region 32010x",
            "gatewayctl alerts list --from tomorrow",
            "gatewayctl alerts list --limit 0",
            "gatewayctl alerts list --state closed",
            "gatewayctl --lang fr agencies",
            "gatewayctl rules test",
            "gatewayctl rules test an-id --file rule.toml",
        ] {
            assert_eq!(parsed(line).expect_err(line).exit_code(), 2, "{line}");
        }
        let missing = parsed("gatewayctl rules test").expect_err("nothing to test");
        assert_eq!(missing.kind(), ErrorKind::MissingRequiredArgument);
    }
}
