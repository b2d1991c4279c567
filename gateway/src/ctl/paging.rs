//! Answers that come in pages: all of them, or as many as were asked for.

use proto::wire::LogPlace;

use crate::failure::Failure;

/// One answer.
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Asks for the next one; empty on the last.
    pub next: String,
    /// Where the log says that it was shown.
    pub logged: Option<LogPlace>,
}

/// Several, as one.
pub struct Pages<T> {
    /// What is on them, in their order.
    pub items: Vec<T>,
    /// Would ask for what was not asked for; empty where that is nothing.
    pub next: String,
    /// Where the log says that each of them was shown.
    pub logged: Vec<LogPlace>,
}

/// Pages of at most `size` items, until there are no more or `limit` of them are there. `ask` is told how
/// many are wanted, and the token that the page before gave.
///
/// # Errors
/// [`Failure`]: `ask`'s, or a page that names itself as the next.
pub async fn pages<T>(
    size: u32,
    limit: Option<u32>,
    mut ask: impl AsyncFnMut(u32, String) -> Result<Page<T>, Failure>,
) -> Result<Pages<T>, Failure> {
    let mut all = Pages { items: vec![], next: String::new(), logged: vec![] };
    let mut left = limit.unwrap_or(u32::MAX);
    loop {
        let token = std::mem::take(&mut all.next);
        let page = ask(left.min(size), token.clone()).await?;
        if !token.is_empty() && page.next == token {
            return Err(Failure::Unforeseen("a page that is its own successor".into()));
        }
        if limit.is_some() {
            left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        }
        all.items.extend(page.items);
        all.logged.extend(page.logged);
        all.next = page.next;
        if all.next.is_empty() || left == 0 {
            return Ok(all);
        }
    }
}
