//! `gatewayctl` as a member of staff runs it: the real program, its exit code and what it says.

use std::{net::SocketAddr, process::Stdio};

use anyhow::Context;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    deployment::{Deployment, Staff},
    process::binary,
};

/// What came of one command.
#[derive(Debug)]
pub struct Said {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// The JSON document on standard output.
    ///
    /// # Errors
    /// What there was instead.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {self:?}"))
    }
}

/// Runs `gatewayctl --lang en --config ... ARGUMENTS`, without a terminal, in a home of the officer's own.
///
/// # Errors
/// Where the program is not there.
pub async fn ctl(
    deployment: &Deployment,
    staff: &Staff,
    gateway: SocketAddr,
    arguments: &[&str],
) -> anyhow::Result<Said> {
    let config = deployment.ctl_config(staff, gateway)?;
    let home = config.parent().context("it is in the officer's home")?;
    let output = Command::new(binary("gatewayctl")?)
        .args(["--lang", "en", "--config"])
        .arg(&config)
        .args(arguments)
        .env("HOME", home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) })
}
