//! The storage conformance suite: what every [`Storage`](cabotage_core::Storage) has to do, as plain async trials.
//!
//! A trial is chosen by what the store declares: what its [`Capabilities`](cabotage_core::Capabilities) call enforced
//! must be enforced, what they rule out must be refused by name, and what they leave open is [`Outcome::Skipped`] with
//! the reason. Each trial works under a random prefix of its own and removes what it made; a few hostile names also
//! stand at the root of the store, so give the suite a bucket that holds nothing else.
//!
//! All that an adapter's author needs (a store that presigns URLs has them used where the trials get an HTTP client, see
//! [`Trial::run_with`]):
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn example(store: Arc<dyn cabotage_core::Storage>) -> bool {
//! let mut failed = 0;
//! for trial in cabotage_conformance::suite() {
//!     match trial.run(Arc::clone(&store)).await {
//!         Ok(outcome) => eprintln!("{} {outcome:?}", trial.full_name()),
//!         Err(failure) => {
//!             failed += 1;
//!             eprintln!("{} FAILED: {failure}", trial.full_name());
//!         }
//!     }
//! }
//! failed == 0
//! # }
//! ```

#[macro_use]
mod check;
#[macro_use]
mod trial;
mod compute;
mod groups;
mod hostile;
mod http;
mod place;

pub use check::{Failure, Outcome};
pub use compute::{Bench, ComputeTrial, compute_suite};
pub use groups::suite;
pub use hostile::{HostileKey, hostile_keys};
pub use http::{HttpClient, HttpReply, HttpRequest};
pub use place::Place;
pub use trial::Trial;
