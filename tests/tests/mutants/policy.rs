//! The policy: it asks for exactly what the bundle says, so that whatever a mutant asks for beyond it is refused.

use std::collections::BTreeSet;

use zkmargin_tests::small::SMALL;
use zkmargin_tests::tree::{Mutant, Tree};
use zkmargin_verifier::Policy;

use crate::{Harmless, Tally, assert_all_are_harmless};

const LOOSER: &str = "it asks for less";
const SAME: &str = "a set has no order, and nothing twice";
const OBSERVED: &str = "it counts when the breaker observes, and here it saw one calm snapshot";
const CALLS: &str = "it counts in a registry alone";

/// Mutants under which the bundle is accepted all the same.
const HARMLESS: [Harmless; 27] = [
    Harmless {
        path: "/books",
        how: "twice",
        why: SAME,
    },
    Harmless {
        path: "/universes",
        how: "twice",
        why: SAME,
    },
    Harmless {
        path: "/models",
        how: "twice",
        why: SAME,
    },
    Harmless {
        path: "/required_venues",
        how: "twice",
        why: SAME,
    },
    Harmless {
        path: "/required_venues",
        how: "swapped",
        why: SAME,
    },
    Harmless {
        path: "/required_venues",
        how: "dropped",
        why: LOOSER,
    },
    Harmless {
        path: "/subject_groups/0",
        how: "twice",
        why: SAME,
    },
    Harmless {
        path: "/subject_groups/0",
        how: "swapped",
        why: SAME,
    },
    Harmless {
        path: "/snapshots/of",
        how: "swapped",
        why: SAME,
    },
    Harmless {
        path: "/snapshots/signed_by",
        how: "one less",
        why: LOOSER,
    },
    Harmless {
        path: "/venues/*/0",
        how: "dropped",
        why: LOOSER,
    },
    Harmless {
        path: "/venues/*/0/from",
        how: "nothing",
        why: LOOSER,
    },
    Harmless {
        path: "/venues/*/0/until",
        how: "nothing",
        why: LOOSER,
    },
    Harmless {
        path: "/venues/*/0/until",
        how: "last digit",
        why: LOOSER,
    },
    Harmless {
        path: "/venues/*/0/revoked",
        how: "nothing",
        why: LOOSER,
    },
    Harmless {
        path: "/venues/*/0/revoked",
        how: "last digit",
        why: LOOSER,
    },
    Harmless {
        path: "/held",
        how: "flip",
        why: LOOSER,
    },
    Harmless {
        path: "/ratio",
        how: "shorter",
        why: LOOSER,
    },
    Harmless {
        path: "/excess",
        how: "one less",
        why: LOOSER,
    },
    Harmless {
        path: "/excess",
        how: "shorter",
        why: LOOSER,
    },
    Harmless {
        path: "/max_snapshot_age",
        how: "last digit",
        why: LOOSER,
    },
    Harmless {
        path: "/max_attestation_age",
        how: "last digit",
        why: LOOSER,
    },
    Harmless {
        path: "/max_validity",
        how: "last digit",
        why: LOOSER,
    },
    Harmless {
        path: "/max_validity",
        how: "nothing",
        why: LOOSER,
    },
    Harmless {
        path: "/breaker/**",
        how: "",
        why: OBSERVED,
    },
    Harmless {
        path: "/calls/**",
        how: "",
        why: CALLS,
    },
    // Of the policy itself: its breaker, or its calls.
    Harmless {
        path: "",
        how: "dropped",
        why: LOOSER,
    },
];

/// Fields of which one step from what the bundle says asks for less, or is no policy; what asks for more is tried in `acceptance::tests`.
const ONE_WAY: [&str; 6] = ["calls", "held", "level", "network", "nonce", "required_venues"];

#[test]
fn policy_changed_anywhere_refuses_the_bundle_or_asks_for_less() {
    let bundle = SMALL.bundle.to_bytes();
    let mut tally = Tally::default();
    let (mut accepted, mut asked): (Vec<Mutant>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
    for mutant in Tree::of_json(&SMALL.policy_file).mutants() {
        let Ok(policy) = Policy::from_json(mutant.tree.to_json().as_bytes()) else {
            tally.count("no policy");
            continue;
        };
        match SMALL.verdict(&policy, &bundle) {
            Err(_) => {
                tally.count("refuses");
                asked.extend(mutant.path.to_string().split('/').nth(1).map(str::to_owned));
            }
            Ok(_) => {
                tally.count("accepts");
                accepted.push(mutant);
            }
        }
    }
    tally.show("policy");
    assert_all_are_harmless(&accepted, &HARMLESS);
    // Every field is asked about, but for those that cannot be asked so: a field that nobody reads fails here.
    let fields = SMALL.policy_file.as_object().unwrap().keys().map(String::as_str);
    let silent: Vec<&str> = fields.filter(|field| !asked.contains(*field)).collect();
    assert_eq!(silent, ONE_WAY);
}
