//! What leaves a whole city's gateway with notifications: nothing of anybody, and nothing of why.

use aho_corasick::AhoCorasick;
use tests::{
    city::City,
    stubs::{
        https::HttpsStub,
        smtp::{Begin, SmtpStub},
    },
};
use toml::{Table, Value};

use super::{SECRET, secret, ways::mail, webhook};
use crate::fixture::{default_policy, expected_of, settle, today, world_of};

/// Ids and names of all rules and situations.
fn reasons() -> Vec<String> {
    let policy: Table = default_policy().parse().expect("a policy");
    let lists = ["rule", "situation"].map(|key| policy[key].as_array().expect("a list"));
    let words =
        |entry: &Value| ["id", "zh", "en"].map(|key| entry[key].as_str().expect(key).to_owned());
    lists.into_iter().flatten().flat_map(words).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_notification_says_who_it_is_about_or_why() {
    let city = City::generate(3000, 48, today());
    let mut world = world_of(&city);
    let (hook, sms) =
        (HttpsStub::start(&world.deployment.pki), HttpsStub::start(&world.deployment.pki));
    let (hook, sms) = (hook.await.expect("a stub"), sms.await.expect("a stub"));
    let post = SmtpStub::start(&world.deployment.pki, Begin::Tls).await.expect("a stub");
    let home = world.deployment.dir.join("gateway");
    secret(&home.join("new.secret"), SECRET);
    std::fs::write(home.join("trust.pem"), world.deployment.pki.trust_pem()).expect("written");
    let fields = "{ text = \"{alert} {street} {due}\" }";
    world.deployment.gateway_extra = webhook("desk", &hook, "")
        + &mail(&post, "tls", "")
        + &format!(
            "[[notify]]\nname = \"sms\"\n[notify.sms]\nurl = \"{}\"\nfields = {fields}\n\
             trust = \"trust.pem\"\n",
            sms.url("/send")
        );
    world.start().await.expect("started");
    let mut desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    let alerts = desk.alerts().await.expect("alerts");
    let hooked = hook.inbox.at_least(3).await.expect("cases are given to somebody");
    let texted = sms.inbox.at_least(3).await.expect("cases are given to somebody");
    let mailed = post.inbox.at_least(3).await.expect("cases are given to somebody");

    let people = city.residents();
    let people =
        people.flat_map(|r| [r.id.clone(), r.name.clone(), r.phone.clone(), r.address.clone()]);
    let subjects = alerts.iter().map(|alert| alert.subject.clone());
    let forbidden: Vec<String> = people.chain(subjects).chain(reasons()).collect();
    let search = AhoCorasick::new(&forbidden).expect("a search");
    let requests = hooked.iter().chain(&texted);
    let sent = requests.flat_map(|request| {
        let headers = request.headers.values().map(|value| value.clone().into_bytes());
        headers.chain([request.body.clone()])
    });
    let sent: Vec<Vec<u8>> =
        sent.chain(mailed.iter().map(|mail| mail.text.clone().into_bytes())).collect();
    for text in &sent {
        let found = search.find(text).map(|found| &forbidden[found.pattern().as_usize()]);
        assert_eq!(found, None, "in {}", String::from_utf8_lossy(text));
    }
    let known = AhoCorasick::new(alerts.iter().map(|alert| &alert.id)).expect("a search");
    assert!(sent.iter().any(|text| known.is_match(text)), "alerts are told by their numbers");
}
