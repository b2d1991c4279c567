//! SMS and mail, and servers that do not prove who they are.

use gateway::notify::{deliveries::State, notice::Kind};
use tests::{
    pki::Pki,
    stubs::{
        https::{Answer, HttpsStub},
        smtp::{Begin, SmtpStub},
    },
};

use super::{FIRST, Post, secret, webhook};

pub fn mail(stub: &SmtpStub, security: &str, more: &str) -> String {
    format!(
        "[[notify]]\nname = \"mail\"\nlang = \"en\"\n[notify.smtp]\nhost = \"localhost\"\n\
         port = {}\nsecurity = \"{security}\"\nfrom = \"desk@a.example\"\n\
         to = [\"li@b.example\", \"wang@b.example\"]\ntrust = \"trust.pem\"\n{more}\n",
        stub.address.port()
    )
}

#[tokio::test]
async fn an_sms_has_the_configured_fields_and_counts_as_sent_when_the_gateway_says_so() {
    let mut post = Post::new().await;
    let stub = HttpsStub::start(&post.pki).await.expect("a stub");
    secret(&post.dir.path().join("sms.secret"), "Bearer 4711");
    stub.answer(Answer::Status(200, "", "{\"code\":\"LIMIT\"}"));
    let fields = r#"{ phone = "02512345", text = "【民政】{alert} {street} {due} {link}" }"#;
    post.send(&format!(
        "[[notify]]\nname = \"sms\"\nlink = \"https://desk.example/{{alert}}\"\n[notify.sms]\n\
         url = \"{}\"\nfields = {fields}\nauthorization = \"sms.secret\"\n\
         accepted = '\"code\":\"OK\"'\ntrust = \"trust.pem\"\n",
        stub.url("/send")
    ));
    post.put(FIRST, Kind::Assigned).await;
    let parked = post.is(State::Parked).await;
    assert_eq!(parked.problem, "not accepted");
    stub.answer(Answer::Status(200, "", "{\"code\":\"OK\"}"));
    post.deliveries.retry(&[parked.id], *post.now.borrow()).await.expect("written");
    post.is(State::Sent).await;
    let request = stub.inbox.all().pop().expect("it came");
    assert_eq!(request.headers["authorization"], "Bearer 4711");
    let text = format!(
        "{{\"phone\":\"02512345\",\"text\":\"【民政】{FIRST} 秦淮区夫子庙街道 2026-11-25 12:00 \
         https://desk.example/{FIRST}\"}}"
    );
    assert_eq!(String::from_utf8(request.body).expect("text"), text);
}

#[tokio::test]
async fn a_mail_goes_over_tls_from_the_first_byte_or_after_starttls() {
    for (begin, security) in [(Begin::Tls, "tls"), (Begin::Starttls, "starttls")] {
        let mut post = Post::new().await;
        let stub = SmtpStub::start(&post.pki, begin).await.expect("a stub");
        secret(&post.dir.path().join("mail.secret"), "pass");
        post.send(&mail(&stub, security, "username = \"desk\"\npassword = \"mail.secret\""));
        post.put(FIRST, Kind::Assigned).await;
        let sent = post.is(State::Sent).await;
        let mail = stub.inbox.all().pop().expect("it came");
        assert!(mail.auth.is_some_and(|auth| auth.starts_with("AUTH PLAIN ")), "{security}");
        assert_eq!(mail.to.len(), 2);
        for part in
            [&format!("Message-ID: <{}@a.example>", sent.id)[..], FIRST, "Fuzimiao, Qinhuai"]
        {
            assert!(mail.text.contains(part), "{part} in {}", mail.text);
        }
    }
}

#[tokio::test]
async fn a_mail_server_without_tls_is_given_nothing_and_one_that_refuses_is_asked_no_more() {
    let mut post = Post::new().await;
    let plain = SmtpStub::start(&post.pki, Begin::Never).await.expect("a stub");
    post.send(&mail(&plain, "starttls", ""));
    post.put(FIRST, Kind::Assigned).await;
    post.becomes(|one| one.attempts == 1 && !one.problem.is_empty()).await;
    assert_eq!(plain.inbox.all(), []);

    let mut post = Post::new().await;
    let stub = SmtpStub::start(&post.pki, Begin::Tls).await.expect("a stub");
    stub.refuse(Some(451));
    post.send(&mail(&stub, "tls", ""));
    post.put(FIRST, Kind::Assigned).await;
    let later = post.becomes(|one| !one.problem.is_empty()).await;
    assert_eq!((later.state, &later.problem[..]), (State::Waiting, "smtp 451"));
    stub.refuse(Some(554));
    post.pass(1);
    let parked = post.is(State::Parked).await;
    assert_eq!((parked.attempts, &parked.problem[..]), (2, "smtp 554"));
}

#[tokio::test]
async fn a_server_that_does_not_prove_who_it_is_is_told_nothing() {
    let mut post = Post::new().await;
    let foreign = Pki::new("demo");
    let stub = HttpsStub::start(&foreign).await.expect("a stub");
    post.send(&webhook("desk", &stub, ""));
    post.put(FIRST, Kind::Assigned).await;
    let failed = post.becomes(|one| !one.problem.is_empty()).await;
    assert_eq!((failed.state, &failed.problem[..]), (State::Waiting, "tls"));
    assert_eq!(stub.inbox.all(), []);
}
