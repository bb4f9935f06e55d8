//! Networks of others that can be brought: who made them, under which licence, from where, checked by which sha256.
//!
//! `models/catalogue.yaml` is part of the program; a user may name another one. Nothing but `models pull` uses the
//! network, and of this folder only `download.rs` does.

mod archive;
mod download;
mod error;
mod folder;
pub mod onnx_frame;
mod part;
mod pull;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use download::{DownloadError, NetworkSettings, Progress};
pub use error::PullError;
pub use folder::{FolderLock, Installed, ModelFolder, Trusted};
pub use pull::{Pulled, Source, Trust, pull};

use crate::config::nearest::nearest;
use crate::model::{ContractError, ModelContract};

/// The catalogue of the program.
const OWN_CATALOGUE: &str = include_str!("../../../models/catalogue.yaml");

/// The contracts that the program's own catalogue names.
const OWN_CONTRACTS: &[(&str, &str)] = &[
    ("yolox_nano/model.yaml", include_str!("../../../models/yolox_nano/model.yaml")),
    ("movenet_lightning/model.yaml", include_str!("../../../models/movenet_lightning/model.yaml")),
    ("blazepose_full/model.yaml", include_str!("../../../models/blazepose_full/model.yaml")),
    ("catalogue/rtmdet_nano.yaml", include_str!("../../../models/catalogue/rtmdet_nano.yaml")),
    ("catalogue/rtmdet_m.yaml", include_str!("../../../models/catalogue/rtmdet_m.yaml")),
    ("catalogue/rtmpose_t.yaml", include_str!("../../../models/catalogue/rtmpose_t.yaml")),
    ("catalogue/rtmpose_s.yaml", include_str!("../../../models/catalogue/rtmpose_s.yaml")),
    ("catalogue/rtmpose_m.yaml", include_str!("../../../models/catalogue/rtmpose_m.yaml")),
    ("catalogue/rtmpose_m_halpe26.yaml", include_str!("../../../models/catalogue/rtmpose_m_halpe26.yaml")),
    ("catalogue/hrnet_w32.yaml", include_str!("../../../models/catalogue/hrnet_w32.yaml")),
    ("catalogue/movenet_thunder.yaml", include_str!("../../../models/catalogue/movenet_thunder.yaml")),
    ("catalogue/blazepose_lite.yaml", include_str!("../../../models/catalogue/blazepose_lite.yaml")),
];

/// What a network of the catalogue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Finds people.
    Detector,
    /// Finds keypoints.
    Keypoints,
}

impl Task {
    /// The word of the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Keypoints => "keypoints",
        }
    }
}

/// One network of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Name, as parameters call it.
    pub name: String,
    /// What it does.
    pub task: Task,
    /// How its output is decoded.
    pub style: String,
    /// One line: keypoints, size, quality.
    pub about: String,
    /// SPDX identifier of the licence.
    pub licence: String,
    /// Where the licence's text is.
    pub licence_url: String,
    /// Which page of which repository states the address.
    pub origin: String,
    /// What else one should know.
    pub note: Option<String>,
    /// Where the file lies; `None` where no ONNX file is public.
    pub url: Option<String>,
    /// How to make the file where none is public.
    pub by_hand: Option<String>,
    /// How the path inside a zip ends.
    pub member: Option<String>,
    /// Size of the download, where the project states it.
    pub bytes: Option<u64>,
    /// Name under which the weights are kept.
    pub file: String,
    /// SHA-256 of the weights, where it was computed from the real file.
    pub sha256: Option<String>,
    /// Contract, relative to the catalogue.
    pub contract: PathBuf,
}

