//! Key files: the secrets of a venue, a subject (who trades), an audience (who is told) or a publisher (of snapshots).
//!
//! A key file is JSON, mode 0600:
//!
//! ```json
//! { "key": "venue", "version": 1, "public": "<64 hex>", "signing": "<64 hex>", "pseudonym": "<64 hex>" }
//! ```
//!
//! `signing` is the Ed25519 secret of RFC 8032 and `public` its public half, which is checked on reading. `pseudonym` is there
//! for a venue alone: the secret behind its names for accounts, which outlives the signing key.

use std::fmt;

use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;
use zkmargin_risk::canonical::parse_hex;
use zkmargin_verifier::{PseudonymSecret, PublicKey, SigningKey};

/// The only version of key files, so far.
const VERSION: u64 = 1;
/// Most bytes of a key file.
pub const MAX_KEY_FILE_BYTES: usize = 4096;
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Whose key.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Signs attestations.
    Venue,
    /// Signs statements about accounts that venues attested for it.
    Subject,
    /// Is who a statement is made to.
    Audience,
    /// Signs snapshots.
    Publisher,
}

impl Role {
    const ALL: [Role; 4] = [Role::Venue, Role::Subject, Role::Audience, Role::Publisher];

    /// `venue`, `subject`, `audience` or `publisher`.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Venue => "venue",
            Role::Subject => "subject",
            Role::Audience => "audience",
            Role::Publisher => "publisher",
        }
    }

    /// The same in a sentence: `a venue`, `a subject`, `an audience`, `a publisher`.
    pub const fn with_article(self) -> &'static str {
        match self {
            Role::Venue => "a venue",
            Role::Subject => "a subject",
            Role::Audience => "an audience",
            Role::Publisher => "a publisher",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A key. Its secrets are overwritten when it is dropped, and its `Debug` shows the public half.
pub struct KeyFile {
    role: Role,
    signing: SigningKey,
    pseudonym: Option<PseudonymSecret>,
}

/// Why a text is no key file. No variant holds a secret.
#[derive(Debug, Error)]
pub enum KeyError {
    /// More bytes than a key file may have.
    #[error("key: {length} bytes are more than the {MAX_KEY_FILE_BYTES} that a key file may have")]
    TooLarge {
        /// Bytes given.
        length: usize,
    },
    /// Not JSON of the format, at this place. What stands there is not repeated: it may be a secret.
    #[error("key: not a key file: line {line}, column {column}")]
    Json {
        /// Line of the text.
        line: usize,
        /// Column of the line.
        column: usize,
    },
    /// A version that this build does not read.
    #[error("key: version {found}, this build reads version {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// Not a role.
    #[error("key: not the key of a venue, a subject, an audience or a publisher")]
    UnknownRole,
    /// Somebody else's key.
    #[error("key: this is the key of {}, expected that of {}", found.with_article(), expected.with_article())]
    Role {
        /// Whose it is.
        found: Role,
        /// Whose it should be.
        expected: Role,
    },
    /// A field that is not 32 bytes in lower-case hexadecimal digits.
    #[error("key: {field} is not {SECRET_BYTES} bytes in lower-case hexadecimal digits")]
    Hex {
        /// The field.
        field: &'static str,
    },
    /// A pseudonym secret that is missing or should not be there.
    #[error("key: the key of {} {} a pseudonym secret", role.with_article(), if *role == Role::Venue { "needs" } else { "has not" })]
    Pseudonym {
        /// Whose key.
        role: Role,
    },
    /// The public half is not that of the secret one: the file was changed.
    #[error("key: the public key is not that of the signing key")]
    Public,
    /// The operating system gave no randomness.
    #[error("key: no randomness from the operating system: {0}")]
    Randomness(getrandom::Error),
}

/// The file as it is read. Borrowed from the text: no copy of a secret is made that nobody overwrites.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    key: &'a str,
    version: u64,
    public: &'a str,
    signing: &'a str,
    #[serde(default)]
    pseudonym: Option<&'a str>,
}

