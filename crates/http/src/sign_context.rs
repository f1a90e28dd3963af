//! What credential providers may use: files, environment, HTTP, commands.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::Result;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqsign_core::{CommandExecute, CommandOutput, Context, Error, FileRead, HttpSend, OsEnv, StaticEnv};
use tokio::process::Command;

use crate::connect::Connector;
use crate::{HttpConfig, fault};

/// Longest reply to a request for credentials.
const REPLY: usize = 1024 * 1024;

/// Longest time for a reply, and for a command that prints credentials (a login may ask the user).
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest time to connect to a cloud's metadata service: it answers at once, or there is none.
const METADATA_CONNECT: Duration = Duration::from_secs(1);

/// How often a request for credentials is sent.
const ATTEMPTS: u32 = 3;

/// Where credential providers read variables from.
#[derive(Clone, PartialEq, Eq)]
pub enum Environment {
    /// The process's environment.
    Ambient,
    /// These variables alone: a store with a name of its own ignores the ambient ones. Commands get the process's
    /// environment without the clouds' variables (`AWS_…`, `AZURE_…`), and with these.
    Fixed(BTreeMap<String, String>),
}

impl fmt::Debug for Environment {
    /// Names the variables without their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambient => f.write_str("Ambient"),
            Self::Fixed(variables) => f.debug_tuple("Fixed").field(&variables.keys()).finish(),
        }
    }
}

/// The surroundings of credential providers: files and commands by tokio, HTTP by a client of its own.
///
/// That client sends to whatever host a provider names, over TLS. Plaintext is allowed to this machine and to link-local
/// addresses alone (the clouds' metadata services, which don't speak TLS), always without the proxy; elsewhere as
/// `allow_plaintext` says. It follows no redirects.
///
/// # Errors
/// `InvalidConfig` for a proxy or CA file that can't be used.
pub fn reqsign_context(config: &HttpConfig, environment: Environment) -> Result<Context> {
    let metadata = HttpConfig {
        proxy: None,
        connect_timeout: METADATA_CONNECT.min(config.connect_timeout),
        ..config.clone()
    };
    let http = CredentialHttp {
        metadata: Client::builder(TokioExecutor::new()).build(Connector::new(&metadata)?),
        login: Client::builder(TokioExecutor::new()).build(Connector::new(config)?),
        allow_plaintext: config.allow_plaintext,
    };
    let commands = Commands(environment.clone());
    let context = Context::new().with_file_read(Files).with_http_send(http).with_command_execute(commands);
    Ok(match environment {
        Environment::Ambient => context.with_env(OsEnv),
        Environment::Fixed(variables) => context
            .with_env(StaticEnv { home_dir: std::env::home_dir(), envs: variables.into_iter().collect() }),
    })
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>, Error> {
        tokio::fs::read(path)
            .await
            .map_err(|error| Error::config_invalid(format!("{path} can't be read: {error}")))
    }
}

type Plain = Client<Connector, Full<Bytes>>;

struct CredentialHttp {
    metadata: Plain,
    login: Plain,
    allow_plaintext: bool,
}

impl fmt::Debug for CredentialHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialHttp").finish_non_exhaustive()
    }
}

impl HttpSend for CredentialHttp {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let near = is_near(request.uri());
        let secure = request.uri().scheme_str() == Some("https");
        let host = request.uri().host().unwrap_or_default().to_owned();
        if !secure && !near && !self.allow_plaintext {
            let message = format!("credentials would be asked of {host} in plaintext; use https://");
            return Err(Error::config_invalid(message));
        }
        let client = if near { &self.metadata } else { &self.login };
        let (parts, body) = request.into_parts();
        let mut attempt = 1;
        loop {
            let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
            let result = exchange(client, request, &host).await;
            let again = match &result {
                Ok(response) => response.status().is_server_error() || response.status() == 429,
                Err(_) => !near,
            };
            if !again || attempt >= ATTEMPTS {
                return result.map_err(Error::unexpected);
            }
            tokio::time::sleep(Duration::from_millis(200) * attempt).await;
            attempt += 1;
        }
    }
}

async fn exchange(
    client: &Plain,
    request: Request<Full<Bytes>>,
    host: &str,
) -> Result<Response<Bytes>, String> {
    let whole = async {
        let response =
            client.request(request).await.map_err(|error| fault::transport(error, host).0.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, REPLY).collect().await;
        let body = body.map_err(|_| format!("{host}: the reply broke off or is too long"))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    match tokio::time::timeout(HTTP_TIMEOUT, whole).await {
        Ok(result) => result,
        Err(_) => Err(format!("{host}: no reply within {HTTP_TIMEOUT:?}")),
    }
}

/// Plaintext to this machine, a link-local address or the metadata services' IPv6 addresses (`fd00:ec2::/32`).
fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let near = match address {
        Ok(IpAddr::V4(v4)) => v4.is_loopback() || v4.is_link_local(),
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.segments().starts_with(&[0xfd00, 0x0ec2]),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    near && uri.scheme_str() == Some("http")
}

#[derive(Debug)]
struct Commands(Environment);

impl CommandExecute for Commands {
    async fn command_execute<'a>(
        &'a self,
        program: &'a str,
        arguments: &'a [&'a str],
    ) -> Result<CommandOutput, Error> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        if let Environment::Fixed(variables) = &self.0 {
            for (name, _) in std::env::vars_os().filter(|(name, _)| is_cloud_variable(name)) {
                command.env_remove(name);
            }
            command.envs(variables);
        }
        let failed =
            |why: String| Error::config_invalid(format!("{program} can't be run for credentials: {why}"));
        let output = tokio::time::timeout(COMMAND_TIMEOUT, command.output())
            .await
            .map_err(|_| failed(format!("it took longer than {COMMAND_TIMEOUT:?}")))?
            .map_err(|error| failed(error.to_string()))?;
        let status = output.status.code().unwrap_or(-1);
        Ok(CommandOutput { status, stdout: output.stdout, stderr: output.stderr })
    }
}

fn is_cloud_variable(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    ["AWS_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
#[path = "sign_context_tests.rs"]
mod tests;
