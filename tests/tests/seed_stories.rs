//! The seed stories: for each situation of the default policy one that is told by hand in a city where
//! nothing else ever happens. Who is in it must be visited, and for the right reasons; whoever is almost in
//! the same plight, and not quite, must not.

use std::time::Duration;

use jiff::{ToSpan, civil::Date};
use proto::wire::{self, AlertState, RulePart, Truth};
use tests::{
    city::{
        City,
        catalogue::datasets,
        resident::{Insurance, Listing, Resident},
        rows::{Cell, Row, rows},
    },
    oracle::{self, Outcome, PersonId},
    staff_client::{Alerts, StaffClient},
};

use crate::fixture::{default_policy, noon, settle, today, world_of};

/// What befalls a household; the story is about its first member, and the second lives with them.
type Fate = fn(&mut [Resident]);

/// A story, and others that are not quite it.
struct Story {
    rule: &'static str,
    /// In different households, each enough.
    befalls: &'static [Fate],
    /// What else happens in another household that is befallen by the first of these, so that nobody needs
    /// to be visited there.
    near_misses: &'static [(&'static str, Fate)],
    /// What the first household's alert says of `when` and `means`.
    because: &'static str,
}

fn days_ago(days: i32) -> Date {
    today().saturating_sub(days.days())
}

fn die(home: &mut [Resident]) {
    home[0].death = Some(days_ago(5));
}

fn be_cremated(home: &mut [Resident]) {
    home[0].death = Some(days_ago(5));
    home[0].cremated = true;
}

fn be_covered(home: &mut [Resident]) {
    home[0].assistance = Some("低保边缘");
}

