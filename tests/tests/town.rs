//! A little town of two agencies in a world: what their files say, what the oracle makes of it, and
//! what must have become of alerts.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use proto::{
    name::{AgencyId, DatasetId},
    scope::Suite,
    wire::{self, AlertState},
};
use tests::{
    deployment::{ADMINISTRATOR, Deployment},
    oracle::{self, Outcome, PersonId, Policy, World as Facts, random::Sources},
    source_files::dataset_toml,
    staff_client::{Alerts, StaffClient},
    world::World,
};

use crate::fixture::{difference, noon, today};

/// How long alerts may take once everything has arrived.
const PATIENCE: Duration = Duration::from_secs(20);

/// The town, and what its alerts must be.
pub struct Town {
    /// The federation.
    pub world: World,
    /// Its policy as the oracle reads it.
    pub policy: Policy,
    /// Live alerts as they must be by now.
    pub live: Alerts,
}

/// An agency's id.
pub fn agency(id: &str) -> AgencyId {
    id.parse().expect("a name")
}

/// A dataset's id.
pub fn dataset(id: &str) -> DatasetId {
    id.parse().expect("a name")
}

impl Town {
    /// Writes the files; nothing is started.
    pub fn new(policy_text: &str, sources: &Sources) -> Self {
        Self::at(noon(), policy_text, sources)
    }

    /// The same at another time: real processes have the system's.
    pub fn at(now: Timestamp, policy_text: &str, sources: &Sources) -> Self {
        Self::under(Suite::SaltedHash, now, policy_text, sources)
    }

    /// The same under a suite.
    pub fn under(suite: Suite, now: Timestamp, policy_text: &str, sources: &Sources) -> Self {
        let policy = Policy::read(policy_text).expect("a good policy");
        let world = World::new(
            policy_text,
            suite,
            now,
            |dir| Ok(sources.write(&policy, dir)?),
            |agency| dataset_toml(&policy, agency),
        );
        Self { world: world.expect("a world"), policy, live: Alerts::new() }
    }

    /// Takes the gateway's rows and alerts away while it is stopped; its access log stays.
    pub fn empty_gateway(&self) {
        let data = std::fs::read_dir(self.world.deployment.dir.join("gateway/data"));
        for entry in data.expect("there").flatten() {
            let name = entry.file_name().into_string().expect("ASCII");
            if name.starts_with("rows-") {
                std::fs::remove_dir_all(entry.path()).expect("gone");
            } else if name.starts_with("alerts.sqlite") {
                std::fs::remove_file(entry.path()).expect("gone");
            }
        }
    }

    /// The datasets of one agency.
    pub fn datasets_of(&self, agency: &str) -> Vec<&str> {
        let owned = self.policy.datasets.iter().filter(|(_, shape)| shape.agency == agency);
        owned.map(|(id, _)| id.as_str()).collect()
    }

    /// What is true according to the sources, households cut as adapters cut them.
    pub fn facts(&self, sources: &Sources) -> Facts {
        let deployment = &self.world.deployment;
        let register = dataset("register");
        let member = |person: &PersonId| {
            deployment.member_of(person, &register, today()).expect("a person of the town").0
        };
        sources.world(&self.policy, member)
    }

    /// What live alerts must come to under these facts: an unknown neither raises at once what it
    /// will withdraw nor withdraws anything.
    pub fn next(&self, facts: &Facts, stale: &[&str]) -> Alerts {
        let stale: BTreeSet<String> = stale.iter().map(|&id| id.to_owned()).collect();
        let outcomes = oracle::evaluate(facts, &self.policy, &stale);
        let state = |((person, rule), outcome): (&(PersonId, String), &Outcome)| {
            let key = (subject(&self.world.deployment, person), rule.clone());
            let before = self.live.get(&key).copied();
            let state = match outcome {
                Outcome::Alert => Some(AlertState::Open),
                Outcome::Pending => Some(before.unwrap_or(AlertState::Pending)),
                Outcome::Held => before,
                Outcome::Covered | Outcome::OverMeans => None,
            };
            state.map(|state| (key, state))
        };
        outcomes.iter().filter_map(state).collect()
    }

    /// Waits until live alerts are what these facts make of them, and stay so.
    ///
    /// # Errors
    /// The difference that remained.
    pub async fn come_to(&mut self, facts: &Facts, stale: &[&str]) -> anyhow::Result<()> {
        self.live = self.next(facts, stale);
        let mut desk = self.world.desk().await?;
        let (started, mut looks) = (Instant::now(), 0);
        while looks < 3 {
            // Unknowns show only when they last: time goes on while we look.
            self.world.pass(Duration::from_secs(6));
            tokio::time::sleep(Duration::from_millis(25)).await;
            let differences = difference(&desk.alert_states().await?, &self.live);
            looks = if differences.is_empty() { looks + 1 } else { 0 };
            if started.elapsed() > PATIENCE {
                let lines = self.world.client(&ADMINISTRATOR).await?.datasets().await?.into_iter();
                let lines = lines
                    .map(|line| format!("{}: {} rows, {}", line.dataset, line.rows, line.problem));
                let lines: Vec<_> = differences.into_iter().chain(lines).collect();
                anyhow::bail!("stale {stale:?}:\n{}", lines.join("\n"));
            }
        }
        Ok(())
    }

    /// One line of the list of datasets.
    pub async fn line(&self, admin: &StaffClient, id: &str) -> anyhow::Result<wire::DatasetStatus> {
        let line = admin.clone().datasets().await?.into_iter().find(|line| line.dataset == id);
        line.ok_or_else(|| anyhow::anyhow!("{id} is not listed"))
    }
}

/// A person's pseudonym.
pub fn subject(deployment: &Deployment, person: &str) -> String {
    deployment.subject_of(person, today()).expect("a person of the town").to_string()
}
