//! `cases`: what a caseworker and a supervisor do about an alert, from taking it to closing it.
//!
//! Which step may follow which is the gateway's to say; `next` only proposes.

mod codes;
mod command;
mod json;
mod list;
mod marks;
mod next;
mod sentence;
mod show;
mod step;
#[cfg(test)]
mod tests;
mod whose;

pub use self::{command::CasesCommand, whose::explained};

use proto::name::AgencyId;

use crate::{connection::Dialler, failure::Failure, output::Screen};

/// Does what the command says.
///
/// # Errors
/// [`Failure`].
pub async fn run(
    command: CasesCommand,
    dialler: &Dialler,
    screen: &Screen,
) -> Result<String, Failure> {
    let gateway = &mut dialler.reach().await?;
    let own: &AgencyId = dialler.own();
    match command {
        CasesCommand::List { filter, limit } => {
            list::list(gateway, screen, own, filter.to_wire(), limit).await
        }
        CasesCommand::Show { id } => show::show(gateway, screen, own, &id).await,
        CasesCommand::Step(command) => step::take(gateway, screen, &command).await,
    }
}
