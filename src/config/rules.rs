//! Rules on names that contradict one another. Each pattern is well formed by itself; what is wrong with these is that,
//! because of another one, they can never have an effect, or leave a registry with nothing to supply.
//!
//! Only what is certain is an error: patterns that no two of them can be compared by are left alone.

use crate::catalog::rules::Shape;
use crate::registry::config::Config;

/// What is wrong: the registry's position, the key, and what would be right.
pub(super) type Contradiction = (usize, &'static str, String);

/// A pattern as it was written, and its shape.
struct Pattern<'a> {
    text: &'a str,
    shape: Shape,
}

/// The rules of one registry.
struct Rules<'a> {
    name: &'a str,
    namespaces: Vec<Pattern<'a>>,
    include: Vec<Pattern<'a>>,
    exclude: Vec<Pattern<'a>>,
}

impl<'a> Rules<'a> {
    fn of(registry: &'a Config) -> Self {
        fn patterns(texts: &[String]) -> Vec<Pattern<'_>> {
            texts.iter().map(|text| Pattern { text, shape: Shape::of(text) }).collect()
        }
        Self {
            name: &registry.name,
            namespaces: patterns(&registry.namespaces),
            include: patterns(&registry.include),
            exclude: patterns(&registry.exclude),
        }
    }

    /// The first pattern that leaves nothing of another one.
    fn covering<'p>(patterns: &'p [Self], shape: &Shape) -> Option<(&'p str, &'p str)> {
        patterns.iter().find_map(|rules| {
            let covering = rules.namespaces.iter().find(|pattern| pattern.shape.covers(shape))?;
            Some((rules.name, covering.text))
        })
    }
}

/// All contradictions, in the order of the registries.
pub(super) fn contradictions(registries: &[Config]) -> Vec<Contradiction> {
    let all: Vec<Rules<'_>> = registries.iter().map(Rules::of).collect();
    let of = |(index, rules): (usize, &Rules<'_>)| {
        let found = empty(rules).chain(excluded(rules)).chain(not_included(rules)).chain(owned_elsewhere(rules, &all));
        let found: Vec<_> = found.map(|(key, problem)| (index, key, problem)).collect();
        found
    };
    all.iter().enumerate().flat_map(of).collect()
}

