//! What befalls residents, so that every rule of the default policy finds people to warn about, most
//! of them helped already or not poor, a few in need.
//!
//! A story is told once per household; which strike, cover or wealth it brings is `hardship`.

use std::ops::Range;

use jiff::civil::Date;
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    economy::days_ago,
    hardship::{STORIES, Scene, Story},
    resident::{Listing, Resident},
};

/// How a story ends for the person it strikes.
#[derive(Clone, Copy)]
enum Fate {
    Covered,
    Wealthy,
    Dead,
    Need,
    /// Left to chance, and now and then missing from the household register.
    Open,
}

/// One in twenty-four is in need.
const FATES: [Fate; 24] = {
    use Fate::{Covered as C, Dead, Need, Open, Wealthy as W};
    [C, W, C, Need, C, C, W, C, Dead, Open, C, C, W, C, C, W, W, C, C, W, C, W, C, C]
};

/// Categories that whole households belong to: per 100,000, the category, the assistance in force.
const POVERTY: [(usize, &str, &str); 4] = [
    (750, "dibao_recipient", "低保"),
    (150, "destitute_support", "特困"),
    (300, "dibao_marginal", "低保边缘"),
    (200, "rigid_expenditure", "刚性支出困难"),
];

/// Further categories: per 100,000, from age, to age.
const BACKGROUND: [(usize, &str, i16, i16); 22] = [
    (25, "orphan", 0, 17),
    (30, "de_facto_unattended_child", 0, 17),
    (80, "assistance_exited", 22, 85),
    (80, "application_refused", 22, 85),
    (120, "temporary_relief", 22, 85),
    (70, "unstable_lifted", 22, 75),
    (70, "marginal_poverty_prone", 22, 75),
    (120, "medical_assistance", 5, 90),
    (100, "major_illness_insurance", 5, 90),
    (60, "hard_to_employ", 30, 59),
    (60, "unemployment_benefit", 22, 59),
    (150, "aided_student", 6, 21),
    (25, "dropout_risk", 6, 16),
    (60, "worker_in_difficulty", 25, 59),
    (120, "public_rental", 22, 85),
    (60, "dilapidated_housing", 30, 85),
    (90, "severe_mental_disorder", 18, 75),
    (40, "bereaved_only_child", 50, 80),
    (40, "released_or_corrected", 22, 65),
    (80, "veteran_in_difficulty", 40, 90),
    (40, "two_cancers_woman", 35, 70),
    (30, "sudden_hardship", 22, 75),
];

/// Tells all stories.
pub(super) fn befall(residents: &mut [Resident], today: Date, rng: &mut ChaCha8Rng) {
    let homes = homes(residents);
    let untold = vec![true; homes.len()];
    let mut telling = Telling { residents, homes, untold, today, rng };
    for (share, category, assistance) in POVERTY {
        telling.poverty(share, category, assistance);
    }
    for story in STORIES {
        telling.tell(story);
    }
    telling.certificates();
    telling.background();
}

fn homes(residents: &[Resident]) -> Vec<Range<usize>> {
    let mut start = 0;
    let household = residents.chunk_by(|a, b| a.household == b.household);
    let range = household.map(|members| {
        start += members.len();
        start - members.len()..start
    });
    range.collect()
}

struct Telling<'a> {
    residents: &'a mut [Resident],
    homes: Vec<Range<usize>>,
    /// Households no story has been told of.
    untold: Vec<bool>,
    today: Date,
    rng: &'a mut ChaCha8Rng,
}

impl Telling<'_> {
    fn number_of(&self, per_100_000: usize) -> usize {
        (self.residents.len() * per_100_000).div_ceil(100_000)
    }

    /// A household without a story, and the place in it of somebody who fits.
    fn cast(&mut self, fits: impl Fn(&Resident) -> bool) -> Option<(Range<usize>, usize)> {
        for _ in 0..500 {
            let home = self.rng.random_range(0..self.homes.len());
            let range = self.homes[home].clone();
            if self.untold[home]
                && let Some(place) = self.residents[range.clone()].iter().position(&fits)
            {
                self.untold[home] = false;
                return Some((range, place));
            }
        }
        None
    }

    fn scene(&mut self, home: Range<usize>, place: usize) -> Scene<'_> {
        Scene { home: &mut self.residents[home], place, today: self.today, rng: self.rng }
    }

    fn poverty(&mut self, share: usize, category: &'static str, assistance: &'static str) {
        let mut wanted = self.number_of(share);
        while wanted > 0 {
            let Some((home, place)) = self.cast(|_| true) else { return };
            wanted = wanted.saturating_sub(home.len());
            let mut scene = self.scene(home, place);
            scene.impoverish();
            scene.household_category(category, assistance);
        }
    }

    fn tell(&mut self, story: &Story) {
        let today = self.today;
        for turn in 0..self.number_of(story.per_100_000) {
            let fits = |resident: &Resident| {
                resident.death.is_none() && (story.fits)(resident, resident.age(today))
            };
            let Some((home, place)) = self.cast(fits) else { return };
            let mut scene = self.scene(home, place);
            (story.strike)(&mut scene);
            match FATES[turn % FATES.len()] {
                Fate::Covered => (story.cover)(&mut scene),
                Fate::Wealthy => {
                    scene.forget_help();
                    (story.enrich)(&mut scene);
                }
                Fate::Dead => scene.die(),
                Fate::Need => {
                    scene.forget_help();
                    scene.impoverish();
                    (story.strike)(&mut scene);
                }
                Fate::Open => {
                    scene.forget_help();
                    if scene.rng.random_bool(0.6) {
                        scene.person().registration = None;
                    }
                }
            }
        }
    }

    /// Disability certificates nobody needs to be warned about.
    fn certificates(&mut self) {
        for turn in 0..self.number_of(500) {
            let Some((home, place)) = self.cast(|_| true) else { return };
            let severe = turn % 3 == 0;
            let since = days_ago(self.today, self.rng.random_range(200..4000));
            let level = self.rng.random_range(if severe { 1..3 } else { 3..5 });
            let certificate = (self.rng.random_range(1..8), level);
            let dataset = if severe { "severe_disability" } else { "certified_disability" };
            let person = &mut self.residents[home][place];
            person.list_with(dataset, Listing { since, payments: vec![], certificate });
            if self.rng.random_bool(0.7) {
                person.allowance = Some("正常发放");
            }
        }
    }

    /// Two of five of a category are in another one as well.
    fn background(&mut self) {
        let today = self.today;
        for (share, category, from, to) in BACKGROUND {
            let wanted = self.number_of(share);
            let fits = |r: &Resident| {
                (from..=to).contains(&r.age(today))
                    && (category != "two_cancers_woman" || r.is_woman())
            };
            let known: Vec<usize> = (0..self.residents.len())
                .filter(|&n| !self.residents[n].listings.is_empty() && fits(&self.residents[n]))
                .collect();
            for turn in 0..wanted {
                let again = known.choose(self.rng).filter(|_| turn % 5 < 2).copied();
                let cast =
                    again.or_else(|| self.cast(fits).map(|(home, place)| home.start + place));
                let Some(place) = cast else { break };
                let since = days_ago(today, self.rng.random_range(70..1500));
                self.residents[place].list(category, since);
            }
        }
    }
}
