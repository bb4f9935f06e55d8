//! Where networks lie on disk: contracts, weights, checksums.
//!
//! A model is asked for by name. Its contract is looked for as `NAME/model.yaml` in each `--models DIR`, then in
//! the folders that come with the program, then where `stridepose models pull` puts things; its weights beside the
//! contract, then as a loose file in each `--models DIR`. The first contract whose weights are there is taken. So our
//! contracts serve other people's weights wherever a user keeps them.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::adapters::user_folder;
use crate::model::{ContractError, ModelContract, ModelTask};

/// Name of the contract file in a model's folder.
pub(super) const CONTRACT_FILE: &str = "model.yaml";

/// Folders to look in.
#[derive(Clone, Debug)]
pub struct ModelStore {
    /// `--models DIR`, in order.
    user_folders: Vec<PathBuf>,
    /// What comes with the program, then what was pulled.
    own_folders: Vec<PathBuf>,
}

/// Where pulled models are kept: `STRIDEPOSE_MODELS`, else `stridepose/models` in the user's data folder
/// (`XDG_DATA_HOME`, else `~/.local/share`). `None` where none of these is known.
pub fn user_model_folder() -> Option<PathBuf> {
    let own = || Some(user_folder::of_program("XDG_DATA_HOME", ".local/share")?.join("models"));
    user_folder::from_variable("STRIDEPOSE_MODELS").or_else(own)
}

/// A contract with the weights that belong to it.
#[derive(Clone, Debug)]
pub struct Model {
    /// The contract.
    pub contract: ModelContract,
    /// Where the contract lies.
    pub contract_path: PathBuf,
    /// Where the weights lie.
    pub weights_path: PathBuf,
    /// The weights, checksum verified.
    pub weights: Vec<u8>,
    /// SHA-256 of the weights.
    pub sha256: String,
}

