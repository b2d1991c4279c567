//! One epoch follows another while everything runs: alerts go on under their ids, nothing is lost,
//! and what belonged to the old epoch is deleted in time.

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt;
use jiff::civil::{Date, date};
use proto::{
    scope::Suite,
    wire::{self, AlertState, EpochGap, watch_alerts_response::Event},
};
use tests::{
    deployment::ADMINISTRATOR,
    oracle::random::SMALL_POLICY,
    staff_client::{Alerts, StaffClient},
    tap::{Tampering, Tap},
};

use crate::{
    fixture::noon,
    siege::{RULE, person, sources},
    town::{Town, agency},
};

/// A minute in which something may have happened.
const STEP: Duration = Duration::from_secs(60);

fn last_day() -> Date {
    date(2026, 11, 30)
}

fn last_day_of_next() -> Date {
    date(2027, 11, 30)
}

/// A town in which one epoch follows another.
struct Change {
    town: Town,
    admin: StaffClient,
    desk: StaffClient,
}

/// Alerts by person and rule: id and state.
type ByPerson = BTreeMap<(u16, String), (String, AlertState)>;

impl Change {
    /// The town in its first epoch, when all is settled on one of the siege's days.
    async fn begin(other_day: bool) -> Self {
        Self::begin_under(Suite::SaltedHash, other_day).await
    }

    async fn begin_under(suite: Suite, other_day: bool) -> Self {
        let policy = SMALL_POLICY.to_owned() + RULE;
        let mut town = Town::under(suite, noon(), &policy, &sources(other_day));
        town.world.deployment.list_epochs(&[(1, last_day())]).expect("issued");
        town.world.start().await.expect("started");
        Self::of(town, other_day).await
    }

    async fn of(mut town: Town, other_day: bool) -> Self {
        let facts = town.facts(&sources(other_day));
        town.come_to(&facts, &[]).await.expect("all is well");
        let desk = town.world.desk().await.expect("desk");
        let admin = town.world.client(&ADMINISTRATOR).await.expect("admin");
        Self { town, admin, desk }
    }

    /// A manifest with the next epoch, accepted by everybody who runs.
    async fn announce(&mut self) {
        let epochs = [(1, last_day()), (2, last_day_of_next())];
        self.town.world.deployment.list_epochs(&epochs).expect("issued");
        self.accept().await;
    }

    async fn accept(&mut self) {
        self.town.world.reload_all().expect("reloading");
        let request = wire::ReloadPolicyRequest {};
        self.admin.admin.reload_policy(request).await.expect("accepted");
        let both = |epochs: &Vec<wire::EpochStatus>| {
            epochs.len() == 2 && gaps(&epochs[1]).len() == self.town.policy.datasets.len()
        };
        self.until(Duration::ZERO, both).await;
    }

    /// Looks at the epochs, each time after a while, until this holds of them.
    async fn until(
        &self,
        a_while: Duration,
        good: impl Fn(&Vec<wire::EpochStatus>) -> bool,
    ) -> Vec<wire::EpochStatus> {
        let look = || {
            self.town.world.pass(a_while);
            let mut admin = self.admin.clone();
            async move { admin.epochs().await }
        };
        self.town.world.until(look, good).await.expect("the epochs come to this")
    }

    /// Salts and grants of the next epoch, and everybody told to look.
    fn prepare(&self, agencies: &[&str], except: &[&str]) {
        for id in agencies {
            let of_agency = |ending: &&&str| {
                let dataset = ending.split(':').next().expect("a dataset");
                self.town.datasets_of(id).contains(&dataset)
            };
            let except: Vec<&str> = except.iter().filter(of_agency).copied().collect();
            self.town.world.prepare_next_epoch(&agency(id), &except).expect("prepared");
        }
        self.town.world.reload_all().expect("reloading");
    }

    /// Time goes on until this epoch is in force.
    async fn in_force(&mut self, epoch: u32) {
        self.until(Duration::from_secs(6), |epochs| number(&epochs[0]) == epoch).await;
    }

    /// In which epoch subjects are looked at from now on.
    fn enter(&mut self, epoch: u32) {
        let before: Vec<String> = (1..=6).map(|n| self.subject(n)).collect();
        self.town.world.deployment.enter(epoch).expect("listed");
        let after: Vec<String> = (1..=6).map(|n| self.subject(n)).collect();
        let renamed = |((subject, rule), state): ((String, String), AlertState)| {
            let n = before.iter().position(|known| *known == subject).expect("a person");
            ((after[n].clone(), rule), state)
        };
        self.town.live = std::mem::take(&mut self.town.live).into_iter().map(renamed).collect();
    }

    fn subject(&self, n: u16) -> String {
        crate::town::subject(&self.town.world.deployment, &person(n))
    }

    /// Whom alerts are about, in the epoch entered; nobody else's may be there.
    async fn by_person(&mut self) -> ByPerson {
        let people: BTreeMap<String, u16> = (1..=6).map(|n| (self.subject(n), n)).collect();
        let alerts = self.desk.alerts().await.expect("alerts").into_iter();
        let by_person = alerts.map(|alert| {
            let state = alert.state();
            ((people[&alert.subject], alert.rule), (alert.id, state))
        });
        by_person.collect()
    }

