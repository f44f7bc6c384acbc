//! A device that folds case or Unicode form may list a name in another spelling than the server's.

use std::collections::HashMap;

use holdfast_protocol::fold_key;
use holdfast_protocol::manifest::Claims;
use holdfast_protocol::path_map::{Full, PathMapBuilder};

/// What a spelling stands for on the server.
enum Known<'a> {
    /// Exactly one path has this folded key.
    Once(&'a str),
    /// Twins: nobody can say which is meant.
    Several,
}

/// The claims of a folding device in the server's spelling. A claim is mapped by folded key when that is unique
/// (algorithms B, "Case/NFC"): one claim and one path that the server has or the device has agreed on. What is new below
/// a folder goes to that folder in the server's spelling. All else stays as it was given.
///
/// # Errors
/// [`Full`] when the claims have more path text than one collection holds.
pub fn respell<'a>(claims: &Claims, known: impl Iterator<Item = &'a str>) -> Result<Claims, Full> {
    let mut by_key: HashMap<String, Known<'a>> = HashMap::new();
    for path in known {
        let entry = by_key.entry(fold_key(path)).or_insert(Known::Once(path));
        if !matches!(entry, Known::Once(first) if *first == path) {
            *entry = Known::Several;
        }
    }
    let mut spelled: Vec<String> = Vec::with_capacity(claims.len());
    let mut uses: HashMap<String, u32> = HashMap::with_capacity(claims.len());
    for (path, _) in claims.iter() {
        let spelling = server_spelling(path, &by_key);
        *uses.entry(spelling.clone()).or_default() += 1;
        spelled.push(spelling);
    }
    let mut mapped = PathMapBuilder::with_capacity(claims.len());
    for ((path, claim), spelling) in claims.iter().zip(&spelled) {
        let is_unique =
            uses.get(spelling) == Some(&1) && (spelling == path || claims.get(spelling).is_none());
        mapped.push(if is_unique { spelling } else { path }, *claim)?;
    }
    // Unique spellings are nobody's own path, and own paths are given once.
    mapped.finish().map_err(|_| Full)
}

fn server_spelling(path: &str, by_key: &HashMap<String, Known<'_>>) -> String {
    match by_key.get(&fold_key(path)) {
        Some(Known::Once(spelling)) => (*spelling).to_owned(),
        Some(Known::Several) => path.to_owned(),
        None => match path.rsplit_once('/') {
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
        let mapped = respell(&claims.finish().unwrap(), known.iter().copied()).unwrap();
        mapped.iter().map(|(path, _)| path.to_owned()).collect()
    }

    #[test]
    fn a_claim_is_mapped_to_the_only_path_it_can_mean() {
        assert_eq!(respelled(&["re\u{301}sume\u{301}.txt"], &["résumé.txt"]), ["résumé.txt"]);
        assert_eq!(respelled(&["README"], &["readme"]), ["readme"]);
        assert_eq!(respelled(&["DOCS/new"], &["Docs", "Docs/old"]), ["Docs/new"]);
    }

    #[test]
    fn twins_are_not_guessed_between() {
        assert_eq!(respelled(&["README"], &["readme", "Readme"]), ["README"]);
        assert_eq!(respelled(&["README", "Readme"], &["readme"]), ["README", "Readme"]);
        assert_eq!(respelled(&["README", "readme"], &["readme"]), ["README", "readme"]);
    }
}