/// A model that cannot be used. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// `--models` names no folder.
    #[error("--models {0}: no such folder")]
    NoFolder(PathBuf),
    /// No contract of that name.
    #[error(
        "no model \"{name}\": no {name}/{CONTRACT_FILE} in {}; known are {}; `stridepose models list` names more that can \
         be pulled",
        list(searched), known.join(", ")
    )]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Where contracts were looked for.
        searched: Vec<PathBuf>,
        /// Names that have a contract.
        known: Vec<String>,
    },
    /// A contract that cannot be used.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The weights are nowhere.
    #[error(
        "model {name}: its weights {file} (sha256 {sha256}) are not in {}; they are not shipped with stridepose: \
         get them ({origin}) and name their folder with --models DIR, or see `stridepose models list` for what can be \
         pulled",
        list(searched)
    )]
    NoWeights {
        /// The model.
        name: String,
        /// File name.
        file: String,
        /// Expected checksum.
        sha256: String,
        /// Where the contract says they come from.
        origin: String,
        /// Where they were looked for.
        searched: Vec<PathBuf>,
    },
    /// The weights are not the contract's.
    #[error(
        "{path}: sha256 is {found}, the contract of {name} wants {wanted}; get the right file or correct the contract"
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The model.
        name: String,
        /// Checksum of the file.
        found: String,
        /// Checksum of the contract.
        wanted: String,
    },
    /// A file cannot be read.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl ModelStore {
    /// Looks in `user_folders` first, then in what comes with the program: `share/stridepose/models` beside the binary's
    /// folder, and the `models` folder of the source tree it was built from; then in [`user_model_folder`].
    ///
    /// # Errors
    /// [`ModelError::NoFolder`] for a `--models` that is no folder.
    pub fn new(user_folders: &[PathBuf]) -> Result<Self, ModelError> {
        if let Some(missing) = user_folders.iter().find(|folder| !folder.is_dir()) {
            return Err(ModelError::NoFolder(missing.clone()));
        }
        let installed = std::env::current_exe().ok().and_then(|binary| {
            binary
                .ancestors()
                .skip(1)
                .map(|folder| folder.join("share/stridepose/models"))
                .find(|folder| folder.is_dir())
        });
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let own_folders =
            installed.into_iter().chain([source]).chain(user_model_folder()).filter(|folder| folder.is_dir()).collect();
        Ok(Self { user_folders: user_folders.to_vec(), own_folders })
    }

    /// Where contracts are looked for, in order.
    pub fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.user_folders.iter().chain(&self.own_folders)
    }

    /// Names of all models that have a contract, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .folders()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join(CONTRACT_FILE).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Reads the contract called `name`: the first whose weights are there, else the first.
    ///
    /// # Errors
    /// [`ModelError`] when there is none or it cannot be used.
    pub fn contract(&self, name: &str) -> Result<(ModelContract, PathBuf), ModelError> {
        self.find(name).map(|(contract, path, _)| (contract, path))
    }

    /// The contract called `name`, its path, and its weights' path where they are there.
    fn find(&self, name: &str) -> Result<(ModelContract, PathBuf, Option<PathBuf>), ModelError> {
        let mut first = None;
        if !(name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.')) {
            for folder in self.folders() {
                let path = folder.join(name).join(CONTRACT_FILE);
                if !path.is_file() {
                    continue;
                }
                let text =
                    std::fs::read_to_string(&path).map_err(|reason| ModelError::Io { path: path.clone(), reason })?;
                let contract = ModelContract::parse(&text, &path.display().to_string())?;
                let weights = self.weight_places(&path, &contract).into_iter().find(|place| place.is_file());
                if weights.is_some() {
                    return Ok((contract, path, weights));
                }
                first.get_or_insert((contract, path, None));
            }
        }
        first.ok_or_else(|| ModelError::Unknown {
            name: name.to_owned(),
            searched: self.folders().cloned().collect(),
            known: self.names(),
        })
    }

    /// Where a contract's weights may be, in order.
    fn weight_places(&self, contract_path: &Path, contract: &ModelContract) -> Vec<PathBuf> {
        let beside = contract_path.with_file_name(&contract.file);
        std::iter::once(beside).chain(self.user_folders.iter().map(|folder| folder.join(&contract.file))).collect()
    }

    /// Reads contract and weights of the model called `name` and checks the checksum.
    ///
    /// # Errors
    /// [`ModelError`] says what is missing or wrong, where it was looked for and what to do.
    pub fn load(&self, name: &str) -> Result<Model, ModelError> {
        let (contract, contract_path, weights_path) = self.find(name)?;
        let weights_path = weights_path.ok_or_else(|| ModelError::NoWeights {
            name: name.to_owned(),
            file: contract.file.clone(),
            sha256: contract.sha256.clone().unwrap_or_else(|| "not stated".to_owned()),
            origin: contract.origin.clone(),
            searched: self
                .weight_places(&contract_path, &contract)
                .iter()
                .filter_map(|path| path.parent().map(Path::to_owned))
                .collect(),
        })?;
        let weights =
            std::fs::read(&weights_path).map_err(|reason| ModelError::Io { path: weights_path.clone(), reason })?;
        let sha256 = hexadecimal(&Sha256::digest(&weights));
        match &contract.sha256 {
            Some(wanted) if *wanted != sha256 => Err(ModelError::Checksum {
                path: weights_path,
                name: name.to_owned(),
                found: sha256,
                wanted: wanted.clone(),
            }),
            _ => Ok(Model { contract, contract_path, weights_path, weights, sha256 }),
        }
    }
}

/// Reads the discriminator that comes with `lifter`, beside its contract, and checks the checksum; `None` where the
/// contract names none.
///
/// # Errors
/// [`ModelError`] when the file is missing or is another.
pub fn load_discriminator(lifter: &Model) -> Result<Option<Model>, ModelError> {
    let ModelTask::Lifter(facts) = &lifter.contract.task else { return Ok(None) };
    let Some(facts) = &facts.discriminator else { return Ok(None) };
    let name = format!("{} discriminator", lifter.contract.name);
    let path = lifter.contract_path.with_file_name(&facts.file);
    let weights = std::fs::read(&path).map_err(|reason| ModelError::Io { path: path.clone(), reason })?;
    let sha256 = hexadecimal(&Sha256::digest(&weights));
    if sha256 != facts.sha256 {
        return Err(ModelError::Checksum { path, name, found: sha256, wanted: facts.sha256.clone() });
    }
    let contract = ModelContract { name, file: facts.file.clone(), ..lifter.contract.clone() };
    let contract_path = lifter.contract_path.clone();
    Ok(Some(Model { contract, contract_path, weights_path: path, weights, sha256 }))
}

