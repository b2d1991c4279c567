//! Asking before something that cannot be undone.
//!
//! What is asked is the commands' business.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use crate::{failure::Failure, words::Lang};

/// Whether to ask.
#[derive(Debug, Default, Clone, Copy, Args)]
pub struct Assent {
    /// Do it without asking, also where there is no terminal / 不再询问，直接执行
    #[arg(long)]
    pub yes: bool,
}

impl Assent {
    /// Goes on only if `question` was answered with yes, here and now or by `--yes`.
    ///
    /// # Errors
    /// [`Failure::Unconfirmed`], and nothing was done; [`Failure::Output`].
    pub fn obtain(self, question: &str, lang: Lang) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::Unconfirmed { asked: false });
        }
        ask(question, lang, &mut io::stdin().lock(), &mut io::stderr())
    }
}

fn ask(
    question: &str,
    lang: Lang,
    answers: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let how = lang.say(("确认请输入 yes 或 是：", "type yes to go on: "));
    write!(out, "{question}\n{how}").and_then(|()| out.flush()).map_err(Failure::Output)?;
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(Failure::Output)?;
    match answer.trim() {
        "yes" | "是" => Ok(()),
        _ => Err(Failure::Unconfirmed { asked: true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answer: &str) -> Result<(), Failure> {
        let mut out = vec![];
        let asked = ask("Close the case?", Lang::En, &mut answer.as_bytes(), &mut out);
        assert_eq!(out, b"Close the case?\ntype yes to go on: ");
        asked
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        assert!(answered("yes\n").is_ok() && answered(" 是 \n").is_ok());
        for answer in ["", "\n", "y\n", "no\n", "yes please\n"] {
            let failure = answered(answer).expect_err(answer);
            assert_eq!(failure.exit_code(), crate::failure::UNCONFIRMED, "{answer}");
        }
    }

    #[test]
    fn who_says_yes_beforehand_is_not_asked() {
        assert!(Assent { yes: true }.obtain("Close the case?", Lang::En).is_ok());
    }
}
