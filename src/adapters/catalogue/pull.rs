//! Brings one network of the catalogue: fetch, check, put in place. Nothing is in place before everything is checked.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::archive::extract;
use super::download::{NetworkSettings, Progress, download};
use super::error::PullError;
use super::folder::{Installed, ModelFolder, ORIGIN_FILE, Trusted, sha256_of};
use super::onnx_frame;
use super::part::Part;
use super::{Catalogue, Entry};
use crate::adapters::model_store::CONTRACT_FILE;
use crate::model::ModelContract;

/// No network of the catalogue is near this.
const MAX_BYTES: u64 = 2 << 30;

/// Where files are taken from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The address of the entry.
    Network(&'a NetworkSettings),
    /// A folder that holds the files; the network is not used.
    Mirror(&'a Path),
}

/// What a pull has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Folder of the network.
    pub folder: PathBuf,
    /// SHA-256 of the weights.
    pub sha256: String,
    /// How it came to be trusted.
    pub trust: Trust,
}

/// Why a checksum is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It was there already, and is sound.
    AlreadyHere,
    /// It is the catalogue's.
    Catalogue,
    /// It is the one of the first download.
    SameAsFirst,
    /// This was the first download.
    FirstUse,
}

/// Brings `entry` into `folder`. Whoever calls has shown the licence and has been answered.
///
/// # Errors
/// [`PullError`]; nothing was put in place.
pub fn pull(
    catalogue: &Catalogue,
    entry: &Entry,
    folder: &ModelFolder,
    source: Source<'_>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Pulled, PullError> {
    let name = &entry.name;
    let contract = catalogue.contract_text(entry)?;
    let _lock = folder.lock()?;
    match folder.installed(name)? {
        Installed::No => {}
        Installed::Sound { sha256 } => {
            return Ok(Pulled { folder: folder.model(name), sha256, trust: Trust::AlreadyHere });
        }
        Installed::Changed { reason } => return Err(PullError::Changed { name: name.clone(), reason }),
    }
    let mut trusted = folder.trusted()?;

    let part = Part::at(folder.hidden(name, "part"));
    let Fetched { path, from, is_archive } = fetch(entry, &part, source, on_progress)?;

    let staging = folder.hidden(name, "new");
    let _ = fs::remove_dir_all(&staging);
    fs::create_dir(&staging).map_err(|source| folder.io(&staging, source))?;
    let put_together = || {
        let weights = staging.join(&entry.file);
        match entry.member.as_ref().filter(|_| is_archive) {
            Some(member) => extract(&path, member, &weights, MAX_BYTES)
                .map_err(|reason| PullError::Archive { name: name.clone(), reason })?,
            None if path == part.path() => {
                fs::rename(&path, &weights).map_err(|source| folder.io(&weights, source))?;
            }
            None => fs::copy(&path, &weights).map(drop).map_err(|source| folder.io(&weights, source))?,
        }
        let (sha256, trust) = check(entry, &weights, &from, trusted.get(name), folder)?;
        let contract_path = staging.join(CONTRACT_FILE);
        let text = with_checksum(&contract, &sha256);
        let states_it = ModelContract::parse(&text, "").is_ok_and(|contract| contract.sha256.as_ref() == Some(&sha256));
        if !states_it {
            return Err(PullError::NoChecksum { contract: entry.contract.clone() });
        }
        let origin_path = staging.join(ORIGIN_FILE);
        write(&origin_path, &origin_text(entry, &from)).map_err(|source| folder.io(&origin_path, source))?;
        write(&contract_path, &text).map_err(|source| folder.io(&contract_path, source))?;
        Ok((sha256, trust))
    };
    let result = put_together();
    let (sha256, trust) = match result {
        Ok(checked) => checked,
        Err(error) => {
            let _ = fs::remove_dir_all(&staging);
            // Wrong bytes are not taken up again; a full disk is no reason to lose right ones.
            if !matches!(error, PullError::Io { .. }) {
                part.discard();
            }
            return Err(error);
        }
    };
    if trust == Trust::FirstUse {
        trusted.insert(name.clone(), Trusted { sha256: sha256.clone(), from });
        folder.set_trusted(&trusted)?;
    }
    let target = folder.model(name);
    fs::rename(&staging, &target).map_err(|source| folder.io(&target, source))?;
    part.discard();
    Ok(Pulled { folder: target, sha256, trust })
}

