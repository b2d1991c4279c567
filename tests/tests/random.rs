//! Random policies over random little towns, through real files, real adapters and the real gateway:
//! live alerts are what the oracle says, on a good day, in doubt, and on the day after.
//!
//! `RANDOM_TOWNS` plays more of them (16), `RANDOM_SEED` others (1). What fails is made smaller, and
//! printed with its seed.

use std::{env, fmt, time::Duration};

use anyhow::Context;
use proptest::{
    prelude::{BoxedStrategy, Strategy, any},
    sample::select,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use tests::oracle::{
    Policy, Rule,
    random::{SMALL_POLICY, Sources, rule, sources},
};

use crate::town::{Town, agency};

const RULES: usize = 6;
const PEOPLE: usize = 10;
/// Towns played at the same time: most of a play is waiting.
const AT_ONCE: u32 = 4;
/// Longer than any dataset of the policy is fresh.
const SILENCE: Duration = Duration::from_secs(49 * 3600);

/// One play.
#[derive(Clone)]
struct Play {
    sources: Sources,
    rules: Vec<Rule>,
    /// The police is not there when the gateway starts.
    late: bool,
    /// Whose adapter stops for two days.
    silent: &'static str,
    /// The dataset that differs on the last day, and where it is taken from.
    changed: String,
    tomorrow: Sources,
}

fn plays() -> BoxedStrategy<Play> {
    let policy = Policy::read(SMALL_POLICY).expect("the small policy is good");
    let rules: Vec<_> = (1..=RULES).map(|n| rule(&policy, &format!("r{n}"))).collect();
    let days = || {
        let policy = policy.clone();
        sources(&policy, PEOPLE).prop_map(move |sources| sources.as_files_say(&policy))
    };
    let changed: Vec<String> = policy.datasets.keys().cloned().collect();
    let rest = (any::<bool>(), select(&["aid", "police"][..]), select(changed));
    (days(), days(), rules, rest)
        .prop_map(|(sources, tomorrow, rules, (late, silent, changed))| Play {
            sources,
            rules,
            late,
            silent,
            changed,
            tomorrow,
        })
        .boxed()
}

impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sources, late, silent, changed, tomorrow, .. } = self;
        let rules: String = self.rules.iter().map(|rule| rule.section("any", "visit")).collect();
        writeln!(f, "{rules}{sources:?}\nlate: {late}, silent: {silent}, changed: {changed}")?;
        writeln!(f, "{tomorrow:?}")
    }
}

impl Play {
    fn policy_text(&self) -> String {
        let rules = self.rules.iter().map(|rule| rule.section("any", "visit"));
        [SMALL_POLICY.to_owned()].into_iter().chain(rules).collect::<Vec<_>>().join("\n")
    }

    /// The sources of the last day: one dataset is tomorrow's.
    fn last_day(&self) -> Sources {
        let mut sources = self.sources.clone();
        let rows = self.tomorrow.rows.get(&self.changed).cloned().unwrap_or_default();
        sources.rows.insert(self.changed.clone(), rows);
        if self.changed == "register" {
            sources.people.clone_from(&self.tomorrow.people);
            sources.homes.clone_from(&self.tomorrow.homes);
            sources.torn.clone_from(&self.tomorrow.torn);
        }
        sources
    }

    async fn run(&self) -> anyhow::Result<()> {
        let mut town = Town::new(&self.policy_text(), &self.sources);
        let facts = town.facts(&self.sources);
        if self.late {
            // It was there before: the gateway knows where to find it.
            town.world.start_adapters().await?;
            town.world.stop_adapter(&agency("police")).await?;
            town.world.start_gateway().await?;
            town.world.arrived(&["register", "cars"]).await?;
            // After two minutes nobody waits for the first arrival any more.
            town.world.pass(Duration::from_secs(130));
            town.come_to(&facts, &["register", "cars"]).await.context("before the police")?;
            town.world.start_adapter(&agency("police")).await?;
            town.world.arrived(&["poor", "ill", "help"]).await?;
        } else {
            town.world.start().await?;
            town.world.arrived(&[]).await?;
        }
        town.come_to(&facts, &[]).await.context("on the first day")?;

        let silent: Vec<String> =
            town.datasets_of(self.silent).into_iter().map(Into::into).collect();
        let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
        town.world.stop_adapter(&agency(self.silent)).await?;
        town.world.pass(SILENCE);
        town.world.reload_all()?;
        town.world.arrived(&silent).await?;
        town.come_to(&facts, &silent).await.context("in the silence")?;
        town.world.start_adapter(&agency(self.silent)).await?;
        let others: Vec<&str> = town
            .policy
            .datasets
            .keys()
            .map(String::as_str)
            .filter(|d| !silent.contains(d))
            .collect();
        town.world.arrived(&others).await?;
        town.come_to(&facts, &[]).await.context("after the silence")?;

        let last = self.last_day();
        last.write(&town.policy, &town.world.deployment.dir)?;
        town.world.pass(Duration::from_secs(60));
        town.world.reload_all()?;
        town.world.arrived(&[]).await?;
        let facts = town.facts(&last);
        town.come_to(&facts, &[]).await.context("on the last day")
    }
}

fn number(variable: &str, default: u32) -> u32 {
    let set = env::var(variable).ok();
    set.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: no number")))
}

fn play(seed: u32, towns: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    let config = Config {
        cases: towns,
        failure_persistence: None,
        max_shrink_iters: number("RANDOM_SHRINKS", 60),
        ..Config::default()
    };
    let seed_bytes = *blake3::hash(&seed.to_be_bytes()).as_bytes();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes);
    let result = TestRunner::new_with_rng(config, rng).run(&plays(), |play| {
        runtime.block_on(play.run()).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, play)) => panic!("RANDOM_SEED={seed}: {reason}\n{play:?}"),
        Err(TestError::Abort(reason)) => panic!("RANDOM_SEED={seed}: {reason}"),
    }
}

#[test]
fn random_policies_over_random_towns_raise_what_the_oracle_says() {
    let (towns, seed) = (number("RANDOM_TOWNS", 16), number("RANDOM_SEED", 1));
    std::thread::scope(|threads| {
        let each =
            (0..AT_ONCE).map(|n| threads.spawn(move || play(seed + n, towns.div_ceil(AT_ONCE))));
        for thread in each.collect::<Vec<_>>() {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}
