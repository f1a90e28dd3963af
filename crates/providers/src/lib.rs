//! The catalogue of storage providers: endpoints, limits and quirks, as data.
//!
//! A profile says what is documented or was measured of a provider, with evidence and date; what a probe observes of
//! a server goes before it. Where nothing is known the state is [`Support::Unknown`](cabotage_core::Support), and a
//! caller then takes the careful way.

mod catalogue;
mod profile;

pub use catalogue::{all, find, generic};
pub use profile::{
    Addressing, Conditions, EtagForm, Evidence, Fact, Integrity, Profile, ProfileLimits, StorageClass,
};
