//! When a lock stands in the way of a write (RFC 4918, section 7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Begins every token of a lock.
const TOKEN: &str = "urn:holdfast:";

/// The token of the lock with an id: a URI (RFC 4918, section 6.5). Shorter than `urn:uuid:` would be: programs put it into
/// one header with entity tags, and some have little room there.
pub fn token(id: Uuid) -> String {
    format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(id.as_bytes()))
}

/// The id of the lock that a token names; `None` for one that none of ours can be.
pub fn id_of(token: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(TOKEN)?).ok()?;
    Uuid::from_slice(&bytes).ok()
}

/// A lock on a node or on something above or beneath it, as far as the rule needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What is locked: a key of its own for each node.
    pub node: i64,
    /// It covers all beneath the node.
    pub deep: bool,
    /// Others may hold one, too.
    pub shared: bool,
    /// The one who writes holds it and has sent its token.
    pub presented: bool,
}

/// What a write touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// The node itself; `None` where a new one is made.
    pub node: Option<i64>,
    /// The folder that gains or loses a member by it.
    pub member_of: Option<i64>,
}

/// The first lock that forbids a write. `above` are the locks on the node and everything above it (or on the folder and
/// everything above that, where a new node is made), `beneath` those on what lies within, as far as the write reaches it.
pub fn in_the_way<'a>(touch: Touch, above: &'a [Held], beneath: &'a [Held]) -> Option<&'a Held> {
    let covers =
        |held: &&Held| held.deep || Some(held.node) == touch.node || Some(held.node) == touch.member_of;
    let all = above.iter().filter(covers).chain(beneath);
    // Of several shared locks on one node, one token suffices: each says that its holder has agreed with the others.
    let met =
        |held: &Held| above.iter().chain(beneath).any(|other| other.presented && other.node == held.node);
    all.into_iter().find(|held| !met(held))
}

/// Whether a new lock is refused by one that is held already, where both cover the same node (RFC 4918, section 6.1).
pub fn excludes(held: &Held, shared: bool) -> bool {
    !(held.shared && shared)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn a_token_names_its_lock_and_no_other_text_names_one() {
        let id = Uuid::from_u128(0x1234_5678_9abc_def0_1122_3344_5566_7788);
        assert_eq!(id_of(&token(id)).unwrap(), id);
        assert!(token(id).len() <= 37);
        for other in ["", "DAV:no-lock", "urn:uuid:0b9a2f6e-2a1f-4a0f-9d53-5f6f1a0f9d10", "urn:holdfast:AAAA"]
        {
            assert_eq!(id_of(other), None, "{other}");
        }
    }

    const FOLDER: i64 = 1;
    const FILE: i64 = 2;

    fn held(node: i64, deep: bool, presented: bool) -> Held {
        Held { node, deep, shared: false, presented }
    }

    #[test]
    fn a_file_is_covered_by_its_own_lock_and_by_deep_ones_above() {
        let write = Touch { node: Some(FILE), member_of: None };
        assert!(in_the_way(write, &[held(FILE, false, false)], &[]).is_some());
        assert!(in_the_way(write, &[held(FOLDER, true, false)], &[]).is_some());
        assert!(
            in_the_way(write, &[held(FOLDER, false, false)], &[]).is_none(),
            "its content is not a member"
        );
        assert!(in_the_way(write, &[held(FILE, false, true)], &[]).is_none());
    }

    #[test]
    fn a_locked_folder_keeps_its_members() {
        let new = Touch { node: None, member_of: Some(FOLDER) };
        assert!(in_the_way(new, &[held(FOLDER, false, false)], &[]).is_some());
        assert!(in_the_way(new, &[held(FOLDER, false, true)], &[]).is_none());
        let gone = Touch { node: Some(FILE), member_of: Some(FOLDER) };
        assert!(in_the_way(gone, &[held(FOLDER, false, false), held(FILE, false, true)], &[]).is_some());
    }

    #[test]
    fn what_lies_within_must_be_free_too() {
        let gone = Touch { node: Some(FOLDER), member_of: None };
        assert!(in_the_way(gone, &[], &[held(FILE, false, false)]).is_some());
        assert!(in_the_way(gone, &[], &[held(FILE, false, true)]).is_none());
    }

    #[test]
    fn one_of_several_shared_locks_suffices() {
        let write = Touch { node: Some(FILE), member_of: None };
        let mine = Held { node: FILE, deep: false, shared: true, presented: true };
        let theirs = Held { presented: false, ..mine };
        assert!(in_the_way(write, &[theirs, mine], &[]).is_none());
        assert!(in_the_way(write, &[theirs], &[]).is_some());
        assert!(!excludes(&theirs, true));
        assert!(excludes(&theirs, false));
    }
}