impl KeyFile {
    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn generate(role: Role) -> Result<KeyFile, KeyError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(&mut *secret).map_err(KeyError::Randomness)?;
        let signing = SigningKey::from_bytes(&secret);
        let pseudonym = match role {
            Role::Venue => {
                getrandom::fill(&mut *secret).map_err(KeyError::Randomness)?;
                Some(PseudonymSecret::from_bytes(*secret))
            }
            Role::Subject | Role::Audience | Role::Publisher => None,
        };
        Ok(KeyFile {
            role,
            signing,
            pseudonym,
        })
    }

    /// Reads a key file of `expected`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_json(text: &[u8], expected: Role) -> Result<KeyFile, KeyError> {
        let key = KeyFile::of_any_role(text)?;
        if key.role != expected {
            return Err(KeyError::Role {
                found: key.role,
                expected,
            });
        }
        Ok(key)
    }

    /// Reads a key file, whosever it is.
    ///
    /// # Errors
    /// [`KeyError`], but not [`KeyError::Role`].
    pub fn of_any_role(text: &[u8]) -> Result<KeyFile, KeyError> {
        if text.len() > MAX_KEY_FILE_BYTES {
            return Err(KeyError::TooLarge { length: text.len() });
        }
        let fields: Fields<'_> = zkmargin_risk::json::from_slice(text).map_err(|error| KeyError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        if fields.version != VERSION {
            return Err(KeyError::Version { found: fields.version });
        }
        let role = Role::ALL
            .into_iter()
            .find(|role| role.word() == fields.key)
            .ok_or(KeyError::UnknownRole)?;
        if fields.pseudonym.is_some() != (role == Role::Venue) {
            return Err(KeyError::Pseudonym { role });
        }
        let signing = SigningKey::from_bytes(&*secret_bytes("signing", fields.signing)?);
        let pseudonym = match fields.pseudonym {
            Some(text) => Some(PseudonymSecret::from_bytes(*secret_bytes("pseudonym", text)?)),
            None => None,
        };
        let public: PublicKey = fields.public.parse().map_err(|_| KeyError::Hex { field: "public" })?;
        if public != PublicKey::of(&signing) {
            return Err(KeyError::Public);
        }
        Ok(KeyFile {
            role,
            signing,
            pseudonym,
        })
    }

    /// The JSON file. Secret.
    pub fn to_json(&self) -> Zeroizing<String> {
        // Reserved whole, so that no growth leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE_BYTES));
        text.push_str("{\n  \"key\": \"");
        text.push_str(self.role.word());
        text.push_str("\",\n  \"version\": ");
        text.push_str(&VERSION.to_string());
        text.push_str(",\n  \"public\": \"");
        push_hex(&mut text, self.public().as_bytes());
        text.push_str("\",\n  \"signing\": \"");
        push_hex(&mut text, self.signing.as_bytes());
        if let Some(pseudonym) = &self.pseudonym {
            text.push_str("\",\n  \"pseudonym\": \"");
            push_hex(&mut text, pseudonym.as_bytes());
        }
        text.push_str("\"\n}\n");
        text
    }

    /// Whose key.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::of(&self.signing)
    }

    /// The signing key.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The secret behind a venue's pseudonyms; `None` for everybody else.
    pub const fn pseudonym_secret(&self) -> Option<&PseudonymSecret> {
        self.pseudonym.as_ref()
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("role", &self.role)
            .field("public", &self.public())
            .finish_non_exhaustive()
    }
}

/// The error of [`parse_hex`] repeats the text, which here must not be repeated.
fn secret_bytes(field: &'static str, text: &str) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    parse_hex(text).map(Zeroizing::new).map_err(|_| KeyError::Hex { field })
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn key_file_round_trips_for_every_role() {
        for role in Role::ALL {
            let key = KeyFile::generate(role).unwrap();
            let read = KeyFile::from_json(key.to_json().as_bytes(), role).unwrap();
            assert_eq!(read.public(), key.public());
            assert_eq!(read.signing().as_bytes(), key.signing().as_bytes());
            assert_eq!(
                read.pseudonym_secret().map(|s| *s.as_bytes()),
                key.pseudonym_secret().map(|s| *s.as_bytes())
            );
            assert_eq!(read.pseudonym_secret().is_some(), role == Role::Venue);
        }
    }

    #[test]
    fn somebody_elses_key_is_refused() {
        let key = KeyFile::generate(Role::Subject).unwrap();
        let refusal = KeyFile::from_json(key.to_json().as_bytes(), Role::Venue).unwrap_err();
        assert!(matches!(
            refusal,
            KeyError::Role {
                found: Role::Subject,
                expected: Role::Venue
            }
        ));
    }

    #[test]
    fn changed_key_file_is_refused_and_no_secret_is_shown() {
        let key = KeyFile::generate(Role::Venue).unwrap();
        let text = key.to_json().to_string();
        let secret = hex::encode(key.signing().as_bytes());
        let other = KeyFile::generate(Role::Venue).unwrap().public().to_string();
        for changed in [
            text.replace(&key.public().to_string(), &other),
            text.replace(&secret, &secret.to_uppercase()),
            text.replace(&secret, &secret[..62]),
            text.replace("\"version\": 1", "\"version\": 2"),
            text.replace("\"venue\"", "\"subject\""),
            text.replace("\"venue\"", "\"cat\""),
            text.replace("\"signing\"", "\"signing\": 1, \"x\""),
            text[..text.len() - 10].to_owned(),
            text.replace('\n', &" ".repeat(4096)),
        ] {
            let refusal = KeyFile::from_json(changed.as_bytes(), Role::Venue).unwrap_err();
            let shown = format!("{refusal} {refusal:?} {key:?}").to_lowercase();
            assert!(!shown.contains(&secret[..16]), "{shown}");
        }
    }
}