/// Bytes in lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn store(folder: &Path) -> ModelStore {
        ModelStore { user_folders: vec![folder.to_owned()], own_folders: Vec::new() }
    }

    fn write_contract(folder: &Path, sha256: &str) {
        let text = format!(
            "{{name: net, kind: keypoints, file: net.onnx, sha256: {sha256}, licence: x, origin: somewhere, \
             input: {{name: i, element_type: u8, layout: nhwc, colour: rgb, side_px: 192}}, \
             keypoints: {{layout: coco_17, decode: {{style: movenet, output: o}}}}}}"
        );
        std::fs::create_dir_all(folder.join("net")).unwrap();
        std::fs::write(folder.join("net/model.yaml"), text).unwrap();
    }

    // printf weights | sha256sum
    const WEIGHTS_SHA256: &str = "3a1b4d9f3d6d20ed7ad1ee2bbb8c0a3e1a3e93ec8dd6f3a6d9f9b06a0a6f7d5d";

    #[test]
    fn missing_weights_say_where_they_were_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        write_contract(folder.path(), WEIGHTS_SHA256);
        let error = store(folder.path()).load("net").unwrap_err().to_string();
        assert!(error.contains("net.onnx") && error.contains("--models") && error.contains(WEIGHTS_SHA256), "{error}");
    }

    #[test]
    fn wrong_weights_are_refused_with_both_checksums() {
        let folder = tempfile::tempdir().unwrap();
        write_contract(folder.path(), WEIGHTS_SHA256);
        std::fs::write(folder.path().join("net.onnx"), b"other").unwrap();
        let error = store(folder.path()).load("net").unwrap_err().to_string();
        let found = hexadecimal(&Sha256::digest(b"other"));
        assert!(error.contains(&found) && error.contains(WEIGHTS_SHA256), "{error}");
    }

    #[test]
    fn loose_weights_are_found_and_verified() {
        let folder = tempfile::tempdir().unwrap();
        write_contract(folder.path(), &hexadecimal(&Sha256::digest(b"weights")));
        std::fs::write(folder.path().join("net.onnx"), b"weights").unwrap();
        assert_eq!(store(folder.path()).load("net").unwrap().weights, b"weights");
    }

    #[test]
    fn a_contract_without_weights_gives_way_to_one_that_has_them() {
        let (shipped, pulled) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = ModelStore {
            user_folders: Vec::new(),
            own_folders: vec![shipped.path().to_owned(), pulled.path().to_owned()],
        };
        write_contract(shipped.path(), WEIGHTS_SHA256);
        write_contract(pulled.path(), &hexadecimal(&Sha256::digest(b"weights")));
        assert_eq!(store.contract("net").unwrap().1, shipped.path().join("net/model.yaml"));
        std::fs::write(pulled.path().join("net/net.onnx"), b"weights").unwrap();
        assert_eq!(store.load("net").unwrap().contract_path, pulled.path().join("net/model.yaml"));
        std::fs::write(shipped.path().join("net/net.onnx"), b"other").unwrap();
        assert!(store.load("net").is_err(), "what comes first is not passed over because it is wrong");
    }

    #[test]
    fn an_unknown_model_lists_the_known_ones() {
        let folder = tempfile::tempdir().unwrap();
        write_contract(folder.path(), WEIGHTS_SHA256);
        let error = store(folder.path()).load("nett").unwrap_err().to_string();
        assert!(error.contains("known are net"), "{error}");
        assert!(store(folder.path()).load("../net").is_err());
    }
}
