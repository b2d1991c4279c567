//! Promise 5: what trying out identifiers offline gives to whoever has what the gateway and one agency
//! hold together, under each suite.

use std::collections::BTreeSet;

use agency_adapter::{
    identifier::{IdentifierType, canonicalise},
    key_holder::holder::own_share,
    pinned_holders::PinnedHolders,
    root_cache::{Collected, RootCache},
};
use aho_corasick::AhoCorasick;
use proto::{name::AgencyId, scope::Suite};
use tests::{
    city::{City, catalogue, rows::rows},
    tap::Tap,
    world::World,
};

use crate::{
    brute_force::{Loot, computed_root, evaluated_root, identifier, mapped, state_dir},
    fixture::{today, world_under},
};

/// Keeps watch lists, is granted every salt, owns that of `base`, and holds a share of the key.
const ACCOMPLICE: &str = "civil_affairs";

fn accomplice() -> AgencyId {
    ACCOMPLICE.parse().expect("a name")
}

/// Whom the tool finds in the city.
fn found(city: &City, finds: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    city.residents().map(|resident| &*resident.id).filter(|id| finds(id)).collect()
}

/// Whom the accomplice's own files name.
fn clients(city: &City) -> BTreeSet<&str> {
    let own: Vec<_> = catalogue::datasets().filter(|d| d.agency == ACCOMPLICE).collect();
    let lists = |r: &_| own.iter().any(|dataset| !rows(dataset, r, city.seed()).is_empty());
    city.residents().filter(|resident| lists(resident)).map(|resident| &*resident.id).collect()
}

/// The federation, when everything has arrived at the gateway.
async fn running(suite: Suite, city: &City) -> (World, Tap) {
    let mut world = world_under(suite, city);
    world.start_adapters().await.expect("started");
    let address = world.adapter_address(&accomplice());
    let tap = Tap::start(&world.deployment, &accomplice(), address).await.expect("a tap");
    world.reach_through(&accomplice(), tap.address);
    world.start_gateway().await.expect("started");
    world.arrived(&[]).await.expect("arrived");
    (world, tap)
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_5_gateway_and_an_agency_together_can_try_out_nobody_under_suite_oprf() {
    let city = City::generate(1000, 26, today());
    let (weak, _tap) = running(Suite::SaltedHash, &city).await;
    let loot = Loot::of(&weak, &accomplice()).await;
    let exposed = found(&city, |id| loot.finds(&computed_root(&identifier(id))));
    let base: BTreeSet<_> = city.base().map(|resident| &*resident.id).collect();
    assert!(exposed.is_superset(&base), "under salted-hash the salts are all it takes");
    assert!(exposed.len() > 2 * base.len(), "to find people outside the base too");
    drop(weak);

    let (mut world, tap) = running(Suite::Oprf, &city).await;
    let loot = Loot::of(&world, &accomplice()).await;
    let manifest = world.deployment.manifest.clone();
    let state = state_dir(&world, &accomplice());
    let share = own_share(&state, &accomplice(), &manifest).expect("a holder's");
    let multiplied =
        |element: [u8; 32]| share.evaluate(&[element]).expect("multiplied").elements[0];

    let nobody = BTreeSet::new();
    assert_eq!(found(&city, |id| loot.finds(&computed_root(&identifier(id)))), nobody);
    let with = |unblinded: &dyn Fn([u8; 32]) -> [u8; 32], id: &str| {
        let x = identifier(id);
        loot.finds(&evaluated_root(&x, &unblinded(mapped(&x))))
    };
    assert_eq!(found(&city, |id| with(&|element| element, id)), nobody, "without the key");
    assert_eq!(found(&city, |id| with(&multiplied, id)), nobody, "with one share of it");

    // What is evaluated travels through the gateway, and names nobody.
    let passed = std::mem::take(&mut tap.passed.lock().expect("no panics").evaluations);
    assert!(passed.len() >= 2, "the accomplice asked, and was asked");
    let elements = city.residents().map(|resident| mapped(&identifier(&resident.id)));
    let needles: Vec<_> = elements.flat_map(|element| [element, multiplied(element)]).collect();
    let needles = AhoCorasick::new(needles).expect("needles");
    assert!(passed.iter().all(|message| !needles.is_match(message)));

    // The agency has kept the roots of those it had evaluated: its own clients.
    world.stop_adapter(&accomplice()).await.expect("stopped");
    let pinned = PinnedHolders::new(&manifest).expect("good").expect("of suite oprf");
    let cache = RootCache::open(&state, &manifest.scope, pinned.fingerprint()).expect("opened");
    let known = found(&city, |id| {
        let x =
            canonicalise(&IdentifierType::ResidentId, id, today()).expect("a number").identifier;
        let Collected::Complete(roots) =
            cache.collect(std::slice::from_ref(&x), |x| x).expect("read")
        else {
            return false;
        };
        let root = roots.get(&x).expect("it is there");
        loot.leads(|dataset, salt| root.person_secret(&manifest.scope, dataset, salt))
    });
    assert!(known.is_subset(&clients(&city)), "nobody but clients is found");
    assert!(!known.is_empty(), "clients are, so that the test can see the difference");
    assert!(!known.is_superset(&base), "and others in the base are not");

    // The tool itself works under this suite too: with enough holders it finds everybody.
    let with_the_key = found(&city, |id| {
        loot.leads(|dataset, _| world.deployment.secret_of(id, dataset, today()).expect("a secret"))
    });
    assert_eq!(with_the_key, exposed);
}
