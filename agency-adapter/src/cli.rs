//! The command line: what can be asked of the program. What it does is elsewhere.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use proto::name::{AgencyId, DatasetId};

use crate::{
    key_holder::commands::KeyHolderCommand, lang::Lang, manifest_command::ManifestCommand,
    renewal::Ending,
};

/// Runs inside an agency: reads its files, derives person secrets, and serves sealed rows and
/// releases to the programme's gateway.
///
/// 在部门内部运行：读取本部门的数据文件，逐人派生秘密，只向本项目的网关提供加密行和监测对象的假名。
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done; 1 something must be mended: a check failed or a dataset \
                  cannot be loaded; 2 wrong arguments, configuration or state directory, or \
                  serving failed.\n\
                  Messages go to standard error, results to standard output. RUST_LOG sets the \
                  level of the log (default: info)."
)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, default_value = "adapter.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Results and log as JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// The language of results; from the locale where not given.
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make keys, and salts for the datasets the manifest gives this agency; existing ones stay.
    /// Prints the block for the federation manifest. 生成密钥和盐值
    Init,
    /// Serve the gateway until SIGINT or SIGTERM; SIGHUP reads everything but the configuration
    /// again. 启动服务
    Serve,
    /// Check configuration, manifest, certificates, keys, salts, grants and sources. 检查配置
    Doctor,
    /// Read the sources and publish them while `serve` is not running. 读取数据
    Load {
        /// Only read and report; nothing is written.
        #[arg(long)]
        dry_run: bool,
        /// Which datasets; all where none is named.
        datasets: Vec<DatasetId>,
    },
    /// Let agencies have their people checked against a dataset of this agency. 授权
    Grant {
        /// A dataset that this agency owns, or `base`.
        #[arg(required_unless_present = "renew")]
        dataset: Option<DatasetId>,
        /// To whom.
        #[arg(long, required_unless_present = "renew", num_args = 1.., value_name = "AGENCY")]
        to: Vec<AgencyId>,
        /// Grant in the next epoch what was granted in the present one. 将本期授权延续到下一期
        #[arg(long, conflicts_with_all = ["dataset", "to"])]
        renew: bool,
        /// But not this: the grant ends with the present epoch. 不再延续的授权
        #[arg(long, requires = "renew", num_args = 1.., value_name = "DATASET:AGENCY")]
        except: Vec<Ending>,
    },
    /// Draft, sign, verify, show and compare federation manifests. 联合清单
    #[command(subcommand)]
    Manifest(ManifestCommand),
    /// What only a key holder does: the key ceremony, share keys, usage. 密钥持有方
    #[command(subcommand)]
    KeyHolder(KeyHolderCommand),
    /// What was disclosed to officers, from this agency's own journal. 披露记录
    Disclosure {
        /// What to do.
        #[command(subcommand)]
        command: DisclosureCommand,
    },
    /// Print the block for the federation manifest again. 显示公钥
    PublicKeys,
    /// This adapter as a witness of the gateway's log. 日志见证
    Witness {
        /// What to do.
        #[command(subcommand)]
        command: WitnessCommand,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which.
        shell: clap_complete::Shell,
    },
}

/// What to do with disclosures.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum DisclosureCommand {
    /// Every disclosure: when, to whom, for which alert, approved by whom. 列出披露记录
    List,
}

/// What to do with the witness.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum WitnessCommand {
    /// Show what was cosigned, every fork of the log, and what the log does not account for. 查看
    Status,
    /// Serve the gateway again after a fork was found, and stop telling of acts that were not in the
    /// log until now. The evidence stays. 恢复服务
    Resume {
        /// The federation was told, with the evidence. 已向联合体各方报告
        #[arg(long, required = true)]
        i_have_reported: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_takes_global_options_anywhere() {
        Arguments::command().debug_assert();
        let line = ["agency-adapter", "grant", "base", "--to", "tax", "police", "--lang", "zh"];
        let arguments = Arguments::try_parse_from(line).expect("good");
        assert_eq!(arguments.lang, Some(Lang::Zh));
        assert!(matches!(arguments.command, Command::Grant { to, .. } if to.len() == 2));
        let grant = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(grant("agency-adapter grant --renew --except cars:aid").is_ok());
        assert!(grant("agency-adapter grant --except cars:aid").is_err());
        assert!(grant("agency-adapter grant cars --renew").is_err());
        assert!(grant("agency-adapter grant cars").is_err(), "to nobody");
    }
}
