//! What can be done next in a case, as commands that can be copied.

use proto::wire::{Case, CaseStage};

use super::marks::papers_open;
use crate::{
    output::{Screen, cell},
    words::Phrase,
};

const NEXT: Phrase = ("下一步", "What to do next");
const TAKE: Phrase = ("接收，此后由您负责", "take it: from then on it is yours");
const HAND_BACK: Phrase = ("不属于您：退回", "it is not for you: hand it back");
const ASSIGN: Phrase = ("（督导）派给某人", "(supervisor) give it to an officer");
const REROUTE: Phrase = ("（督导）改派其他辖区", "(supervisor) give it to another region");
const WHO_IS_IT: Phrase = ("申请查看姓名和地址", "ask for name and address");
const VISITED: Phrase = ("走访之后登记", "after you were there");
const RELIEF: Phrase =
    ("情况紧急：先行救助，后补手续", "it is urgent: relief first, the papers follow");
const PAPERS: Phrase = ("手续补齐后登记", "when the papers are complete");
const OUTCOME: Phrase =
    ("登记认定结果（代码见 --help）", "record what came of the visit (codes: --help)");
const DECIDE: Phrase = ("（督导）直接登记结果", "(supervisor) record an outcome at once");
const ASSIST: Phrase = ("登记已给予的救助", "record what was given");
const CLOSE: Phrase = ("全部办完后办结", "when nothing more is to be done");
const REOPEN: Phrase = ("（督导）重新办理", "(supervisor) begin it anew");
const LOOK_THERE: Phrase = ("在该办件中继续办理", "it goes on there");
const SEND_BACK: Phrase = ("工单不属于您：退回热线", "the work order is not for you: send it back");

/// A heading and a line for each step that fits; nothing where none does.
pub fn next(case: &Case, screen: &Screen) -> String {
    let steps = steps(case);
    if steps.is_empty() {
        return String::new();
    }
    let mut table = screen.list();
    for (command, why) in steps {
        table.add_row([cell(&format!(" gatewayctl {command}")), cell(screen.lang.say(why))]);
    }
    format!("{}\n{}\n", screen.lang.say(NEXT), screen.draw(&table))
}

fn steps(case: &Case) -> Vec<(String, Phrase)> {
    let id = &case.alert;
    let take = (format!("cases take {id}"), TAKE);
    let hand_back = (format!("cases return {id} --reason wrong_region"), HAND_BACK);
    let assign = (format!("cases assign {id} --to OFFICER"), ASSIGN);
    let reroute = (format!("cases reroute {id} --region CODE"), REROUTE);
    let who_is_it = (format!("disclosure request {id} --purpose home-visit"), WHO_IS_IT);
    let visited = (format!("cases visit {id}"), VISITED);
    let relief = (format!("cases relief {id} --kind money"), RELIEF);
    let papers = (format!("cases papers {id}"), PAPERS);
    let outcome = (format!("cases outcome {id} OUTCOME"), OUTCOME);
    let decide = (outcome.0.clone(), DECIDE);
    let assist = (format!("cases assist {id} --kind money"), ASSIST);
    let close = (format!("cases close {id}"), CLOSE);
    let reopen = (format!("cases reopen {id}"), REOPEN);
    let mut steps = match CaseStage::try_from(case.stage).unwrap_or_default() {
        CaseStage::New => vec![reroute],
        CaseStage::Routed => vec![take, hand_back, assign],
        CaseStage::Acknowledged => vec![who_is_it, visited, relief, hand_back],
        CaseStage::Visited => vec![outcome, relief, assist],
        CaseStage::Decided => vec![assist, close],
        CaseStage::Returned => vec![assign, reroute, decide],
        CaseStage::Closed | CaseStage::Withdrawn => vec![reopen],
        CaseStage::Joined => vec![(format!("cases show {}", case.joined_to), LOOK_THERE)],
        CaseStage::Pending | CaseStage::Suppressed | CaseStage::Unspecified => vec![],
    };
    steps.retain(|(_, why)| *why != RELIEF || case.relief_first == 0);
    steps.retain(|(_, why)| *why != WHO_IS_IT || !case.disclosed);
    if papers_open(case) {
        // The case cannot be closed before.
        steps.retain(|(_, why)| *why != CLOSE);
        steps.push(papers);
    }
    let over = [CaseStage::Closed, CaseStage::Withdrawn, CaseStage::Joined].map(i32::from);
    if !over.contains(&case.stage) && case.orders.iter().any(|order| order.returned == 0) {
        steps.push((format!("cases return-order {id} --reason not_our_duty"), SEND_BACK));
    }
    steps
}
