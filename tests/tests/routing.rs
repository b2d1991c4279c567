//! Where subjects are looked for, in a world: by residence, by registration, after regions were merged.

use std::collections::BTreeMap;

use proto::wire;
use tests::{
    deployment::{CITY_DESK, DISTRICT_HEAD, STREET_WORKER, Staff},
    world::World,
};

use crate::{
    helpline::{helpline, id, write_ill},
    town::{agency, subject},
};

/// The regions of the alerts that a member of staff sees, by person.
async fn regions(world: &World, staff: &Staff) -> anyhow::Result<BTreeMap<u32, String>> {
    let alerts = world.client(staff).await?.alerts().await?;
    let person = |known: &str| (1..10).find(|&p| subject(&world.deployment, &id(p)) == known);
    let regions = alerts.into_iter().map(|alert| (person(&alert.subject), alert.region));
    Ok(regions.map(|(person, region)| (person.expect("somebody of the town"), region)).collect())
}

fn by_person(regions: &[(u32, &str)]) -> BTreeMap<u32, String> {
    regions.iter().map(|&(person, region)| (person, region.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_looked_for_where_they_live_or_else_are_registered() {
    let far = "110101001001";
    let mut world = helpline(
        &[
            (1, "320104002001", "320106001001"),
            (2, "", "320104002002"),
            (3, far, "320104002003"),
            (4, "320103001001", ""),
            (5, far, ""),
            (6, "", "somewhere"),
        ],
        &[],
    );
    world.start().await.expect("started");
    let see = async |staff, wanted: &[(u32, &str)]| {
        let wanted = by_person(wanted);
        let seen = world.until(|| regions(&world, staff), |seen| *seen == wanted).await;
        assert!(seen.is_ok(), "{}: {seen:?}", staff.id);
    };
    let street = [(1, "320104002001"), (2, "320104002002"), (3, "320104002003")];
    let merged = (4, "320104000000");
    let all = [&street[..], &[merged, (5, far), (6, "")]].concat();
    see(&CITY_DESK, &all).await;
    see(&STREET_WORKER, &street).await;
    see(&DISTRICT_HEAD, &[&street[..], &[merged]].concat()).await;

    // Moves to another district; nothing else is known to have changed.
    write_ill(
        &world.deployment.dir,
        &[(1, "320106001001", "320106001001"), (2, "", "320104002002")],
    );
    world.reload(&agency("aid")).expect("reloading");
    see(&CITY_DESK, &[(1, "320106001001"), (2, "320104002002")]).await;
    see(&STREET_WORKER, &[(2, "320104002002")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_cases_say_what_their_region_is_called() {
    let mut world = helpline(&[(1, "320104002003", ""), (2, "330102001001", "")], &[]);
    world.start().await.expect("started");
    let names = || async {
        let alerts = world.desk().await?.alerts().await?.into_iter();
        Ok(alerts.map(|alert| (alert.region, alert.region_label)).collect::<BTreeMap<_, _>>())
    };
    let names = world.until(names, |names| names.len() == 2).await.expect("two alerts");
    let known = names["320104002003"].as_ref().expect("it is in the file");
    assert!(known.zh.starts_with("秦淮区") && known.en.ends_with("Qinhuai District"), "{known:?}");
    assert_eq!(names["330102001001"], None, "another city's");

    let desk = world.desk().await.expect("desk");
    let cases = || {
        let mut desk = desk.clone();
        async move {
            let request = wire::ListCasesRequest::default();
            let people = desk.cases.list_cases(request).await?.into_inner().people;
            let cases = people.into_iter().flat_map(|person| person.cases);
            Ok(cases.map(|case| (case.region.clone(), case)).collect::<BTreeMap<_, _>>())
        }
    };
    let routed = |cases: &BTreeMap<String, wire::Case>| {
        ["320104002003", "330102001001"].iter().all(|region| cases.contains_key(*region))
    };
    let cases = world.until(cases, routed).await.expect("both are routed");
    assert_eq!(cases["320104002003"].region_label.as_ref(), Some(known));
    assert_eq!(cases["330102001001"].region_label, None);
    let request = wire::GetCaseRequest { alert: cases["320104002003"].alert.clone() };
    let file = desk.clone().cases.get_case(request).await.expect("shown").into_inner();
    assert_eq!(file.case.expect("always there").region_label.as_ref(), Some(known));
    let routed = file.history.iter().find(|event| event.kind() == wire::CaseEventKind::Routed);
    assert_eq!(routed.and_then(|event| event.region_label.as_ref()), Some(known));
}
