//! Coefficients in the user's cache, beside the parameters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zkmargin_circuits::{CIRCUIT_VERSION, PROTOCOL_VERSION};
use zkmargin_verifier::file::read_file;
use zkmargin_verifier::output::{Secrecy, WriteError, write_file};

use super::{CostModel, PROVE, Source, VERIFY};

/// The name of the file.
const NAME: &str = "cost-model.json";
/// More bytes than this are none.
const MAX_BYTES: usize = 1 << 16;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: String,
    protocol: u32,
    circuit: u32,
    fitted: String,
    processor: String,
    largest_error: [f64; 2],
    left_out_error: [f64; 2],
    /// CPU milliseconds by name.
    prove: BTreeMap<String, f64>,
    verify: BTreeMap<String, f64>,
}

const KIND: &str = "cost-model";

impl CostModel {
    /// The coefficients that were fitted here, if they were under these versions of protocol and circuit; else the built-in ones.
    pub fn here(cache: Option<&Path>) -> CostModel {
        cache.and_then(read).unwrap_or_else(CostModel::built_in)
    }

    /// Keeps fitted coefficients for [`here`](Self::here); the file.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn keep(&self, cache: &Path) -> Result<PathBuf, WriteError> {
        let path = cache.join(NAME);
        std::fs::create_dir_all(cache).map_err(|source| WriteError::Io {
            path: cache.to_owned(),
            source,
        })?;
        let text = self.text();
        write_file(&path, text.as_bytes(), Secrecy::Public, true)?;
        Ok(path)
    }

    fn text(&self) -> String {
        let by_name = |names: &[&str], ms: &[f64]| -> BTreeMap<String, f64> {
            let pairs = names.iter().zip(ms);
            pairs.map(|(name, ms)| ((*name).to_owned(), *ms)).collect()
        };
        let file = File {
            kind: KIND.to_owned(),
            protocol: PROTOCOL_VERSION,
            circuit: CIRCUIT_VERSION,
            fitted: match &self.source {
                Source::Fitted { date } => date.clone(),
                Source::BuiltIn => String::new(),
            },
            processor: self.processor.clone(),
            largest_error: self.largest_error,
            left_out_error: self.left_out_error,
            prove: by_name(&PROVE, &self.prove),
            verify: by_name(&VERIFY, &self.verify),
        };
        // Names and numbers: there is nothing that JSON cannot say.
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }
}

fn read(cache: &Path) -> Option<CostModel> {
    let file: File = serde_json::from_slice(&read_file(&cache.join(NAME), MAX_BYTES).ok()?).ok()?;
    let is_current = (file.kind.as_str(), file.protocol, file.circuit) == (KIND, PROTOCOL_VERSION, CIRCUIT_VERSION);
    is_current.then_some(())?;
    Some(CostModel {
        source: Source::Fitted { date: file.fitted },
        processor: file.processor,
        prove: in_order(&PROVE, &file.prove)?,
        verify: in_order(&VERIFY, &file.verify)?,
        largest_error: file.largest_error,
        left_out_error: file.left_out_error,
    })
}

/// The coefficients of these names; none if others are there, or a number that is none of milliseconds.
fn in_order<const N: usize>(names: &[&str; N], of: &BTreeMap<String, f64>) -> Option<[f64; N]> {
    let mut ms = [0.0; N];
    for (ms, name) in ms.iter_mut().zip(names) {
        *ms = *of.get(*name).filter(|ms| ms.is_finite() && **ms >= 0.0)?;
    }
    (of.len() == N).then_some(ms)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn kept_coefficients_are_those_that_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        assert_eq!(CostModel::here(Some(&cache)), CostModel::built_in());
        let fitted = CostModel {
            source: Source::Fitted {
                date: "2026-11-29".to_owned(),
            },
            processor: "a processor".to_owned(),
            ..CostModel::built_in()
        };
        let path = fitted.keep(&cache).unwrap();
        assert_eq!(CostModel::here(Some(&cache)), fitted);
        assert_eq!(CostModel::here(None), CostModel::built_in());
        assert!(
            fitted
                .provenance()
                .contains("fitted on 2026-11-29 to measurements on a processor")
        );

        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("\"protocol\": 3", "\"protocol\": 2"),
            ("\"opening\"", "\"closing\""),
            ("\"kind\": \"cost-model\"", "\"kind\": \"other\""),
            ("{", ""),
        ] {
            assert!(text.contains(from), "{from}");
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            assert_eq!(CostModel::here(Some(&cache)), CostModel::built_in(), "{to}");
        }
        let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file["verify"]["row"] = serde_json::json!(-1.0);
        std::fs::write(&path, file.to_string()).unwrap();
        assert_eq!(CostModel::here(Some(&cache)), CostModel::built_in());
    }
}
