//! Runs the S3 server for measurements: `fast-s3 [--port N] [--latency-ms N] [--bucket NAME]… [--fill BUCKET:COUNT:MIN-MAX]…`.
//!
//! Prints its address when it is ready. `GET /_counts` tells how many requests came, `DELETE /_counts` forgets them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the bench")]

use std::process::ExitCode;
use std::time::Duration;

use acceptance::fast_s3::{FastS3, Fill};

struct Arguments {
    port: u16,
    latency: Duration,
    fills: Vec<Fill>,
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments { port: 0, latency: Duration::ZERO, fills: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u16>().map_err(|error| format!("{flag} {value}: {error}"));
        match flag.as_str() {
            "--port" => found.port = number()?,
            "--latency-ms" => found.latency = Duration::from_millis(number()?.into()),
            "--bucket" => found.fills.push(format!("{value}:0:0-0").parse()?),
            "--fill" => found.fills.push(value.parse()?),
            _ => return Err(format!("there is no {flag}")),
        }
    }
    Ok(found)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let server = FastS3::new(arguments.latency);
    for fill in &arguments.fills {
        server.store().fill(fill);
    }
    match FastS3::bind(arguments.port).await {
        Ok((listener, address)) => {
            println!("http://{address}");
            server.serve(listener).await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