impl Entry {
    /// Name of the file at [`Entry::url`].
    pub fn download_name(&self) -> Option<&str> {
        let path = self.url.as_deref()?.split(['?', '#']).next()?;
        path.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// What to see before one accepts the licence.
    pub fn facts(&self) -> String {
        use std::fmt::Write;
        let mut text = format!("{}: {}, {}\n", self.name, self.task.name(), self.about);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<9} {value}");
        };
        line("licence", &format!("{} ({})", self.licence, self.licence_url));
        line("origin", &self.origin);
        if let Some(url) = &self.url {
            line("address", url);
        }
        line(
            "size",
            &self.bytes.map_or_else(|| "not stated by the project".to_owned(), |bytes| format!("{bytes} bytes")),
        );
        line("sha256", self.sha256.as_deref().unwrap_or("not known yet: the first download is trusted and recorded"));
        if let Some(note) = &self.note {
            line("note", note);
        }
        if let Some(by_hand) = &self.by_hand {
            line("no ONNX", by_hand);
        }
        text
    }

    fn check(&self) -> Result<(), String> {
        let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
        if !is_plain(&self.name) || !is_plain(&self.file) {
            return Err(format!("name \"{}\" and file \"{}\" must be names without a folder", self.name, self.file));
        }
        let is_hexadecimal = |text: &String| {
            text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
        };
        if let Some(sha256) = self.sha256.as_ref().filter(|text| !is_hexadecimal(text)) {
            return Err(format!("{}: sha256 \"{sha256}\" is not 64 lower-case hexadecimal digits", self.name));
        }
        match (&self.url, &self.by_hand) {
            (Some(_), None) | (None, Some(_)) => {}
            _ => return Err(format!("{}: give either url or by_hand", self.name)),
        }
        if let Some(url) = &self.url
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            return Err(format!("{}: url \"{url}\" is neither https nor http", self.name));
        }
        if self.url.is_some() && self.download_name().is_none() {
            return Err(format!("{}: the url names no file", self.name));
        }
        Ok(())
    }
}

/// A catalogue that cannot be used, or a name that is not in it.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file cannot be used.
    #[error("{path}: {reason}")]
    Unusable {
        /// The catalogue.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such network.
    #[error("no model \"{name}\" in the catalogue; the nearest name is {nearest} (`stridepose models list` has all)")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The known name nearest to it.
        nearest: String,
    },
    /// The contract names a style that this version does not have, or is wrong.
    #[error("{name} cannot be used by this version of stridepose: {reason}")]
    Contract {
        /// The network.
        name: String,
        /// Why not.
        reason: ContractError,
    },
}

/// All networks that can be brought.
#[derive(Clone, Debug)]
pub struct Catalogue {
    entries: Vec<Entry>,
    /// Folder that contracts are relative to; `None` for the program's own.
    folder: Option<PathBuf>,
    path: String,
}

impl Catalogue {
    /// The program's own catalogue.
    ///
    /// # Errors
    /// None that a test would not have found.
    pub fn own() -> Result<Self, CatalogueError> {
        Self::parse(OWN_CATALOGUE, "the program's catalogue", None)
    }

