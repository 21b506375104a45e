//! The command line: one file per subcommand.

mod administration;
mod doctor;
mod door;
mod enqueue;
mod host_keys;
mod internal;
mod job;
mod key;
mod mirror;
mod named_file;
mod output;
mod pause;
mod profile;
mod redises;
mod run;
mod secret_key;
mod secrets;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::{Config, ConfigError, Overrides};

/// Keeps a Rails forge's repository mirrors up to date, in the place of its Ruby Sidekiq workers.
///
/// Without a subcommand it runs the worker.
#[derive(Debug, Parser)]
#[command(name = "sidemirror", version, disable_version_flag = true, after_help = ENVIRONMENT)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
    /// Print the version
    #[arg(short = 'V', long = "version", action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// What is not on the command line.
const ENVIRONMENT: &str = "\
Environment:
  REDIS_URL              Where Redis is [default: redis://localhost:6379/0]
  REDIS_PROVIDER         The name of the variable that holds that URL
  APP_ENV, RAILS_ENV, RACK_ENV
                         Which section of the configuration is used [default: development]
  RAILS_MAX_THREADS      Jobs run at once, if neither -c nor the file says
  SIDEMIRROR_SECRET_KEY  The key that seals secrets; mirror.secret_key_file is better, since it shows less
  SIDEMIRROR_LOG         What is logged, such as debug or info,sidemirror::sidekiq=debug";

#[derive(Debug, Subcommand)]
enum Command {
    /// Take jobs, mirror, and schedule due mirrors, until stopped by TERM or INT; TSTP takes no new jobs
    Run(run::RunArgs),
    /// Administer the mirrors
    Mirror(Box<mirror::MirrorArgs>),
    /// See, and decide, which SSH servers are trusted
    HostKeys(host_keys::HostKeysArgs),
    /// The keys with which mirrors log in over SSH
    Key(key::KeyArgs),
    /// Look after the keys under which the mirrors' secrets are kept
    Secrets(secrets::SecretsArgs),
    /// Push a job of any class
    Enqueue(enqueue::EnqueueArgs),
    /// Look at everything that a worker depends on, and say what is wrong and what would help; changes nothing
    Doctor(doctor::DoctorArgs),
    /// Cancel a job, or look after those that were set aside
    Job(job::JobArgs),
    /// Show what all processes of this Redis are doing, and what waits
    Status(status::StatusArgs),
    /// Take no jobs and schedule nothing, on all nodes, until `resume`; jobs in hand go on
    Pause(pause::PauseArgs),
    /// End a pause
    Resume(pause::ResumeArgs),
    /// What a worker starts itself by
    #[command(hide = true)]
    Internal(internal::InternalArgs),
}

/// Where the configuration is; every subcommand takes it.
#[derive(Debug, Clone, Args)]
struct ConfigArgs {
    /// Read this configuration [default: /etc/sidemirror/sidemirror.yml, if it exists]
    #[arg(short = 'C', long = "config", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Use this environment's section [default: `$APP_ENV`, `$RAILS_ENV`, `$RACK_ENV` or development]
    #[arg(short = 'e', long = "environment", value_name = "NAME", global = true)]
    environment: Option<String>,
}

impl ConfigArgs {
    /// The configuration, with nothing else from the command line over it.
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.overrides(), &environment_variable)
    }

    fn overrides(&self) -> Overrides {
        Overrides { path: self.config.clone(), environment: self.environment.clone(), ..Overrides::default() }
    }
}

fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Parses the command line and does what it says. Exit codes: 0 done, 1 failed or refused, 2 the command line could not
/// be parsed; those of `doctor` are in its help.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command.is_some() && cli.run.has_flags_of_its_own() {
        let problem = "flags of the worker belong behind `run`: sidemirror run -c 5";
        Cli::command().error(ErrorKind::ArgumentConflict, problem).exit();
    }
    let done = match cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Mirror(args)) => return ended(mirror::run(*args)),
        Some(Command::HostKeys(args)) => host_keys::run(args),
        Some(Command::Key(args)) => key::run(args),
        Some(Command::Enqueue(args)) => enqueue::run(&args),
        Some(Command::Doctor(args)) => return doctor::run(&args),
        Some(Command::Job(args)) => job::run(args),
        Some(Command::Status(args)) => status::run(&args),
        Some(Command::Secrets(args)) => secrets::run(args),
        Some(Command::Pause(args)) => pause::pause(&args),
        Some(Command::Resume(args)) => pause::resume(&args),
        Some(Command::Internal(args)) => internal::run(args),
    };
    ended(done.map(|()| ExitCode::SUCCESS))
}

fn ended(done: anyhow::Result<ExitCode>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
