//! Names of the server that differ only by case or Unicode form, seen from a device that cannot tell them apart.

use std::collections::HashMap;

use holdfast_protocol::fold_key;
use holdfast_protocol::path::ancestors;

/// Of each group of twins, those that a folding device is not to hold: a twin never overwrites its twin (algorithms B).
#[derive(Debug, Clone, Default)]
pub struct Twins {
    /// Sorted.
    left_out: Vec<String>,
}

impl Twins {
    /// Finds them among all paths of the server, folders included, in path order. The twin that the device already has
    /// stays with it; where it has none, the first is chosen.
    pub fn among<'a>(paths: impl Iterator<Item = &'a str>, is_held: impl Fn(&str) -> bool) -> Self {
        let mut groups: HashMap<String, Vec<&'a str>> = HashMap::new();
        for path in paths {
            groups.entry(fold_key(path)).or_default().push(path);
        }
        let mut left_out = Vec::new();
        for group in groups.into_values().filter(|group| group.len() > 1) {
            let some_held = group.iter().any(|path| is_held(path));
            let chosen = group[0];
            let others =
                group.iter().filter(|path| if some_held { !is_held(path) } else { **path != chosen });
            left_out.extend(others.map(|path| (*path).to_owned()));
        }
        left_out.sort_unstable();
        Self { left_out }
    }

    /// Whether a path, or a folder above it, is the twin that the device does without.
    pub fn leaves_out(&self, path: &str) -> bool {
        let is_out = |path: &str| self.left_out.binary_search_by(|left| left.as_str().cmp(path)).is_ok();
        !self.left_out.is_empty() && (is_out(path) || ancestors(path).any(is_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_never_overwrites_its_twin() {
        let paths = ["A", "A/x", "a", "a/y", "b/N.txt", "b/n.txt", "c"];
        let fresh = Twins::among(paths.into_iter(), |_| false);
        let left =
            |twins: &Twins| paths.into_iter().filter(|path| twins.leaves_out(path)).collect::<Vec<_>>();
        assert_eq!(left(&fresh), ["a", "a/y", "b/n.txt"]);
        let holds_the_second = Twins::among(paths.into_iter(), |path| path == "b/n.txt" || path == "a");
        assert_eq!(left(&holds_the_second), ["A", "A/x", "b/N.txt"]);
    }

    #[test]
    fn composed_and_decomposed_forms_are_twins() {
        let twins = Twins::among(["e\u{301}", "é"].into_iter(), |_| false);
        assert!(twins.leaves_out("é") && !twins.leaves_out("e\u{301}"));
    }
}