    /// Another catalogue of the same format.
    ///
    /// # Errors
    /// [`CatalogueError::Unusable`] says what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, CatalogueError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| CatalogueError::Unusable { path: name.clone(), reason: error.to_string() })?;
        Self::parse(&text, &name, Some(path.parent().unwrap_or(Path::new("")).to_owned()))
    }

    fn parse(text: &str, path: &str, folder: Option<PathBuf>) -> Result<Self, CatalogueError> {
        let refuse = |reason: String| CatalogueError::Unusable { path: path.to_owned(), reason };
        let entries: Vec<Entry> = serde_yaml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let mut names: Vec<&str> = Vec::new();
        for entry in &entries {
            entry.check().map_err(refuse)?;
            if names.contains(&entry.name.as_str()) {
                return Err(refuse(format!("{} is there twice", entry.name)));
            }
            names.push(&entry.name);
        }
        Ok(Self { entries, folder, path: path.to_owned() })
    }

    /// All entries, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry called `name`.
    ///
    /// # Errors
    /// [`CatalogueError::Unknown`] with the nearest name.
    pub fn entry(&self, name: &str) -> Result<&Entry, CatalogueError> {
        self.entries.iter().find(|entry| entry.name == name).ok_or_else(|| CatalogueError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, self.entries.iter().map(|entry| entry.name.as_str())).to_owned(),
        })
    }

    /// The text of an entry's contract; it can be used by this version.
    ///
    /// # Errors
    /// [`CatalogueError`] when it is missing, wrong, or of a style that this version does not have.
    pub fn contract_text(&self, entry: &Entry) -> Result<String, CatalogueError> {
        let unusable = |reason: String| CatalogueError::Unusable { path: self.path.clone(), reason };
        let text = if let Some(folder) = &self.folder {
            let path = folder.join(&entry.contract);
            std::fs::read_to_string(&path).map_err(|error| unusable(format!("{}: {error}", path.display())))?
        } else {
            OWN_CONTRACTS
                .iter()
                .find(|(path, _)| Path::new(path) == entry.contract)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| unusable(format!("{}: no contract {}", entry.name, entry.contract.display())))?
        };
        let contract = ModelContract::parse(&text, &entry.contract.display().to_string())
            .map_err(|reason| CatalogueError::Contract { name: entry.name.clone(), reason })?;
        for (what, ours, theirs) in [("name", &entry.name, &contract.name), ("file", &entry.file, &contract.file)] {
            if ours != theirs {
                return Err(unusable(format!("{what} is {ours} here, {theirs} in {}", entry.contract.display())));
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_entry_of_the_program_is_sound() {
        let catalogue = Catalogue::own().unwrap();
        assert!(catalogue.entries().len() >= 12);
        for entry in catalogue.entries() {
            let Entry { name, url, licence_url, .. } = entry;
            assert!(licence_url.starts_with("https://"), "{name}");
            assert!(url.as_ref().is_none_or(|url| url.starts_with("https://")), "{name}: only https");
            let is_zip = url.as_ref().is_some_and(|url| {
                Path::new(url).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
            });
            assert_eq!(is_zip, entry.member.is_some(), "{name}: a zip and its member go together");
            let contract = ModelContract::parse(&catalogue.contract_text(entry).unwrap(), name).unwrap();
            assert_eq!(contract.licence, entry.licence, "{name}");
            assert!(entry.sha256.is_none() || entry.sha256 == contract.sha256, "{name}");
        }
    }

    #[test]
    fn every_contract_of_the_program_is_named_by_an_entry() {
        let catalogue = Catalogue::own().unwrap();
        for (path, _) in OWN_CONTRACTS {
            assert!(catalogue.entries().iter().any(|entry| entry.contract == Path::new(path)), "{path}");
        }
    }

    #[test]
    fn an_unknown_name_names_the_nearest() {
        let error = Catalogue::own().unwrap().entry("rtmpos_m").unwrap_err().to_string();
        assert!(error.contains("nearest name is rtmpose_m "), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_catalogue_is_said() {
        let good = "- {name: a, task: detector, style: yolox, about: x, licence: MIT, licence_url: u, origin: o, \
                    url: 'https://h/a.onnx', file: a.onnx, contract: a.yaml}\n";
        let reason = |text: &str| Catalogue::parse(text, "c", None).unwrap_err().to_string();
        assert!(Catalogue::parse(good, "c", None).is_ok());
        assert!(reason(&good.repeat(2)).contains("twice"));
        assert!(reason(&good.replace("name: a,", "name: ../a,")).contains("without a folder"));
        assert!(reason(&good.replace("https://h/a.onnx", "ftp://h/a.onnx")).contains("neither https"));
        assert!(reason(&good.replace("https://h/a.onnx", "https://h/")).contains("names no file"));
        assert!(reason(&good.replace("file:", "sha256: ABC, file:")).contains("64 lower-case"));
        assert!(reason(&good.replace("file:", "by_hand: x, file:")).contains("either"));
        assert!(reason(&good.replace("about", "abuot")).contains("abuot"));
    }
}