    async fn come_to(&mut self, other_day: bool, stale: &[&str]) {
        let facts = self.town.facts(&sources(other_day));
        self.town.come_to(&facts, stale).await.expect("as the oracle says");
    }

    fn write(&self, other_day: bool) {
        let dir = &self.town.world.deployment.dir;
        sources(other_day).write(&self.town.policy, dir).expect("written");
        self.town.world.pass(STEP);
        self.town.world.reload_all().expect("reloading");
    }

    fn exists(&self, path: &str) -> bool {
        self.town.world.deployment.dir.join(path).exists()
    }

    /// Days pass, and everybody reads their sources again.
    fn sleep_until(&self, day: Date) {
        let at = day.to_zoned_datetime(jiff::tz::TimeZone::UTC).expect("a day").timestamp();
        let wait = at.duration_since(self.town.world.now()).unsigned_abs();
        self.town.world.pass(wait);
        self.town.world.reload_all().expect("reloading");
    }
}

fn number(epoch: &wire::EpochStatus) -> u32 {
    epoch.scope.as_ref().expect("always there").epoch
}

fn gaps(next: &wire::EpochStatus) -> BTreeMap<&str, EpochGap> {
    next.datasets.iter().map(|dataset| (dataset.dataset.as_str(), dataset.gap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_go_on_under_their_ids_from_the_first_manifest_to_the_deletion() {
    let mut change = Change::begin(false).await;
    let before = change.by_person().await;
    assert!(before.len() >= 4, "there are alerts to lose");

    change.announce().await;
    let next = change.admin.epochs().await.expect("epochs").pop().expect("two");
    assert!(number(&next) == 2 && !next.in_force);
    // The present epoch goes on meanwhile: some alerts are withdrawn, and come again.
    change.write(true);
    change.come_to(true, &[]).await;
    change.write(false);
    change.come_to(false, &[]).await;
    let during = change.by_person().await;
    assert!(during != before && during.len() == before.len(), "new occurrences");
    let epochs = change.admin.epochs().await.expect("epochs");
    assert_eq!((number(&epochs[0]), epochs.len()), (1, 2), "nothing is there in the next one");
    assert!(gaps(&epochs[1]).values().all(|gap| *gap == EpochGap::NotArrived));

    let alerts = change.desk.alerts().await.expect("alerts");
    let newest = alerts.iter().map(|alert| alert.revision).max().expect("some");
    let watch = wire::WatchAlertsRequest { resume_after: newest, filter: None };
    let mut watch = change.desk.matches.watch_alerts(watch).await.expect("watching").into_inner();
    change.prepare(&["aid", "police"], &[]);
    change.in_force(2).await;
    change.enter(2);
    change.come_to(false, &[]).await;
    assert_eq!(change.by_person().await, during, "the same alerts of the same people");
    let mut told = BTreeMap::new();
    while told.len() < during.len() {
        if let Some(Event::Alert(alert)) = watch.next().await.expect("open").expect("told").event {
            told.insert(alert.id, alert.subject);
        }
    }
    for ((n, _), (id, _)) in &during {
        assert_eq!(told.get(id), Some(&change.subject(*n)), "a watcher is told the new subject");
    }

    change.write(true);
    change.come_to(true, &[]).await;
    change.write(false);
    change.come_to(false, &[]).await;
    assert!(change.exists("gateway/data/rows-1") && change.exists("police/state/salts/1"));
    change.sleep_until(last_day().checked_add(jiff::Span::new().days(2)).expect("a day"));
    let old = ["gateway/data/rows-1", "police/state/salts/1", "aid/state/versions-1.redb"];
    let left = || {
        change.town.world.reload_all().expect("reloading");
        let left: Vec<_> = old.iter().filter(|path| change.exists(path)).collect();
        async move { Ok(left.len()) }
    };
    change.town.world.until(left, |left| *left == 0).await.expect("deleted");
    change.come_to(false, &[]).await;
    assert!(change.exists("gateway/data/rows-2") && change.exists("aid/state/salts/2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn under_suite_oprf_the_next_epochs_roots_are_evaluated_while_the_present_one_goes_on() {
    let mut change = Change::begin_under(Suite::Oprf, false).await;
    let before = change.by_person().await;
    assert!(before.len() >= 4, "there are alerts to lose");
    change.announce().await;
    change.prepare(&["aid", "police"], &[]);
    change.in_force(2).await;
    change.enter(2);
    change.write(true);
    change.come_to(true, &[]).await;
    change.write(false);
    change.come_to(false, &[]).await;
    assert_eq!(change.by_person().await.len(), before.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_that_is_down_delays_the_change_and_at_the_end_its_alerts_are_incomplete() {
    let mut change = Change::begin(false).await;
    let before = change.by_person().await;
    change.town.world.stop_adapter(&agency("aid")).await.expect("stopped");
    change.announce().await;
    change.prepare(&["aid", "police"], &[]);
    let police_is_there = |epochs: &Vec<wire::EpochStatus>| {
        let mut lines = epochs[1].datasets.iter();
        lines.any(|line| line.dataset == "cars" && line.rows > 0)
    };
    let epochs = change.until(STEP, police_is_there).await;
    assert_eq!(gaps(&epochs[1])["poor"], EpochGap::NotArrived);
    // Long after it could have been; the gateway is restarted, too, and knows nobody of aid's.
    change.town.world.pass(Duration::from_secs(3600));
    change.town.world.stop_gateway().await.expect("stopped");
    change.town.world.start_gateway().await.expect("started");
    change.admin = change.town.world.client(&ADMINISTRATOR).await.expect("admin");
    change.desk = change.town.world.desk().await.expect("desk");
    let waits = |epochs: &Vec<wire::EpochStatus>| {
        epochs.len() == 2 && gaps(&epochs[1]).get("help") == Some(&EpochGap::NotArrived)
    };
    change.until(STEP, waits).await;
    change.town.world.pass(Duration::from_secs(3600));
    let epochs = change.until(STEP, waits).await;
    assert_eq!(number(&epochs[0]), 1);
    assert_eq!(change.by_person().await, before, "alerts stay");

    change.sleep_until(last_day().tomorrow().expect("a day"));
    change.in_force(2).await;
    let alerts = change.desk.alerts().await.expect("alerts");
    let ids: Vec<&String> = before.values().map(|(id, _)| id).collect();
    assert!(
        alerts.iter().all(|alert| alert.state() == AlertState::Incomplete),
        "somebody must look"
    );
    assert!(alerts.len() == ids.len() && alerts.iter().all(|alert| ids.contains(&&alert.id)));

    // Whom nobody vouched for is raised anew once the agency is back; what was left stays to be seen.
    change.town.world.start_adapter(&agency("aid")).await.expect("started");
    change.town.world.reload_all().expect("reloading");
    change.town.live = Alerts::new();
    change.town.world.deployment.enter(2).expect("listed");
    let facts = change.town.facts(&sources(false));
    let raised = change.town.next(&facts, &[]);
    let look = || {
        change.town.world.pass(Duration::from_secs(6));
        let mut desk = change.desk.clone();
        async move { desk.alert_states().await }
    };
    let all = |alerts: &Alerts| raised.keys().all(|key| alerts.get(key) == Some(&AlertState::Open));
    let alerts = change.town.world.until(look, all).await.expect("raised anew");
    assert_eq!(alerts.len(), raised.len() + ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_not_renewed_opens_no_row_in_the_next_epoch_and_is_not_taken_for_a_no() {
    let mut change = Change::begin(true).await;
    let before = change.by_person().await;
    change.announce().await;
    change.prepare(&["aid", "police"], &["cars:aid"]);
    change.in_force(2).await;
    change.enter(2);
    let after = change.by_person().await;
    assert!(before.iter().all(|(key, alert)| after.get(key) == Some(alert)), "none is withdrawn");
    change.write(false);
    change.come_to(false, &["cars"]).await;
    let after = change.by_person().await;
    let states = |state| after.values().filter(|(_, it)| *it == state).count();
    assert!(states(AlertState::Pending) >= 1, "unknown decides for who is new: {after:?}");
    let grants = change.admin.admin.list_grants(wire::ListGrantsRequest {}).await.expect("listed");
    let grants = grants.into_inner().grants;
    assert!(!grants.iter().any(|line| line.dataset == "cars" && line.grantee == "aid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_who_counts_only_as_the_watch_agency_signed_it() {
    let text = SMALL_POLICY.to_owned() + RULE;
    let mut town = Town::new(&text, &sources(false));
    town.world.deployment.list_epochs(&[(1, last_day())]).expect("issued");
    town.world.start_adapters().await.expect("started");
    let address = town.world.adapter_address(&agency("aid"));
    let tap = Tap::start(&town.world.deployment, &agency("aid"), address).await.expect("tap");
    town.world.reach_through(&agency("aid"), tap.address);
    town.world.start_gateway().await.expect("started");
    let mut change = Change::of(town, false).await;
    let before = change.by_person().await;
    // Two people's successors are exchanged on the way.
    let exchange = |mut answer: wire::SucceedResponse| {
        let (first, second) = answer.pairs.split_at_mut(32);
        first[16..].swap_with_slice(&mut second[16..32]);
        answer
    };
    let successors: tests::tap::Change<wire::SucceedResponse> = std::sync::Arc::new(exchange);
    tap.tamper(Tampering { successors: Some(successors), ..Tampering::default() });
    change.announce().await;
    change.prepare(&["aid", "police"], &[]);
    let refused = |epochs: &Vec<wire::EpochStatus>| {
        epochs.get(1).is_some_and(|next| next.waiting_for.iter().any(|it| it.contains("signature")))
    };
    let epochs = change.until(STEP, refused).await;
    assert_eq!(number(&epochs[0]), 1);
    tap.tamper(Tampering::default());
    change.in_force(2).await;
    change.enter(2);
    change.come_to(false, &[]).await;
    assert_eq!(change.by_person().await, before);
}
