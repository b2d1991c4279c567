//! From an alert to help, as the programs have it: real processes, real files, and every step of a
//! caseworker's, supervisor's, approver's and auditor's as a `gatewayctl` command.

use jiff::civil::Date;
use proto::scope::Suite;
use serde_json::{Value, json};
use tests::{
    city::{City, resident::Resident},
    ctl::Said,
    deployment::{
        ADMINISTRATOR, ANALYST, APPROVER, AUDITOR, CITY_DESK, Deployment, SECOND_WORKER,
        STREET_WORKER, Staff,
    },
    oracle::{self, Outcome, PersonId},
    running::{Running, until},
    stubs::https::HttpsStub,
};

use crate::fixture::{default_policy, system_today};

const RULE: &str = "illness-uncovered";

/// Everything that runs, and the person whom it is about.
struct Story {
    running: Running,
    /// Takes the messages of an SMS gateway.
    phones: HttpsStub,
    /// Who it is.
    person: Resident,
    /// The person's pseudonym.
    subject: String,
    /// How many people are in the base.
    base: usize,
    /// The case's id, once there is one.
    case: String,
    _dir: tempfile::TempDir,
}

/// A city in which everybody is well, and the same one in which somebody of li-na's street has fallen ill.
fn cities() -> (City, City, String) {
    let mut well = City::generate(1_500, 5, system_today());
    well.set_k_threshold(1);
    let alerted = |city: &City, person: &str| {
        let outcomes =
            oracle::expected(city, &default_policy(), &Default::default(), PersonId::clone);
        outcomes.get(&(person.to_owned(), RULE.to_owned())) == Some(&Outcome::Alert)
    };
    let here = |region: &str| region.starts_with(STREET_WORKER.region);
    let healthy = well.residents().filter(|r| here(&r.region) && r.listings.is_empty());
    let healthy: Vec<_> = healthy.map(|resident| resident.id.clone()).collect();
    for person in healthy {
        let mut ill = well.clone();
        ill.fall_ill(&person, 60_000);
        if alerted(&ill, &person) {
            return (well, ill, person);
        }
    }
    panic!("nobody in the street could fall into difficulty")
}

