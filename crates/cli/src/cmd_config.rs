//! `cabotage config show`.

use cabotage::{Origin, Setting, Stores};
use cabotage_core::display_text;
use clap::{Args, Subcommand};

use crate::exit_code::Exit;
use crate::job_args::state_dir;
use crate::options::Common;
use crate::output::{Failure, Output};

#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints each setting with its origin; secrets are redacted
    Show {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &ConfigArgs, common: &Common) -> Result<Exit, Failure> {
    let ConfigCommand::Show { json } = args.command;
    let stores = common.stores()?;
    let settings: Vec<Setting> = places(&stores).into_iter().chain(stores.settings()).collect();
    let width = settings.iter().map(|setting| display_text(&setting.name).chars().count()).max().unwrap_or(0);
    let mut output = Output::new();
    for setting in &settings {
        if json {
            output.json(setting)?;
        } else {
            let (name, value) = (display_text(&setting.name), display_text(&setting.value));
            output
                .line(format!("{name:<width$}  {value}  ({})", display_text(&setting.origin.to_string())))?;
        }
    }
    output.finish()?;
    Ok(Exit::Success)
}

/// Where the configuration and the ledgers are.
fn places(stores: &Stores) -> Vec<Setting> {
    let setting =
        |name: &str, value: String| Setting { name: name.to_owned(), value, origin: Origin::Default };
    let environment = stores.environment();
    let file = match (stores.file(), Stores::default_path(environment)) {
        (Some(file), _) => file.display().to_string(),
        (None, Some(path)) => format!("<none; looked for {}>", path.display()),
        (None, None) => "<none>".to_owned(),
    };
    let state =
        state_dir(None, environment).map_or_else(|_| "<none>".to_owned(), |dir| dir.display().to_string());
    vec![setting("configuration file", file), setting("state folder", state)]
}