/// The city in which the story is told, those whom it befalls, and those whom it almost does.
type Told = (City, Vec<PersonId>, Vec<(&'static str, PersonId)>);

/// The story in the first city in whose files every cell can be read.
fn tell(story: &Story) -> Told {
    let clean =
        |row: &Row| !row.upgraded && !row.cells.iter().any(|c| matches!(c, Cell::Broken(_)));
    let clean = |(city, ..): &Told| {
        let rows =
            |resident| datasets().flat_map(move |dataset| rows(dataset, resident, city.seed()));
        city.residents().flat_map(rows).all(|row| clean(&row))
    };
    (1..100).map(|seed| tell_in(seed, story)).find(clean).expect("one of so many is clean")
}

fn tell_in(seed: u64, story: &Story) -> Told {
    let mut city = City::quiet(120, seed, today());
    city.set_k_threshold(1);
    let together = |home: &usize| city.residents().filter(|r| r.household == *home).count() > 1;
    let last = city.residents().last().expect("somebody lives there").household;
    let homes: Vec<usize> = (0..=last).filter(together).collect();
    let mut homes = homes.into_iter();
    let mut befall = |fates: &[Fate]| {
        let home = city.home_mut(homes.next().expect("there are enough households"));
        fates.iter().for_each(|fate| fate(home));
        home[0].id.clone()
    };
    let struck = story.befalls.iter().map(|fate| befall(&[*fate])).collect();
    let spared = story.near_misses.iter();
    let spared = spared.map(|(why, fate)| (*why, befall(&[story.befalls[0], *fate]))).collect();
    (city, struck, spared)
}

/// The story as an evaluator that sees the plain data has it.
fn is_what_the_policy_says(
    story: &Story,
    city: &City,
    struck: &[PersonId],
    spared: &[(&str, PersonId)],
) {
    let outcomes = oracle::expected(city, &default_policy(), &Default::default(), PersonId::clone);
    let visited = |outcome: &&Outcome| matches!(outcome, Outcome::Alert | Outcome::Pending);
    for ((person, rule), outcome) in outcomes.iter().filter(|(_, outcome)| visited(outcome)) {
        let near_miss = spared.iter().find(|(_, id)| id == person);
        let because = near_miss.map_or("somebody else", |(why, _)| why);
        assert!(struck.contains(person), "{because}: {outcome:?} by {rule}");
        assert_eq!((&rule[..], outcome), (story.rule, &Outcome::Alert));
    }
    for person in struck {
        let outcome = outcomes.get(&(person.clone(), story.rule.to_owned()));
        assert_eq!(outcome, Some(&Outcome::Alert));
    }
}

/// Tells the story to real adapters and the real gateway.
async fn comes_true(story: Story) {
    let (city, struck, spared) = tell(&story);
    is_what_the_policy_says(&story, &city, &struck, &spared);
    let mut world = world_of(&city);
    world.start().await.expect("started");
    world.arrived(&[]).await.expect("everything is there");
    let subject = |id: &PersonId| world.deployment.subject_of(id, today()).expect("a person");
    let alert = |id| ((subject(id).to_string(), story.rule.to_owned()), AlertState::Open);
    let wanted: Alerts = struck.iter().map(alert).collect();
    let desk = world.desk().await.expect("connected");
    settle(&world, &desk, &wanted).await;
    // And it stays like this.
    world.pass(Duration::from_secs(60));
    settle(&world, &desk, &wanted).await;
    let struck = subject(&struck[0]).to_string();
    let told = || explanation(&desk, &struck);
    // An alert may be raised before all has arrived that its explanation is about.
    let is_whole = |told: &wire::GetAlertResponse| told.findings.iter().all(|f| f.as_of.is_some());
    let told = words(&world.until(told, is_whole).await.expect("explained"));
    let because: Vec<&str> = story.because.trim_start().lines().collect();
    assert_eq!(told.lines().count(), because.len(), "{told}");
    for (told, because) in told.lines().zip(because) {
        // What a secret opened only after the alert was raised, and did not decide it, is unknown in it.
        let asked = because.split_once(' ').map(|(_, asked)| asked);
        let late = told.strip_prefix("unknown ").is_some_and(|told| asked == Some(told));
        assert!(told == because || late, "{told}\nin place of {because}");
    }
}

/// The one alert about a subject as the staff sees it.
async fn explanation(desk: &StaffClient, subject: &str) -> anyhow::Result<wire::GetAlertResponse> {
    let mut desk = desk.clone();
    let alerts = desk.alerts().await?.into_iter();
    let own = alerts.filter(|alert| alert.subject == subject).collect::<Vec<_>>();
    let [alert] = &own[..] else { panic!("not one alert: {own:?}") };
    let request = wire::GetAlertRequest { id: alert.id.clone() };
    Ok(desk.matches.get_alert(request).await?.into_inner())
}

/// The rule's name in both languages, and what its `when` and `means` came to; all of its `unless` must be
/// certain not to hold.
fn words(told: &wire::GetAlertResponse) -> String {
    let label = told.rule_label.as_ref().expect("it has a name");
    let mut text = format!("{} {}\n", label.zh, label.en);
    for finding in &told.findings {
        assert_eq!(finding.as_of.map(|at| at.seconds), Some(noon().as_second()));
        let (truth, dataset) = (finding.truth(), &finding.dataset);
        if finding.part() == RulePart::Unless {
            assert_eq!(truth, Truth::False, "{}", finding.predicate);
            continue;
        }
        let truth = match truth {
            Truth::True => "yes",
            Truth::False => "no",
            Truth::Unknown | Truth::Unspecified => "unknown",
        };
        text += &format!("{truth} {} ({dataset})\n", finding.predicate);
    }
    text
}

/// An illness that cost 61,000 this year, paid out of the provident fund; the income is no reason for
/// another rule.
fn fall_ill(home: &mut [Resident]) {
    let listing =
        Listing { since: days_ago(20), payments: vec![31_000, 30_000], certificate: (0, 0) };
    home[0].list_with("high_out_of_pocket", listing);
    home[0].withdrawal = Some(days_ago(100));
    home[0].income = vec![90_000];
    home[0].estates = vec!["住宅"];
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serious_illness_has_used_up_the_savings() {
    let story = Story {
        rule: "illness-savings-gone",
        befalls: &[fall_ill, |home| {
            fall_ill(home);
            home[0].withdrawal = None;
            home[0].housing = Some((true, false));
        }],
        near_misses: &[
            ("savings are left", |home| home[0].withdrawal = None),
            ("savings were used two years ago", |home| home[0].withdrawal = Some(days_ago(700))),
            ("it cost less", |home| {
                let listing = home[0].listings.get_mut("high_out_of_pocket").expect("listed");
                listing.payments = vec![30_000, 19_000];
            }),
            ("a second home is left", |home| home[0].estates = vec!["住宅", "住宅"]),
            ("a large car is left", |home| home[0].vehicles = vec![260_000]),
            ("capital is left", |home| home[0].capital = vec![60_000, 50_000]),
            ("assistance is in force", be_covered),
            ("the person has died", die),
            ("the person has died, as the parlour knows", be_cremated),
        ],
        because: "
大病且积蓄已耗尽 Serious illness, savings gone
yes healthcare_security.high_out_of_pocket.own_payment >= 50000 (high_out_of_pocket)
yes provident_fund_use.recent (provident_fund_use)
no housing_transaction.recent_sale (housing_transaction)
no vehicle_registration.over_limit (vehicle_registration)
yes real_estate_registration.homes < 2 (real_estate_registration)
yes shareholding_position.capital < 100000 (shareholding_position)
",
    };
    comes_true(story).await;
}

/// The first has a disability; the other's shop has been closed for more than three months.
fn close_the_others_shop(home: &mut [Resident]) {
    let listing = Listing { since: days_ago(900), payments: vec![], certificate: (4, 3) };
    home[0].list_with("certified_disability", listing);
    home[1].entities = vec![("个体工商户", 100)];
    home[1].estates = vec!["住宅"];
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_is_closed_for_three_months_and_somebody_in_the_household_has_a_disability() {
    let story = Story {
        rule: "disability-closed-shop",
        befalls: &[close_the_others_shop, |home| {
            let listing = Listing { since: days_ago(900), payments: vec![], certificate: (1, 1) };
            home[0].list_with("severe_disability", listing);
            home[0].entities = vec![("个体工商户", 91)];
        }],
        near_misses: &[
            ("the shop is open", |home| home[1].entities = vec![("个体工商户", 0)]),
            ("closed for three months to the day", |home| {
                home[1].entities = vec![("个体工商户", 90)];
            }),
            ("it is a company", |home| home[1].entities = vec![("有限责任公司", 100)]),
            ("nobody has a disability", |home| {
                home[0].listings.clear();
                home[0].list("veteran_in_difficulty", days_ago(300));
            }),
            ("the shop's rooms are theirs", |home| home[1].estates = vec!["住宅", "商业"]),
            ("they have a second home", |home| home[1].estates = vec!["住宅", "住宅"]),
            ("the person earns well", |home| home[0].deposit = Some(7_000)),
            ("assistance is in force", be_covered),
            ("the person has died", die),
            ("the person has died, as the parlour knows", be_cremated),
        ],
        because: "
家有残疾人且店铺停业三个月 Shop closed for three months, with a disability in the household
no disabled_federation.severe_disability (severe_disability)
yes disabled_federation.certified_disability (certified_disability)
no market_entity.kind == 'individual' (market_entity)
no market_entity.suspended (market_entity)
yes household.exists(m, m.market_entity.kind == 'individual' && m.market_entity.suspended) (household_registration)
yes household.exists(m, m.market_entity.kind == 'individual' && m.market_entity.suspended) (market_entity)
yes household.all(m, m.real_estate_registration.homes < 2 && !m.real_estate_registration.non_residential) (household_registration)
yes household.all(m, m.real_estate_registration.homes < 2 && !m.real_estate_registration.non_residential) (real_estate_registration)
yes provident_fund_deposit.base < 6000 (provident_fund_deposit)
",
    };
    comes_true(story).await;
}

/// The first stopped earning; the other never earned.
fn lose_the_only_job(home: &mut [Resident]) {
    home[0].insurance = Some(Insurance { base: 3_000, last_paid: days_ago(75) });
    home[0].list("registered_unemployed", days_ago(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_earner_of_a_family_has_lost_the_job() {
    let story = Story {
        rule: "job-loss-only-earner",
        befalls: &[lose_the_only_job, |home| {
            lose_the_only_job(home);
            home[1].insurance = Some(Insurance { base: 9_000, last_paid: days_ago(62) });
        }],
        near_misses: &[
            ("there are two earners", |home| {
                home[1].insurance = Some(Insurance { base: 3_000, last_paid: days_ago(20) });
            }),
            ("there is another job already", |home| {
                home[0].insurance = Some(Insurance { base: 3_000, last_paid: days_ago(20) });
            }),
            ("the job was lost long ago", |home| {
                home[0].listings.clear();
                home[0].list("registered_unemployed", days_ago(120));
            }),
            ("the unemployment benefit is paid", |home| home[0].benefit = Some("发放中")),
            ("a pension is paid", |home| home[0].pension = Some(2_500)),
            ("a home is leased out", |home| home[0].housing = Some((false, true))),
            ("the other has a second home", |home| home[1].estates = vec!["住宅", "住宅"]),
            ("there is a company", |home| home[0].entities = vec![("有限责任公司", 0)]),
            ("assistance is in force", be_covered),
            ("the person has died", die),
        ],
        because: "
家庭唯一就业人员失业 The household's only earner lost the job
yes human_resources.registered_unemployed.recent (registered_unemployed)
no household.exists(m, m.social_insurance_payment.contributing) (household_registration)
no household.exists(m, m.social_insurance_payment.contributing) (social_insurance_payment)
yes household.all(m, m.real_estate_registration.homes < 2) (household_registration)
yes household.all(m, m.real_estate_registration.homes < 2) (real_estate_registration)
no housing_transaction.leasing_out (housing_transaction)
yes market_entity.kind != 'company' (market_entity)
",
    };
    comes_true(story).await;
}

fn be_flooded(home: &mut [Resident]) {
    home[0].list("disaster_affected", days_ago(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disaster_has_come_over_somebody() {
    let story = Story {
        rule: "sudden-event",
        befalls: &[be_flooded, |home| {
            be_flooded(home);
            // What is not enough to live on is no reason to stay away.
            home[0].assistance = Some("低保");
            home[0].vehicles = vec![260_000];
        }],
        near_misses: &[
            ("it was long ago", |home| {
                home[0].listings.clear();
                home[0].list("disaster_affected", days_ago(70));
            }),
            ("they have two large cars", |home| {
                home[0].vehicles = vec![260_000];
                home[1].vehicles = vec![180_000];
            }),
            ("capital is left", |home| home[0].capital = vec![200_000]),
            ("the home was sold and the fund used", |home| {
                home[0].withdrawal = Some(days_ago(30));
                home[0].housing = Some((true, false));
            }),
            ("the state supports them already", |home| home[0].assistance = Some("特困")),
            ("the person has died", die),
            ("the person has died, as the parlour knows", be_cremated),
        ],
        because: "
突发灾害、事故或重大变故 Disaster, accident or sudden serious hardship
yes emergency.disaster_affected.recent (disaster_affected)
no public_security.accident_affected.recent (accident_affected)
no agriculture_rural.sudden_hardship.recent (sudden_hardship)
yes household.filter(m, m.vehicle_registration.over_limit).size() < 2 (household_registration)
yes household.filter(m, m.vehicle_registration.over_limit).size() < 2 (vehicle_registration)
yes shareholding_position.capital < 100000 (shareholding_position)
no provident_fund_use.recent (provident_fund_use)
no housing_transaction.recent_sale (housing_transaction)
",
    };
    comes_true(story).await;
}

fn ask_for_help(home: &mut [Resident]) {
    home[0].ask_for_help(20_261_124_000_001, "紧急", days_ago(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_has_asked_the_hotline_for_help() {
    let story = Story {
        rule: "help-requested",
        befalls: &[ask_for_help, |home| {
            // Whoever asks is heard, whatever they have.
            home[0].ask_for_help(20_261_124_000_002, "一般", days_ago(1));
            home[0].assistance = Some("低保");
            home[0].estates = vec!["住宅", "住宅", "商业"];
            home[0].income = vec![200_000];
        }],
        near_misses: &[
            ("the request is done with", |home| {
                home[0].orders.clear();
                home[0].listings.clear();
            }),
            ("the person has died", die),
            ("the person has died, as the parlour knows", be_cremated),
        ],
        because: "
12345求助 Help requested through 12345
yes hotline.work_order (work_order)
",
    };
    comes_true(story).await;
}
