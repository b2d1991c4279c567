//! `statistics`: the screening of a day and the report of a month, as tables, for a spreadsheet or for
//! programs.

mod csv;
mod json;
mod table;
mod terms;

use clap::{Subcommand, ValueEnum};
use proto::wire::{ReportRequest, ScreeningRequest, Statistics};
use sha2::{Digest, Sha256};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    output::Screen,
};

/// Commands about statistics.
#[derive(Debug, Subcommand)]
pub enum StatisticsCommand {
    /// Who is covered and who may be in difficulty, on a day / 排查情况（A 类、B 类）
    Screening {
        /// The day, e.g. 2026-11-27 [default: today] / 日期
        #[arg(long, value_name = "DAY")]
        date: Option<jiff::civil::Date>,
        /// How / 显示方式
        #[command(flatten)]
        shape: Shape,
    },
    /// Alerts, outcomes, assistance and time to the visit, in a month / 月度报表
    Report {
        /// The month, e.g. 2026-10 / 月份
        month: String,
        /// How / 显示方式
        #[command(flatten)]
        shape: Shape,
    },
}

/// How the numbers are shown.
#[derive(Debug, Default, clap::Args)]
pub struct Shape {
    /// Down to districts, or to streets / 统计到区或街道
    #[arg(long, value_enum, default_value_t = Depth::District)]
    by: Depth,
    /// For a spreadsheet, on standard output / 输出 CSV
    #[arg(long)]
    csv: bool,
}

/// How far down regions are shown.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Depth {
    /// Districts / 区
    #[default]
    District,
    /// Districts and streets / 区和街道
    Street,
}

/// Does what the command says.
///
/// # Errors
/// [`Failure`]; also where what came is not what its digest says.
pub async fn run(
    command: StatisticsCommand,
    gateway: &mut Gateway,
    screen: &Screen,
) -> Result<String, Failure> {
    let (statistics, digest, logged, shape) = match command {
        StatisticsCommand::Screening { date, shape } => {
            let date = date.map(|date| date.to_string()).unwrap_or_default();
            let request = ScreeningRequest { date };
            let response = answer(gateway.statistics.screening(asking(request))).await?;
            (response.statistics, response.digest, response.logged, shape)
        }
        StatisticsCommand::Report { month, shape } => {
            let request = ReportRequest { month };
            let response = answer(gateway.statistics.report(asking(request))).await?;
            (response.statistics, response.digest, response.logged, shape)
        }
    };
    let statistics = statistics.ok_or_else(|| Failure::Unforeseen("no statistics".into()))?;
    check(&statistics, &digest)?;
    if shape.csv {
        return Ok(csv::tables(&statistics));
    }
    let json = || json::statistics(&statistics, &digest, logged.as_ref());
    let people = || table::tables(screen, &statistics, shape.by, logged.as_ref());
    Ok(screen.answer(json, people))
}

fn check(statistics: &Statistics, digest: &[u8]) -> Result<(), Failure> {
    let computed = Sha256::digest(prost::Message::encode_to_vec(statistics));
    let whole = statistics.tables.iter().all(|table| {
        let lines = |lines: &[proto::wire::StatisticsLine]| {
            lines
                .iter()
                .enumerate()
                .all(|(place, line)| place == 0 && line.above == 0 || (line.above as usize) < place)
        };
        lines(&table.rows)
            && lines(&table.columns)
            && table.cells.len() == table.rows.len() * table.columns.len()
    });
    match whole && computed.as_slice() == digest {
        true => Ok(()),
        false => Err(Failure::Unforeseen("statistics that are not what their digest says".into())),
    }
}