impl Story {
    /// Runs the city of those who are well, and then writes the other one's files.
    async fn begin() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let home = dir.path().canonicalize().expect("there");
        let (well, ill, person) = cities();
        well.write_sources(&home).expect("written");
        let sections = |agency: &str| well.dataset_toml(agency);
        let deployment = Deployment::create(&home, &default_policy(), Suite::SaltedHash, sections);
        let mut deployment = deployment.expect("a deployment");
        let phones = HttpsStub::start(&deployment.pki).await.expect("listening");
        deployment.gateway_extra = format!(
            "[[notify]]\nname = \"sms\"\nlink = \"https://help.example/{{alert}}\"\n\
             regions = [\"{}\"]\n\
             [notify.sms]\nurl = \"{}\"\ntrust = \"tls/trust.pem\"\n\
             fields = {{ text = \"{{alert}} {{street}} {{due}} {{link}}\" }}\n",
            STREET_WORKER.region,
            phones.url("/send"),
        );
        let subject = deployment.subject_of(&person, well.today()).expect("a person of the city");
        let running = Running::start(deployment).await.expect("everything starts");
        let story = Self {
            running,
            phones,
            person: ill.resident(&person).expect("a resident").clone(),
            subject: subject.to_string(),
            base: ill.base().count(),
            case: String::new(),
            _dir: dir,
        };
        story.all_arrive().await;
        assert!(story.case_of(&STREET_WORKER).await.is_none(), "nobody is ill yet");
        ill.write_sources(&home).expect("written");
        story.running.reload("healthcare_security").await.expect("it runs");
        story
    }

    async fn all_arrive(&self) {
        let stale = || async {
            let said = self.run(&ADMINISTRATOR, "--json datasets").await;
            let datasets = said.json()?["datasets"].as_array().cloned().unwrap_or_default();
            Ok(datasets.into_iter().filter(|d| d["freshness"] != "FRESHNESS_FRESH").count())
        };
        until(stale, |stale| *stale == 0).await.expect("every dataset arrives");
    }

    /// The person's case in an officer's list.
    async fn case_of(&self, staff: &Staff) -> Option<Value> {
        let listed = self.good(staff, "--json cases list").await.json().expect("JSON");
        let people = listed["people"].as_array().expect("an array");
        let person = people.iter().find(|person| person["subject"] == self.subject.as_str())?;
        let cases = person["cases"].as_array().expect("an array");
        cases.iter().find(|case| case["rule"] == RULE).cloned()
    }

    /// Runs a command; `ID` stands for the case.
    async fn run(&self, staff: &Staff, line: &str) -> Said {
        let words =
            line.split_whitespace().map(|word| if word == "ID" { &self.case } else { word });
        let words: Vec<&str> = words.collect();
        self.running.ctl(staff, &words).await.expect("it runs")
    }

    /// The same, and it succeeds.
    async fn good(&self, staff: &Staff, line: &str) -> Said {
        let said = self.run(staff, line).await;
        assert_eq!(said.code, Some(0), "{line}: {said:?}");
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_falls_ill_and_is_helped_as_the_programs_have_it() {
    let mut story = Story::begin().await;
    story.is_given_to_the_street().await;
    story.is_told_by_sms_without_a_name().await;
    story.is_taken_by_one_officer_alone().await;
    story.is_made_known_to_that_officer_after_an_approval().await;
    story.is_visited_and_helped_before_the_papers().await;
    story.is_closed_with_an_outcome().await;
    story.is_counted_with_others_only().await;
    story.is_in_the_log_from_beginning_to_end().await;
}

impl Story {
    async fn is_given_to_the_street(&mut self) {
        let routed = || async { Ok(self.case_of(&STREET_WORKER).await) };
        let routed = until(routed, Option::is_some).await.expect("the case is routed");
        let case = routed.expect("there is one");
        assert_eq!(case["stage"], "CASE_STAGE_ROUTED");
        assert!(case["region"].as_str().is_some_and(|r| r.starts_with(STREET_WORKER.region)));
        self.case = case["alert"].as_str().expect("an id").to_owned();
        let shown = self.good(&STREET_WORKER, "cases show ID").await.out;
        for words in ["High own medical cost", "When:", "healthcare_security", "cases take"] {
            assert!(shown.contains(words), "{words} in {shown}");
        }
    }

    /// The street's telephone gets the case's number, the street, the due time and a link.
    async fn is_told_by_sms_without_a_name(&self) {
        let mut count = 1;
        let text = loop {
            let all = self.phones.inbox.at_least(count).await.expect("a message about the case");
            count = all.len() + 1;
            let mut texts =
                all.into_iter().map(|message| String::from_utf8_lossy(&message.body).into_owned());
            if let Some(text) = texts.find(|text| text.contains(&self.case)) {
                break text;
            }
        };
        assert!(text.contains(&format!("https://help.example/{}", self.case)), "{text}");
        let Resident { id, name, phone, address, .. } = &self.person;
        for personal in [id, name, phone, address] {
            assert!(!text.contains(personal), "{text}");
        }
    }

    async fn is_taken_by_one_officer_alone(&self) {
        let seen = self.case_of(&CITY_DESK).await.expect("the city's desk sees it, too");
        let number = seen["number"].as_u64().expect("a number");
        let typed = self.case.trim_start_matches("AL-").to_lowercase();
        self.good(&STREET_WORKER, &format!("cases take {typed}")).await;
        let late = self.run(&CITY_DESK, &format!("cases take ID --after {number}")).await;
        assert_eq!(late.code, Some(1), "{late:?}");
        assert!(late.err.contains("li-na took it"), "{late:?}");
    }

    async fn is_made_known_to_that_officer_after_an_approval(&self) {
        let request = "disclosure request ID --purpose home-visit --yes";
        for staff in [&SECOND_WORKER, &CITY_DESK] {
            let refused = self.run(staff, request).await;
            let told = "li-na has the case";
            assert!(refused.code == Some(1) && refused.err.contains(told), "{refused:?}");
        }
        self.good(&STREET_WORKER, request).await;
        let listed = self.good(&APPROVER, "--json disclosure list").await.json().expect("JSON");
        let asked = &listed["disclosures"][0];
        assert_eq!((&asked["alert"], &asked["officer"]), (&json!(self.case), &json!("li-na")));
        let id = asked["disclosure"].as_str().expect("an id");
        let own = self.run(&STREET_WORKER, &format!("disclosure approve {id} --yes")).await;
        assert_eq!(own.code, Some(1), "nobody approves the own request: {own:?}");
        self.good(&APPROVER, &format!("disclosure approve {id} --yes")).await;
        // The agency answers once the approval is witnessed.
        let line = format!("--json disclosure open {id}");
        let open = || async { Ok(self.run(&STREET_WORKER, &line).await) };
        let opened = until(open, |said| said.code == Some(0)).await.expect("it is answered");
        let contact = opened.json().expect("JSON");
        assert_eq!(contact["name"], json!([self.person.name]));
        assert_eq!(contact["address"], json!([self.person.address]));
        let other = self.run(&SECOND_WORKER, &line).await;
        assert_ne!(other.code, Some(0), "it is nobody else's: {other:?}");
        let shown = self.good(&STREET_WORKER, "cases show ID").await.out;
        for told in ["li-na asked for contact details", "contact details were disclosed"] {
            assert!(shown.contains(told), "{told} in {shown}");
        }
    }

    async fn is_visited_and_helped_before_the_papers(&self) {
        self.good(&STREET_WORKER, "cases visit ID").await;
        let relief = "cases relief ID --kind money";
        let unasked = self.run(&STREET_WORKER, relief).await;
        assert_eq!(unasked.code, Some(6), "money is given for good: {unasked:?}");
        self.good(&STREET_WORKER, &format!("{relief} --yes")).await;
    }

    async fn is_closed_with_an_outcome(&self) {
        self.good(&STREET_WORKER, "cases outcome ID temporary_relief --yes").await;
        let early = self.run(&STREET_WORKER, "cases close ID --yes").await;
        assert!(early.code == Some(1) && early.err.contains("papers"), "{early:?}");
        self.good(&STREET_WORKER, "cases papers ID").await;
        self.good(&STREET_WORKER, "cases assist ID --kind goods").await;
        self.good(&STREET_WORKER, "cases close ID --yes").await;
        assert!(self.case_of(&STREET_WORKER).await.is_none(), "there is nothing more to do");
        let shown = self.good(&STREET_WORKER, "--json cases show ID").await.json().expect("JSON");
        assert_eq!(shown["case"]["stage"], "CASE_STAGE_CLOSED");
        assert_eq!(shown["case"]["outcome"], "CASE_OUTCOME_TEMPORARY_RELIEF");
    }

    /// The planners count everybody, and so few people are in difficulty here that they are not told how
    /// many. The report of a month comes after its end.
    async fn is_counted_with_others_only(&self) {
        let line = "--json statistics screening";
        let told = self.good(&ANALYST, line).await.json().expect("JSON");
        let [screening] = &told["tables"].as_array().expect("tables")[..] else { panic!("{told}") };
        let cell = |row: &str, column: &str| {
            let place = |lines: &Value, id: &str| {
                let lines = lines.as_array().expect("lines");
                lines.iter().position(|line| line["id"] == id).expect("a line of this id")
            };
            let (row, column) =
                (place(&screening["rows"], row), place(&screening["columns"], column));
            let width = screening["columns"].as_array().expect("lines").len();
            screening["cells"][row * width + column].clone()
        };
        let everybody = cell("total", "total");
        assert!(everybody["suppressed"] == true || everybody["value"] == self.base, "{everybody}");
        assert_eq!(cell(STREET_WORKER.region, "b")["suppressed"], true);
        let cells = screening["cells"].as_array().expect("cells").iter();
        let shown = cells.filter(|cell| cell["suppressed"] == false);
        let shown: Vec<u64> = shown.map(|cell| cell["value"].as_u64().expect("a number")).collect();
        assert!(shown.iter().all(|count| *count == 0 || *count >= 10), "{shown:?}");
        let again = self.good(&ANALYST, line).await.json().expect("JSON");
        assert_eq!(again["digest"], told["digest"], "it is computed once in a day");

        let first = system_today().first_of_month();
        let month = |day: Date| day.strftime("%Y-%m").to_string();
        let early = self.run(&ANALYST, &format!("statistics report {}", month(first))).await;
        assert!(early.code == Some(1) && early.err.contains("has not ended"), "{early:?}");
        let before = month(first.yesterday().expect("a day"));
        let line = format!("--json statistics report {before}");
        let report = self.good(&ANALYST, &line).await.json().expect("JSON");
        let tables = report["tables"].as_array().expect("tables");
        let nothing = json!({ "value": 0, "suppressed": false });
        assert!(
            tables.iter().all(|table| table["cells"][0] == nothing),
            "it was not yet: {report}"
        );
    }

    /// The auditor finds every step, by whom, in its order, and the whole log verifies.
    async fn is_in_the_log_from_beginning_to_end(&self) {
        // Witnesses cosign within seconds.
        let search = || async { Ok(self.run(&AUDITOR, "--json audit search --alert ID").await) };
        let whole = |said: &Said| said.code == Some(0) && said.out.contains("closed");
        let found = until(search, whole).await.expect("the log has it").json().expect("JSON");
        let found = found["entries"].as_array().expect("an array");
        let steps: Vec<(String, String)> = found.iter().filter_map(step).collect();
        let gateway = |word: &str| (word.to_owned(), "gateway".to_owned());
        let worker = |word: &str| (word.to_owned(), STREET_WORKER.id.to_owned());
        let wanted = [
            gateway("opened"),
            gateway("routed"),
            worker("acknowledged"),
            worker("disclosure_requested"),
            worker("disclosure_asked"),
            ("disclosure_approved".to_owned(), APPROVER.id.to_owned()),
            gateway("disclosed"),
            worker("disclosure_collected"),
            worker("visited"),
            worker("relief_first"),
            worker("outcome_recorded"),
            worker("papers_completed"),
            worker("assistance_given"),
            worker("closed"),
        ];
        assert_eq!(steps, wanted);
        let sent = found.iter().find_map(|found| found["entry"]["act"].get("notification_sent"));
        let sent = sent.expect("the message to the street is in the log, too");
        assert_eq!((&sent["target"], &sent["alerts"]), (&json!("sms"), &json!([self.case])));
        let verify = || async { Ok(self.run(&AUDITOR, "audit verify").await) };
        until(verify, |said| said.code == Some(0)).await.expect("the log verifies");
        let looked = self.good(&AUDITOR, "audit search --alert ID --officer city-desk").await;
        assert!(looked.out.contains("cases listed"), "who only looked is there, too: {looked:?}");
        let line = "--json audit search --officer analyst";
        let counted = || async {
            let told = self.good(&AUDITOR, line).await.out;
            Ok(["\"screening_read\":", "\"statistics_read\":"].map(|it| told.matches(it).count()))
        };
        until(counted, |counted| *counted == [2, 1]).await.expect("whoever counts is counted");
    }
}

/// What was done about the case and whose act it was; nothing of what only says that somebody looked.
fn step(found: &Value) -> Option<(String, String)> {
    let entry = &found["entry"];
    let (word, act) = entry["act"].as_object()?.iter().next()?;
    let word = match &word[..] {
        "case_changed" => act["event"].as_object()?.keys().next()?,
        "disclosure_requested" | "disclosure_approved" | "disclosure_collected" => word,
        _ => return None,
    };
    let by = entry["by"]["officer"].as_str().unwrap_or("gateway");
    Some((word.clone(), by.to_owned()))
}
