//! A device that folds case or Unicode form may list a name in another spelling than the server's.

use std::collections::HashMap;

use holdfast_protocol::fold_key;
use holdfast_protocol::manifest::Claims;
use holdfast_protocol::path::ancestors;
use holdfast_protocol::path_map::{Full, PathMapBuilder};

/// What a folded key stands for on the server.
enum Known<'a> {
    /// Nothing.
    Never,
    /// Exactly one path.
    Once(&'a str),
    /// Twins: nobody can say which is meant.
    Several,
}

/// The claims of a folding device in the server's spelling; `None` when they are so already. A claim that is not known by
/// its own name is mapped by folded key when that is unique (algorithms B, "Case/NFC"): one claim and one known path, and
/// no twins among the folders above. What is new below a folder goes to that folder in the server's spelling. All else
/// stays as it was given.
///
/// `known` are the paths that the server has or the device has agreed on, folders included; `is_known` says the same of
/// one path.
///
/// # Errors
/// [`Full`] when the claims have more path text than one collection holds.
pub fn respell<'a>(
    claims: &Claims,
    known: impl Iterator<Item = &'a str>,
    is_known: impl Fn(&str) -> bool,
) -> Result<Option<Claims>, Full> {
    // Most lists are spelled as the server does, and then nothing is folded.
    let strange: Vec<&str> = claims.iter().map(|(path, _)| path).filter(|path| !is_known(path)).collect();
    if strange.is_empty() {
        return Ok(None);
    }
    let by_key = among(known, &strange);
    let mut spelled: HashMap<&str, String> = HashMap::new();
    let mut uses: HashMap<String, u32> = HashMap::new();
    for path in strange {
        let spelling = server_spelling(path, &by_key);
        *uses.entry(spelling.clone()).or_default() += 1;
        if spelling != path {
            spelled.insert(path, spelling);
        }
    }
    spelled.retain(|_, spelling| uses.get(spelling) == Some(&1) && claims.get(spelling).is_none());
    if spelled.is_empty() {
        return Ok(None);
    }
    let mut mapped = PathMapBuilder::with_capacity(claims.len());
    for (path, claim) in claims.iter() {
        mapped.push(spelled.get(path).map_or(path, String::as_str), *claim)?;
    }
    // Unique spellings are nobody's own path, and own paths are given once.
    mapped.finish().map(Some).map_err(|_| Full)
}

/// What the keys of these paths and of the folders above them stand for.
fn among<'a>(known: impl Iterator<Item = &'a str>, paths: &[&str]) -> HashMap<String, Known<'a>> {
    let mut by_key = HashMap::new();
    for path in paths {
        let key = fold_key(path);
        for above in ancestors(&key) {
            if by_key.contains_key(above) {
                break;
            }
            by_key.insert(above.to_owned(), Known::Never);
        }
        by_key.insert(key, Known::Never);
    }
    for path in known {
        if let Some(found) = by_key.get_mut(&fold_key(path)) {
            *found = match found {
                Known::Never => Known::Once(path),
                Known::Once(first) if *first == path => Known::Once(path),
                Known::Once(_) | Known::Several => Known::Several,
            };
        }
    }
    by_key
}

fn server_spelling(path: &str, by_key: &HashMap<String, Known<'_>>) -> String {
    let key = fold_key(path);
    if ancestors(&key).any(|above| matches!(by_key.get(above), Some(Known::Several))) {
        return path.to_owned();
    }
    match by_key.get(&key) {
        Some(Known::Once(spelling)) => (*spelling).to_owned(),
        Some(Known::Several) => path.to_owned(),
        Some(Known::Never) | None => match path.rsplit_once('/') {
            Some((folder, name)) => format!("{}/{name}", server_spelling(folder, by_key)),
            None => path.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use holdfast_protocol::Value;
    use holdfast_protocol::manifest::Claim;

    fn respelled(claimed: &[&str], known: &[&'static str]) -> Vec<String> {
        let mut claims = PathMapBuilder::new();
        for path in claimed {
            claims.push(path, Claim::Held(Value::Folder)).unwrap();
        }
        let claims = claims.finish().unwrap();
        let mapped = respell(&claims, known.iter().copied(), |path| known.contains(&path)).unwrap();
        mapped.unwrap_or(claims).iter().map(|(path, _)| path.to_owned()).collect()
    }

    #[test]
    fn a_claim_is_mapped_to_the_only_path_it_can_mean() {
        assert_eq!(respelled(&["re\u{301}sume\u{301}.txt"], &["résumé.txt"]), ["résumé.txt"]);
        assert_eq!(respelled(&["README"], &["readme"]), ["readme"]);
        assert_eq!(respelled(&["DOCS/new"], &["Docs", "Docs/old"]), ["Docs/new"]);
    }

    #[test]
    fn a_list_in_the_servers_spelling_is_left_alone() {
        let mut claims = PathMapBuilder::new();
        claims.push("readme", Claim::Held(Value::Folder)).unwrap();
        let claims = claims.finish().unwrap();
        assert!(respell(&claims, ["readme"].into_iter(), |path| path == "readme").unwrap().is_none());
        assert!(respell(&claims, ["other"].into_iter(), |path| path == "other").unwrap().is_none());
    }

    #[test]
    fn twins_are_not_guessed_between() {
        assert_eq!(respelled(&["README"], &["readme", "Readme"]), ["README"]);
        assert_eq!(respelled(&["README", "Readme"], &["readme"]), ["README", "Readme"]);
        assert_eq!(respelled(&["README", "readme"], &["readme"]), ["README", "readme"]);
        assert_eq!(
            respelled(&["DOCS/a"], &["DOCS", "Docs", "Docs/A"]),
            ["DOCS/a"],
            "nor between their folders"
        );
    }
}
