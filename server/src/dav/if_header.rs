//! The grammar of the header `If` (RFC 4918, section 10.4).

/// One list: it holds when each of its conditions does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The resource it is about; `None`: the one of the request.
    pub resource: Option<String>,
    /// At least one.
    pub conditions: Vec<Condition>,
}

/// A condition on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// It must not hold.
    pub not: bool,
    /// What is asked.
    pub item: Item,
}

/// What a condition asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// It is locked with this token.
    Token(String),
    /// It has this entity tag, as sent in `ETag`.
    Tag(String),
}

/// Reads the header; `None` when it is not of that form.
pub fn parse(text: &str) -> Option<Vec<List>> {
    let mut rest = text.trim();
    let mut resource = None;
    let mut lists = Vec::new();
    while !rest.is_empty() {
        if rest.starts_with('<') {
            let (url, after) = enclosed(rest, '<', '>')?;
            resource = Some(url.to_owned());
            rest = after.trim_start();
            if !rest.starts_with('(') {
                return None;
            }
        }
        let (conditions, after) = list(rest)?;
        lists.push(List { resource: resource.clone(), conditions });
        rest = after.trim_start();
    }
    (!lists.is_empty()).then_some(lists)
}

fn list(text: &str) -> Option<(Vec<Condition>, &str)> {
    let mut rest = text.strip_prefix('(')?.trim_start();
    let mut conditions = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            return (!conditions.is_empty()).then_some((conditions, after));
        }
        let negated = rest.get(..3).filter(|word| word.eq_ignore_ascii_case("not"));
        if negated.is_some() {
            rest = rest[3..].trim_start();
        }
        let (item, after) = if rest.starts_with('<') {
            let (token, after) = enclosed(rest, '<', '>')?;
            (Item::Token(token.to_owned()), after)
        } else {
            let (tag, after) = enclosed(rest, '[', ']')?;
            (Item::Tag(tag.trim().to_owned()), after)
        };
        conditions.push(Condition { not: negated.is_some(), item });
        rest = after.trim_start();
    }
}

fn enclosed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    text.strip_prefix(open)?.split_once(close)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn token(text: &str) -> Condition {
        Condition { not: false, item: Item::Token(text.to_owned()) }
    }

    #[test]
    fn lists_without_a_tag_are_about_the_request() {
        let lists = parse("(<urn:uuid:1> [\"etag\"]) (Not <DAV:no-lock>)").unwrap();
        assert_eq!(lists.len(), 2);
        assert_eq!(lists[0].conditions[0], token("urn:uuid:1"));
        assert_eq!(lists[0].conditions[1].item, Item::Tag("\"etag\"".to_owned()));
        assert!(lists[1].conditions[0].not);
        assert_eq!(lists[1].resource, None);
    }

    #[test]
    fn a_tag_holds_until_the_next() {
        let lists = parse("<http://h/a> (<t1>)(<t2>) </b> (not [W/\"x\"])").unwrap();
        let about: Vec<_> = lists.iter().map(|list| list.resource.as_deref()).collect();
        assert_eq!(about, [Some("http://h/a"), Some("http://h/a"), Some("/b")]);
        assert!(lists[2].conditions[0].not);
    }

    #[test]
    fn what_is_not_of_the_grammar_is_told_as_such() {
        for bad in ["", "()", "(", "(<a)", "<a>", "<a> <b> (<t>)", "(<a>) x", "(a)", "([a)"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
