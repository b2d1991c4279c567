//! The stories, one or two for each situation: who they strike, and what then covers or enriches them.

use jiff::civil::Date;
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    catalogue::URGENCIES,
    economy::days_ago,
    resident::{Insurance, Listing, Resident},
};

/// One kind of misfortune.
pub(super) struct Story {
    /// How many people it strikes.
    pub(super) per_100_000: usize,
    /// Whom it may strike, by their age.
    pub(super) fits: fn(&Resident, i16) -> bool,
    /// What happens.
    pub(super) strike: fn(&mut Scene<'_>),
    /// The help that makes a warning needless.
    pub(super) cover: fn(&mut Scene<'_>),
    /// The means that do.
    pub(super) enrich: fn(&mut Scene<'_>),
}

/// A household, and the person in it whom the story is about.
pub(super) struct Scene<'a> {
    pub(super) home: &'a mut [Resident],
    pub(super) place: usize,
    pub(super) today: Date,
    pub(super) rng: &'a mut ChaCha8Rng,
}

fn grown_up(_: &Resident, age: i16) -> bool {
    (24..60).contains(&age)
}

/// One story for each rule of the default policy, in its order.
pub(super) const STORIES: &[Story] = &[
    Story {
        per_100_000: 600,
        fits: |_, age| (18..85).contains(&age),
        strike: |scene| scene.bill(&[9_000, 15_000]),
        cover: |scene| scene.assist(),
        enrich: |scene| scene.person().estates = vec!["住宅", "住宅"],
    },
    Story {
        per_100_000: 170,
        fits: |_, age| (18..85).contains(&age),
        strike: |scene| scene.savings_gone(),
        cover: |scene| scene.assist(),
        enrich: |scene| scene.person().capital = vec![500_000],
    },
    Story {
        per_100_000: 350,
        fits: |_, age| (22..80).contains(&age),
        strike: |scene| scene.bill_of_the_poor(),
        cover: |scene| scene.assist_with("低保", "dibao_recipient"),
        enrich: |scene| scene.person().vehicles = vec![220_000],
    },
    Story {
        per_100_000: 350,
        fits: |_, age| (3..80).contains(&age),
        strike: |scene| scene.disable(),
        cover: |scene| scene.person().allowance = Some("正常发放"),
        enrich: |scene| scene.two_good_jobs(),
    },
    Story {
        per_100_000: 170,
        fits: grown_up,
        strike: |scene| scene.close_shop(),
        cover: |scene| scene.assist(),
        enrich: |scene| scene.person().estates = vec!["住宅", "商业"],
    },
    Story {
        per_100_000: 450,
        fits: grown_up,
        strike: |scene| scene.last_earner_dismissed(),
        cover: |scene| scene.benefit_or_assist(),
        enrich: |scene| scene.person().entities = vec![("有限责任公司", 0)],
    },
    Story {
        per_100_000: 350,
        fits: grown_up,
        strike: |scene| scene.worker_dismissed(),
        cover: |scene| scene.benefit_or_assist(),
        enrich: |scene| scene.person().income = vec![90_000],
    },
    Story {
        per_100_000: 350,
        fits: |_, age| (18..85).contains(&age),
        strike: |scene| scene.sudden_event(),
        cover: |scene| scene.assist_with("特困", "destitute_support"),
        enrich: |scene| scene.person().capital = vec![500_000],
    },
    Story {
        per_100_000: 350,
        fits: |_, age| (26..58).contains(&age),
        strike: |scene| scene.left_alone(),
        cover: |scene| scene.assist(),
        enrich: |scene| scene.person().vehicles = vec![80_000, 60_000],
    },
    Story {
        per_100_000: 40,
        fits: |_, age| (18..90).contains(&age),
        strike: |scene| scene.ask_for_help(),
        cover: |scene| scene.die(),
        enrich: |scene| scene.person().capital = vec![500_000],
    },
];

impl Scene<'_> {
    pub(super) fn person(&mut self) -> &mut Resident {
        &mut self.home[self.place]
    }

    fn ago(&mut self, from: i32, to: i32) -> Date {
        days_ago(self.today, self.rng.random_range(from..to))
    }

    fn list(&mut self, dataset: &'static str, from: i32, to: i32) {
        let since = self.ago(from, to);
        self.person().list(dataset, since);
    }

    /// No help reaches the person.
    pub(super) fn forget_help(&mut self) {
        let person = self.person();
        person.assistance = None;
        person.allowance = None;
        person.benefit = None;
        person.pension = None;
    }

    /// The household owns next to nothing.
    pub(super) fn impoverish(&mut self) {
        let today = self.today;
        for member in &mut *self.home {
            member.registration = Some("本市");
            member.vehicles.clear();
            member.estates.truncate(1);
            member.estates.retain(|kind| *kind == "住宅");
            member.entities.clear();
            member.capital.clear();
            member.deposit = None;
            member.withdrawal = None;
            member.housing = None;
            member.income = member.income.first().map(|_| 21_600).into_iter().collect();
            if member.insurance.is_some() {
                member.insurance = Some(Insurance { base: 2_600, last_paid: days_ago(today, 20) });
            }
        }
    }

    pub(super) fn household_category(&mut self, category: &'static str, kind: &'static str) {
        for place in 0..self.home.len() {
            self.place = place;
            self.list(category, 70, 2000);
            if self.rng.random_bool(0.97) {
                self.person().assistance = Some(kind);
            }
            let age = self.home[place].age(self.today);
            if (6..22).contains(&age) && self.rng.random_bool(0.6) {
                self.list("aided_student", 70, 900);
            }
            if self.rng.random_bool(0.25) {
                self.list("medical_assistance", 70, 900);
            }
        }
    }

    pub(super) fn die(&mut self) {
        let (death, cremated) = (self.ago(10, 50), self.rng.random_bool(0.8));
        let person = self.person();
        person.death = Some(death);
        person.cremated = cremated;
    }

    fn assist_with(&mut self, kind: &'static str, category: &'static str) {
        self.person().assistance = Some(kind);
        if self.rng.random_bool(0.9) {
            self.list(category, 70, 2000);
        }
    }

    fn assist(&mut self) {
        const KINDS: [(&str, &str); 4] = [
            ("低保", "dibao_recipient"),
            ("低保", "dibao_recipient"),
            ("低保边缘", "dibao_marginal"),
            ("刚性支出困难", "rigid_expenditure"),
        ];
        let (kind, category) = *KINDS.choose(self.rng).expect("not empty");
        self.assist_with(kind, category);
    }

    fn benefit_or_assist(&mut self) {
        if self.rng.random_bool(0.6) {
            self.person().benefit = Some("发放中");
            self.list("unemployment_benefit", 10, 300);
        } else {
            self.assist();
        }
    }

    fn bill(&mut self, lows: &[i64]) {
        let since = if self.rng.random_bool(0.7) { self.ago(5, 80) } else { self.ago(100, 200) };
        let payments = lows.iter().map(|&low| self.rng.random_range(low..low * 3)).collect();
        let listing = Listing { since, payments, certificate: (0, 0) };
        self.person().list_with("high_out_of_pocket", listing);
        if self.rng.random_bool(0.4) {
            self.list("major_illness_insurance", 20, 200);
        }
    }

    fn savings_gone(&mut self) {
        self.bill(&[30_000, 25_000]);
        let last = self.ago(20, 300);
        let sold = self.rng.random_bool(0.3);
        let person = self.person();
        if sold {
            person.housing = Some((true, false));
        } else {
            person.withdrawal = Some(last);
        }
    }

    fn ask_for_help(&mut self) {
        let since = self.ago(1, 10);
        let urgency = URGENCIES.choose(self.rng).expect("not empty").0;
        let household = i64::try_from(self.person().household).expect("a count");
        let person = self.person();
        // Told twice of a person in need, and one request all the same.
        if person.orders.is_empty() {
            person.ask_for_help(20_260_000_000_000 + household, urgency, since);
        }
    }

    fn bill_of_the_poor(&mut self) {
        self.bill(&[5_100]);
        const POOR: [&str; 4] = [
            "assistance_exited",
            "application_refused",
            "marginal_poverty_prone",
            "unstable_lifted",
        ];
        let category = POOR.choose(self.rng).expect("not empty");
        self.list(category, 70, 900);
    }

    fn disable(&mut self) {
        let since = self.ago(10, 170);
        let kind = self.rng.random_range(1..8);
        let levels = if kind == 5 || kind == 6 { 1..4 } else { 1..3 };
        let certificate = (kind, self.rng.random_range(levels));
        let listing = Listing { since, payments: vec![], certificate };
        self.person().list_with("severe_disability", listing);
    }

    fn two_good_jobs(&mut self) {
        let last_paid = self.ago(10, 40);
        for member in self.home.iter_mut().take(2) {
            member.registration = Some("本市");
            member.insurance = Some(Insurance { base: 12_000, last_paid });
        }
    }

    /// The shop is the person's own or, in every other household, another grown-up's.
    fn close_shop(&mut self) {
        let (today, place) = (self.today, self.place);
        let other = self.home.iter().enumerate().position(|(n, member)| {
            n != place && member.death.is_none() && grown_up(member, member.age(today))
        });
        let others = self.home[place].household.is_multiple_of(2);
        let owner = other.filter(|_| others).unwrap_or(place);
        self.home[owner].entities = vec![("个体工商户", 200)];
        let since = self.ago(200, 4000);
        let certificate = (self.rng.random_range(1..8), self.rng.random_range(3..5));
        let listing = Listing { since, payments: vec![], certificate };
        self.person().list_with("certified_disability", listing);
    }

    fn last_earner_dismissed(&mut self) {
        let last_paid = self.ago(75, 95);
        for member in self.home.iter_mut().filter(|member| member.insurance.is_some()) {
            member.insurance = Some(Insurance { base: 3_000, last_paid });
        }
        self.person().housing = None;
        self.list("registered_unemployed", 5, 80);
    }

    fn worker_dismissed(&mut self) {
        let last_paid = self.ago(75, 300);
        self.person().insurance = Some(Insurance { base: 3_000, last_paid });
        let either = ["worker_in_difficulty", "hard_to_employ"];
        let category = either.choose(self.rng).expect("not empty");
        self.list(category, 20, 900);
    }

    fn sudden_event(&mut self) {
        let events = ["disaster_affected", "accident_affected", "sudden_hardship"];
        let event = events.choose(self.rng).expect("not empty");
        self.list(event, 5, 50);
    }

    fn left_alone(&mut self) {
        let woman = self.person().is_woman();
        let illness = if woman { "two_cancers_woman" } else { "severe_mental_disorder" };
        let person = self.person();
        person.marriage = vec!["离婚"];
        person.registration = Some("本市");
        self.list(illness, 70, 1500);
    }
}
