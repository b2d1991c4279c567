//! `disclosure`: one person's contact details, asked for, approved, and opened on the officer's own computer
//! (PROTOCOL.md section 21).
//!
//! Signs and decrypts here and nowhere else. What the gateway says of a request is read from its signed
//! bytes; whom to believe is the federation manifest's business.

mod ask;
mod command;
mod decide;
mod desk;
mod key_file;
mod list;
mod open;
mod words;

pub use command::DisclosureCommand;

use self::desk::Desk;
use crate::{config::Config, connection::Dialler, failure::Failure, output::Screen};

/// Does what the command says.
///
/// # Errors
/// [`Failure`].
pub async fn run(
    command: DisclosureCommand,
    dialler: &Dialler,
    config: &Config,
    screen: &Screen,
) -> Result<String, Failure> {
    let desk = Desk::read(config, dialler.own())?;
    let gateway = &mut dialler.reach().await?;
    match command {
        DisclosureCommand::Request { asked, assent } => {
            ask::request(gateway, &desk, screen, (&asked, assent)).await
        }
        DisclosureCommand::List => list::list(gateway, screen).await,
        DisclosureCommand::Approve { id, assent } => {
            decide::approve(gateway, &desk, screen, (&id, assent)).await
        }
        DisclosureCommand::Refuse { id, assent } => {
            decide::refuse(gateway, screen, (&id, assent)).await
        }
        DisclosureCommand::Review { id, finding, assent } => {
            decide::review(gateway, screen, (&id, finding, assent)).await
        }
        DisclosureCommand::Open { id } => open::open(gateway, &desk, screen, &id).await,
    }
}
