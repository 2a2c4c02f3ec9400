//! Layers that figment does not bring: YAML (its own rests on an archived crate), and a name for layers
//! that are no file.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map};
use figment::{Error, Metadata, Profile, Provider};

/// A YAML file.
#[derive(Clone, Debug)]
pub(super) struct YamlFile {
    path: PathBuf,
}

impl YamlFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Provider for YamlFile {
    fn metadata(&self) -> Metadata {
        Metadata::from("YAML file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let text = std::fs::read_to_string(&self.path).map_err(|error| error.to_string())?;
        let dict: Option<Dict> = serde_saphyr::from_str(&text).map_err(|error| error.to_string())?;
        Ok(Profile::Default.collect(dict.unwrap_or_default()))
    }
}

/// A provider under a name of ours.
#[derive(Clone, Debug)]
pub(super) struct Named<P>(pub(super) &'static str, pub(super) P);

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        self.1.data()
    }
}
