//! What an adapter says it publishes: agreed on as a whole, or refused with a sentence.

use gateway::{description, policy::Policy};
use proto::{manifest::Manifest, schema::DatasetKind, wire};

use crate::fixture::{SMALL, schema, scope};

fn manifest() -> Manifest {
    let example = include_str!("../../proto/vectors/federation.toml");
    let text = example.replace("\"demo\"", "\"small\"").replace("\"benefits\"", "\"ill\"");
    Manifest::parse(&text).expect("good")
}

fn described(dataset: &str) -> wire::DatasetDescription {
    let schema = schema(dataset);
    let kind = match schema.kind {
        DatasetKind::Watch => wire::DatasetKind::Watch,
        DatasetKind::CrossCheck => wire::DatasetKind::CrossCheck,
    };
    let household = schema.household.map(|household| wire::HouseholdDescription {
        max_members: household.max_members.into(),
        datasets: household.datasets.iter().map(ToString::to_string).collect(),
    });
    wire::DatasetDescription {
        dataset: dataset.into(),
        kind: kind.into(),
        flags: schema.flags.iter().map(Into::into).collect(),
        household,
        ..Default::default()
    }
}

fn answer(datasets: Vec<wire::DatasetDescription>) -> wire::DescribeResponse {
    wire::DescribeResponse {
        scope: Some((&scope()).into()),
        agency: "police".into(),
        vectors_hash: blake3::hash(proto::DERIVATION_VECTORS.as_bytes()).as_bytes().to_vec(),
        datasets,
        ..Default::default()
    }
}

fn check(answer: &wire::DescribeResponse) -> Result<(Vec<String>, String), String> {
    let policy = Policy::parse(SMALL).expect("good");
    let agency = "police".parse().expect("a name");
    let description = description::check(&manifest(), &policy, &agency, answer)?;
    let agreed = description.agreed.iter().map(|schema| schema.dataset.to_string()).collect();
    let refused = description.refused.iter().map(|(id, why)| format!("{id}: {why}\n")).collect();
    Ok((agreed, refused))
}

#[test]
fn what_manifest_policy_and_adapter_agree_on_is_followed_and_the_rest_is_told() {
    let (agreed, refused) =
        check(&answer(vec![described("cars"), described("register")])).expect("ours");
    assert_eq!(agreed, ["cars"]);
    assert_eq!(refused, "register: the federation manifest does not list it\n");
    let (agreed, refused) = check(&answer(vec![])).expect("ours");
    assert!(agreed.is_empty() && refused.contains("cars: the adapter does not describe it"));
}

#[test]
fn a_dataset_that_differs_in_anything_is_refused_as_a_whole() {
    let refused = |change: &dyn Fn(&mut wire::DatasetDescription)| {
        let mut cars = described("cars");
        change(&mut cars);
        let (agreed, refused) = check(&answer(vec![cars])).expect("ours");
        assert!(agreed.is_empty(), "{refused}");
        refused
    };
    let kind = refused(&|cars| cars.kind = wire::DatasetKind::Watch.into());
    assert!(kind.contains("kind"), "{kind}");
    let none = refused(&|cars| cars.kind = 0);
    assert!(none.contains("no kind"), "{none}");
    let name = refused(&|cars| cars.flags[0].name = "small".into());
    assert!(name.contains("[small]") && name.contains("[over]"), "{name}");
    let values = refused(&|cars| {
        let bands = wire::BandFlag { lower_bounds: vec![0, 1], coarser: vec![] };
        cars.flags[0].kind = Some(wire::flag_description::Kind::Bands(bands));
    });
    assert!(values.contains("flag over has other values"), "{values}");
    let ill = check(&answer(vec![described("ill")])).expect("ours").1;
    assert!(ill.contains("ill: the federation manifest says it is aid's"), "{ill}");
    let twice = check(&answer(vec![described("cars"), described("cars")])).expect("ours").1;
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn an_answer_of_somebody_else_or_with_other_derivations_is_refused() {
    let problem = |change: &dyn Fn(&mut wire::DescribeResponse)| {
        let mut answer = answer(vec![described("cars")]);
        change(&mut answer);
        check(&answer).expect_err("refused")
    };
    assert!(problem(&|answer| answer.agency = "aid".into()).contains("aid's"));
    assert!(problem(&|answer| answer.vectors_hash = vec![0; 32]).contains("derivation vectors"));
    let epoch = |answer: &mut wire::DescribeResponse| {
        answer.scope.as_mut().expect("there").epoch = 2;
    };
    assert!(problem(&epoch).contains("epoch 2"));
}
