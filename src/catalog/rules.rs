//! Which names a registry may supply: namespace ownership, `include` and `exclude`.
//!
//! Ownership depends on what is configured, and on nothing that a registry says or how it fares: a name that a pattern
//! of some registry's `namespaces` matches comes from the registries that have such a pattern, or from nobody.

mod pattern;

pub use pattern::{Shape, fold};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// What the merge needs to know of a registry: its name and the rules on its names. Compared by
/// pointer (`Arc`) between merges: the same pointer means the same rules.
#[derive(Debug)]
pub struct RegistryRules {
    /// The registry's name in the configuration.
    pub name: Box<str>,
    namespaces: Patterns,
    include: Patterns,
    exclude: Patterns,
    /// Identifies the name and the patterns, from one process to the next.
    digest: [u8; 32],
}

/// Why a name that a registry lists is left out of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// Other registries claim the name and this one does not.
    OwnedElsewhere,
    /// The administrator's `include` or `exclude` leaves it out.
    Filtered,
}

impl RegistryRules {
    /// Rules from the patterns of the configuration.
    ///
    /// # Errors
    /// The first pattern that is not a glob, and why.
    pub fn new(
        name: &str,
        namespaces: &[String],
        include: &[String],
        exclude: &[String],
    ) -> Result<Self, globset::Error> {
        Ok(Self {
            name: name.into(),
            namespaces: Patterns::new(namespaces)?,
            include: Patterns::new(include)?,
            exclude: Patterns::new(exclude)?,
            digest: digest(name, [namespaces, include, exclude]),
        })
    }

    /// Identifies the name and the patterns: the same of two processes means the same rules.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether one of the registry's `namespaces` matches.
    #[must_use]
    pub fn claims(&self, server_name: &str) -> bool {
        self.namespaces.matches(server_name)
    }

    /// Why this registry may not supply a name, if so, given whether any registry claims it.
    #[must_use]
    pub fn omission(&self, server_name: &str, claimed_by_any: bool) -> Option<Omission> {
        if claimed_by_any && !self.claims(server_name) {
            Some(Omission::OwnedElsewhere)
        } else if self.exclude.matches(server_name)
            || !self.include.is_empty() && !self.include.matches_all(server_name)
        {
            Some(Omission::Filtered)
        } else {
            None
        }
    }
}

/// With the length of each part, so that no two lists of patterns read the same.
fn digest(name: &str, lists: [&[String]; 3]) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(name);
    for list in lists {
        add(&list.len().to_string());
        for pattern in list {
            add(pattern);
        }
    }
    *hash.finalize().as_bytes()
}

/// A set of glob patterns on server names. Letter case is ignored, so that `com.Acme/x` cannot slip
/// past a rule for `com.acme/*`; `*` matches any characters, the slash too.
#[derive(Debug)]
struct Patterns(Option<GlobSet>);

impl Patterns {
    fn new(patterns: &[String]) -> Result<Self, globset::Error> {
        if patterns.is_empty() {
            return Ok(Self(None));
        }
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(parse_pattern(pattern)?);
        }
        Ok(Self(Some(set.build()?)))
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a name is matched, or what it reads as once its escapes are decoded.
    fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|set| pattern::readings(name).any(|name| set.is_match(fold(&name))))
    }

    /// Whether a name is matched, and all that it reads as.
    fn matches_all(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|set| pattern::readings(name).all(|name| set.is_match(fold(&name))))
    }
}

/// Parses one pattern as the rules will read it.
///
/// # Errors
/// When the text is not a glob.
pub fn parse_pattern(pattern: &str) -> Result<Glob, globset::Error> {
    // Letter case is more than the glob library's ASCII rule, hence the folding of both.
    GlobBuilder::new(&fold(pattern)).literal_separator(false).backslash_escape(true).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(namespaces: &[&str], include: &[&str], exclude: &[&str]) -> RegistryRules {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        RegistryRules::new("r", &owned(namespaces), &owned(include), &owned(exclude)).expect("valid patterns")
    }

    #[test]
    fn a_claim_ignores_letter_case() {
        let acme = rules(&["com.acme/*"], &[], &[]);
        assert!(acme.claims("com.acme/x"));
        assert!(acme.claims("com.Acme/X"));
        assert!(!acme.claims("com.acme.evil/x"));
        assert!(!acme.claims("com.acme"));
    }

    #[test]
    fn no_spelling_slips_past_a_claim() {
        let acme = rules(&["com.acme.Kits/*"], &[], &[]);
        for name in [
            "com.acme.kits/x",
            "COM.ACME.KITS/X",
            "com.acme.\u{212a}it\u{17f}/x",
            "com.acme.kits%2Fx",
            "com%2eacme.kits%2fx",
            "com.acme.kits%252Fx",
            "com.acme.kits/\n",
            "com.acme.kits//x",
        ] {
            assert!(acme.claims(name), "{name:?}");
        }
        for name in ["com.acme.kits", "com.acme.kits.evil/x", "com.acme.kits%/x", "xcom.acme.kits/x"] {
            assert!(!acme.claims(name), "{name:?}");
        }
    }

    #[test]
    fn what_others_claim_is_refused() {
        assert_eq!(rules(&[], &[], &[]).omission("com.acme/x", true), Some(Omission::OwnedElsewhere));
        assert_eq!(rules(&["com.acme/*"], &[], &[]).omission("com.acme/x", true), None);
    }

    #[test]
    fn include_and_exclude_apply_on_top() {
        let rules = rules(&["com.acme/*"], &["com.acme/*"], &["com.acme/experimental-*"]);
        assert_eq!(rules.omission("com.acme/stable", true), None);
        assert_eq!(rules.omission("com.acme/experimental-1", true), Some(Omission::Filtered));
        assert_eq!(rules.omission("org.other/x", false), Some(Omission::Filtered));
        // What a client may take for an excluded name is excluded, and what it may take for an included one is not
        // included for that.
        assert_eq!(rules.omission("com.acme%2Fexperimental-1", true), Some(Omission::Filtered));
        assert_eq!(rules.omission("com.acme%2Fstable", true), Some(Omission::Filtered));
    }
}