/// A file that is here.
struct Fetched {
    path: PathBuf,
    from: String,
    is_archive: bool,
}

fn fetch(
    entry: &Entry,
    part: &Part,
    source: Source<'_>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, PullError> {
    match source {
        Source::Mirror(mirror) => {
            let archive = entry.member.is_some();
            let of_address = entry.download_name().map(|name| (name.to_owned(), archive));
            let candidates = of_address
                .into_iter()
                .chain([(format!("{}/{}", entry.name, entry.file), false), (entry.file.clone(), false)]);
            let candidates: Vec<(String, bool)> = candidates.collect();
            let found = candidates.iter().find(|(name, _)| mirror.join(name).is_file());
            let (name, is_archive) = found.ok_or_else(|| PullError::NotInMirror {
                name: entry.name.clone(),
                names: candidates.iter().map(|(name, _)| name.clone()).collect(),
                mirror: mirror.to_owned(),
            })?;
            let path = mirror.join(name);
            Ok(Fetched { from: path.display().to_string(), path, is_archive: *is_archive })
        }
        Source::Network(settings) => {
            let url = entry.url.as_ref().ok_or_else(|| PullError::by_hand(entry))?;
            download(url, part, MAX_BYTES, settings, on_progress)?;
            Ok(Fetched { path: part.path().to_owned(), from: url.clone(), is_archive: entry.member.is_some() })
        }
    }
}

/// Compares the weights with what is known of them.
fn check(
    entry: &Entry,
    weights: &Path,
    from: &str,
    first: Option<&Trusted>,
    folder: &ModelFolder,
) -> Result<(String, Trust), PullError> {
    let found = sha256_of(weights).map_err(|source| folder.io(weights, source))?;
    let (wanted, who, trust) = match (&entry.sha256, first) {
        (Some(sha256), _) => (sha256, "the catalogue".to_owned(), Trust::Catalogue),
        (None, Some(first)) => {
            let who = format!("{} (trusted on first use)", folder.checksums_path().display());
            (&first.sha256, who, Trust::SameAsFirst)
        }
        (None, None) => (&found, String::new(), Trust::FirstUse),
    };
    if *wanted != found {
        return Err(PullError::Checksum {
            name: entry.name.clone(),
            from: from.to_owned(),
            wanted: wanted.clone(),
            found,
            who,
            is_trusted: trust == Trust::SameAsFirst,
        });
    }
    if trust == Trust::FirstUse {
        let defect = fs::File::open(weights).and_then(|mut file| onnx_frame::defect(&mut file));
        if let Some(reason) = defect.map_err(|source| folder.io(weights, source))? {
            return Err(PullError::NotOnnx { name: entry.name.clone(), from: from.to_owned(), reason });
        }
    }
    Ok((found, trust))
}

/// The contract with the checksum of the weights that it lies beside.
fn with_checksum(contract: &str, sha256: &str) -> String {
    let lines = contract.lines().filter(|line| !line.starts_with("sha256:"));
    lines.map(str::to_owned).chain([format!("sha256: {sha256}")]).flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Where the weights came from and under which licence, to lie beside them.
fn origin_text(entry: &Entry, from: &str) -> String {
    let Entry { name, licence, licence_url, origin, .. } = entry;
    format!(
        "{name}, brought by `stridepose models pull`\nfrom: {from}\nlicence: {licence}, {licence_url}\norigin: {origin}\n"
    )
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