type Problem = (&'static str, String);

fn empty<'a>(rules: &'a Rules<'_>) -> impl Iterator<Item = Problem> + 'a {
    let lists = [("namespaces", &rules.namespaces), ("include", &rules.include), ("exclude", &rules.exclude)];
    lists.into_iter().flat_map(move |(key, patterns)| {
        let empty = patterns.iter().filter(|pattern| pattern.text.is_empty());
        empty.map(move |_| (key, "has an empty pattern, which matches no name; remove it".to_owned()))
    })
}

/// Patterns of which `exclude` leaves nothing.
fn excluded<'a>(rules: &'a Rules<'_>) -> impl Iterator<Item = Problem> + 'a {
    [("namespaces", &rules.namespaces), ("include", &rules.include)].into_iter().flat_map(move |(key, patterns)| {
        patterns.iter().filter_map(move |Pattern { text, shape }| {
            let other = rules.exclude.iter().find(|other| other.shape.covers(shape))?.text;
            let problem = if other == *text {
                format!("{text:?} is also in `exclude`; remove it from one of the two")
            } else {
                format!(
                    "{text:?} has no effect: `exclude` has {other:?}, which leaves nothing of it; remove one of the two"
                )
            };
            Some((key, problem))
        })
    })
}

/// Namespaces that the registry claims, so that nobody else may supply them, and takes nothing of.
fn not_included<'a>(rules: &'a Rules<'_>) -> impl Iterator<Item = Problem> + 'a {
    let claimed = rules.namespaces.iter().filter(|_| !rules.include.is_empty());
    let unsupplied =
        claimed.filter(|claimed| !rules.include.iter().any(|include| include.shape.may_meet(&claimed.shape)));
    unsupplied.map(|Pattern { text, .. }| {
        let advice = "add it to `include`, or remove it from `namespaces`";
        (
            "include",
            format!("takes nothing of {text:?}, which the registry claims, so that nobody could supply it; {advice}"),
        )
    })
}

/// What only others may supply: patterns of `include`, or everything.
fn owned_elsewhere(rules: &Rules<'_>, all: &[Rules<'_>]) -> impl Iterator<Item = Problem> {
    // A registry's own claims let it supply what it includes, whoever else claims it.
    let is_own = |shape: &Shape| rules.namespaces.iter().any(|claimed| claimed.shape.may_meet(shape));
    let foreign =
        rules.include.iter().filter(|include| !is_own(&include.shape)).filter_map(|Pattern { text, shape }| {
            let (owner, claimed) = Rules::covering(all, shape)?;
            let advice = "remove it, or claim it here in `namespaces` too";
            Some((
                "include",
                format!("{text:?} has no effect: only `{owner}` may supply {claimed:?} (its `namespaces`); {advice}"),
            ))
        });
    let everything =
        Rules::covering(all, &Shape::of("*")).filter(|_| rules.namespaces.is_empty() && rules.include.is_empty());
    let nothing = everything.map(|(owner, claimed)| {
        let problem = format!(
            "is empty, so the registry could supply nothing: `{owner}` claims every name ({claimed:?}); claim less there, or something here"
        );
        ("namespaces", problem)
    });
    foreign.chain(nothing).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(name: &str, namespaces: &[&str], include: &[&str], exclude: &[&str]) -> Config {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let (namespaces, include, exclude) = (owned(namespaces), owned(include), owned(exclude));
        Config { name: name.to_owned(), namespaces, include, exclude, ..Config::default() }
    }

    #[track_caller]
    fn refused(registries: &[Config], expected: &[(usize, &str, &str)]) {
        let found = contradictions(registries);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((index, key, problem), expected) in found.iter().zip(expected) {
            assert_eq!((*index, *key), (expected.0, expected.1), "{problem}");
            assert!(problem.contains(expected.2), "{problem}");
        }
    }

    #[test]
    fn what_is_excluded_is_neither_claimed_nor_included() {
        refused(&[registry("a", &["com.acme/*"], &[], &["com.ACME/*"])], &[(0, "namespaces", "com.ACME/*")]);
        refused(&[registry("a", &["com.acme/*"], &[], &["*"])], &[(0, "namespaces", "leaves nothing")]);
        refused(
            &[registry("a", &[], &["com.acme/*", "org.x/*"], &["com.*", "org.x/y"])],
            &[(0, "include", "com.acme/*")],
        );
        refused(&[registry("a", &["com.acme/*"], &["com.acme/*"], &["com.acme/experimental-*"])], &[]);
    }

    #[test]
    fn what_a_registry_claims_it_takes() {
        refused(&[registry("a", &["com.acme/*"], &["org.x/*"], &[])], &[(0, "include", "nobody could supply")]);
        refused(&[registry("a", &["com.acme/*"], &["*/search"], &[])], &[]);
        refused(&[registry("a", &["com.acme/*", "org.x/*"], &["com.acme/a*"], &[])], &[(0, "include", "org.x/*")]);
    }

    #[test]
    fn what_others_alone_may_supply_is_not_included() {
        let acme = || registry("acme", &["com.acme/*"], &[], &[]);
        refused(&[acme(), registry("b", &[], &["com.Acme/tools-*"], &[])], &[(1, "include", "`acme`")]);
        refused(&[acme(), registry("b", &["com.acme/t*"], &["com.acme/tools-*"], &[])], &[]);
        refused(&[acme(), registry("b", &[], &["com.*"], &[])], &[]);
        // Several registries may claim the same: the first in configuration order wins.
        refused(&[acme(), acme()], &[]);
    }

    #[test]
    fn where_one_claims_everything_the_others_have_to_claim_something() {
        let all = || registry("all", &["*"], &[], &[]);
        refused(&[all(), registry("b", &[], &[], &[])], &[(1, "namespaces", "`all`")]);
        refused(&[all(), registry("b", &["com.b/*"], &[], &[])], &[]);
        refused(&[all()], &[]);
    }

    #[test]
    fn an_empty_pattern_is_an_oversight() {
        refused(&[registry("a", &[""], &[], &[])], &[(0, "namespaces", "empty pattern")]);
    }
}
