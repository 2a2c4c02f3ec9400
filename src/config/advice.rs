//! What is valid, and most likely not what somebody wants: said by `check`, and by `serve` where it matters while it
//! runs.

use super::{Config, Loaded};
use crate::catalog::MergeMode;
use crate::registry::config::Target;

impl Config {
    /// Whether anybody who reaches the public listener sees what only credentials brought.
    #[must_use]
    pub fn shows_what_credentials_brought(&self) -> bool {
        let has_credentials = self.registries.iter().any(crate::registry::config::Config::has_credentials);
        has_credentials && !self.server.listen.ip().is_loopback()
    }
}

impl Loaded {
    /// One sentence for each thing that deserves a second look.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.without_effect.is_empty() {
            let keys: Vec<_> = self.without_effect.iter().map(|key| format!("`{key}`")).collect();
            warnings.push(format!("{} has no effect in this version yet", keys.join(", ")));
        }
        warnings.extend(unclaimed(&self.config));
        warnings.extend(exposed(&self.config));
        warnings.extend(self.config.registries.iter().filter_map(in_the_clear));
        warnings.extend(self.config.registries.iter().filter_map(unreadable));
        warnings
    }
}

/// With a union and no claims, any registry may add versions to the names of all others.
fn unclaimed(config: &Config) -> Option<String> {
    let is_union = config.catalog.merge == MergeMode::Union;
    let is_claimed = config.registries.iter().any(|registry| !registry.namespaces.is_empty());
    (is_union && !is_claimed && config.registries.len() > 1).then(|| {
        format!(
            "{} registries are merged by `union` and none claims a namespace, so each may list any name, and newer \
             versions of what another one lists; claim your own names with `namespaces`, or set `catalog.merge = \"first\"`",
            config.registries.len()
        )
    })
}

fn exposed(config: &Config) -> Option<String> {
    config.shows_what_credentials_brought().then(|| {
        format!(
            "a registry that needs credentials is served, without any, to whoever reaches `server.listen` ({})",
            config.server.listen
        )
    })
}

fn in_the_clear(registry: &crate::registry::config::Config) -> Option<String> {
    (registry.insecure && registry.exposes_credentials())
        .then(|| format!("`registries.{}` sends its credentials over plain http (`insecure = true`)", registry.name))
}

/// A registry's file may come later; but mostly its name is wrong.
fn unreadable(registry: &crate::registry::config::Config) -> Option<String> {
    let Ok(Target::File(path)) = registry.target() else { return None };
    let problem = match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => "is a directory".to_owned(),
        Ok(_) => std::fs::File::open(&path).err().map(|error| format!("cannot be read: {error}"))?,
        Err(error) => format!("cannot be read: {error}"),
    };
    let name = &registry.name;
    Some(format!("`registries.{name}.file` {} {problem}; `{name}` is unhealthy until it can be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Signature;
    use crate::registry::config::Config as RegistryConfig;

    fn warnings(config: Config) -> Vec<String> {
        let (signature, traces) = (Signature::of(&[]), crate::config::Traces::Off);
        Loaded { config, without_effect: Vec::new(), signature, traces, is_level_of_run: false }.warnings()
    }

    fn registry(name: &str, namespaces: &[&str]) -> RegistryConfig {
        let namespaces = namespaces.iter().map(ToString::to_string).collect();
        RegistryConfig {
            name: name.to_owned(),
            url: Some("https://x.example".into()),
            namespaces,
            ..Default::default()
        }
    }

    #[test]
    fn a_union_in_which_nobody_claims_anything_deserves_a_word() {
        let of = |registries: &[RegistryConfig], merge| {
            let catalog = crate::catalog::Config { merge };
            warnings(Config { registries: registries.to_vec(), catalog, ..Config::default() }).len()
        };
        let (a, b, claiming) = (registry("a", &[]), registry("b", &[]), registry("c", &["com.acme/*"]));
        assert_eq!(of(&[a.clone(), b.clone()], MergeMode::Union), 1);
        assert_eq!(of(&[a.clone(), claiming], MergeMode::Union), 0);
        assert_eq!(of(&[a.clone(), b], MergeMode::First), 0);
        assert_eq!(of(&[a], MergeMode::Union), 0);
    }

    #[test]
    fn credentials_in_the_wrong_place_deserve_a_word() {
        let mut one = registry("a", &[]);
        one.bearer_token = Some("t".into());
        let mut config = Config { registries: vec![one], ..Config::default() };
        assert_eq!(warnings(config.clone()), Vec::<String>::new());
        config.server.listen = "0.0.0.0:80".parse().expect("an address");
        assert!(warnings(config.clone())[0].contains("0.0.0.0:80"));
        config.registries[0].url = Some("http://x.example".into());
        config.registries[0].insecure = true;
        assert_eq!(warnings(config.clone()).len(), 2);
        for (url, count) in [("HTTP://x.example", 2), ("http://127.0.0.1:8080", 1), ("http://localhost", 1)] {
            config.registries[0].url = Some(url.into());
            assert_eq!(warnings(config.clone()).len(), count, "{url}");
        }
    }
}
